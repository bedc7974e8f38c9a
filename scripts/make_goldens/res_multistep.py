"""The second-order multistep method of "Refined Exponential Solver" (RES, arXiv 2308.02157), which diffusers lacks, as a
scheduler with the same methods.

Written from the published formulas, in lambda = -log sigma with phi1(z) = (e^z - 1) / z and phi2(z) = (phi1(z) - 1) / z at z = -h:
x' = e^-h x + h (b1 x0 + b2 older x0), b2 = phi2 / c2, b1 = phi1 - b2, c2 the way back to the older point as a part of h (below 0).
The first step and the one to sigma 0 are Euler's. Sigmas and timesteps are those of EulerDiscreteScheduler, or of a flow's Euler.
"""

import math
from types import SimpleNamespace

import torch
from diffusers import EulerDiscreteScheduler


class ResMultistep:
    order = 1

    def __init__(self, beta_start=0.0001, beta_end=0.02, beta_schedule="linear", prediction_type="epsilon", timestep_spacing="linspace",
                 steps_offset=0, use_karras_sigmas=False, use_exponential_sigmas=False, use_beta_sigmas=False, rescale_betas_zero_snr=False,
                 flow=None):
        options = {key: value for key, value in locals().items() if key not in ("self", "flow")}
        self.euler, self.is_flow = (flow, True) if flow else (EulerDiscreteScheduler(**options), False)
        self.index, self.begin, self.older = None, 0, None

    def to_json_string(self):
        return self.euler.to_json_string()

    def set_timesteps(self, steps):
        self.euler.set_timesteps(steps)
        self.take_schedule()
        self.init_noise_sigma = self.euler.init_noise_sigma

    def take_schedule(self):
        self.sigmas, self.timesteps = [float(sigma) for sigma in self.euler.sigmas], self.euler.timesteps
        self.index, self.older = None, None

    def set_begin_index(self, index):
        self.begin = index

    def here(self):
        return self.begin if self.index is None else self.index

    def scale_model_input(self, x, t):
        return x / math.sqrt(self.sigmas[self.here()] ** 2 + 1)

    def add_noise(self, x0, noise, timesteps):
        return x0 + self.sigmas[self.begin] * noise

    def scale_noise(self, x0, timesteps, noise):
        sigma = self.sigmas[self.begin]
        return (1 - sigma) * x0 + sigma * noise

    def denoised(self, output, x, sigma):
        kind = "epsilon" if self.is_flow else self.euler.config.prediction_type
        if kind == "sample":
            return output
        if kind == "epsilon":  # and a flow's velocity
            return x - sigma * output
        return x / (sigma**2 + 1) - sigma / math.sqrt(sigma**2 + 1) * output

    def step(self, output, t, x):
        index = self.here()
        sigma, after = self.sigmas[index], self.sigmas[index + 1]
        x0 = self.denoised(output, x, sigma)
        if self.older is None or after == 0:
            following = x + (after - sigma) * (x - x0) / sigma
        else:
            older_x0, older_sigma = self.older
            h = math.log(sigma / after)
            c2 = math.log(sigma / older_sigma) / h
            phi1 = math.expm1(-h) / -h
            b2 = (phi1 - 1) / -h / c2
            following = math.exp(-h) * x + h * ((phi1 - b2) * x0 + b2 * older_x0)
        self.older, self.index = (x0, sigma), index + 1
        return SimpleNamespace(prev_sample=following)
