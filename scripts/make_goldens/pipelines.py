"""The three diffusers folders. Writes tests/golden/pipelines/."""

import json
import shutil

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from common import folder, write_json
from tokenizers_small import train_bpe, train_sentencepiece
from weights import enliven

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "safety_checker": [None, None],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
# Query, key and value louder than their fan-in asks, so that attention is peaked enough to matter.
ATTENTION = (("to_q", 2.0), ("to_k", 2.0), ("q_proj", 2.0), ("k_proj", 2.0))


def fresh(name):
    path = folder(name)
    shutil.rmtree(path, ignore_errors=True)
    for part in ("scheduler", "text_encoder", "tokenizer", "unet", "vae"):
        (path / part).mkdir(parents=True)
    return path


def save(tensors, path, dtype):
    """F16 or BF16 or F32 weights, integers as they are."""
    tensors = {k: (v.to(dtype) if v.is_floating_point() else v).contiguous() for k, v in tensors.items()}
    save_file(tensors, path, metadata={"format": "pt"})


def sd15():
    """Stable Diffusion 1.5: sparse old configs written by hand, old names everywhere."""
    name = "sd15-tiny"
    path = fresh(name)
    write_json(
        path / "model_index.json",
        MODEL_INDEX
        | {"_diffusers_version": "0.6.0", "scheduler": ["diffusers", "PNDMScheduler"], "requires_safety_checker": False},
    )
    write_json(
        path / "scheduler" / "scheduler_config.json",
        {
            "_class_name": "PNDMScheduler",
            "_diffusers_version": "0.6.0",
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "beta_start": 0.00085,
            "num_train_timesteps": 1000,
            "set_alpha_to_one": False,
            "skip_prk_steps": True,
            "steps_offset": 1,
            "trained_betas": None,
            "clip_sample": False,
        },
    )
    unet = {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": "0.6.0",
        "act_fn": "silu",
        "attention_head_dim": 8,
        "block_out_channels": [16, 24, 24],
        "center_input_sample": False,
        "cross_attention_dim": 24,
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": 4,
        "layers_per_block": 2,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-05,
        "norm_num_groups": 8,
        "out_channels": 4,
        "sample_size": 8,
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    }
    write_json(path / "unet" / "config.json", unet)
    model = enliven(UNet2DConditionModel.from_config(unet), f"{name}.unet", ATTENTION)
    save(model.state_dict(), path / "unet" / "diffusion_pytorch_model.safetensors", torch.float16)

    vae = {
        "_class_name": "AutoencoderKL",
        "_diffusers_version": "0.6.0",
        "act_fn": "silu",
        "block_out_channels": [8, 8, 16, 16],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "in_channels": 3,
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "out_channels": 3,
        "sample_size": 64,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
    }
    write_json(path / "vae" / "config.json", vae)
    model = enliven(AutoencoderKL.from_config(vae), f"{name}.vae", (*ATTENTION, ("decoder.conv_out.weight", 0.5)))
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for key, value in model.state_dict().items():
        for new_name, old_name in old.items():
            key = key.replace(f"attentions.0.{new_name}.", f"attentions.0.{old_name}.")
        tensors[key] = value
    save(tensors, path / "vae" / "diffusion_pytorch_model.safetensors", torch.float16)

    text = {
        "architectures": ["CLIPTextModel"],
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "dropout": 0.0,
        "eos_token_id": 2,
        "hidden_act": "quick_gelu",
        "hidden_size": 24,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "intermediate_size": 48,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 77,
        "model_type": "clip_text_model",
        "num_attention_heads": 3,
        "num_hidden_layers": 2,
        "pad_token_id": 1,
        "projection_dim": 24,
        "torch_dtype": "float32",
        "transformers_version": "4.22.0.dev0",
        "vocab_size": 1000,
    }
    write_json(path / "text_encoder" / "config.json", text)
    model = enliven(CLIPTextModel(CLIPTextConfig(**text)), f"{name}.text_encoder", ATTENTION)
    tensors = {f"text_model.{k.removeprefix('text_model.')}": v for k, v in model.state_dict().items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(77).unsqueeze(0)
    save(tensors, path / "text_encoder" / "model.safetensors", torch.float32)

    vocab, merges = train_bpe()
    tokenizer = path / "tokenizer"
    (tokenizer / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    (tokenizer / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    special = {"bos_token": added(BOS), "eos_token": added(EOS), "pad_token": EOS, "unk_token": added(EOS)}
    write_json(tokenizer / "special_tokens_map.json", special)
    write_json(
        tokenizer / "tokenizer_config.json",
        {
            "add_prefix_space": False,
            "bos_token": {"__type": "AddedToken"} | added(BOS),
            "do_lower_case": True,
            "eos_token": {"__type": "AddedToken"} | added(EOS),
            "errors": "replace",
            "model_max_length": 77,
            "pad_token": EOS,
            "tokenizer_class": "CLIPTokenizer",
            "unk_token": {"__type": "AddedToken"} | added(EOS),
        },
    )


def added(token):
    return {"content": token, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}


def sd2():
    """Stable Diffusion 2.1 as today's libraries save it."""
    name = "sd2-tiny"
    path = fresh(name)
    index = {"_diffusers_version": "0.42.1", "scheduler": ["diffusers", "DDIMScheduler"], "requires_safety_checker": False}
    write_json(path / "model_index.json", MODEL_INDEX | index)
    write_json(
        path / "scheduler" / "scheduler_config.json",
        {
            "_class_name": "DDIMScheduler",
            "_diffusers_version": "0.8.0",
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "beta_start": 0.00085,
            "clip_sample": False,
            "num_train_timesteps": 1000,
            "prediction_type": "v_prediction",
            "set_alpha_to_one": False,
            "skip_prk_steps": True,
            "steps_offset": 1,
            "trained_betas": None,
        },
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 24, 24),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(2, 4, 6),
        cross_attention_dim=32,
        norm_num_groups=8,
        use_linear_projection=True,
    )
    # Quieter than the others: at their gains v_prediction under guidance 7.5 turned rounding into 0.02/255 of mean difference.
    enliven(unet, f"{name}.unet", (("to_q", 1.4), ("to_k", 1.4), ("conv_out", 0.5)))
    unet.half().save_pretrained(path / "unet", max_shard_size="200KB")
    vae = AutoencoderKL(
        block_out_channels=(8, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
    )
    enliven(vae, f"{name}.vae", (*ATTENTION, ("decoder.conv_out.weight", 0.5)))
    vae.bfloat16().save_pretrained(path / "vae")
    vocab, merges = train_bpe()
    text = CLIPTextConfig(
        vocab_size=1000,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        hidden_act="gelu",
        projection_dim=24,
        pad_token_id=0,
        bos_token_id=vocab[BOS],
        eos_token_id=vocab[EOS],
    )
    enliven(CLIPTextModel(text), f"{name}.text_encoder", ATTENTION).save_pretrained(path / "text_encoder")
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, pad_token="!", model_max_length=77)
    tokenizer.save_pretrained(path / "tokenizer")


def variant():
    """fp16 variant files only, SentencePiece words, Euler, and the less usual switches of the networks."""
    name = "variant-tiny"
    path = fresh(name)
    index = {"_diffusers_version": "0.42.1", "scheduler": ["diffusers", "EulerDiscreteScheduler"]}
    index |= {"tokenizer": ["transformers", "T5Tokenizer"], "requires_safety_checker": False}
    write_json(path / "model_index.json", MODEL_INDEX | index)
    EulerDiscreteScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="leading", steps_offset=1
    ).save_pretrained(path / "scheduler")
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=16,
        norm_num_groups=4,
        norm_eps=1e-6,
        act_fn="mish",
        flip_sin_to_cos=False,
        freq_shift=1,
        downsample_padding=0,
        mid_block_scale_factor=1.5,
        resnet_time_scale_shift="scale_shift",
        use_linear_projection=True,
    )
    enliven(unet, f"{name}.unet", ATTENTION).half().save_pretrained(path / "unet", variant="fp16")
    vae = AutoencoderKL(
        block_out_channels=(8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=2,
        norm_num_groups=8,
        sample_size=32,
        scaling_factor=0.3611,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    enliven(vae, f"{name}.vae", (*ATTENTION, ("decoder.conv_out.weight", 0.5)))
    vae.half().save_pretrained(path / "vae", variant="fp16")
    model = train_sentencepiece()
    (path / "tokenizer" / "spiece.model").write_bytes(model)
    write_json(
        path / "tokenizer" / "tokenizer_config.json",
        {
            "eos_token": "</s>",
            "extra_ids": 0,
            "model_max_length": 32,
            "pad_token": "<pad>",
            "tokenizer_class": "T5Tokenizer",
            "unk_token": "<unk>",
        },
    )
    text = CLIPTextConfig(
        vocab_size=220,
        hidden_size=16,
        intermediate_size=40,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=32,
        hidden_act="quick_gelu",
        projection_dim=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    text_encoder = enliven(CLIPTextModel(text), f"{name}.text_encoder", ATTENTION).half()
    text_encoder.save_pretrained(path / "text_encoder", variant="fp16")


def main():
    sd15()
    sd2()
    variant()
    for path in folder(".").rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes 0600
