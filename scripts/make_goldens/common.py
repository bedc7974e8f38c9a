"""Paths, seeds and deterministic writing shared by the fixture makers."""

import hashlib
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
for library in ("DIFFUSERS", "TRANSFORMERS"):
    os.environ.setdefault(f"{library}_VERBOSITY", "error")  # they warn of every truncation and of small models

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

GOLDEN = Path(os.environ.get("GOLDEN_DIR", Path(__file__).resolve().parents[2] / "tests" / "golden"))
PIPELINES = ("sd15-tiny", "sd2-tiny", "variant-tiny")


def seed_of(*words):
    """A stable 63-bit seed from names, so that adding one tensor changes no other."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, words)).encode()).digest()[:8], "little") >> 1


def randn(*shape, name):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed_of(name)))


def write_json(path, value, indent=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=True) + "\n", encoding="ascii")


def write_cases(path, head, cases):
    """A JSON object whose last member is a list, one case a line: small files and readable diffs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases)
    body = json.dumps(head, ensure_ascii=True)[1:-1]
    path.write_text("{" + body + (", " if body else "") + '"cases": [\n' + lines + "\n]}\n", encoding="ascii")


def write_tensors(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().clone().contiguous() for key, value in sorted(tensors.items())}, path)
    path.chmod(0o644)  # safetensors writes 0600


def folder(name):
    return GOLDEN / "pipelines" / name


def load_pipeline(name):
    """The folder as any user would load it, computing in float32."""
    from diffusers import StableDiffusionPipeline

    variant = "fp16" if name == "variant-tiny" else None
    pipe = StableDiffusionPipeline.from_pretrained(
        folder(name), dtype=torch.float32, variant=variant, local_files_only=True
    )
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        assert all(p.dtype == torch.float32 for p in part.parameters()), name
    pipe.set_progress_bar_config(disable=True)
    return pipe
