"""Remakes tests/golden. Usage: python scripts/make_goldens [pipelines tokens stages schedules samplers pictures tiling attention families controlnets single_files pickles loras taesd ranker clip_skip picture_files weight_choices stored qwen3 qwen2_tokens z_image flux2_klein flow_matching z_image_transformer flow_families]"""

import importlib
import sys
import warnings

import common
import manifest
import torch

STEPS = ("pipelines", "tokens", "stages", "schedules", "samplers", "pictures", "tiling", "attention", "families", "controlnets", "single_files", "pickles", "loras", "taesd", "ranker", "clip_skip", "picture_files", "weight_choices", "stored", "qwen3", "qwen2_tokens", "z_image", "flux2_klein", "flow_matching", "z_image_transformer", "flow_families")


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    warnings.simplefilter("ignore")
    wanted = sys.argv[1:] or STEPS
    for step in wanted:
        if step not in STEPS:
            sys.exit(f"unknown step '{step}'; known: {', '.join(STEPS)}")
        importlib.import_module(step).main()
        print(f"{step}: done", flush=True)
    manifest.main(common.GOLDEN)


main()
