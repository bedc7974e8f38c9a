"""Whole sampling loops on a denoiser that is a formula. Writes tests/golden/samplers.{json,safetensors}."""

import inspect
import itertools
import json
import math

import diffusers
import torch
from diffusers.utils.torch_utils import randn_tensor

from common import GOLDEN, write_cases, write_tensors

SEEDS = (7, 8)
SHAPE = (2, 4, 6, 5)
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SAMPLERS = {
    "ddim": ("DDIMScheduler", 0.0),
    "ddim-eta0.7": ("DDIMScheduler", 0.7),
    "ddim-eta1": ("DDIMScheduler", 1.0),
    "ddpm": ("DDPMScheduler", 0.0),
    "pndm": ("PNDMScheduler", 0.0),
    "euler": ("EulerDiscreteScheduler", 0.0),
    "euler-a": ("EulerAncestralDiscreteScheduler", 0.0),
}
PREDICTIONS = ("epsilon", "v_prediction", "sample")
SPACINGS = ("leading", "trailing", "linspace")
STEPS = (1, 2, 5, 12)


def denoiser(x, t):
    t = float(t)
    return 0.3 * x + (0.2 * math.cos(t / 1000)) * x.roll(1, -1) + 0.1 * math.sin(0.01 * t)


def run(scheduler, steps, eta):
    """The loop of StableDiffusionPipeline with a list of generators."""
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    scheduler.set_timesteps(steps)
    latents = randn_tensor(SHAPE, generator=generators) * scheduler.init_noise_sigma
    accepted = inspect.signature(scheduler.step).parameters
    extra = {"eta": eta} if "eta" in accepted else {}
    if "generator" in accepted:
        extra["generator"] = generators
    for t in scheduler.timesteps:
        output = denoiser(scheduler.scale_model_input(latents, t), t)
        latents = scheduler.step(output, t, latents, **extra).prev_sample
    return latents


def config_for(cls, wanted):
    """Drop what the class does not take, add what makes it comparable."""
    if cls == "PNDMScheduler":
        wanted = {"skip_prk_steps": True} | wanted
    if cls in ("DDIMScheduler", "DDPMScheduler"):
        wanted = {"clip_sample": False} | wanted
    taken = inspect.signature(getattr(diffusers, cls).__init__).parameters
    return {k: v for k, v in wanted.items() if k in taken}


def plan():
    """(name, class, eta, steps, config) of every loop."""
    for sampler, (cls, eta) in SAMPLERS.items():
        for prediction, spacing, steps in itertools.product(PREDICTIONS, SPACINGS, STEPS):
            if prediction == "sample" and cls in ("PNDMScheduler", "EulerAncestralDiscreteScheduler"):
                continue  # diffusers refuses these
            config = SD | {"prediction_type": prediction, "timestep_spacing": spacing, "steps_offset": 1}
            yield f"{sampler}.{prediction}.{spacing}.{steps}", cls, eta, steps, config
        for steps in (2, 5):
            yield f"{sampler}.offset0.{steps}", cls, eta, steps, SD | {"timestep_spacing": "leading", "steps_offset": 0}
            for alpha in (False, True):
                if cls in ("DDIMScheduler", "PNDMScheduler"):
                    config = SD | {"timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": alpha}
                    yield f"{sampler}.alpha_one_{alpha}.{steps}".lower(), cls, eta, steps, config
        for kind in ("linear", "squaredcos_cap_v2"):
            config = SD | {"beta_schedule": kind, "timestep_spacing": "leading"}
            yield f"{sampler}.{kind}.5", cls, eta, 5, config
        if cls != "PNDMScheduler":
            for spacing in SPACINGS:
                snr = SD | {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": spacing}
                yield f"{sampler}.zero_snr.{spacing}.5", cls, eta, 5, snr
        if cls in ("DDIMScheduler", "DDPMScheduler"):
            for prediction in PREDICTIONS:
                config = SD | {"clip_sample": True, "clip_sample_range": 1.0, "prediction_type": prediction}
                yield f"{sampler}.clip.{prediction}.5", cls, eta, 5, config
            yield f"{sampler}.clip_range2.5", cls, eta, 5, SD | {"clip_sample": True, "clip_sample_range": 2.0}
        yield f"{sampler}.defaults.12", cls, eta, 12, {}  # linear betas 1e-4..0.02, each class's own spacing
    for variance, steps in itertools.product(("fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"), (2, 5)):
        yield f"ddpm.{variance}.{steps}", "DDPMScheduler", 0.0, steps, SD | {"variance_type": variance, "steps_offset": 1}
    karras = SD | {"use_karras_sigmas": True}
    yield "euler.karras.5", "EulerDiscreteScheduler", 0.0, 5, karras
    yield "euler.sigma_min.5", "EulerDiscreteScheduler", 0.0, 5, SD | {"final_sigmas_type": "sigma_min"}


def main():
    cases, tensors = [], {}
    for name, cls, eta, steps, config in plan():
        scheduler = getattr(diffusers, cls)(**config_for(cls, config))
        try:
            latents = run(scheduler, steps, eta)
        except (ValueError, IndexError, NotImplementedError) as error:
            print(f"  refused by diffusers: {name}: {type(error).__name__}: {error}")
            continue
        if not latents.isfinite().all():
            print(f"  not finite in diffusers: {name}")
            continue
        full = json.loads(scheduler.to_json_string())
        cases.append({"name": name, "class": cls, "config": full, "steps": steps, "eta": eta, "key": name})
        tensors[name] = latents
    write_tensors(GOLDEN / "samplers.safetensors", tensors)
    write_cases(GOLDEN / "samplers.json", {"seeds": SEEDS, "shape": SHAPE}, cases)
