"""Small ControlNets and the pictures they steer. Writes tests/golden/controlnets/; their models are sd15-tiny and xl-tiny."""

import shutil

import diffusers
import numpy as np
import torch
from diffusers import ControlNetModel

from common import GOLDEN, load_pipeline, write_cases, write_tensors
from families import case, load_family, measured, opened
from pictures import scheduler_for
from weights import enliven

# Layers that training began at zero matter here, but not so much that rounding does.
LOUD = (("to_q", 1.6), ("to_k", 1.6), ("controlnet_down_blocks", 0.5), ("controlnet_mid_block", 0.5))
MODELS = {"sd15-tiny": load_pipeline, "xl-tiny": lambda name: load_family(GOLDEN / "families" / "pipelines" / name)}
NETS = {
    # one level with attention only: the rest is the same for all words; as an fp16 variant
    "sd15-edges": (
        "sd15-tiny",
        {
            "conditioning_embedding_out_channels": (4, 8, 4, 8),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "mid_block_type": "UNetMidBlock2D",
        },
        {"variant": "fp16"},
    ),
    # the picture's channels in the other order
    "xl-depth": ("xl-tiny", {"conditioning_embedding_out_channels": (4, 4, 8, 8), "controlnet_conditioning_channel_order": "bgr"}, {}),
}
COPIED = (
    *("in_channels", "flip_sin_to_cos", "freq_shift", "down_block_types", "only_cross_attention", "block_out_channels"),
    *("layers_per_block", "downsample_padding", "mid_block_scale_factor", "act_fn", "norm_num_groups", "norm_eps"),
    *("cross_attention_dim", "attention_head_dim", "use_linear_projection", "addition_embed_type", "addition_time_embed_dim"),
    *("transformer_layers_per_block", "projection_class_embeddings_input_dim", "mid_block_type"),
)


def write_nets(folder, models):
    for name, (model, changes, saving) in NETS.items():
        config = {key: models[model].unet.config[key] for key in COPIED} | changes
        enliven(ControlNetModel(**config), f"{name}.controlnet", LOUD).half().save_pretrained(folder / name, **saving)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)


def load_net(name):
    variant = NETS[name][2].get("variant")
    return ControlNetModel.from_pretrained(GOLDEN / "controlnets" / name, torch_dtype=torch.float32, variant=variant).eval()


def control(name, pipeline, nets, images, **settings):
    return case(name, pipeline, controlnet=nets, control_image=images, **({"steps": 5} | settings))


START, JPEG = "start.png", "start.jpg"
CASES = [
    control("edges", "sd15-tiny", ["sd15-edges"], [START]),
    control("edges-own-size", "sd15-tiny", ["sd15-edges"], [START], width=None, height=None, sampler="ddim", eta=0.4),
    control("edges-unguided", "sd15-tiny", ["sd15-edges"], [JPEG], guidance_scale=1.0, control_scale=[0.7]),
    control("edges-part", "sd15-tiny", ["sd15-edges"], [START], control_start=[0.2], control_end=[0.75], steps=7, width=80, height=56),
    control(
        "edges-twice",
        "sd15-tiny",
        ["sd15-edges", "sd15-edges"],
        [START, JPEG],
        control_scale=[0.6, 1.2],
        control_start=[0.0, 0.3],
        control_end=[0.7, 1.0],
        sampler="euler-a",
        count=2,
    ),
    control("depth", "xl-tiny", ["xl-depth"], [START]),
    control("depth-part", "xl-tiny", ["xl-depth"], [JPEG], control_scale=[1.5], control_end=[0.6], count=2, negative_prompt="dark"),
    control("depth-unguided", "xl-tiny", ["xl-depth"], [START], guidance_scale=1.0, sampler="ddim", width=None, height=None),
    # the part of the steps counts the refiner's, too
    control("depth-refined", "xl-tiny", ["xl-depth"], [START], refiner="refiner-tiny", refiner_start=0.6, control_end=[0.5], steps=8),
]


def one_or_all(values):
    return values[0] if len(values) == 1 else values


def steered(pipe, nets, it):
    kind = "XL" if hasattr(pipe, "text_encoder_2") else ""
    extra = {"force_zeros_for_empty_prompt": pipe.config.force_zeros_for_empty_prompt} if kind else {"requires_safety_checker": False}
    cls = getattr(diffusers, f"StableDiffusion{kind}ControlNetPipeline")
    other = cls(**pipe.components, controlnet=one_or_all([nets[name] for name in it["controlnet"]]), **extra)
    other.set_progress_bar_config(disable=True)
    return other


def draw(pipe, nets, it):
    pipe.scheduler = scheduler_for(pipe.own_scheduler, it["sampler"])
    images = [opened(name, it) for name in it["control_image"]]
    numbers = {"control_scale": "controlnet_conditioning_scale", "control_start": "control_guidance_start", "control_end": "control_guidance_end"}
    shared = {
        "prompt": it["prompt"],
        "negative_prompt": it["negative_prompt"],
        "num_inference_steps": it["steps"],
        "guidance_scale": it["guidance_scale"],
        "num_images_per_prompt": it["count"],
        "generator": [torch.Generator().manual_seed(it["seed"] + k) for k in range(it["count"])],
    }
    extra = {theirs: one_or_all(it[ours]) for ours, theirs in numbers.items() if ours in it}
    if it.get("refiner"):
        extra |= {"denoising_end": it["refiner_start"], "output_type": "latent"}
    drawn = steered(pipe, nets, it)(image=one_or_all(images), width=it["width"], height=it["height"], eta=it["eta"], **shared, **extra).images
    if it.get("refiner"):
        refiner = load_family(GOLDEN / "families" / "pipelines" / it["refiner"])
        refiner.set_progress_bar_config(disable=True)
        latents = refiner(image=drawn, denoising_start=it["refiner_start"], **shared, output_type="latent").images
        drawn = pipe.image_processor.postprocess(pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample, output_type="pil")
    return torch.from_numpy(np.stack([np.asarray(image) for image in drawn]))


def main():
    folder = GOLDEN / "controlnets"
    shutil.rmtree(folder, ignore_errors=True)
    models = {name: load(name) for name, load in MODELS.items()}
    write_nets(folder, models)
    nets = {name: load_net(name) for name in NETS}
    for pipe in models.values():
        pipe.set_progress_bar_config(disable=True)
        pipe.own_scheduler = pipe.scheduler
    tensors, cases = {}, []
    for it in CASES:
        pipe = models[it["pipeline"]]
        image, apart = measured(it["name"], lambda: draw(pipe, nets, it), pipe)
        tensors[it["name"]] = image
        cases.append(it | apart)
    write_tensors(folder / "pictures.safetensors", tensors)
    write_cases(folder / "pictures.json", {}, cases)
