"""Teaches the finished English text encoder Russian: only the rows of its embedding for the Russian pieces are trained.

English stays what it was, bit for bit. Each row starts as the English piece that it most often stands beside in captions of one
scene in both languages. Then a head that has learnt to read scenes from the English hidden states must read the Russian ones, and
both captions' ends must be alike; so that the UNet, which has met English, can use them.
"""

import argparse
import random
import time

import torch
import torch.nn.functional as F

import captions
import captions_ru
import world
from common import Average, bfloat16, load_checkpoint, load_tokenizer, log, save_checkpoint, tokenize
from schedule import learning_rate
from train_text import OPEN, WIDTH, Reader, answers_of, build_text_encoder, ground_of, reading_loss

STAGE = 3


def pairs(seed, step, count, unseen=False):
    """(English captions, Russian captions) that say the same, of the same scenes."""
    rng = random.Random(seed * 1_000_003 + step)
    english, russian = [], []
    for _ in range(count):
        scene = world.training_scene(rng, STAGE, unseen)
        say = {"colours_open": scene.layout != "inside" and rng.random() < .3,
               "background_said": captions.names_background(scene, rng)}
        if scene.layout in ("row", "column"):
            say["relation"] = rng.choice([["left", "right", "any"], ["above", "below"]][scene.layout == "column"])
        english.append(captions.describe(scene, rng, **say))
        russian.append(captions_ru.describe(scene, rng, **say))
    return english, russian


def extended(tokenizer, old_shadow):
    """(text encoder with the old rows in place, how many those are)."""
    text = build_text_encoder(tokenizer)
    key = "text.embeddings.token_embedding.weight"
    old = old_shadow[key]
    weights = {k.removeprefix("text."): v for k, v in old_shadow.items() if k.startswith("text.")}
    name = key.removeprefix("text.")
    weights[name] = torch.cat([old, old.std() * torch.randn(len(tokenizer) - len(old), WIDTH)])
    text.load_state_dict(weights)
    return text, len(old)


@torch.no_grad()
def start_from_english(rows, tokenizer, first_new, count=20_000):
    """Each new row becomes its companion's: the English piece with the greatest Dice coefficient over pairs of captions."""
    together = torch.zeros(len(tokenizer), first_new)
    of_russian, of_english = torch.zeros(len(tokenizer)), torch.zeros(first_new)
    for at in range(count // 500):
        english, russian = pairs(31, at, 500)
        for a, b in zip(tokenizer([c.text for c in english]).input_ids, tokenizer([c.text for c in russian]).input_ids):
            a, b = torch.tensor(sorted(i for i in set(a[:-1]) if i < first_new)), torch.tensor(sorted(set(b[:-1])))
            together[b[:, None], a[None]] += 1
            of_russian[b] += 1
            of_english[a] += 1
    dice = 2 * together / (of_russian[:, None] + of_english[None]).clamp(min=1)
    score, companion = dice.max(1)
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    article = pieces.index("▁a")
    for i in range(first_new, len(tokenizer)):
        # endings say nothing by themselves, like an article
        like = article if not pieces[i].startswith("▁") or score[i] < .05 else companion[i]
        rows[i] = rows[like] + .1 * rows[i]
    return {pieces[i]: pieces[companion[i]] for i in range(first_new, len(tokenizer)) if pieces[i].startswith("▁")}


def examined(text, reader, tokenizer, count=600):
    """Parts of the captions of which every slot and the background is read rightly."""
    result = {}
    with torch.no_grad():
        for unseen in (False, True):
            for language, said in zip(("english", "russian"), pairs(77, 5 + unseen, count, unseen)):
                hidden = text(tokenize(tokenizer, [c.text for c in said])).last_hidden_state
                told, ground = reader(hidden)
                answers = torch.tensor([answers_of(c.groups, c.layout) for c in said])
                fine = ground.argmax(-1) == ground_of(said)
                for k, answer in enumerate(told):
                    fine &= ((answer.argmax(-1) == answers[..., k]) | (answers[..., k] == OPEN)).all(1)
                result[f"{language}, {'unseen' if unseen else 'known'}"] = round(float(fine.float().mean()), 4)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader-steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=8)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer, began = load_tokenizer(), time.time()
    old = load_checkpoint("text")["average"]["shadow"]
    text, first_new = extended(tokenizer, old)
    assert first_new < len(tokenizer), "the text encoder has these pieces already"
    text.requires_grad_(False)
    rows = text.get_input_embeddings().weight
    companions = start_from_english(rows, tokenizer, first_new)
    log("russian", event="start", rows=len(rows) - first_new, companions=dict(list(companions.items())[:40]), args=vars(args))
    reader = Reader(WIDTH)
    average_reader = Average(reader, .99)

    def hidden_of(said):
        ids = tokenize(tokenizer, [c.text for c in said])
        with bfloat16():
            out = text(ids)
        return out.last_hidden_state.float(), ids

    def reading(head, hidden, said):
        return reading_loss(head(hidden), torch.tensor([answers_of(c.groups, c.layout) for c in said]), ground_of(said))

    optimizer = torch.optim.AdamW(reader.parameters(), lr=1e-3, betas=(.9, .98))
    for step in range(args.reader_steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.reader_steps, 2e-3, warm=50)
        said, _ = pairs(args.seed, step, args.batch)
        loss = reading(reader, hidden_of(said)[0], said)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        average_reader.update()
        if (step + 1) % 100 == 0:
            log("russian", reader_step=step + 1, loss=round(loss.item(), 4))
    reader.load_state_dict(average_reader.shadow)
    reader.requires_grad_(False)
    log("russian", before=examined(text, reader, tokenizer), seconds=round(time.time() - began))

    rows.requires_grad_(True)
    optimizer = torch.optim.Adam([rows], lr=args.lr, betas=(.9, .98))
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.lr, warm=50, decay_from=.4)
        english, russian = pairs(args.seed + 1, step, args.batch)
        with torch.no_grad():
            goal, goal_ids = hidden_of(english)
        hidden, ids = hidden_of(russian)
        eos = lambda ids: (ids == tokenizer.eos_token_id).int().argmax(1)
        at = torch.arange(len(ids))
        ends = F.mse_loss(hidden[at, eos(ids)], goal[at, eos(goal_ids)])
        last = F.mse_loss(hidden[:, -1], goal[:, -1])  # the UNet attends to the padding, too
        loss = reading(reader, hidden, russian) + ends + last
        loss.backward()
        rows.grad[:first_new] = 0  # Adam moves nothing that never had a gradient
        torch.nn.utils.clip_grad_norm_([rows], 1.)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 100 == 0:
            log("russian", step=step + 1, loss=round(loss.item(), 4), ends=round(ends.item(), 4), last=round(last.item(), 4))
    assert torch.equal(rows[:first_new], old["text.embeddings.token_embedding.weight"]), "English has changed"
    shadow = {**old, **{f"text.{k}": v.detach() for k, v in text.state_dict().items()}}
    log("russian", after=examined(text, reader, tokenizer), seconds=round(time.time() - began),
        moved=round(float(rows[first_new:].norm(dim=1).mean() / rows[:first_new].norm(dim=1).mean()), 3))
    save_checkpoint("text_english", average={"shadow": old, "steps": 0}, step=0)
    save_checkpoint("text", average={"shadow": shadow, "steps": 0}, step=args.steps)


if __name__ == "__main__":
    main()
