"""A contact sheet with the words below: held-out prompts drawn by the built sd-gen, scenes, or VAE reconstructions.

    python sheet.py prompts.png [--folder DIR]      python sheet.py scenes.png --scenes      python sheet.py vae.png --vae
"""

import argparse
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import captions
import world
from drawing import BUILT_IN, draw_by_sd_gen
from sprites import ALL, CORE

GAP, TEXT_PX = 8, 40


def wrapped(draw_on, text, font, width):
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        lines = lines[:-1] + [longer] if draw_on.textlength(longer, font) <= width else lines + [word]
    return "\n".join(lines)


def write(path, pictures, texts, columns=8):
    side = pictures[0].shape[1]
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + GAP) + GAP, rows * (pictures[0].shape[0] + TEXT_PX) + GAP), "#f0f0f0")
    canvas, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for i, (picture, text) in enumerate(zip(pictures, texts)):
        x, y = GAP + i % columns * (side + GAP), GAP + i // columns * (picture.shape[0] + TEXT_PX)
        sheet.paste(Image.fromarray(picture), (x, y))
        canvas.text((x, y + picture.shape[0] + 1), wrapped(canvas, text, font, side), "black", font, spacing=0)
    sheet.save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--folder")
    parser.add_argument("--scenes", action="store_true")
    parser.add_argument("--vae", action="store_true")
    parser.add_argument("--stage", type=int, default=3)
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=3.)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    if args.scenes or args.vae:
        scenes = [world.random_scene(rng, args.stage) for _ in range(args.count)]
        pictures = [world.draw_scene(s, rng) for s in scenes]
        if args.vae:
            import checker
            seen = checker.through_vae()
            pictures = [np.concatenate([p, seen(p)]) for p in pictures]
        write(args.path, pictures, [captions.describe(s, rng).text for s in scenes])
        return
    kinds = tuple(ALL if args.stage == 4 else CORE)
    prompts = [p for c in captions.CATEGORIES for p in captions.exam(c, kinds, not args.known)]
    prompts = [p.text for p in rng.sample(prompts, args.count)]
    flags = ["--steps", args.steps, "--guidance-scale", args.guidance]
    write(args.path, draw_by_sd_gen(prompts, range(1, 1 + args.count), flags, args.folder or BUILT_IN), prompts)


if __name__ == "__main__":
    main()
