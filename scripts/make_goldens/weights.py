"""Random weights that keep values alive: unit gain through every layer, and norms and biases that are not trivial."""

import torch

from common import randn


def enliven(model, prefix, gains=()):
    """Fill every parameter from its own name. gains: (part of a name, factor), all that match are multiplied."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 0:
                continue  # CLIP's temperature
            noise = randn(*parameter.shape, name=f"{prefix}.{name}")
            if "embedding" in name and parameter.dim() == 2 and "linear" not in name:
                value = noise  # token and position tables
            elif parameter.dim() >= 2:
                value = noise / parameter[0].numel() ** 0.5
            elif name.endswith("weight"):
                value = 1 + 0.25 * noise  # norms
            else:
                value = 0.2 * noise  # biases
            for part, factor in gains:
                if part in name:
                    value = value * factor
            parameter.copy_(value)
    return model.eval()
