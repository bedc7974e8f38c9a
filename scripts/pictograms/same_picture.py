"""Draws prompts with build/sd-gen and with diffusers (float32, CPU) and prints how far the pictures are apart, of 255.

    python scripts/pictograms/same_picture.py [--model models/pictograms] [--steps 30]
"""

import argparse
import pathlib

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from drawing import BUILT_IN, draw_by_sd_gen

PROMPTS = [
    "a blue tulip to the left of an orange truck", "green star", "FIVE brown cats on a gray background",
    "", "two things: a moon, it's yellow", "\u732b \U0001f431 and a black ring", "word " * 60, "два красных яблока слева от зелёного кота",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, default=BUILT_IN)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance-scale", type=float, default=4.0)
    parser.add_argument("--guidance-rescale", type=float, default=.7)
    options = parser.parse_args()
    pipe = StableDiffusionPipeline.from_pretrained(options.model, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    flags = ["--steps", options.steps, "--guidance-scale", options.guidance_scale, "--guidance-rescale", options.guidance_rescale,
             "--dtype", "float32"]
    ours = draw_by_sd_gen(PROMPTS, range(len(PROMPTS)), flags, options.model)
    for seed, (prompt, picture) in enumerate(zip(PROMPTS, ours)):
        reference = pipe(prompt, num_inference_steps=options.steps, guidance_scale=options.guidance_scale,
                         guidance_rescale=options.guidance_rescale, generator=torch.Generator().manual_seed(seed)).images[0]
        apart = np.abs(np.asarray(picture, np.int32) - np.asarray(reference, np.int32))
        print(f"largest {apart.max()}, mean {apart.mean():.5f}: {prompt[:60]!r}")


if __name__ == "__main__":
    main()
