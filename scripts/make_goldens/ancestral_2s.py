"""DPM-Solver++(2S) with ancestral noise, which diffusers lacks, as a scheduler with the same methods.

Written from the published formulas: "DPM-Solver++", algorithm 1 with r = 1/2, in lambda = -log sigma, and the ancestral
split of a step from sigma to sigma' that k-diffusion describes: down to sigma'^2 / sigma, then noise up to sigma'.
Sigmas and timesteps are those of EulerDiscreteScheduler.
"""

import math
from types import SimpleNamespace

import torch
from diffusers import EulerDiscreteScheduler
from diffusers.utils.torch_utils import randn_tensor


class Ancestral2S:
    order = 2

    def __init__(self, beta_start=0.0001, beta_end=0.02, beta_schedule="linear", prediction_type="epsilon", timestep_spacing="linspace",
                 steps_offset=0, use_karras_sigmas=False, use_exponential_sigmas=False, use_beta_sigmas=False):
        options = {key: value for key, value in locals().items() if key != "self"}
        self.euler = EulerDiscreteScheduler(**options)

    def to_json_string(self):
        return self.euler.to_json_string()

    def set_timesteps(self, steps):
        self.euler.set_timesteps(steps)
        levels = [float(sigma) for sigma in self.euler.sigmas]
        times = [float(t) for t in self.euler.timesteps]
        if self.euler.config.use_karras_sigmas:
            times = [float(round(t)) for t in times]  # as DPM2 does
        training = ((1 - self.euler.alphas_cumprod) / self.euler.alphas_cumprod).double().sqrt().log()
        self.points, self.known, self.timesteps = [], [], []
        for t, sigma, after in zip(times, levels, levels[1:]):
            self.points.append(sigma)
            self.known.append(sigma)
            self.timesteps.append(t)
            if after > 0:
                middle = math.exp((math.log(sigma) + math.log(after * after / sigma)) / 2)
                self.points.append(middle)
                self.known.append(after)
                self.timesteps.append(self.time_of(middle, training))
        self.levels, self.init_noise_sigma, self.index, self.begin = levels, self.euler.init_noise_sigma, None, 0

    @staticmethod
    def time_of(sigma, training):
        """The place of log sigma among the training timesteps' logs, clamped to them."""
        log = math.log(sigma)
        above = int((training <= log).sum())
        if above == 0:
            return 0.0
        if above == len(training):
            return float(above - 1)
        low, high = float(training[above - 1]), float(training[above])
        return above - 1 + (log - low) / (high - low)

    def set_begin_index(self, index):
        self.begin = index

    def here(self):
        return self.begin if self.index is None else self.index

    def scale_model_input(self, x, t):
        return x / math.sqrt(self.points[self.here()] ** 2 + 1)

    def add_noise(self, x0, noise, timesteps):
        return x0 + self.known[self.begin] * noise

    def denoised(self, output, x, sigma):
        kind = self.euler.config.prediction_type
        if kind == "sample":
            return output
        if kind == "epsilon":
            return x - sigma * output
        return x / (sigma**2 + 1) - sigma / math.sqrt(sigma**2 + 1) * output

    def step(self, output, t, x, generator=None):
        index = self.here()
        start, after = self.levels[index // 2], self.levels[index // 2 + 1]
        x0 = self.denoised(output, x, self.points[index])
        if index % 2 == 0:
            self.anchor = x
        if after == 0:
            x = x0
        elif index % 2 == 0:
            h = math.log(start / self.points[index + 1])
            x = math.exp(-h) * self.anchor - math.expm1(-h) * x0
        else:
            down = after * after / start
            h = math.log(start / down)
            x = math.exp(-h) * self.anchor - math.expm1(-h) * x0
            x = x + math.sqrt(after**2 - down**2) * randn_tensor(x.shape, generator=generator)
        self.index = index + 1
        return SimpleNamespace(prev_sample=x)
