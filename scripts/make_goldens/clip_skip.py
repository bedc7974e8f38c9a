"""Pictures by the states of earlier text encoder layers. Writes tests/golden/clip_skip/."""

import diffusers
import torch

from common import GOLDEN, load_pipeline, write_cases, write_tensors
from pictures import DEFAULTS, draw


def case(name, pipeline, clip_skip, **changes):
    return {"name": name, "pipeline": pipeline} | DEFAULTS | {"steps": 4, "clip_skip": clip_skip} | changes


CASES = [
    case("sd15-0", "sd15-tiny", 0),
    case("sd15-1", "sd15-tiny", 1),
    case("sd15-2-negative", "sd15-tiny", 2, negative_prompt="blurry", count=2),
    case("sd15-1-unguided", "sd15-tiny", 1, guidance_scale=1.0, sampler="euler"),
    case("sd2-1", "sd2-tiny", 1, width=96),
    case("xl-0", "xl-tiny", 0, guidance_scale=5.0),
    case("xl-1", "xl-tiny", 1, guidance_scale=5.0, negative_prompt="blurry"),
]


def opened(name):
    folder = GOLDEN / "pipelines" / name
    if folder.exists():
        pipe = load_pipeline(name)
        # transformers 5 has no text_model any more, of which the pipeline asks the final norm.
        object.__setattr__(pipe.text_encoder, "text_model", getattr(pipe.text_encoder, "text_model", pipe.text_encoder))
        return pipe
    return diffusers.StableDiffusionXLPipeline.from_pretrained(
        GOLDEN / "families" / "pipelines" / name, dtype=torch.float32, local_files_only=True, add_watermarker=False)


def main():
    folder = GOLDEN / "clip_skip"
    folder.mkdir(exist_ok=True)
    tensors, pipes = {}, {}
    for it in CASES:
        pipe = pipes.setdefault(it["pipeline"], opened(it["pipeline"]))
        pipe.set_progress_bar_config(disable=True)
        own = pipes.setdefault(it["pipeline"] + " scheduler", pipe.scheduler)
        tensors[it["name"]] = draw(pipe, own, it, clip_skip=it["clip_skip"])[0]
    write_tensors(folder / "pictures.safetensors", tensors)
    write_cases(folder / "pictures.json", {}, CASES)
