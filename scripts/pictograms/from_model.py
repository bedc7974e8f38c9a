"""Checkpoints out of an exported folder (the built-in model, if none is named), so that training can go on from what was published.

The optimizer starts anew, and what only training needs (the image tower, the reading heads) is not in a folder.
"""

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file

from common import WORK, save_checkpoint
from drawing import BUILT_IN


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=BUILT_IN)
    parser.add_argument("--samples", type=int, required=True, help="how many the UNet has seen (models/README.md)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--stage", type=int, required=True, help="of the curriculum, that it was taught last (models/README.md)")
    args = parser.parse_args()
    taken = [name for name in ("vae", "text", "unet") if (WORK / f"{name}.pt").exists()]
    assert not taken, f"{WORK} holds checkpoints of {taken}: move them away first"
    weights = lambda part, file: {k: v.float() for k, v in load_file(args.folder / part / file).items()}
    text = {f"text.{k}": v for k, v in weights("text_encoder", "model.safetensors").items()}
    unet = {f"unet.{k}": v for k, v in weights("unet", "diffusion_pytorch_model.safetensors").items()}
    vae = weights("vae", "diffusion_pytorch_model.safetensors")
    average = lambda shadow: {"shadow": shadow, "steps": 10_000}
    channels = torch.zeros(4)
    save_checkpoint("vae", average=average(vae), step=0)
    save_checkpoint("vae_frozen", average=average(vae), step=0)
    save_checkpoint("vae_norm", mean=channels, std=channels + 1, step=0)  # the published one is centred already
    save_checkpoint("text", average=average(text), step=0)
    shutil.copytree(args.folder / "tokenizer", WORK / "tokenizer", dirs_exist_ok=True)
    save_checkpoint("unet", model=unet | text, average=average(unet | text), step=args.samples // args.batch, samples=args.samples,
                    stage=args.stage, seconds=0.)


if __name__ == "__main__":
    main()
