"""The learning rate over a training."""

import math


def learning_rate(step, total, peak, warm=200, decay_from=.7):
    """Linear warm-up, plateau, cosine decay to a fiftieth over the last part."""
    if step < warm:
        return peak * (step + 1) / warm
    if step < decay_from * total:
        return peak
    part = min((step - decay_from * total) / ((1 - decay_from) * total), 1) if decay_from < 1 else 0
    return peak * (.02 + .98 * .5 * (1 + math.cos(math.pi * part)))
