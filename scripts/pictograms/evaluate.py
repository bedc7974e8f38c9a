"""Draws the examination's prompts and has the checker judge them, category by category.

  evaluate.py                                      200 unseen prompts a category, CORE pictograms, the checkpoint's averaged weights
  evaluate.py --folder DIR --steps 30 15 8         an exported folder with diffusers, at several numbers of steps
  evaluate.py --sd-gen --steps 30 --seeds 4        the built sd-gen and its built-in model (or --folder DIR), in the machine's
                                                   own dtype; flags of its own behind --
  evaluate.py --kinds all --known                  all pictograms; combinations that training did show
  evaluate.py --language ru                        scenes of the same categories in Russian words
  evaluate.py --write-prompts FILE.txt             the prompts, one a line, category after category, for another program
  evaluate.py --judge DIR                          judge DIR's PNGs, sorted by name, in the prompts' order
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import captions
import captions_ru
import checker
import world
from common import WORK, load_checkpoint, log
from drawing import BUILT_IN, draw_by_sd_gen
from sprites import ALL, CORE

FIRST_SEED = 1000  # picture i of a category has seed FIRST_SEED + i
LANGUAGES = {"en": captions.describe, "ru": captions_ru.describe}
KINDS_OF = {"core": tuple(CORE), "all": tuple(ALL)}


def draw(pipeline, prompts, steps, guidance, first_seed=FIRST_SEED, batch=20):
    pictures = []
    for at in range(0, len(prompts), batch):
        part = prompts[at:at + batch]
        generators = [torch.Generator().manual_seed(first_seed + at + i) for i in range(len(part))]
        pictures += list(pipeline(part, num_inference_steps=steps, guidance_scale=guidance, generator=generators,
                                  height=world.SIDE_PX, width=world.SIDE_PX, output_type="np").images)
    return [(np.asarray(p) * 255).round().astype(np.uint8) for p in pictures]


def score(pictures, prompts):
    """Shares by kind of failure, and the verdicts."""
    verdicts = [checker.judge(p, c) for p, c in zip(pictures, prompts)]
    keys = ["all", "strict", "count", "names", "bound", "place", "background"]
    return {key: round(sum(bool(v[key]) for v in verdicts) / len(verdicts), 4) for key in keys}, verdicts


def framed(pictures, verdicts, path, columns=12):
    """All pictures in one; a red frame marks what the checker refused."""
    cells = []
    for picture, verdict in zip(pictures, verdicts):
        cell = np.pad(picture, ((4, 4), (4, 4), (0, 0)), constant_values=255).copy()
        colour = (0, 200, 0) if verdict["all"] else (255, 0, 0)
        cell[:3], cell[-3:], cell[:, :3], cell[:, -3:] = (colour,) * 4
        cells.append(cell)
    while len(cells) % columns:
        cells.append(np.full_like(cells[0], 255))
    rows = [np.concatenate(cells[i:i + columns], 1) for i in range(0, len(cells), columns)]
    Image.fromarray(np.concatenate(rows)).save(path)


def quick_look(shadow, stage, count=48, steps=15, guidance=3.):
    """A cheap look during training, on averaged weights: fresh scenes of the stage, their captions drawn anew."""
    from export import build_pipeline
    rng = random.Random(99)
    prompts = [captions.describe(world.training_scene(rng, stage), rng, plain=True) for _ in range(count)]
    pictures = draw(build_pipeline(shadow), [p.text for p in prompts], steps, guidance)
    result, verdicts = score(pictures, prompts)
    framed(pictures, verdicts, WORK / "quick.png")
    (WORK / "quick.txt").write_text("\n".join(p.text for p in prompts) + "\n")
    return result


def pipeline_of(folder):
    if folder:
        from diffusers import StableDiffusionPipeline
        pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline
    from export import build_pipeline
    return build_pipeline(load_checkpoint("unet")["average"]["shadow"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder")
    parser.add_argument("--kinds", choices=KINDS_OF, default="core")
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--categories", nargs="+", default=captions.CATEGORIES)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--steps", type=int, nargs="+", default=[30])
    parser.add_argument("--guidance", type=float, default=3.)
    parser.add_argument("--seeds", type=int, default=1, help="pictures a prompt")
    parser.add_argument("--failures", action="store_true", help="name what was refused")
    parser.add_argument("--sd-gen", action="store_true")
    parser.add_argument("--write-prompts")
    parser.add_argument("--judge")
    parser.add_argument("flags", nargs="*", help="sd-gen's, behind --")
    args = parser.parse_args()
    exams = {c: captions.exam(c, KINDS_OF[args.kinds], not args.known, describe=LANGUAGES[args.language])[:args.count]
             for c in args.categories}
    if args.write_prompts:
        Path(args.write_prompts).write_text("".join(p.text + "\n" for prompts in exams.values() for p in prompts))
        return

    def report(category, pictures, name, **fields):
        asked = exams[category] * (len(pictures) // len(exams[category]))
        result, verdicts = score(pictures, asked)
        framed(pictures[:96], verdicts, WORK / f"exam_{name}_{category}.png")
        log("evaluate", category=category, language=args.language, kinds=args.kinds, unseen=not args.known, of=len(pictures), **fields, **result)
        if args.failures:
            for caption, verdict in zip(asked, verdicts):
                if not verdict["all"]:
                    print(f"  {caption.text}: " + ", ".join(f"{f.colour} {f.name} ({f.x:.0f},{f.y:.0f}) {f.error:.2f}"
                                                            for f in verdict["found"]))
        return result["all"]

    if args.judge:
        files = sorted(Path(args.judge).glob("*.png"))
        total = sum(map(len, exams.values()))
        assert len(files) == total, f"{args.judge} holds {len(files)} pictures, the list has {total} prompts"
        for category, prompts in exams.items():
            part, files = files[:len(prompts)], files[len(prompts):]
            report(category, [np.asarray(Image.open(f).convert("RGB")) for f in part], "judged", folder=args.judge)
        return
    pipeline = None if args.sd_gen else pipeline_of(args.folder)

    def drawn(prompts, steps, first_seed):
        if pipeline:
            return draw(pipeline, prompts, steps, args.guidance, first_seed)
        return draw_by_sd_gen(prompts, range(first_seed, first_seed + len(prompts)),
                              ["--steps", steps, "--guidance-scale", args.guidance, *args.flags], args.folder or BUILT_IN)

    for steps in args.steps:
        rights = []
        for category, prompts in exams.items():
            began, pictures = time.time(), []
            for seed in range(args.seeds):
                pictures += drawn([p.text for p in prompts], steps, FIRST_SEED * (seed + 1))
            rights.append(report(category, pictures, f"{steps}", steps=steps, guidance=args.guidance,
                                 flags=args.flags, s=round(time.time() - began)))
        log("evaluate", steps=steps, language=args.language, guidance=args.guidance, flags=args.flags, overall=round(sum(rights) / len(rights), 4))


if __name__ == "__main__":
    main()
