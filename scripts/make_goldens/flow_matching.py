"""FlowMatchEulerDiscreteScheduler: its timesteps and sigmas, and whole loops on the denoiser of samplers.py. Writes
tests/golden/flow_matching.{json,safetensors}."""

import itertools
import json

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.z_image.pipeline_z_image import calculate_shift, get_default_z_image_sigmas
from diffusers.utils.torch_utils import randn_tensor
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


def run(scheduler, first):
    """The loop of ZImagePipeline; a late start is that of ZImageImg2ImgPipeline, from a picture that is 0.5 everywhere."""
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    latents = randn_tensor(SHAPE, generator=generators)
    scheduler.set_begin_index(first)
    if first:
        latents = scheduler.scale_noise(torch.full(SHAPE, 0.5), scheduler.timesteps[first : first + 1], latents)
    for t in scheduler.timesteps[first:]:
        latents = scheduler.step(denoiser(latents, t), t, latents).prev_sample
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
    write_tensors(GOLDEN / "flow_matching.safetensors", tensors)
    write_cases(GOLDEN / "flow_matching.json", {"seeds": SEEDS, "shape": SHAPE}, cases)
