"""AutoencoderKL.enable_tiling() of diffusers. Writes tests/golden/tiling.safetensors."""

import torch
from diffusers import AutoencoderKL

from common import GOLDEN, folder, randn, write_tensors

# pipeline: latents [n, 4, h, w] larger than a tile of 8 and no multiple of its stride of 6
CASES = {"sd15-tiny": (1, 4, 13, 21), "variant-tiny": (2, 4, 9, 14)}


def main():
    out = {}
    for name, shape in CASES.items():
        variant = "fp16" if name == "variant-tiny" else None
        vae = AutoencoderKL.from_pretrained(folder(name) / "vae", dtype=torch.float32, variant=variant)
        vae.enable_tiling()
        latents = 3 * randn(*shape, name=f"{name}.vae.tiling")
        out[f"{name}.latents"] = latents
        out[f"{name}.image"] = vae.decode(latents).sample
    write_tensors(GOLDEN / "tiling.safetensors", out)
