"""A small AutoencoderTiny, its halves under the names of the original code, and what diffusers makes with it. Writes tests/golden/taesd/."""

import shutil

import torch

from common import GOLDEN, randn, write_tensors
from families import tiny_vae


def half(model, name, before):
    """One half as the original code stores it: numbered layers, of which the decoder has a clamp first."""
    prefix = f"{name}.layers."
    layers = {}
    for key, value in model.state_dict().items():
        if key.startswith(prefix):
            number, rest = key.removeprefix(prefix).split(".", 1)
            layers[f"{int(number) + before}.{rest}"] = value.half()
    return layers


def main():
    out = GOLDEN / "taesd"
    shutil.rmtree(out, ignore_errors=True)
    latents, pixels = randn(1, 4, 4, 6, name="taesd.latents") * 2, randn(1, 3, 40, 24, name="taesd.pixels").clamp(-1, 1)
    tall = randn(1, 4, 50, 5, name="taesd.tall") * 2
    folder = tiny_vae("taesd")
    folder.to(torch.float16).save_pretrained(out / "tiny")
    # TAESD's own numbers of blocks
    original = tiny_vae("taesd.original", num_encoder_blocks=(1, 3, 3, 3), num_decoder_blocks=(3, 3, 3, 1))
    write_tensors(out / "taesd_decoder.safetensors", half(original, "decoder", 1))
    write_tensors(out / "taesd_encoder.safetensors", half(original, "encoder", 0))
    folder.float()
    tensors = {"latents": latents, "pixels": pixels, "tall": tall}
    tensors |= {"image": folder.decode(latents).sample, "original_image": original.decode(latents).sample}
    tensors |= {"encoded": folder.encode(pixels).latents, "tall_image": folder.decode(tall).sample}
    write_tensors(out / "taesd.safetensors", tensors)
    for path in out.rglob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
