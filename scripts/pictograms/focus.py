"""How well --focus places things: held-out pairs drawn by sd-gen with and without boxes, judged by the checker.

  focus.py [--pairs 25]        flags of sd-gen's own behind --

Two examinations. "free": "A and B", which alone is always drawn as a row in that order, asked for in each of four
arrangements by boxes alone. "said": the arrangement stands in the words, and the boxes repeat it.
"""

import argparse
import json
import random

import checker
import world
from captions import Caption
from drawing import draw_by_sd_gen
from sprites import COLOUR_NAMES, CORE, KINDS

BOXES = {
    "left": ("0,0,0.5,1", "0.5,0,1,1"),
    "right": ("0.5,0,1,1", "0,0,0.5,1"),
    "above": ("0,0,1,0.5", "0,0.5,1,1"),
    "below": ("0,0.5,1,1", "0,0,1,0.5"),
}
LINKS = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
FIRST_SEED = 3000


def pairs(count, seed=7):
    """Pairs of coloured things that training never showed together."""
    rng = random.Random(seed)
    tintable = [name for name in CORE if KINDS[name].tintable]
    found = []
    while len(found) < count:
        pair = tuple(world.Group(rng.choice(tintable), rng.choice(COLOUR_NAMES)) for _ in range(2))
        scene = world.Scene(pair, "row", "white")
        if pair[0].name != pair[1].name and pair[0].colour != pair[1].colour and world.fits(scene) \
                and "pairs" in world.held_out_reasons(scene):
            found.append(pair)
    return found


def examination(pair, relation, said, focused):
    """(a request's fields, what the checker is to see)"""
    names = [f"{group.colour} {group.name}" for group in pair]
    phrases = [f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in names]
    request = {"prompt": f"{phrases[0]} {LINKS[relation] if said else 'and'} {phrases[1]}"}
    if focused:
        request["focus"] = "; ".join(f"{name}={box}" for name, box in zip(names, BOXES[relation]))
    in_order = pair if relation in ("left", "above") else pair[::-1]
    layout = "row" if relation in ("left", "right") else "column"
    return request, Caption(request["prompt"], in_order, layout, False, None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("flags", nargs="*", help="further flags of sd-gen, behind --")
    args = parser.parse_args()
    for said in (False, True):
        for focused in (False, True):
            asked = [examination(pair, relation, said, focused) for pair in pairs(args.pairs) for relation in BOXES]
            pictures = draw_by_sd_gen([request for request, _ in asked], range(FIRST_SEED, FIRST_SEED + len(asked)), args.flags)
            verdicts = [checker.judge(p, c) for p, (_, c) in zip(pictures, asked)]
            rates = {key: round(sum(bool(v[key]) for v in verdicts) / len(verdicts), 3) for key in ("all", "bound", "names")}
            print(json.dumps({"examination": "said" if said else "free", "focus": focused, "of": len(asked), **rates}), flush=True)


if __name__ == "__main__":
    main()
