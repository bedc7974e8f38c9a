"""A small AutoencoderTiny, its decoder under the names of the original code, and what diffusers decodes with it. Writes tests/golden/taesd/."""

import shutil

import torch
from diffusers import AutoencoderTiny

from common import GOLDEN, randn, write_tensors
from weights import enliven


def tiny(name, **config):
    return enliven(AutoencoderTiny(**config), name).half().float()


def main():
    out = GOLDEN / "taesd"
    shutil.rmtree(out, ignore_errors=True)
    latents = randn(1, 4, 4, 6, name="taesd.latents") * 2
    widths = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4, "num_encoder_blocks": (1, 1, 1, 1)}
    folder = tiny("taesd", num_decoder_blocks=(2, 1, 0, 1), **widths)
    folder.to(torch.float16).save_pretrained(out / "tiny")
    # the original: a clamp is its first layer
    original = tiny("taesd.original", **widths)
    decoder = {k.removeprefix("decoder.layers."): v for k, v in original.state_dict().items() if k.startswith("decoder.")}
    write_tensors(out / "taesd_decoder.safetensors", {f"{int(k.split('.')[0]) + 1}.{k.split('.', 1)[1]}": v.half() for k, v in decoder.items()})
    images = {"image": folder.float().decode(latents).sample, "original_image": original.decode(latents).sample}
    write_tensors(out / "taesd.safetensors", {"latents": latents} | images)
    for path in out.rglob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
