#!/usr/bin/env python3
"""Draws eight prompts, and two in Russian, with the built sd-gen and its built-in model, and has the checker confirm every picture.

  confirm.py [SD_GEN] [--model models/pictograms-fast] [--keep DIR]

Each picture must be what was asked for, and must not be what the prompt before asks for. Exit code 1 where one is not, 77 where
Python lacks a package.

Needs numpy, scipy, Pillow and the font Noto Color Emoji, nothing of PyTorch.
"""

import argparse
import subprocess
import sys
from pathlib import Path

try:
    from PIL import Image

    import checker
    from captions import Caption
    from drawing import BUILT_IN, PROGRAM, draw_by_sd_gen
    from sprites import skip_without_font
    from world import Group
except ImportError as error:
    print(f"skipped: {error} (Debian: python3-numpy python3-scipy python3-pil)")
    sys.exit(77)

FIRST_SEED = 1


def asked(text, *groups, layout="one", background="white", loose=False):
    return Caption(text, groups, layout, loose, background)


PROMPTS = [
    asked("a blue tulip to the left of an orange truck", Group("tulip", "blue"), Group("truck", "orange"),
          layout="row"),
    asked("a green book above a red car", Group("book", "green"), Group("car", "red"), layout="column"),
    asked("three yellow balloons", Group("balloon", "yellow", 3)),
    asked("a penguin on a blue background", Group("penguin"), background="blue"),
    asked("a purple umbrella", Group("umbrella", "purple")),
    asked("a red star and a blue heart", Group("star", "red"), Group("heart", "blue"), layout="row",
          loose=True),
    asked("two apples", Group("apple", None, 2)),
    asked("a rocket below a sun", Group("sun"), Group("rocket"), layout="column"),
    asked("Синий тюльпан слева от оранжевого грузовика", Group("tulip", "blue"), Group("truck", "orange"), layout="row"),
    asked("три жёлтых шарика", Group("balloon", "yellow", 3)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sd_gen", nargs="?", default=PROGRAM)
    parser.add_argument("--model", default=BUILT_IN)
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the pictures in DIR")
    args = parser.parse_args()
    skip_without_font()
    if not Path(args.sd_gen).is_file():
        parser.error(f"there is no {args.sd_gen}: build it (scripts/test), or name another")
    seeds = range(FIRST_SEED, FIRST_SEED + len(PROMPTS))
    try:
        pictures = draw_by_sd_gen([p.text for p in PROMPTS], seeds, ["--dtype", "float32", "--device", "cpu"],
                                  args.model, args.sd_gen)
    except subprocess.CalledProcessError:
        sys.exit("sd-gen failed; its message is above")
    wrong = 0
    for i, (caption, seed, picture) in enumerate(zip(PROMPTS, seeds, pictures)):
        verdict, other = checker.judge(picture, caption), checker.judge(picture, PROMPTS[i - 1])
        right = verdict["strict"] and not other["strict"]
        wrong += not right
        seen = ", ".join(" ".join(filter(None, (f.colour, f.name))) for f in verdict["found"])
        print(f"{'confirmed' if right else 'REFUSED'}: {caption.text} (seed {seed}); seen: {seen}")
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(args.keep / f"{seed}.png")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
