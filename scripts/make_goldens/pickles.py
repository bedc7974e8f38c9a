"""PyTorch files, sound and hostile. Writes tests/golden/pickles/."""

import collections
import os
import shutil
import sys
import types

import torch
from common import GOLDEN

OUT = GOLDEN / "pickles"


class Call:
    """What unpickling would call."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def lightning_class():
    """A class as PyTorch Lightning leaves it in a checkpoint's callbacks; the library itself is not needed."""
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    kind = type("ModelCheckpoint", (), {"__module__": module.__name__})
    module.ModelCheckpoint = kind
    sys.modules["pytorch_lightning"] = types.ModuleType("pytorch_lightning")
    sys.modules["pytorch_lightning.callbacks"] = types.ModuleType("pytorch_lightning.callbacks")
    sys.modules[module.__name__] = module
    return kind


def tensors():
    grid = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return collections.OrderedDict(
        {
            "grid": grid,
            "turned": grid.t(),  # the same storage
            "row": grid[1],
            "half": (torch.arange(6) / 4).half(),
            "brain": (torch.arange(6) / 4).bfloat16(),
            "double": torch.tensor([1e300, -1.0], dtype=torch.float64),
            "ids": torch.arange(5).unsqueeze(0),
            "eight": torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn),
            "parameter": torch.nn.Parameter(torch.tensor([1.5])),
            "scalar": torch.tensor(7.0),
            "none": torch.empty(0, 3),
        }
    )


def rebuilt(storage_numbers, offset, size, stride):
    storage = torch.arange(storage_numbers, dtype=torch.float32).storage()
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, collections.OrderedDict())


HOSTILE = {
    "calls": lambda: {"a": torch.zeros(2), "b": Call(os.system, "touch pwned")},
    "evaluates": lambda: {"a": Call(eval, "1 + 1")},
    "past-the-end": lambda: {"a": rebuilt(4, 0, (1000, 1000), (1000, 1))},
    "offset": lambda: {"a": rebuilt(4, 3, (2,), (1,))},
    "negative-stride": lambda: {"a": rebuilt(4, 3, (2,), (-1,))},
    "negative-size": lambda: {"a": rebuilt(4, 0, (-2,), (1,))},
    "stretched": lambda: {"a": rebuilt(4, 0, (1 << 30, 1 << 30, 1 << 30), (0, 0, 0))},
    "strides": lambda: {"a": rebuilt(4, 0, (2, 2), (1,))},
    "no-tensors": lambda: {"a": 1},
    "a-list": lambda: [torch.zeros(2)],
}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    kind = lightning_class()
    checkpoint = {
        "epoch": 3,
        "global_step": 875000,
        "callbacks": {kind: {"best": 0.5, "path": "x"}},
        "state": kind(),
        "state_dict": tensors(),
        "big": 1 << 200,
        "negative": -5,
    }
    torch.save(checkpoint, OUT / "nested.ckpt")
    torch.save(tensors(), OUT / "plain.bin")
    torch.save(tensors(), OUT / "protocol4.pt", pickle_protocol=4)
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.arange(8.0).reshape(2, 4)}, "name": "cat", "step": 10}, OUT / "embedding.pt")
    torch.save({"grid": torch.arange(4.0)}, OUT / "before-1.6.ckpt", _use_new_zipfile_serialization=False)
    for name, make in HOSTILE.items():
        torch.save(make(), OUT / f"hostile-{name}.ckpt")
