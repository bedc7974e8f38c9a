"""Trains the text encoder, before the UNet, together with a small image tower on pictures of this world.

Contrastively (symmetric InfoNCE; every caption has a hard negative: swapped colours, places, numbers), and with throw-away
heads on both towers that must read the scene from the hidden states: who stands in which place, in which colour, how many.
The heads keep the hidden states, which the UNet attends to, from collapsing; the contrast makes the pooled ones a CLIP.
"""

import argparse
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

import captions
import world
from common import (DEVICE, MAX_TOKENS, Average, Threads, assert_all_gradients, bfloat16, load_tokenizer, log,
                    pixels_to_tensor, resumed, save_checkpoint, tokenize)
from schedule import learning_rate
from sprites import ALL, BACKGROUND_NAMES, COLOUR_NAMES

WIDTH, EMBEDDING = 256, 192
SLOTS = sorted({slot for slots in world.SLOTS.values() for slot in slots})
NONE, OPEN = 0, -100  # nothing stands there; the words leave it open
QUESTIONS = {"name": 1 + len(ALL), "colour": 2 + len(COLOUR_NAMES), "count": 6, "size": 4}


def build_text_encoder(tokenizer):
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS, hidden_act="quick_gelu", projection_dim=EMBEDDING, bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id))
    for name, parameter in text.named_parameters():
        # CLIP's 0.02 leaves the words almost alike
        if "token_embedding" in name:
            nn.init.normal_(parameter, std=.7)
        elif "position_embedding" in name:
            nn.init.normal_(parameter, std=.2)
    return text


class ImageTower(nn.Module):
    """Strided convolutions to 8x8 tokens, three transformer layers, a mean: 1.6 M parameters."""

    def __init__(self, width=EMBEDDING):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 48, 4, 4), nn.GELU(), nn.Conv2d(48, 96, 3, 2, 1), nn.GroupNorm(4, 96), nn.GELU(),
            nn.Conv2d(96, width, 3, 2, 1), nn.GroupNorm(8, width))
        self.places = nn.Parameter(torch.randn(64, width) * .2)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0., "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, EMBEDDING)

    def forward(self, pixels):
        """(tokens [N, 64, D], embedding [N, E]) of [N, 3, 128, 128] in -1..1."""
        tokens = self.norm(self.layers(self.stem(pixels).flatten(2).transpose(1, 2) + self.places))
        return tokens, self.project(tokens.mean(1))


class Reader(nn.Module):
    """The throw-away head: one query a slot, one cross-attention, linear answers."""

    def __init__(self, width):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(SLOTS) + 1, width) * .5)
        self.attention = nn.MultiheadAttention(width, 8, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU())
        self.answers = nn.ModuleList(nn.Linear(width, n) for n in QUESTIONS.values())
        self.background = nn.Linear(width, 1 + len(BACKGROUND_NAMES))

    def forward(self, hidden):  # [N, L, D]
        x = self.mlp(self.attention(self.queries.expand(len(hidden), -1, -1), hidden, hidden, need_weights=False)[0])
        return [answer(x[:, :-1]) for answer in self.answers], self.background(x[:, -1])


class Towers(nn.Module):
    def __init__(self, tokenizer):
        super().__init__()
        self.text = build_text_encoder(tokenizer)
        self.project = nn.Linear(WIDTH, EMBEDDING, bias=False)
        self.image = ImageTower()
        self.reader, self.watcher = Reader(WIDTH), Reader(EMBEDDING)
        self.log_scale = nn.Parameter(torch.tensor(2.3))

    def of_texts(self, ids):
        out = self.text(ids)
        return out.last_hidden_state, F.normalize(self.project(out.pooler_output).float(), dim=1)

    def read_texts(self, ids, eos):
        """(readings, embeddings); the shorter half of the captions is cut to its longest: attention is causal, pads come last."""
        lengths = (ids == eos).int().argmax(1) + 1
        order = lengths.argsort()
        parts = [(rows, *self.of_texts(ids[rows, :int(lengths[rows].max())])) for rows in order.chunk(3)]
        readings = [self.reader(hidden) for _, hidden, _ in parts]
        back = torch.cat([rows for rows, _, _ in parts]).argsort()
        told = [torch.cat(answer)[back] for answer in zip(*[told for told, _ in readings])]
        return (told, torch.cat([ground for _, ground in readings])[back]), torch.cat([words for _, _, words in parts])[back]

    def of_images(self, pixels):
        tokens, embedding = self.image(pixels)
        return tokens, F.normalize(embedding.float(), dim=1)


def answers_of(groups, layout):
    """[slots, questions] of a scene or caption."""
    rows = {slot: [NONE, OPEN, OPEN, OPEN] for slot in SLOTS}
    for slot, g in zip(world.SLOTS[layout], groups):
        rows[slot] = [1 + ALL.index(g.name), OPEN if g.colour is None else 1 + COLOUR_NAMES.index(g.colour), g.count,
                      world.SIZES.index(g.size)]
    return [rows[slot] for slot in SLOTS]


def some_scenes(seed, step, count, unseen=False):
    rng = random.Random(seed * 1_000_003 + step)
    # mostly everything; the plain single pictures too
    return [world.training_scene(rng, 4 if unseen else rng.choice([1, 4, 4, 4, 4]), unseen) for _ in range(count)], rng


def reading_loss(reading, answers, background):
    (told, ground), loss = reading, 0
    for k, out in enumerate(told):
        out, goal = out.float().flatten(0, 1), answers[..., k].flatten()
        weight = torch.ones(out.shape[1], device=out.device)
        if k == 0:
            weight[NONE] = .2
        loss = loss + (1. if k < 2 else .5) * F.cross_entropy(out, goal, weight)
    return loss + .5 * F.cross_entropy(ground.float(), background)


def batch_of(tokenizer, seed, step, count, unseen=False, shown=None):
    scenes, rng = some_scenes(seed, step, count, unseen)
    said = [captions.describe(s, rng) for s in scenes]
    wrong = [captions.describe(captions.altered(s, rng), rng) for s in scenes]
    tensors = {
        "pixels": pixels_to_tensor(np.stack([world.draw_scene(s, rng) for s in scenes[:shown]])),
        "ids": tokenize(tokenizer, [c.text for c in said]), "wrong": tokenize(tokenizer, [c.text for c in wrong]),
        "told": torch.tensor([answers_of(c.groups, c.layout) for c in said]),
        "wrong_told": torch.tensor([answers_of(c.groups, c.layout) for c in wrong]),
        "seen": torch.tensor([answers_of(s.groups, s.layout) for s in scenes]),
        "said_ground": ground_of(said), "wrong_ground": ground_of(wrong), "ground": ground_of(scenes)}
    return {"captions": said, "wrong_captions": wrong, **{key: tensor.to(DEVICE) for key, tensor in tensors.items()}}


def ground_of(things):
    return torch.tensor([0 if t.background is None else 1 + BACKGROUND_NAMES.index(t.background) for t in things])


def loss_of(towers, b):
    n, shown = len(b["ids"]), len(b["pixels"])
    reading, words = towers.read_texts(torch.cat([b["ids"], b["wrong"]]), towers.text.config.eos_token_id)
    tokens, images = towers.of_images(b["pixels"].contiguous(memory_format=torch.channels_last))
    read = reading_loss(reading, torch.cat([b["told"], b["wrong_told"]]), torch.cat([b["said_ground"], b["wrong_ground"]]))
    watch = reading_loss(towers.watcher(tokens), b["seen"][:shown], b["ground"][:shown])
    logits = towers.log_scale.exp().clamp(max=60) * images @ words.T
    for i, (a, w) in enumerate(zip(b["captions"][:shown], b["wrong_captions"])):
        if captions.same_meaning(a, w):
            logits[i, n + i] = -1e4  # by chance no negative
    goal = torch.arange(shown, device=DEVICE)
    contrast = (F.cross_entropy(logits, goal) + F.cross_entropy(logits[:, :shown].T, goal)) / 2
    return read, watch, contrast


@torch.no_grad()
def examine(towers, tokenizer, unseen, count=500):
    """Reading (all slots right), retrieval among count pairs, hard negatives, and how far hidden states are apart."""
    parts = [batch_of(tokenizer, 77, 10 * i + unseen, 100, unseen) for i in range(count // 100)]
    hits, read_right, watch_right = [], [], []
    words, images, hiddens = [], [], []
    for b in parts:
        hidden, w = towers.of_texts(b["ids"])
        _, wrong = towers.of_texts(b["wrong"])
        tokens, i = towers.of_images(b["pixels"])
        hits += [float(x) for x, a, c in zip((i * w).sum(1) > (i * wrong).sum(1), b["captions"], b["wrong_captions"])
                 if not captions.same_meaning(a, c)]
        for reading, key, ground, out in ((towers.reader(hidden), "told", "said_ground", read_right),
                                          (towers.watcher(tokens), "seen", "ground", watch_right)):
            fine = reading[1].argmax(-1) == b[ground]
            for k, answer in enumerate(reading[0]):
                fine &= ((answer.argmax(-1) == b[key][..., k]) | (b[key][..., k] == OPEN)).all(1)
            out.append(fine.float().mean())
        words.append(w)
        images.append(i)
        hiddens.append(hidden.float())
    similar = torch.cat(images) @ torch.cat(words).T
    goal = torch.arange(len(similar), device=DEVICE)
    hidden = torch.cat(hiddens)
    spread = (hidden - hidden.mean(0)).norm(dim=-1).mean() / hidden.norm(dim=-1).mean()
    mean = lambda xs: round(float(sum(xs) / len(xs)), 4)
    return {"read": mean(read_right), "watch": mean(watch_right), "image_to_text": mean((similar.argmax(1) == goal).float()),
            "text_to_image": mean((similar.argmax(0) == goal).float()), "hard_negatives": mean(hits), "spread": round(float(spread), 3)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--images", type=int, default=32, help="how many of the captions' pictures are drawn and looked at")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--save-every", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer = load_tokenizer()
    towers = Towers(tokenizer).to(DEVICE)
    optimizer = torch.optim.AdamW(towers.parameters(), lr=args.lr, betas=(.9, .98), weight_decay=.01)
    average = Average(towers, .995)
    step, seconds = resumed("text", towers, optimizer, average)
    count = lambda m: sum(p.numel() for p in m.parameters())
    log("text", event="start", step=step, text=count(towers.text), image=count(towers.image), args=vars(args))
    began, began_step, lately, threads = time.time(), step, time.time(), Threads()
    while step < args.steps:
        b = batch_of(tokenizer, args.seed, step, args.batch, shown=args.images)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.lr, warm=200)
        with bfloat16():
            read, watch, contrast = loss_of(towers, b)
        (read + .5 * watch + contrast).backward()
        torch.nn.utils.clip_grad_norm_(towers.parameters(), 1.)
        if step == began_step + 100:
            assert_all_gradients(towers, "text")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update()
        step += 1
        threads.step()
        if step % 25 == 0:
            log("text", step=step, read=round(read.item(), 4), watch=round(watch.item(), 4), contrast=round(contrast.item(), 4),
                scale=round(float(towers.log_scale.exp()), 1), threads=torch.get_num_threads(),
                per_s=round(25 * args.batch / (time.time() - lately), 1))
            lately = time.time()
        if step % args.save_every == 0 or step == args.steps:
            save_checkpoint("text", model=towers.state_dict(), optimizer=optimizer.state_dict(), average=average.state(), step=step,
                            seconds=seconds + time.time() - began)
            now = Towers(tokenizer).to(DEVICE)
            now.load_state_dict(average.shadow)
            now.eval()
            log("text", step=step, known=examine(now, tokenizer, False), unseen=examine(now, tokenizer, True))
            lately = time.time()


if __name__ == "__main__":
    main()
