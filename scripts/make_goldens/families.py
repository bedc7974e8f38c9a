"""Pipelines beyond Stable Diffusion 1 and 2, as small as they go, and their pictures. Writes tests/golden/families/."""

import shutil

import numpy as np
import torch
import diffusers
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from common import GOLDEN, write_cases, write_tensors
from tokenizers_small import train_bpe
from weights import enliven

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
LOUD = (("to_q", 1.6), ("to_k", 1.6), ("q_proj", 2.0), ("k_proj", 2.0), ("conv_out", 0.5))
SCHEDULE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1, "clip_sample": False}
TEXT_1, TEXT_2, PROJECTION = 16, 24, 24


def tokenizer(pad):
    vocab, merges = train_bpe()
    return CLIPTokenizer(vocab=vocab, merges=merges, pad_token=pad, model_max_length=77)


def text_encoder(name, width, cls=CLIPTextModel, **changes):
    vocab, _ = train_bpe()
    config = CLIPTextConfig(
        **{
            "vocab_size": 1000,
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "max_position_embeddings": 77,
            "hidden_act": "gelu",
            "projection_dim": PROJECTION,
            "pad_token_id": 0,
            "bos_token_id": vocab[BOS],
            "eos_token_id": vocab[EOS],
        }
        | changes
    )
    return enliven(cls(config), f"{name}", LOUD).half().float()


def unet(name, **config):
    config = {
        "sample_size": 8,
        "block_out_channels": (8, 16),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "cross_attention_dim": TEXT_1,
        "norm_num_groups": 4,
    } | config
    return enliven(UNet2DConditionModel(**config), f"{name}.unet", LOUD).half().float()


def vae(name, **config):
    model = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
        **config,
    )
    return enliven(model, f"{name}.vae", (*LOUD, ("quant_conv", 0.5))).half().float()


def one_encoder(cls, name, scheduler, **unet_config):
    return cls(
        vae=vae(name),
        text_encoder=text_encoder(f"{name}.text_encoder", TEXT_1),
        tokenizer=tokenizer(EOS),
        unet=unet(name, **unet_config),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def xl_unet(name, numbers, width, **changes):
    added = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": PROJECTION + 8 * numbers}
    config = {"cross_attention_dim": width, "use_linear_projection": True, "attention_head_dim": (2, 4)}
    config |= {"down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D")}
    return unet(name, **(config | added | {"transformer_layers_per_block": (1, 2)} | changes))


def xl(name, cls=diffusers.StableDiffusionXLPipeline, scheduler=None, unet_changes=None, numbers=6, first=True, **settings):
    scheduler = scheduler or diffusers.EulerDiscreteScheduler(**{k: v for k, v in SCHEDULE.items() if k != "clip_sample"}, timestep_spacing="leading")
    width = TEXT_2 + (TEXT_1 if first else 0)
    return cls(
        vae=vae(name, scaling_factor=0.13025, force_upcast=True),
        text_encoder=text_encoder(f"{name}.text_encoder", TEXT_1, hidden_act="quick_gelu") if first else None,
        tokenizer=tokenizer(EOS) if first else None,
        text_encoder_2=text_encoder(f"{name}.text_encoder_2", TEXT_2, CLIPTextModelWithProjection),
        tokenizer_2=tokenizer("!"),
        unet=xl_unet(name, numbers, width, **(unet_changes or {})),
        scheduler=scheduler,
        **settings,
    )


def ddim(**changes):
    return diffusers.DDIMScheduler(**(SCHEDULE | {"set_alpha_to_one": False} | changes))


def pipelines():
    euler = {k: v for k, v in SCHEDULE.items() if k != "clip_sample"}
    return {
        "xl-tiny": lambda n: xl(n, force_zeros_for_empty_prompt=True),
        # the empty prompt is encoded, and the way up is not the way down
        "xl-distilled-tiny": lambda n: xl(
            n,
            scheduler=ddim(),
            force_zeros_for_empty_prompt=False,
            unet_changes={
                "layers_per_block": 2,
                "mid_block_type": None,
                "transformer_layers_per_block": [1, [2, 1]],
                "reverse_transformer_layers_per_block": [[1, 1, 2], 1],
            },
        ),
        "refiner-tiny": lambda n: xl(
            n, diffusers.StableDiffusionXLImg2ImgPipeline, numbers=5, first=False, requires_aesthetics_score=True, force_zeros_for_empty_prompt=False
        ),
        "lcm-tiny": lambda n: one_encoder(diffusers.LatentConsistencyModelPipeline, n, diffusers.LCMScheduler(**SCHEDULE), time_cond_proj_dim=32),
        "inpaint-tiny": lambda n: one_encoder(
            diffusers.StableDiffusionInpaintPipeline, n, diffusers.PNDMScheduler(**euler, skip_prk_steps=True), in_channels=9, mid_block_type="UNetMidBlock2D"
        ),
        "instruct-tiny": lambda n: one_encoder(
            diffusers.StableDiffusionInstructPix2PixPipeline, n, diffusers.EulerAncestralDiscreteScheduler(**euler), in_channels=8
        ),
    }


def case(name, pipeline, **settings):
    shared = {"prompt": "a red circle above a blue square", "negative_prompt": None, "steps": 5, "guidance_scale": 5.0, "seed": 42}
    return {"name": name, "pipeline": pipeline} | shared | {"width": 64, "height": 64, "sampler": None, "eta": 0.0, "count": 1} | settings


CASES = [
    case("xl", "xl-tiny"),
    case("xl-wide", "xl-tiny", width=96, height=56, count=2, seed=7),
    case("xl-negative", "xl-tiny", negative_prompt="blurry, low quality", guidance_scale=7.0),
    case("xl-unguided", "xl-tiny", guidance_scale=1.0, sampler="ddim"),
    case("xl-rescaled", "xl-tiny", guidance_scale=7.5, guidance_rescale=0.7, sampler="ddim"),
    case("xl-distilled", "xl-distilled-tiny"),
    case("xl-distilled-negative", "xl-distilled-tiny", negative_prompt="snow", height=72),
]


def draw(pipe, own, it):
    from pictures import scheduler_for

    pipe.scheduler = scheduler_for(own, it["sampler"])
    extra = {"guidance_rescale": it["guidance_rescale"]} if it.get("guidance_rescale") else {}
    images = pipe(
        it["prompt"],
        negative_prompt=it["negative_prompt"],
        num_inference_steps=it["steps"],
        guidance_scale=it["guidance_scale"],
        width=it["width"],
        height=it["height"],
        eta=it["eta"],
        num_images_per_prompt=it["count"],
        generator=[torch.Generator().manual_seed(it["seed"] + k) for k in range(it["count"])],
        **extra,
    ).images
    return torch.from_numpy(np.stack([np.asarray(image) for image in images]))


def measured(name, draw_once, pipe):
    """The picture, and how far it is when computed in ways that should not matter."""
    image = draw_once()
    far = []
    for threads, layout in ((2, torch.contiguous_format), (1, torch.channels_last)):
        torch.set_num_threads(threads)
        for part in (pipe.unet, pipe.vae):
            part.to(memory_format=layout)
        far.append((image.int() - draw_once().int()).abs().float())
    torch.set_num_threads(1)
    for part in (pipe.unet, pipe.vae):
        part.to(memory_format=torch.contiguous_format)
    apart = {"self_max": int(max(d.max() for d in far)), "self_mean": round(max(d.mean().item() for d in far), 6)}
    print(f"  {name}: std {image.float().std():.1f}, {apart}", flush=True)
    assert apart["self_max"] <= 1 and apart["self_mean"] < 0.005, "chaotic: make the pipeline's weights quieter"
    return image, apart


def main():
    shutil.rmtree(GOLDEN / "families", ignore_errors=True)
    tensors, cases = {}, []
    for name, build in pipelines().items():
        pipe = build(name)
        folder = GOLDEN / "families" / "pipelines" / name
        pipe.to(torch.float16).save_pretrained(folder)
        pipe.to(torch.float32)
        pipe.set_progress_bar_config(disable=True)
        own = pipe.scheduler
        for it in [it for it in CASES if it["pipeline"] == name]:
            image, apart = measured(it["name"], lambda: draw(pipe, own, it), pipe)
            tensors[it["name"]] = image
            cases.append(it | apart)
    for path in (GOLDEN / "families").rglob("*.safetensors"):
        path.chmod(0o644)
    write_tensors(GOLDEN / "families" / "pictures.safetensors", tensors)
    write_cases(GOLDEN / "families" / "pictures.json", {}, cases)
