"""Teaches the text encoder, before any picture, who has which shape and colour and stands where.

Trained from scratch together with the UNet it collapses to nearly one state for all captions. Here its hidden states must
tell a shallow throw-away head (one cross-attention) the scene: what stands left, right, above, below, in the centre, what
is named first and second, and the background.
"""

import argparse
import random
import time

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel

import world
from common import (MAX_TOKENS, Average, Threads, WORK, assert_all_gradients, learning_rate, load_checkpoint, log,
                    save_checkpoint)

SLOTS = ["left", "right", "above", "below", "centre", "first", "second"]
NONE, OPEN = len(world.SHAPES), -100


def load_tokenizer():
    return AutoTokenizer.from_pretrained(WORK / "tokenizer")


def tokenize(tokenizer, texts):
    rows = tokenizer(texts, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt")
    return rows.input_ids


def build_text_encoder(tokenizer):
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=768, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS, hidden_act="quick_gelu", projection_dim=192, bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id))
    for name, parameter in text.named_parameters():
        # CLIP's 0.02 leaves the words almost alike
        if "token_embedding" in name:
            nn.init.normal_(parameter, std=.7)
        elif "position_embedding" in name:
            nn.init.normal_(parameter, std=.2)
    return text


class Reader(nn.Module):
    """The throw-away head: one query a slot, one cross-attention, linear answers."""

    def __init__(self, width):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(SLOTS) + 1, width) * .5)
        self.attention = nn.MultiheadAttention(width, 8, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU())
        self.shape, self.colour = nn.Linear(width, NONE + 1), nn.Linear(width, NONE + 1)
        self.size, self.background = nn.Linear(width, 3), nn.Linear(width, len(world.BACKGROUND_NAMES))

    def forward(self, hidden):  # [N, L, D]
        query = self.queries.expand(len(hidden), -1, -1)
        x = self.mlp(self.attention(query, hidden, hidden, need_weights=False)[0])
        slots = x[:, :-1]
        return self.shape(slots), self.colour(slots), self.size(slots), self.background(x[:, -1])


def targets(caption):
    """(shape, colour, size) of each slot, with OPEN where the words leave it open."""
    nothing, unknown = (NONE, NONE, OPEN), (OPEN, OPEN, OPEN)

    def of(thing):
        return (OPEN if thing.shape is None else world.SHAPES.index(thing.shape),
                OPEN if thing.colour is None else world.COLOUR_NAMES.index(thing.colour), world.SIZES.index(thing.size))

    rows = dict.fromkeys(SLOTS, nothing)
    rows["first"] = of(caption.things[0])
    if caption.relation == "one":
        rows["centre"] = rows["first"]
    else:
        rows["second"] = of(caption.things[1])
        if caption.relation == "any":
            rows.update(dict.fromkeys(["left", "right", "above", "below"], unknown))
        else:
            rows[caption.relation], rows[world.OPPOSITE[caption.relation]] = rows["first"], rows["second"]
    return [rows[slot] for slot in SLOTS]


def batch_of(tokenizer, seed, step, count, held_out=False):
    rng = random.Random(seed * 1_000_003 + step)
    captions = []
    for _ in range(count):
        captions.append(world.describe(world.random_scene(rng, held_out), rng))
    ids = tokenize(tokenizer, [c.text for c in captions])
    goal = torch.tensor([targets(c) for c in captions])  # [N, slots, 3]
    background = torch.tensor([world.BACKGROUND_NAMES.index(c.background) for c in captions])
    return ids, goal, background


@torch.no_grad()
def accuracy(text, reader, tokenizer, held_out):
    ids, goal, background = batch_of(tokenizer, 77, int(held_out), 1000, held_out)
    answers = [torch.cat(part) for part in zip(*[reader(text(part).last_hidden_state) for part in ids.split(250)])]
    right = torch.ones(len(ids), dtype=torch.bool)
    scores = {}
    for k, key in enumerate(["shape", "colour", "size"]):
        fine = ((answers[k].argmax(-1) == goal[..., k]) | (goal[..., k] == OPEN)).all(1)
        scores[key], right = float(fine.float().mean()), right & fine
    fine = answers[3].argmax(-1) == background
    return {**scores, "background": float(fine.float().mean()), "all": float((right & fine).float().mean())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer = load_tokenizer()
    text = build_text_encoder(tokenizer)
    reader = Reader(text.config.hidden_size)
    both = nn.ModuleDict({"text": text, "reader": reader})
    optimizer = torch.optim.AdamW(both.parameters(), lr=args.lr, betas=(.9, .98), weight_decay=.01)
    average, step = Average(both, .995), 0
    state = load_checkpoint("text")
    if state:
        both.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.load(state["average"])
        step = state["step"]
    log("text", event="start", step=step, parameters=sum(p.numel() for p in text.parameters()), args=vars(args))
    began, began_step, threads = time.time(), step, Threads()
    while step < args.steps:
        ids, goal, background = batch_of(tokenizer, args.seed, step, args.batch)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.lr, warm=200)
        with torch.autocast("cpu", torch.bfloat16):
            answers = both["reader"](both["text"](ids).last_hidden_state)
        shape, colour, size, ground = [a.float() for a in answers]
        loss = (F.cross_entropy(shape.flatten(0, 1), goal[..., 0].flatten()) + F.cross_entropy(colour.flatten(0, 1), goal[..., 1].flatten())
                + .5 * F.cross_entropy(size.flatten(0, 1), goal[..., 2].flatten()) + .5 * F.cross_entropy(ground, background))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.)
        if step == began_step + 100:
            assert_all_gradients(both, "text")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update()
        step += 1
        threads.step()
        if step % 100 == 0:
            log("text", step=step, loss=loss.item(), threads=torch.get_num_threads(),
                samples_per_s=(step - began_step) * args.batch / (time.time() - began))
        if step % 400 == 0 or step == args.steps:
            now = nn.ModuleDict({"text": build_text_encoder(tokenizer), "reader": Reader(text.config.hidden_size)})
            now.load_state_dict(average.shadow)
            now.eval()
            save_checkpoint("text", model=both.state_dict(), optimizer=optimizer.state_dict(), average=average.state(), step=step)
            log("text", step=step, known=accuracy(now["text"], now["reader"], tokenizer, False),
                held_out=accuracy(now["text"], now["reader"], tokenizer, True))


if __name__ == "__main__":
    main()
