"""Betas, time steps and sigmas of every scheduler class. Writes tests/golden/schedules.json."""

import inspect
import itertools

import diffusers

from common import GOLDEN, write_cases

CLASSES = ("DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler")
NEWER = (
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler",
    "LMSDiscreteScheduler",
    "DEISMultistepScheduler",
    "LCMScheduler",
    "TCDScheduler",
)
SPREADS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas")
SPACINGS = ("leading", "trailing", "linspace")
STEPS = (1, 2, 7, 20, 30, 50)
SD = {"beta_start": 0.00085, "beta_end": 0.012}
SCHEDULES = ("scaled_linear", "linear", "squaredcos_cap_v2")
INDEX = [0, 1, 2, 10, 100, 250, 500, 750, 900, 990, 998, 999]


def numbers(values):
    """The shortest decimals that give the same float32 (or integer) back."""
    out = []
    for value in values:
        text = str(value.item() if value.dtype.is_floating_point is False else value.numpy())
        number = float(text)
        out.append(int(number) if number.is_integer() and abs(number) < 2**31 else number)
    return out


def betas():
    out = []
    for kind, zero_snr in itertools.product(SCHEDULES, (False, True)):
        # PNDM and old DDPM know no zero-SNR rescaling; Euler replaces the zero it leaves by 2**-24.
        for cls in ("DDIMScheduler", "EulerDiscreteScheduler") if zero_snr else ("DDIMScheduler",):
            scheduler = getattr(diffusers, cls)(beta_schedule=kind, rescale_betas_zero_snr=zero_snr, **SD)
            out.append(
                {"beta_schedule": kind}
                | SD
                | {
                    "rescale_betas_zero_snr": zero_snr,
                    "class": cls,
                    "index": INDEX,
                    "betas": numbers(scheduler.betas[INDEX]),
                    "alphas_cumprod": numbers(scheduler.alphas_cumprod[INDEX]),
                }
            )
    return out


def case(cls, steps, **config):
    config = {k: v for k, v in (SD | config).items()}
    if cls == "PNDMScheduler":
        config["skip_prk_steps"] = True
    scheduler = getattr(diffusers, cls)(**config)
    scheduler.set_timesteps(steps)
    out = {"class": cls, "config": config, "steps": steps, "timesteps": numbers(scheduler.timesteps)}
    if hasattr(scheduler, "sigmas"):
        out["sigmas"] = numbers(scheduler.sigmas)
    if hasattr(scheduler, "sigmas_interpol"):
        out["sigmas_interpol"] = numbers(scheduler.sigmas_interpol)
    return out | {"init_noise_sigma": float(str(float(scheduler.init_noise_sigma)))}


def newer_cases():
    """Classes that spread sigmas, each with its spacings and spreads."""
    out = []
    for cls in NEWER:
        taken = inspect.signature(getattr(diffusers, cls).__init__).parameters
        wanted = [{"timestep_spacing": spacing, "steps_offset": 1} for spacing in SPACINGS if "timestep_spacing" in taken] or [{}]
        wanted += [{key: True} for key in SPREADS if key in taken]
        for config, steps in itertools.product(wanted, (2, 7, 30)):
            out.append(case(cls, steps, beta_schedule="scaled_linear", **config))
        out.append(case(cls, 20, beta_schedule="squaredcos_cap_v2", **({"use_karras_sigmas": True} if SPREADS[0] in taken else {})))
    return out


def main():
    cases = []
    for cls, spacing, offset in itertools.product(CLASSES, SPACINGS, (0, 1)):
        if offset and spacing != "leading" and cls != "EulerDiscreteScheduler":
            continue  # the offset counts with leading only; one class shows that
        for steps in STEPS:
            # Time steps do not depend on the betas, so only Euler goes through all of them.
            for kind in SCHEDULES if cls == "EulerDiscreteScheduler" and not offset else SCHEDULES[:1]:
                cases.append(case(cls, steps, beta_schedule=kind, timestep_spacing=spacing, steps_offset=offset))
    for cls, spacing, steps in itertools.product(CLASSES, SPACINGS, (2, 7)):
        if cls != "PNDMScheduler":
            config = {"beta_schedule": "scaled_linear", "timestep_spacing": spacing, "rescale_betas_zero_snr": True}
            cases.append(case(cls, steps, **config))
    for steps in (3, 7):
        euler = {"beta_schedule": "scaled_linear"}
        cases.append(case("EulerDiscreteScheduler", steps, **euler, final_sigmas_type="sigma_min"))
        cases.append(case("EulerDiscreteScheduler", steps, **euler, interpolation_type="log_linear"))
        cases.append(case("EulerDiscreteScheduler", steps, **euler, use_karras_sigmas=True))
    cases += newer_cases()
    write_cases(GOLDEN / "schedules.json", {"betas": betas()}, cases)
