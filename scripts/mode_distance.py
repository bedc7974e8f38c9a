"""How far the pictures of each dtype or mode are from float32, and how fast they come: draws the same held-out prompts
with the same seeds and prints a Markdown table of PSNR (8-bit pixels, decibels), largest pixel difference and speed.

    python scripts/mode_distance.py bfloat16 float16
    python scripts/mode_distance.py bfloat16 "bfloat16 --quantize int8" "float32 --steps 25" --chart chart.svg

A mode is a string of sd-gen's flags; a first word without dashes is --dtype's value (a mode that is one flag without a
value is written "float32 --flag"). Flags that both sides are to have (another sampler, say) go to --common. A saver of time
is worth its loss where the chart shows it above the line of fewer steps: modes whose only flag is --steps make that line.
"""

import argparse
import json
import math
import shlex
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts" / "pictograms"))
FIRST_SEED = 1000  # picture i has seed FIRST_SEED + i
INK, SOFT, FRAME, LINE, POINT = "#1f2933", "#616e7c", "#e3e8ee", "#9fb3c8", "#d9480f"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 520, 70, 40, 84, 60  # pixels


@dataclass
class Mode:
    name: str
    pictures: list = field(default_factory=list)  # [H, W, 3] each
    seconds: float = math.inf  # a picture, the least of the rounds


def held_out_prompts(count):
    """The examination's, one of each category in turn; they need the font Noto Color Emoji."""
    import captions
    exams = [captions.exam(category) for category in captions.CATEGORIES]
    return [exams[i % len(exams)][i // len(exams)].text for i in range(count)]


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


def distances(mode, reference):
    return [psnr_db(ours, ref) for ours, ref in zip(mode.pictures, reference.pictures)]


def mean_psnr_db(mode, reference):
    unequal = [distance for distance in distances(mode, reference) if math.isfinite(distance)]
    return statistics.mean(unequal) if unequal else math.inf


def row(mode, reference):
    all_of_them = distances(mode, reference)
    unequal = [distance for distance in all_of_them if math.isfinite(distance)]
    largest = max(int(np.abs(ours - ref).max()) for ours, ref in zip(mode.pictures, reference.pictures))
    mean = f"{statistics.mean(unequal):.1f}" if unequal else "equal"
    worst = f"{min(unequal):.1f}" if unequal else "equal"
    return (f"| {mode.name} | {mean} | {worst} | {largest} | {len(all_of_them) - len(unequal)} of {len(all_of_them)} "
            f"| {mode.seconds:.3f} | {reference.seconds / mode.seconds:.2f} |")


def text(x, y, words, size=12, colour=INK, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'


def is_fewer_steps(name):
    return "--steps" in name and name.count("--") == 1


def chart(points, caption):
    """points: (mode, times as fast, mean PSNR). Speed to the right, PSNR upwards; fewer steps joined by a line."""
    points = [point for point in points if math.isfinite(point[2])]
    fastest, best = max(p[1] for p in points) * 1.1, max(p[2] for p in points) * 1.05
    slowest, worst = min(min(p[1] for p in points), 1.0) * 0.95, math.floor(min(p[2] for p in points) / 10) * 10
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    x_of = lambda speed: LEFT + across * (speed - slowest) / (fastest - slowest)
    y_of = lambda psnr: HEIGHT - BOTTOM - up * (psnr - worst) / (best - worst)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
             'font-family="Inter, Helvetica, Arial, sans-serif">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
             text(LEFT, 34, "Speed and distance from the full picture", 19), text(LEFT, 56, caption, 12, SOFT)]
    for psnr in range(worst, int(best) + 1, 10):
        parts += [f'<path d="M{LEFT},{y_of(psnr):.1f}h{across}" stroke="{FRAME}"/>', text(LEFT - 8, y_of(psnr) + 4, f"{psnr}", 11, SOFT, "end")]
    for half in range(math.ceil(slowest * 2), int(fastest * 2) + 1):
        parts.append(text(x_of(half / 2), HEIGHT - BOTTOM + 18, f"{half / 2:g}x", 11, SOFT, "middle"))
    parts += [text(LEFT, HEIGHT - 16, "pictures a second, times the full float32 run", 12, SOFT), text(LEFT - 50, TOP - 10, "PSNR, dB", 12, SOFT)]
    line = sorted((x_of(speed), y_of(psnr)) for name, speed, psnr in points if is_fewer_steps(name))
    if len(line) > 1:
        parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}" fill="none" stroke="{LINE}" stroke-width="2"/>')
    for name, speed, psnr in points:
        x, y = x_of(speed), y_of(psnr)
        if is_fewer_steps(name):  # below the line, the others above it
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{LINE}"/>', text(x - 4, y + 18, name.split()[-1] + " steps", 10, SOFT, "end")]
        else:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{POINT}"/>', text(x + 8, y - 6, name, 11)]
    return "\n".join([*parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", default=["bfloat16"], metavar="MODE", help="[bfloat16]")
    parser.add_argument("--count", type=int, default=16, help="pictures a mode [16]")
    parser.add_argument("--rounds", type=int, default=1, help="all modes in turn, so often; the least time counts [1]")
    parser.add_argument("--common", default="", metavar="FLAGS", help="flags for the reference and every mode")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "pictograms", help="[models/pictograms]")
    parser.add_argument("--sd-gen", type=Path, default=ROOT / "build" / "sd-gen", help="the program [build/sd-gen]")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw speed against PSNR into an SVG")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the pictures in DIR, a folder a mode")
    options = parser.parse_args()
    if not 1 <= options.count <= 1200 or options.rounds < 1:
        parser.error("--count must be 1 to 1200, --rounds 1 or more")
    modes = [Mode(name) for name in ["float32", *(mode.strip() for mode in options.modes)]]
    with tempfile.TemporaryDirectory() as scratch:
        prompt_file = Path(scratch) / "prompts.jsonl"
        prompt_file.write_text("".join(json.dumps({"prompt": prompt, "seed": FIRST_SEED + i}) + "\n"
                                       for i, prompt in enumerate(held_out_prompts(options.count))))
        for round_number in range(options.rounds):
            for number, mode in enumerate(modes):
                folder = (options.keep or Path(scratch)) / f"{number}-{'_'.join(shlex.split(mode.name)).replace('/', '_')}"
                folder.mkdir(parents=True, exist_ok=round_number > 0)
                mode.pictures, seconds = draw(options, [*flags_of(mode.name), "--overwrite"], prompt_file, folder)
                mode.seconds = min(mode.seconds, seconds)
    reference = modes[0]
    print("| mode | PSNR, mean dB | PSNR, worst dB | largest difference of 255 | equal pictures | seconds a picture | times as fast |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print(f"| float32 (the reference) | | | | | {reference.seconds:.3f} | 1 |")
    for mode in modes[1:]:
        print(row(mode, reference))
    print(f"\n{options.count} held-out prompts, seeds from {FIRST_SEED}. PSNR over the pictures that are not equal to float32's.")
    if options.chart:
        caption = f"{options.model.name}, {options.count} held-out prompts; higher is nearer to the full picture"
        points = [(mode.name, reference.seconds / mode.seconds, mean_psnr_db(mode, reference)) for mode in modes[1:]]
        options.chart.write_text(chart(points, caption))


if __name__ == "__main__":
    main()
