"""Pipelines whose denoiser is a transformer, as small as they go, and their pictures. Writes tests/golden/flow_families/."""

import shutil

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from families import LOUD, write_pictures, opened
from PIL import Image
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3Model
from z_image import SIZES, write_text_parts

from common import GOLDEN, randn, write_cases, write_tensors
from weights import enliven

FOLDER = GOLDEN / "flow_families"
PIPELINES = FOLDER / "pipelines"


def vae(name, widths):
    model = AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        norm_num_groups=min(32, widths[0]),  # as a file without a config is read, where there are so many
        latent_channels=16,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    return enliven(model, f"{name}.vae", LOUD).half().float()


def z_image(name, widths=(32, 32), scheduler=None, **config):
    config = dict(dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16, axes_dims=[4, 6, 6], axes_lens=[1536, 512, 512]) | config
    net = enliven(ZImageTransformer2DModel(**config), f"{name}.transformer", (("to_q", 1.6), ("to_k", 1.6)))
    for key, parameter in net.named_parameters():
        if key.endswith("pad_token"):
            parameter.copy_(randn(*parameter.shape, name=f"{name}.{key}"))
    encoder, _ = write_text_parts(PIPELINES / name, Qwen3Model(Qwen3Config(**SIZES)), f"{name}.text_encoder")
    tokenizer = Qwen2TokenizerFast.from_pretrained(PIPELINES / name / "tokenizer", local_files_only=True)
    return ZImagePipeline(
        scheduler=scheduler or FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae(name, widths), text_encoder=encoder, tokenizer=tokenizer, transformer=net
    )


FAMILIES = {
    "z-image-tiny": lambda n: z_image(n),
    # as SD 3's scheduler moves its sigmas, at another depth of VAE
    "z-image-dynamic-tiny": lambda n: z_image(n, widths=(8,) * 4, scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), n_refiner_layers=2, axes_dims=[8, 4, 4], axes_lens=[256, 64, 64]),
}


def case(name, pipeline, **settings):
    shared = {"prompt": "a red circle above a blue square", "negative_prompt": None, "steps": 5, "guidance_scale": 0.0, "seed": 42}
    return {"name": name, "pipeline": pipeline} | shared | {"width": 64, "height": 64, "sampler": None, "eta": 0.0, "count": 1} | settings


LONG = "a red fox in the forest, oil painting, " * 6
CASES = [
    case("z-image-turbo", "z-image-tiny", count=2),
    case("z-image-guided", "z-image-tiny", guidance_scale=4.0, count=3),
    # texts on both sides of the lengths that are padded to 32, in both directions
    case("z-image-long", "z-image-tiny", prompt=LONG, guidance_scale=2.5, negative_prompt="blurry", width=80, height=48),
    case("z-image-long-negative", "z-image-tiny", prompt="a cat", guidance_scale=2.5, negative_prompt=LONG, steps=3, count=2),
    case("z-image-below-one", "z-image-tiny", guidance_scale=0.7, steps=4, width=40, height=72),
    case("z-image-one-step", "z-image-tiny", steps=1, width=24, height=16),
    case("z-image-dynamic", "z-image-dynamic-tiny", guidance_scale=3.0, width=96, height=64),
    case("z-image-dynamic-empty", "z-image-dynamic-tiny", prompt="", steps=3),
    case("z-image-img2img", "z-image-tiny", init_image="start.png", strength=0.6, steps=8, guidance_scale=2.0),
    case("z-image-img2img-all", "z-image-tiny", init_image="start.jpg", strength=1.0, count=2),
    case("z-image-mask", "z-image-tiny", init_image="start.jpg", mask="mask.png", strength=0.7, steps=6, guidance_scale=2.0),
    case("z-image-mask-all", "z-image-dynamic-tiny", init_image="start.png", mask="mask.png", strength=1.0, count=2),
]


def kind_of(pipe, it):
    """The pipeline for the case's task, on the parts of `pipe`."""
    task = "Inpaint" if it.get("mask") else "Img2Img" if it.get("init_image") else ""
    cls = type(pipe) if not task else getattr(diffusers, type(pipe).__name__.replace("Pipeline", f"{task}Pipeline"))
    return cls(**pipe.components), task


def draw(pipe, it):
    pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    pipe, task = kind_of(pipe, it)
    pipe.set_progress_bar_config(disable=True)
    images = []
    # one by one: an inpainting pipeline draws the latents of a picture once for all of a batch
    for seeds in [[it["seed"] + k] for k in range(it["count"])] if task else [[it["seed"] + k for k in range(it["count"])]]:
        extra = {}
        if task:
            image = opened(it["init_image"], it).resize((it["width"], it["height"]), Image.LANCZOS)
            extra = {"image": image, "strength": it["strength"]}
        if it.get("mask"):
            extra["mask_image"] = opened(it["mask"], it).resize((it["width"], it["height"]), Image.LANCZOS)
        images += pipe(
            it["prompt"],
            negative_prompt=it["negative_prompt"],
            num_inference_steps=it["steps"],
            guidance_scale=it["guidance_scale"],
            width=it["width"],
            height=it["height"],
            num_images_per_prompt=len(seeds),
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            **extra,
        ).images
    return torch.from_numpy(np.stack([np.asarray(image) for image in images]))


def measured(name, draw_once):
    """The picture, and how far it is when computed by more threads."""
    image = draw_once()
    torch.set_num_threads(2)
    far = (image.int() - draw_once().int()).abs().float()
    torch.set_num_threads(1)
    apart = {"self_max": int(far.max()), "self_mean": round(far.mean().item(), 6)}
    print(f"  {name}: std {image.float().std():.1f}, {apart}", flush=True)
    assert apart["self_max"] <= 1 and apart["self_mean"] < 0.005, "chaotic: make the pipeline's weights quieter"
    return image, apart


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    write_pictures(FOLDER)
    for name, build in FAMILIES.items():
        build(name).to(torch.float16).save_pretrained(PIPELINES / name)
    for path in FOLDER.rglob("*.safetensors"):
        path.chmod(0o644)
    tensors, cases, pipes = {}, [], {}
    for it in CASES:
        name = it["pipeline"]
        pipe = pipes.get(name) or pipes.setdefault(name, diffusers.DiffusionPipeline.from_pretrained(PIPELINES / name, dtype=torch.float32, local_files_only=True))
        image, apart = measured(it["name"], lambda: draw(pipe, it))
        tensors[it["name"]] = image
        cases.append(it | apart)
    write_tensors(FOLDER / "pictures.safetensors", tensors)
    write_cases(FOLDER / "pictures.json", {}, cases)
