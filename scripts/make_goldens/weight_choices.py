"""Which of a component's files diffusers loads where there are several and no variant is asked for."""

import json
import shutil
import tempfile
from pathlib import Path

import common
import torch
from safetensors.torch import save_file

# Component, the stem of its files, that of its pickles.
COMPONENTS = (("vae", "diffusion_pytorch_model", "diffusion_pytorch_model"), ("text_encoder", "model", "pytorch_model"))


def choices(stem, pickled):
    """The files of each case; an index stands for its shards, too."""
    whole, shards, fp16 = f"{stem}.safetensors", f"{stem}.safetensors.index.json", f"{stem}.fp16.safetensors"
    fp16_shards, pickle, fp16_pickle = f"{stem}.safetensors.index.fp16.json", f"{pickled}.bin", f"{pickled}.fp16.bin"
    ema, non_ema = f"{stem}.ema.safetensors", f"{stem}.non_ema.safetensors"
    yield from ([whole], [shards], [pickle], [whole, shards], [whole, pickle], [shards, pickle], [whole, fp16], [whole, fp16, pickle],
                [fp16, pickle], [shards, fp16], [shards, fp16_shards], [fp16_shards, whole], [fp16_pickle, pickle], [fp16_pickle, whole],
                [ema, whole], [non_ema, pickle], [ema, non_ema, shards], [whole, shards, pickle, fp16, fp16_shards, fp16_pickle],
                [fp16], [fp16_shards], [fp16_pickle], [non_ema], [ema, non_ema], [fp16, fp16_pickle], [f"{stem}.msgpack"])


def write(folder, name, tensors):
    if name.endswith(".index.json") or ".index." in name:
        variant = ".fp16" if ".fp16." in name else ""
        shard = f"{name.split('.')[0]}-00001-of-00001{variant}.safetensors"
        save_file(tensors, folder / shard)
        size = sum(value.numel() * value.element_size() for value in tensors.values())
        (folder / name).write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": {key: shard for key in tensors}}))
    elif name.endswith(".safetensors"):
        save_file(tensors, folder / name, metadata={"format": "pt"})
    else:
        torch.save(tensors, folder / name)


def taken(model, component, names, tensors):
    """The name whose numbers the loaded component has; nothing where diffusers refuses."""
    from diffusers import StableDiffusionPipeline

    folder = model / component
    for file in folder.iterdir():
        if file.name != "config.json":
            file.unlink()
    for number, name in enumerate(names, 1):
        write(folder, name, {key: torch.full_like(value, number / 64) if value.is_floating_point() else value for key, value in tensors.items()})
    try:
        pipe = StableDiffusionPipeline.from_pretrained(model, local_files_only=True)
    except OSError:
        return None
    loaded = next(getattr(pipe, component).parameters()).flatten()[0].item()
    return names[round(loaded * 64) - 1]


def main():
    cases = []
    for component, stem, pickled in COMPONENTS:
        pipe = common.load_pipeline("sd15-tiny")
        tensors = {key: value.contiguous() for key, value in getattr(pipe, component).state_dict().items()}
        with tempfile.TemporaryDirectory() as temporary:
            model = Path(temporary) / "model"
            shutil.copytree(common.folder("sd15-tiny"), model)
            for names in choices(stem, pickled):
                cases.append({"stem": stem, "files": names, "taken": taken(model, component, names, tensors)})
    common.write_cases(common.GOLDEN / "weight_choices.json", {}, cases)
