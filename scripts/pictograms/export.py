"""Writes the checkpoints as a diffusers folder in fp16, beside the old one, then swaps the two.

--fast: the four-step UNet of train_fast.py in the place of the one it was taught by, as model-fast.
"""

import argparse
import json
import shutil

import torch
from diffusers import StableDiffusionPipeline

import captions
import captions_ru
import taught
from common import MODEL, WORK, load_checkpoint, load_tokenizer, log
from train_fast import GUIDANCE, RESCALE, STEPS
from train_unet import build_scheduler, models_of
from train_vae import trained_vae


def build_pipeline(shadow):
    """The pipeline of a UNet checkpoint's averaged weights, in float32."""
    tokenizer = load_tokenizer()
    unet, text = models_of(shadow, tokenizer)
    pipeline = StableDiffusionPipeline(
        vae=trained_vae(), text_encoder=text.eval(), tokenizer=tokenizer, unet=unet.eval(), scheduler=build_scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def taught_words(stage):
    russian = captions.taught_words(3, describe=captions_ru.describe)  # it has names for CORE only
    # whoever writes ё and whoever writes е are both right
    return {*captions.taught_words(stage), *russian, *(word.replace("ё", "е") for word in russian)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true")
    args = parser.parse_args()
    model = MODEL.with_name("model-fast") if args.fast else MODEL
    fresh, old = model.with_name("model.new"), model.with_name("model.old")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    state = load_checkpoint("fast" if args.fast else "unet")
    wishes = {"guidance_scale": 1., "steps": STEPS} if args.fast else {"guidance_scale": GUIDANCE, "guidance_rescale": RESCALE, "steps": 30}
    build_pipeline(state["shadow"] if args.fast else state["average"]["shadow"]).to(torch.float16).save_pretrained(fresh, safe_serialization=True)
    shutil.rmtree(fresh / "tokenizer")
    shutil.copytree(WORK / "tokenizer", fresh / "tokenizer")
    index = json.loads((fresh / "model_index.json").read_text())
    index["tokenizer"] = ["transformers", "PreTrainedTokenizerFast"]  # transformers 4 knows only this name of the class
    (fresh / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    (fresh / "sdgen.json").write_text(json.dumps({**wishes, "words": sorted(taught_words(state["stage"])), **taught.taught()}, ensure_ascii=False) + "\n")
    for file in fresh.rglob("*.safetensors"):
        file.chmod(0o644)
    if model.exists():
        model.rename(old)
    fresh.rename(model)
    shutil.rmtree(old, ignore_errors=True)
    size = sum(f.stat().st_size for f in model.rglob("*") if f.is_file())
    log("export", step=state["step"], samples=state["samples"], hours=round(state["seconds"] / 3600, 2), megabytes=round(size / 1e6, 2))


if __name__ == "__main__":
    main()
