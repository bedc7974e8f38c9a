"""Whole sampling loops on a denoiser that is a formula. Writes tests/golden/samplers.{json,safetensors}."""

import inspect
import itertools
import json
import math

import diffusers
import torch
from diffusers.utils.torch_utils import randn_tensor

from ancestral_2s import Ancestral2S
from common import GOLDEN, write_cases, write_tensors
from res_multistep import ResMultistep

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

# Name in sd-gen: class, what chooses the method among those of the class, schedules.
SPREADS = ("karras", "exponential", "beta")
NEWER = {
    "heun": ("HeunDiscreteScheduler", {}, SPREADS),
    "dpm2": ("KDPM2DiscreteScheduler", {}, SPREADS),
    "dpm2-a": ("KDPM2AncestralDiscreteScheduler", {}, SPREADS),
    "dpm++2m": ("DPMSolverMultistepScheduler", {}, (*SPREADS, "lu")),
    "dpm++2m-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}, (*SPREADS, "lu")),
    "dpm++2s": ("DPMSolverSinglestepScheduler", {}, SPREADS),
    "dpm++2s-a": ("Ancestral2S", {}, SPREADS),
    "res-multistep": ("ResMultistep", {}, SPREADS),
    "unipc": ("UniPCMultistepScheduler", {}, SPREADS),
    "lms": ("LMSDiscreteScheduler", {}, SPREADS),
    "deis": ("DEISMultistepScheduler", {}, SPREADS),
    "lcm": ("LCMScheduler", {}, ()),
    "tcd": ("TCDScheduler", {}, ()),
}
KEYS = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas", "lu": "use_lu_lambdas"}
SOLVERS = ("dpm++2m", "dpm++2m-sde", "dpm++2s", "unipc", "deis")


def class_of(name):
    ours = {"Ancestral2S": Ancestral2S, "ResMultistep": ResMultistep}
    return ours.get(name) or getattr(diffusers, name)


def denoiser(x, t):
    t = float(t)
    return 0.3 * x + (0.2 * math.cos(t / 1000)) * x.roll(1, -1) + 0.1 * math.sin(0.01 * t)


def run(scheduler, steps, eta, first=0, end=None):
    """The loop of StableDiffusionPipeline with a list of generators. A late start is that of the image-to-image pipeline:
    a picture (here all 0.5), noised to where the list is entered."""
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps[first:end]
    noise = randn_tensor(SHAPE, generator=generators)
    if first:
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        latents = scheduler.add_noise(torch.full(SHAPE, 0.5), noise, timesteps[:1])
    else:
        latents = noise * scheduler.init_noise_sigma
    accepted = inspect.signature(scheduler.step).parameters
    extra = {"eta": eta} if "eta" in accepted else {}
    if "generator" in accepted:
        extra["generator"] = generators
    for t in timesteps:
        output = denoiser(scheduler.scale_model_input(latents, t), t)
        latents = scheduler.step(output, t, latents, **extra).prev_sample
    return latents


def config_for(cls, wanted):
    """Drop what the class does not take, add what makes it comparable."""
    if cls == "PNDMScheduler":
        wanted = {"skip_prk_steps": True} | wanted
    if cls in ("DDIMScheduler", "DDPMScheduler"):
        wanted = {"clip_sample": False} | wanted
    taken = inspect.signature(class_of(cls).__init__).parameters
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
    for name in (*SPREADS, "karras.leading"):
        config = SD | {KEYS[name.split(".")[0]]: True, "timestep_spacing": "leading" if "." in name else "linspace", "steps_offset": 1}
        yield f"euler.{name}.5", "EulerDiscreteScheduler", 0.0, 5, config
    yield "euler.sigma_min.5", "EulerDiscreteScheduler", 0.0, 5, SD | {"final_sigmas_type": "sigma_min"}
    yield "euler.log_linear.5", "EulerDiscreteScheduler", 0.0, 5, SD | {"interpolation_type": "log_linear"}
    continuous = SD | {"timestep_type": "continuous", "prediction_type": "v_prediction", "use_karras_sigmas": True, "sigma_min": 0.002, "sigma_max": 700.0}
    yield "euler.continuous.5", "EulerDiscreteScheduler", 0.0, 5, continuous


def newer_plan():
    for sampler, (cls, chosen, spreads) in NEWER.items():
        base = SD | {"steps_offset": 1} | chosen
        for prediction, spacing in itertools.product(PREDICTIONS, SPACINGS):
            if prediction == "sample" and sampler.startswith("dpm2"):
                continue
            for steps in (5,) if spacing == "trailing" else (12,):
                yield f"{sampler}.{prediction}.{spacing}.{steps}", cls, 0.0, steps, base | {"prediction_type": prediction, "timestep_spacing": spacing}
        for steps in (1, 2, 20):
            yield f"{sampler}.leading.{steps}", cls, 0.0, steps, base | {"timestep_spacing": "leading"}
        for spread, steps in itertools.product(spreads, (2, 7)):
            config = base | {KEYS[spread]: True, "prediction_type": "v_prediction" if steps == 2 else "epsilon"}
            yield f"{sampler}.{spread}.{steps}", cls, 0.0, steps, config
        yield f"{sampler}.squaredcos_cap_v2.5", cls, 0.0, 5, base | {"beta_schedule": "squaredcos_cap_v2"}
        yield f"{sampler}.defaults.9", cls, 0.0, 9, chosen
        if "rescale_betas_zero_snr" in inspect.signature(class_of(cls).__init__).parameters:
            for spacing in SPACINGS:
                snr = base | {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": spacing}
                yield f"{sampler}.zero_snr.{spacing}.5", cls, 0.0, 5, snr
        if sampler in SOLVERS:
            yield from solver_plan(sampler, cls, base)
    for eta, steps in itertools.product((0.3, 1.0), (1, 4, 8)):
        yield f"tcd-eta{eta}.{steps}", "TCDScheduler", eta, steps, SD
    yield "lcm.original20.4", "LCMScheduler", 0.0, 4, SD | {"original_inference_steps": 20, "timestep_scaling": 1.0}
    yield "lcm.clip.4", "LCMScheduler", 0.0, 4, SD | {"clip_sample": True}
    yield "heun.clip.4", "HeunDiscreteScheduler", 0.0, 4, SD | {"clip_sample": True}
    yield "unipc.eps.order3.12", "UniPCMultistepScheduler", 0.0, 12, SD | {"predict_x0": False, "solver_order": 3, "final_sigmas_type": "sigma_min"}
    yield "unipc.disable_corrector.8", "UniPCMultistepScheduler", 0.0, 8, SD | {"disable_corrector": [0, 3], "solver_order": 3}
    yield "dpm++2m.lambda_min_clipped.8", "DPMSolverMultistepScheduler", 0.0, 8, SD | {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}
    yield "dpm++2m.euler_at_final.20", "DPMSolverMultistepScheduler", 0.0, 20, SD | {"euler_at_final": True, "final_sigmas_type": "sigma_min"}
    yield "dpm++2s.sigma_min.order3.9", "DPMSolverSinglestepScheduler", 0.0, 9, SD | {"final_sigmas_type": "sigma_min", "solver_order": 3, "lower_order_final": False}


def solver_plan(sampler, cls, base):
    kinds = {"unipc": ("bh1", "bh2"), "deis": ("logrho",)}.get(sampler, ("midpoint", "heun"))
    for order, kind in itertools.product((1, 2, 3), kinds):
        if order == 3 or kind in ("heun", "bh1") or order == 1:
            for steps in (6, 16) if order == 3 else (6,):
                config = base | {"solver_order": order, "solver_type": kind}
                if kind == "bh1":
                    config["final_sigmas_type"] = "sigma_min"  # not finite at sigma 0
                yield f"{sampler}.order{order}.{kind}.{steps}", cls, 0.0, steps, config
    for last in (False, True):
        yield f"{sampler}.sigma_min.lower{last}.8".lower(), cls, 0.0, 8, base | {"final_sigmas_type": "sigma_min", "lower_order_final": last}
    yield f"{sampler}.karras.sigma_min.8", cls, 0.0, 8, base | {"use_karras_sigmas": True, "final_sigmas_type": "sigma_min"}


def own_schedule():
    """IPNDM's, which no key of a config changes; it cannot begin late."""
    for steps in (1, 2, 3, 4, 5, 12, 30):
        yield f"ipndm.{steps}", "IPNDMScheduler", 0.0, steps, {}, 0, None
    yield "ipndm.range.0-5.10", "IPNDMScheduler", 0.0, 10, {}, 0, 5


def ranges():
    """(name, class, eta, steps, config, first, end): parts of the list."""
    everything = {name: (cls, {}, ()) for name, (cls, eta) in SAMPLERS.items() if "eta" not in name} | NEWER
    for sampler, (cls, chosen, _) in everything.items():
        config = SD | {"timestep_spacing": "leading", "steps_offset": 1} | chosen
        if cls in ("PNDMScheduler", "DDIMScheduler"):
            config["set_alpha_to_one"] = False
        if sampler in SOLVERS:
            config["solver_order"] = 3
        for first, end in ((0, 5), (4, None), (6, 8), (2, 3)):
            yield f"{sampler}.range.{first}-{end}.10", cls, 0.0, 10, config, first, end
        if cls == "PNDMScheduler":
            for first in (1, 3):
                yield f"{sampler}.range.{first}.10", cls, 0.0, 10, config, first, None
            yield f"{sampler}.prk.range.3.10", cls, 0.0, 10, config | {"skip_prk_steps": False}, 3, None
            yield f"{sampler}.prk.10", cls, 0.0, 10, config | {"skip_prk_steps": False}, 0, None


def main():
    cases, tensors = [], {}
    whole = ((*case, 0, None) for case in itertools.chain(plan(), newer_plan()))
    for name, cls, eta, steps, config, first, end in itertools.chain(whole, ranges(), own_schedule()):
        scheduler = class_of(cls)(**config_for(cls, config))
        full = json.loads(scheduler.to_json_string())  # set_timesteps may change it
        try:
            latents = run(scheduler, steps, eta, first, end)
        except (ValueError, IndexError, NotImplementedError) as error:
            print(f"  refused by diffusers: {name}: {type(error).__name__}: {error}")
            continue
        if not latents.isfinite().all():
            print(f"  not finite in diffusers: {name}")
            continue
        case = {"name": name, "class": cls, "config": full, "steps": steps, "eta": eta, "key": name}
        if first or end is not None:
            case |= {"first": first, "end": end}
        cases.append(case)
        tensors[name] = latents
    write_tensors(GOLDEN / "samplers.safetensors", tensors)
    write_cases(GOLDEN / "samplers.json", {"seeds": SEEDS, "shape": SHAPE}, cases)
