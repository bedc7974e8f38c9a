"""A Stable Diffusion 1.x folder in diffusers' layout as one .safetensors file with the names of the original release
(model.diffusion_model.*, first_stage_model.*, cond_stage_model.*), which stable-diffusion.cpp reads.

    python scripts/compare_speed/single_file.py FOLDER FILE.safetensors
"""

import re
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

IN_RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
             "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}
UNET_ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
             "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
IN_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet_name(name):
    module, _, last = name.rpartition(".")
    if module in UNET_ENDS:
        return f"{UNET_ENDS[module]}.{last}"
    match = re.match(r"(down|up|mid)_block(?:s\.(\d+))?\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
    side, block, kind, layer, rest = match[1], int(match[2] or 0), match[3], int(match[4]), match[5]
    if kind == "resnets":
        module, _, last = rest.rpartition(".")
        rest = f"{IN_RESNET[module]}.{last}"
    if side == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * layer}.{rest}"
    if kind == "downsamplers":
        return f"input_blocks.{3 * block + 3}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":  # after the resnet, and after the attention where the block has one
        return f"output_blocks.{3 * block + 2}.{1 if block == 0 else 2}.{rest}"
    place = f"input_blocks.{3 * block + layer + 1}" if side == "down" else f"output_blocks.{3 * block + layer}"
    return f"{place}.{0 if kind == 'resnets' else 1}.{rest}"


def vae_name(name, levels):
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d+)", lambda match: f"mid.block_{int(match[1]) + 1}", name)
    attention = re.match(r"(.*)mid_block\.attentions\.0\.(.*)\.(\w+)$", name)
    if attention:
        return f"{attention[1]}mid.attn_1.{IN_VAE_ATTENTION[attention[2]]}.{attention[3]}"

    def block(match):
        level = int(match[2]) if match[1] == "down" else levels - 1 - int(match[2])
        inside = f"block.{match[4]}" if match[3] == "resnets" else f"{match[1]}sample"
        return f"{match[1]}.{level}.{inside}"
    return re.sub(r"(down|up)_blocks\.(\d+)\.(resnets|downsamplers|upsamplers)\.(\d+)", block, name)


def tensors_of(folder):
    folder = Path(folder)
    tensors = {}
    for name, tensor in load_file(folder / "unet" / "diffusion_pytorch_model.safetensors").items():
        tensors["model.diffusion_model." + unet_name(name)] = tensor
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    levels = 1 + max(int(match[1]) for match in map(re.compile(r"decoder\.up_blocks\.(\d+)").match, vae) if match)
    for name, tensor in vae.items():
        renamed = vae_name(name, levels)
        if ".attn_1." in renamed and renamed.endswith("weight") and tensor.dim() == 2:
            tensor = tensor[:, :, None, None]  # there, the attention's projections are convolutions of 1x1
        tensors["first_stage_model." + renamed] = tensor
    for name, tensor in load_file(folder / "text_encoder" / "model.safetensors").items():
        tensors["cond_stage_model.transformer.text_model." + name.removeprefix("text_model.")] = tensor
    return tensors


def write(folder, file):
    file = Path(file)
    partial = file.with_name(file.name + ".partial")
    save_file(tensors_of(folder), partial)
    partial.rename(file)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    write(*sys.argv[1:])
