"""The logs as a picture: python plot.py logs.png"""

import json
import sys

import matplotlib
from matplotlib import pyplot

from common import WORK

matplotlib.use("Agg")


def lines(name):
    path = WORK / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def curve(axes, logged, x, y, label, **style):
    """y: a path of keys into a logged line."""
    points = []
    for line in logged:
        value = line
        for key in y:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None and x in line:
            points.append((line[x], value))
    if points:
        axes.plot(*zip(*points), label=label, **style)


def main():
    unet, vae, text = lines("unet"), lines("vae"), lines("text")
    figure, ((loss, alarms), (judged, others)) = pyplot.subplots(2, 2, figsize=(13, 8), constrained_layout=True)
    curve(loss, unet, "samples", ["loss"], "UNet, v-loss", lw=.8)
    for key in ("right", "shuffled", "empty"):
        curve(alarms, unet, "samples", ["at_950", key], f"v-loss at 950, {key} caption")
    for key in ("all", "names", "count", "background"):
        curve(judged, unet, "samples", ["quick", key], f"quick look: {key}", marker=".")
    curve(others, vae, "step", ["psnr"], "VAE, dB / 40", lw=.8)
    for line in others.get_lines():
        line.set_ydata([y / 40 for y in line.get_ydata()])
    curve(others, text, "step", ["unseen", "read"], "text: scenes read, unseen")
    curve(others, text, "step", ["unseen", "hard_negatives"], "towers: hard negatives, unseen")
    for axes, x in ((loss, "samples"), (alarms, "samples"), (judged, "samples"), (others, "steps")):
        axes.set_xlabel(x)
        axes.grid(alpha=.3)
        axes.legend()
    judged.set_ylim(0, 1.02)
    others.set_ylim(0, 1.02)
    figure.savefig(sys.argv[1] if len(sys.argv) > 1 else WORK / "logs.png", dpi=80)


if __name__ == "__main__":
    main()
