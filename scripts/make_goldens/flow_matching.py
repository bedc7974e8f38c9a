"""FlowMatchEulerDiscreteScheduler: its timesteps and sigmas, and whole loops on the denoiser of samplers.py. Writes
tests/golden/flow_matching.{json,safetensors}."""

import itertools
import json

import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler
from diffusers.pipelines.z_image.pipeline_z_image import calculate_shift, get_default_z_image_sigmas
from diffusers.utils.torch_utils import randn_tensor
from res_multistep import ResMultistep
from samplers import SEEDS, SHAPE, denoiser
from schedules import numbers

from common import GOLDEN, write_cases, write_tensors

DYNAMIC = {"use_dynamic_shifting": True}
LINEAR = DYNAMIC | {"time_shift_type": "linear"}
CONFIGS = {
    "plain": {},
    "turbo": {"shift": 3.0},
    "odd": {"shift": 1.15, "num_train_timesteps": 700},
    "terminal": {"shift": 2.0, "shift_terminal": 0.02},
    "karras": {"shift": 3.0, "use_karras_sigmas": True},
    "exponential": {"shift": 3.0, "use_exponential_sigmas": True},
    "beta": {"shift": 3.0, "use_beta_sigmas": True},
    "dynamic": DYNAMIC,
    "dynamic_terminal": DYNAMIC | {"shift_terminal": 0.1, "base_shift": 0.7, "max_shift": 1.6},
    "dynamic_lens": DYNAMIC | {"base_image_seq_len": 100, "max_image_seq_len": 9000},
    "linear": LINEAR,
    "linear_karras": LINEAR | {"use_karras_sigmas": True},
}
STEPS = (1, 2, 4, 9, 20)


def sigmas_of(scheduler, steps, image_seq_len, given):
    """As pipelines call it: with their own sigmas or the scheduler's, mu from the number of patches."""
    config = scheduler.config
    lengths = (config.base_image_seq_len, config.max_image_seq_len)
    mu = calculate_shift(image_seq_len, *lengths, config.base_shift, config.max_shift)
    own = {"sigmas": get_default_z_image_sigmas(steps)} if given else {"num_inference_steps": steps}
    scheduler.set_timesteps(**own, mu=mu if config.use_dynamic_shifting else None)


def method(name, config, steps):
    """Another method's class, at the sigmas of a flow's Euler."""
    euler = FlowMatchEulerDiscreteScheduler(**config)
    sigmas_of(euler, steps, 480, False)
    if name == "heun":
        scheduler = FlowMatchHeunDiscreteScheduler(**config)
        scheduler.set_timesteps(steps)
        twice = [part.repeat_interleave(2) for part in (euler.sigmas[1:-1], euler.timesteps[1:])]
        sigmas, timesteps = torch.cat([euler.sigmas[:1], twice[0], euler.sigmas[-1:]]), torch.cat([euler.timesteps[:1], twice[1]])
        assert torch.allclose(scheduler.sigmas, sigmas) and torch.allclose(scheduler.timesteps, timesteps)  # but for roundings
        scheduler.sigmas, scheduler.timesteps = sigmas, timesteps
        return scheduler
    if name == "res-multistep":
        scheduler = ResMultistep(flow=euler)
        scheduler.take_schedule()
        return scheduler
    kind = "sde-dpmsolver++" if name == "dpm++2m-sde" else "dpmsolver++"
    scheduler = DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, algorithm_type=kind)
    scheduler.set_timesteps(steps)
    scheduler.sigmas, scheduler.timesteps = euler.sigmas.double(), euler.timesteps
    scheduler.scale_noise = euler.scale_noise
    return scheduler


METHODS = ("heun", "dpm++2m", "dpm++2m-sde", "res-multistep")


def run(scheduler, first):
    """The loop of ZImagePipeline; a late start is that of ZImageImg2ImgPipeline, from a picture that is 0.5 everywhere."""
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    latents = randn_tensor(SHAPE, generator=generators)
    scheduler.set_begin_index(first)
    if first:
        latents = scheduler.scale_noise(torch.full(SHAPE, 0.5), scheduler.timesteps[first : first + 1], latents)
    extra = {"generator": generators} if isinstance(scheduler, DPMSolverMultistepScheduler) else {}
    for t in scheduler.timesteps[first:]:
        latents = scheduler.step(denoiser(latents, t), t, latents, **extra).prev_sample
    return latents


def main():
    cases, tensors = [], {}
    for (name, config), steps, given in itertools.product(CONFIGS.items(), STEPS, (False, True)):
        if steps == 1 and "terminal" in name:
            continue  # not a number in diffusers
        for length in (480, 4096) if "dynamic" in name or "linear" in name else (480,):
            scheduler = FlowMatchEulerDiscreteScheduler(**config)
            sigmas_of(scheduler, steps, length, given)
            assert scheduler.sigmas.isfinite().all()
            case = {"config": json.loads(scheduler.to_json_string()), "steps": steps, "image_seq_len": length, "given": given}
            case |= {"timesteps": numbers(scheduler.timesteps), "sigmas": numbers(scheduler.sigmas)}
            for first in (0, 2):
                if steps in (4, 9) and (first == 0 or given):
                    key = f"{name}.{steps}.{length}.{'given' if given else 'own'}.{first}"
                    sigmas_of(scheduler, steps, length, given)  # begins anew
                    tensors[key] = run(scheduler, first)
                    case.setdefault("loops", []).append({"key": key, "first": first})
            cases.append({"name": name} | case)
    methods = []
    for name, (label, config), steps in itertools.product(METHODS, (("plain", {}), ("turbo", {"shift": 3.0})), (1, 2, 3, 9)):
        for first in (0, 2) if steps == 9 and "dpm" not in name else (0,):
            key = f"{name}.{label}.{steps}.{first}"
            tensors[key] = run(method(name, config, steps), first)
            assert tensors[key].isfinite().all(), key
            full = json.loads(FlowMatchEulerDiscreteScheduler(**config).to_json_string())
            methods.append({"key": key, "sampler": name, "config": full, "steps": steps, "first": first})
    write_tensors(GOLDEN / "flow_matching.safetensors", tensors)
    write_cases(GOLDEN / "flow_matching.json", {"seeds": SEEDS, "shape": SHAPE, "methods": methods}, cases)
