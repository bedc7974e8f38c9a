"""Pictures by the built sd-gen: every prompt one line of a prompt file."""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "sd-gen"
BUILT_IN = ROOT / "models" / "pictograms"


def draw_by_sd_gen(prompts, seeds, flags=(), model=BUILT_IN, program=PROGRAM):
    """Pictures uint8 [H, W, 3] in the prompts' order; prompts are texts, or dicts of a request's fields."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [{**(prompt if isinstance(prompt, dict) else {"prompt": prompt}), "seed": seed}
                 for prompt, seed in zip(prompts, seeds, strict=True)]
        listed = Path(folder) / "prompts.jsonl"
        listed.write_text("".join(json.dumps(line) + "\n" for line in lines))
        command = [program, "--model", model, "--prompt-file", listed, "-o", f"{folder}/{{index}}.png", "--batch-size", 8,
                   "--quiet", *flags]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        files = sorted(Path(folder).glob("*.png"), key=lambda file: int(file.stem))
        assert len(files) == len(lines), f"{len(files)} pictures of {len(lines)}"
        return [np.asarray(Image.open(file).convert("RGB")) for file in files]
