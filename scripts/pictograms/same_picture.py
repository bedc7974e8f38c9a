"""Draws prompts with build/sd-gen and with diffusers (float32, CPU) and prints how far the pictures are apart, of 255.

    python scripts/pictograms/same_picture.py [--model models/pictograms] [--steps 30]
"""

import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMPTS = [
    "a blue tulip to the left of an orange truck", "green star", "FIVE brown cats on a gray background",
    "", "two things: a moon, it's yellow", "\u732b \U0001f431 and a black ring", "word " * 60,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models" / "pictograms")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance-scale", type=float, default=4.0)
    options = parser.parse_args()
    pipe = StableDiffusionPipeline.from_pretrained(options.model, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    with tempfile.TemporaryDirectory() as folder:
        for seed, prompt in enumerate(PROMPTS):
            ours = pathlib.Path(folder) / f"{seed}.png"
            subprocess.run([ROOT / "build" / "sd-gen", "--prompt", prompt, "--model", options.model, "--seed", str(seed),
                            "--steps", str(options.steps), "--guidance-scale", str(options.guidance_scale),
                            "--output", ours, "--dtype", "float32", "--quiet"], check=True, stdout=subprocess.DEVNULL)
            reference = pipe(prompt, num_inference_steps=options.steps, guidance_scale=options.guidance_scale,
                             generator=torch.Generator().manual_seed(seed)).images[0]
            apart = np.abs(np.asarray(Image.open(ours), np.int32) - np.asarray(reference, np.int32))
            print(f"largest {apart.max()}, mean {apart.mean():.5f}: {prompt[:60]!r}")


if __name__ == "__main__":
    main()
