"""Makes a full-size model of random weights in diffusers' layout, float16: its speed and memory are those of a trained
one, its pictures are noise. Every layer's output keeps about unit variance, so that no activation overflows or dies.

    python scripts/compare_speed/make_model.py DIR                  Stable Diffusion 1.5: UNet of 860 M parameters
    python scripts/compare_speed/make_model.py DIR --single-file F  and the same weights as one original-layout file
    python scripts/compare_speed/make_model.py DIR --shape sdxl     UNet (2.6 G parameters) and VAE of SDXL's size
    python scripts/compare_speed/make_model.py DIR --shape sdxl-base    the whole of SDXL: 3.5 G parameters

"sdxl" is the size, not the family: one text encoder of the width that its two have together, no pooled text, no picture
sizes, and so a StableDiffusionPipeline, which every program runs. "sdxl-base" has both encoders and is a
StableDiffusionXLPipeline.
"""

import argparse
import shutil
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
# their tokenizers, schedulers and indexes serve any size
TINY = ROOT / "tests" / "golden" / "pipelines" / "sd15-tiny"
TINY_XL = ROOT / "tests" / "golden" / "families" / "pipelines" / "xl-tiny"
VAE = {
    "block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4, "layers_per_block": 2, "latent_channels": 4,
}
TEXT = {
    "vocab_size": 49408, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "bos_token_id": 0, "pad_token_id": 1,
    "eos_token_id": 2,
}
SHAPES = {
    "sd15": {
        "unet": {
            "sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8,
            "block_out_channels": (320, 640, 1280, 1280),
            "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        },
        "vae": {**VAE, "sample_size": 512},
        "text_encoder": {**TEXT, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
    },
    "sdxl": {
        "unet": {
            "sample_size": 128, "cross_attention_dim": 2048, "attention_head_dim": (5, 10, 20),
            "block_out_channels": (320, 640, 1280), "transformer_layers_per_block": (1, 2, 10), "use_linear_projection": True,
            "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
            "up_block_types": ("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
        },
        "vae": {**VAE, "sample_size": 1024, "scaling_factor": 0.13025},
        "text_encoder": {**TEXT, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 2, "num_attention_heads": 32},
    },
}
SHAPES["sdxl-base"] = {
    "unet": SHAPES["sdxl"]["unet"] | {
        "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 1280 + 6 * 256,
    },
    "vae": SHAPES["sdxl"]["vae"],
    "text_encoder": SHAPES["sd15"]["text_encoder"],
    "text_encoder_2": {
        **TEXT, "hidden_act": "gelu", "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
        "projection_dim": 1280,
    },
}


def fill(model, generator):
    """Random weights of variance 1 / fan-in, norms of one, biases of zero, in float16: never all of them in float32."""
    model.half().to_empty(device="cpu")
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            value = torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** .5
        else:
            value = torch.full(parameter.shape, float(name.endswith("weight")))
        parameter.data.copy_(value)
    return model


def make(folder, shape="sd15", seed=1):
    """Written beside and renamed, so that a folder that exists is whole."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
    folder = Path(folder)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    generator = torch.Generator().manual_seed(seed)
    parts = {"unet": lambda sizes: UNet2DConditionModel(**sizes), "vae": lambda sizes: AutoencoderKL(**sizes),
             "text_encoder": lambda sizes: CLIPTextModel(CLIPTextConfig(**sizes)),
             "text_encoder_2": lambda sizes: CLIPTextModelWithProjection(CLIPTextConfig(**sizes))}
    for name, sizes in SHAPES[shape].items():
        with torch.device("meta"):
            model = parts[name](sizes)
        fill(model, generator).save_pretrained(partial / name)
    tiny = TINY_XL if "text_encoder_2" in SHAPES[shape] else TINY
    for other in [*tiny.glob("tokenizer*"), tiny / "scheduler"]:
        shutil.copytree(other, partial / other.name)
    shutil.copy(tiny / "model_index.json", partial)
    partial.rename(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="sd15")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--single-file", type=Path, metavar="FILE.safetensors")
    options = parser.parse_args()
    if options.folder.exists():
        print(f"{options.folder} is there already")
    else:
        options.folder.parent.mkdir(parents=True, exist_ok=True)
        make(options.folder, options.shape, options.seed)
    if options.single_file:
        import single_file
        single_file.write(options.folder, options.single_file)


if __name__ == "__main__":
    main()
