"""How far the pictures of each dtype or mode are from float32: draws the same held-out prompts with the same seeds and
prints a Markdown table of PSNR (8-bit pixels, decibels), largest pixel difference and seconds a picture.

    python scripts/dtype_distance.py bfloat16 float16
    python scripts/dtype_distance.py "bfloat16 --threads 1" "--threads 1" --count 4

A mode is a string of sd-gen's flags; a first word without dashes is --dtype's value (a mode that is one flag without a
value is written "float32 --flag"). Flags that both sides are to have (another sampler, say) go to --common.
"""

import argparse
import json
import math
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts" / "shapes"))
FIRST_SEED = 1000  # picture i has seed FIRST_SEED + i, as in shapes/evaluate.py


def held_out_prompts(count):
    import world
    return [caption.text for caption in world.held_out_prompts(count)]


def flags_of(mode):
    words = shlex.split(mode)
    if words and not words[0].startswith("-"):
        return ["--dtype", *words]
    return words if any(word.split("=")[0] == "--dtype" for word in words) else ["--dtype", "float32", *words]


def draw(options, flags, prompt_file, folder):
    """The pictures [H, W, 3] in the prompts' order, and the median of the seconds each took."""
    command = [options.sd_gen, "--prompt-file", prompt_file, "--output", f"{folder}/{{index}}.png", "--json", "--quiet",
               "--model", options.model, *shlex.split(options.common), *flags]
    ran = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    if ran.returncode:
        sys.exit(f"sd-gen ended with {ran.returncode}: {shlex.join(map(str, command))}")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    lines.sort(key=lambda line: line["seed"])
    pictures = [np.asarray(Image.open(line["path"]).convert("RGB"), np.int32) for line in lines]
    return pictures, statistics.median(line["seconds"] for line in lines)


def psnr_db(ours, reference):
    """Infinite for equal pictures."""
    mean_square = float(np.mean((ours - reference) ** 2))
    return 10 * math.log10(255 ** 2 / mean_square) if mean_square else math.inf


def row(mode, pictures, reference, seconds):
    distances = [psnr_db(ours, ref) for ours, ref in zip(pictures, reference)]
    unequal = [distance for distance in distances if math.isfinite(distance)]
    largest = max(int(np.abs(ours - ref).max()) for ours, ref in zip(pictures, reference))
    mean = f"{statistics.mean(unequal):.1f}" if unequal else "equal"
    worst = f"{min(unequal):.1f}" if unequal else "equal"
    return f"| {mode} | {mean} | {worst} | {largest} | {len(distances) - len(unequal)} of {len(distances)} | {seconds:.2f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", default=["bfloat16"], metavar="MODE", help="[bfloat16]")
    parser.add_argument("--count", type=int, default=16, help="pictures a mode [16]")
    parser.add_argument("--common", default="", metavar="FLAGS", help="flags for the reference and every mode")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "shapes", help="[models/shapes]")
    parser.add_argument("--sd-gen", type=Path, default=ROOT / "build" / "sd-gen", help="the program [build/sd-gen]")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the pictures in DIR, a folder a mode")
    options = parser.parse_args()
    if options.count < 1:
        parser.error("--count must be 1 or more")
    with tempfile.TemporaryDirectory() as scratch:
        prompt_file = Path(scratch) / "prompts.jsonl"
        prompt_file.write_text("".join(json.dumps({"prompt": prompt, "seed": FIRST_SEED + i}) + "\n"
                                       for i, prompt in enumerate(held_out_prompts(options.count))))

        def pictures_of(number, mode):
            folder = (options.keep or Path(scratch)) / f"{number}-{'_'.join(shlex.split(mode)).replace('/', '_')}"
            folder.mkdir(parents=True)
            return draw(options, flags_of(mode), prompt_file, folder)

        reference, seconds = pictures_of(0, "float32")
        print("| mode | PSNR, mean dB | PSNR, worst dB | largest difference of 255 | equal pictures | seconds a picture |")
        print("| --- | --- | --- | --- | --- | --- |")
        print(f"| float32 (the reference) | | | | | {seconds:.2f} |", flush=True)
        for number, mode in enumerate(options.modes, 1):
            pictures, seconds = pictures_of(number, mode.strip())
            print(row(mode.strip(), pictures, reference, seconds), flush=True)
    print(f"\n{options.count} held-out prompts, seeds from {FIRST_SEED}. PSNR over the pictures that are not equal to float32's.")


if __name__ == "__main__":
    main()
