"""Which tools made each file, and its sha256."""

import hashlib
from importlib.metadata import version

from common import write_json

TOOLS = ("torch", "diffusers", "peft", "transformers", "tokenizers", "sentencepiece", "safetensors", "numpy", "pillow")
SKIP = ("README.md", "manifest.json")


def main(golden):
    files = sorted(p for p in golden.rglob("*") if p.is_file() and p.name not in SKIP)
    write_json(
        golden / "manifest.json",
        {
            "versions": {tool: version(tool) for tool in TOOLS},
            "files": {
                p.relative_to(golden).as_posix(): {"script": f"scripts/make_goldens/{maker(p, golden)}.py", "sha256": sha256(p)}
                for p in files
            },
        },
    )


def maker(path, golden):
    """pipelines/..., tokens.json, ...: the first part of the path names the script that wrote it."""
    return path.relative_to(golden).parts[0].split(".")[0]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
