"""Draws the 100 held-out prompts with diffusers and has the checker judge them.

  evaluate.py [--folder DIR] [--steps 30 15 8] [--guidance 2 3 5]   draw and judge
  evaluate.py --write-prompts FILE.txt                              the prompts, one a line, for another program
  evaluate.py --judge DIR                                           judge DIR's PNGs, sorted by name, in the prompts' order
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import checker
import world
from common import MODEL, WORK, log

FIRST_SEED = 1000  # picture i has seed FIRST_SEED + i


@torch.no_grad()
def draw(pipeline, prompts, steps, guidance, first_seed=FIRST_SEED, batch=25):
    pictures = []
    for at in range(0, len(prompts), batch):
        part = prompts[at:at + batch]
        generators = [torch.Generator().manual_seed(first_seed + at + i) for i in range(len(part))]
        pictures += pipeline(part, num_inference_steps=steps, guidance_scale=guidance, generator=generators, height=world.SIDE_PX,
                             width=world.SIDE_PX, output_type="np").images.tolist()
    return [(np.array(p) * 255).round().astype(np.uint8) for p in pictures]


def score(pictures, captions):
    """Counts by kind of failure, and the failures by number."""
    verdicts = [checker.judge(p, c) for p, c in zip(pictures, captions)]
    keys = ["all", "strict", "shape", "colour", "bound", "side", "count", "background"]
    result = {key: sum(bool(v[key]) for v in verdicts) for key in keys}
    by_kind = {}
    for caption, verdict in zip(captions, verdicts):
        kind = caption.relation if caption.relation in ("one", "any") else "side"
        right, total = by_kind.get(kind, (0, 0))
        by_kind[kind] = (right + verdict["all"], total + 1)
    return {"of": len(captions), **result, "by_kind": by_kind}, verdicts


def sheet(pictures, verdicts, path, columns=10, zoom=2):
    """All pictures in one; a red frame marks what the checker refused."""
    cells = []
    for picture, verdict in zip(pictures, verdicts):
        cell = np.asarray(Image.fromarray(picture).resize((world.SIDE_PX * zoom,) * 2, Image.NEAREST)).copy()
        colour = (200, 200, 200) if verdict["all"] else (255, 0, 0)
        width = 1 if verdict["all"] else 3
        cell[:width], cell[-width:], cell[:, :width], cell[:, -width:] = (colour,) * 4
        cells.append(cell)
    while len(cells) % columns:
        cells.append(np.full_like(cells[0], 255))
    rows = [np.concatenate(cells[i:i + columns], 1) for i in range(0, len(cells), columns)]
    Image.fromarray(np.concatenate(rows)).save(path)


def quick_look(shadow, count=50, steps=15, guidance=3.):
    """A cheap look during training: the first prompts of the list, on averaged weights."""
    from export import build_pipeline
    captions = world.held_out_prompts()[:count]
    pictures = draw(build_pipeline(shadow), [c.text for c in captions], steps, guidance)
    result, verdicts = score(pictures, captions)
    sheet(pictures, verdicts, WORK / "quick.png")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=str(MODEL))
    parser.add_argument("--steps", type=int, nargs="+", default=[30])
    parser.add_argument("--guidance", type=float, nargs="+")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--failures", action="store_true", help="name what was refused")
    parser.add_argument("--write-prompts")
    parser.add_argument("--judge")
    args = parser.parse_args()
    captions = world.held_out_prompts()
    prompts = [c.text for c in captions]
    if args.write_prompts:
        Path(args.write_prompts).write_text("\n".join(prompts) + "\n")
        return

    def report(pictures, name, **fields):
        result, verdicts = score(pictures, captions)
        sheet(pictures, verdicts, WORK / f"{name}.png")
        log("evaluate", **fields, **result)
        if args.failures:
            for caption, verdict in zip(captions, verdicts):
                if not verdict["all"]:
                    seen = ", ".join(f"{f.colour} {f.shape} ({f.x:.0f},{f.y:.0f}) {f.iou:.2f}" for f in verdict["found"])
                    print(f"  {caption.text}: {seen}")

    if args.judge:
        files = sorted(Path(args.judge).glob("*.png"))
        assert len(files) == len(prompts), f"{args.judge} holds {len(files)} pictures, the list has {len(prompts)} prompts"
        report([np.asarray(Image.open(f).convert("RGB")) for f in files], "judged", folder=args.judge)
        return
    from diffusers import StableDiffusionPipeline
    own = Path(args.folder) / "sdgen.json"
    guidance = args.guidance or [json.loads(own.read_text())["guidance_scale"]]
    pipeline = StableDiffusionPipeline.from_pretrained(args.folder, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    for steps in args.steps:
        for scale in guidance:
            pictures = draw(pipeline, prompts, steps, scale, args.first_seed)
            report(pictures, f"held_out_{steps}_{scale:g}", steps=steps, guidance=scale)


if __name__ == "__main__":
    main()
