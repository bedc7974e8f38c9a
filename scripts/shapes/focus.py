"""How well --focus places words: held-out pairs drawn by sd-gen with and without boxes, judged by the checker.

  focus.py [--sd-gen build/sd-gen] [--pairs 25]

Two examinations. "free": "A and B", which alone is always drawn as a row in that order, asked for in each of four
arrangements by boxes alone. "said": the arrangement stands in the words, and the boxes repeat it.
"""

import argparse
import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import checker
import world
from common import log

BOXES = {
    "left": ("0,0,0.5,1", "0.5,0,1,1"),
    "right": ("0.5,0,1,1", "0,0,0.5,1"),
    "above": ("0,0,1,0.5", "0,0.5,1,1"),
    "below": ("0,0.5,1,1", "0,0,1,0.5"),
}
LINKS = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
FIRST_SEED = 3000


def pairs(count, seed=7):
    """Pairs of things that training never showed together."""
    rng = random.Random(seed)
    found = []
    while len(found) < count:
        a, b = world.random_scene(rng, held_out=True, p_two=1).things
        if len({a.shape, b.shape}) == 2 and len({a.colour, b.colour}) == 2:
            found.append((world.Thing(a.shape, a.colour, "normal"), world.Thing(b.shape, b.colour, "normal")))
    return found


def name(thing):
    return f"{thing.colour} {thing.shape}"


def article(thing):
    return "an" if thing.colour[0] in "aeiou" else "a"


def examination(things, relation, said, focused):
    a, b = things
    link = LINKS[relation] if said else "and"
    text = f"{article(a)} {name(a)} {link} {article(b)} {name(b)}"
    flags = ""
    if focused:
        first, second = BOXES[relation]
        flags = f' --focus "{name(a)}={first}; {name(b)}={second}"'
    return text + flags, world.Caption(text, things, relation, "white")


def draw(sd_gen, lines, folder, further):
    prompts = folder / "prompts.txt"
    prompts.write_text("".join(f"{line} --seed {FIRST_SEED + i}\n" for i, line in enumerate(lines)))
    subprocess.run([sd_gen, "--model", "shapes", "--prompt-file", prompts, "-o", f"{folder}/drawn/", "--quiet", *further],
                   check=True, stdout=subprocess.DEVNULL)
    return [np.asarray(Image.open(f).convert("RGB")) for f in sorted((folder / "drawn").glob("*.png"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sd-gen", default=str(Path(__file__).resolve().parents[2] / "build" / "sd-gen"))
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("further", nargs="*", help="further flags of sd-gen, behind --")
    args = parser.parse_args()
    for said in (False, True):
        for focused in (False, True):
            asked = [examination(things, relation, said, focused) for things in pairs(args.pairs) for relation in BOXES]
            with tempfile.TemporaryDirectory() as folder:
                pictures = draw(args.sd_gen, [line for line, _ in asked], Path(folder), args.further)
            verdicts = [checker.judge(p, c) for p, (_, c) in zip(pictures, asked, strict=True)]
            rates = {key: round(sum(bool(v[key]) for v in verdicts) / len(verdicts), 3) for key in ("side", "bound", "shape")}
            log("focus", examination="said" if said else "free", focus=focused, of=len(asked), position=rates["side"],
                attribution=rates["bound"], shapes=rates["shape"])


if __name__ == "__main__":
    main()
