"""Makes a full-size model of random weights in diffusers' layout, float16: its speed and memory are those of a trained
one, its pictures are noise. Every layer's output keeps about unit variance, so that no activation overflows or dies.

    python scripts/compare_speed/make_model.py DIR                  Stable Diffusion 1.5: UNet of 860 M parameters
    python scripts/compare_speed/make_model.py DIR --single-file F  and the same weights as one original-layout file
"""

import argparse
import shutil
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "golden" / "pipelines" / "sd15-tiny"  # its tokenizer, scheduler and index serve any size
UNET = {
    "sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8, "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
VAE = {
    "block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4, "layers_per_block": 2, "latent_channels": 4, "sample_size": 512,
}
TEXT = {
    "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "max_position_embeddings": 77, "hidden_act": "quick_gelu", "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2,
}


def fill(model, generator):
    """Random weights of variance 1 / fan-in, norms of one, biases of zero, in float16."""
    model.to_empty(device="cpu")
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            value = torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** .5
        else:
            value = torch.full(parameter.shape, float(name.endswith("weight")))
        parameter.data = value.half()
    return model


def make(folder, seed=1):
    """Written beside and renamed, so that a folder that exists is whole."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel
    folder = Path(folder)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    generator = torch.Generator().manual_seed(seed)
    parts = {"unet": lambda: UNet2DConditionModel(**UNET), "vae": lambda: AutoencoderKL(**VAE),
             "text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**TEXT))}
    for name, build in parts.items():
        with torch.device("meta"):
            model = build()
        fill(model, generator).save_pretrained(partial / name)
    for name in ("tokenizer", "scheduler"):
        shutil.copytree(TINY / name, partial / name)
    shutil.copy(TINY / "model_index.json", partial)
    partial.rename(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--single-file", type=Path, metavar="FILE.safetensors")
    options = parser.parse_args()
    if options.folder.exists():
        print(f"{options.folder} is there already")
    else:
        options.folder.parent.mkdir(parents=True, exist_ok=True)
        make(options.folder, options.seed)
    if options.single_file:
        import single_file
        single_file.write(options.folder, options.single_file)


if __name__ == "__main__":
    main()
