"""Writes the checkpoints as a diffusers folder in fp16, beside the old one, then swaps the two."""

import argparse
import json
import shutil

import torch
from diffusers import StableDiffusionPipeline

import captions
import captions_ru
from common import MODEL, WORK, load_checkpoint, log
from train_text import build_text_encoder, load_tokenizer
from train_unet import build_scheduler, build_unet
from train_vae import trained_vae


def build_pipeline(shadow):
    """The pipeline of a UNet checkpoint's averaged weights, in float32."""
    tokenizer = load_tokenizer()
    unet, text = build_unet(), build_text_encoder(tokenizer)
    for name, part in {"unet.": unet, "text.": text}.items():
        part.load_state_dict({k.removeprefix(name): v for k, v in shadow.items() if k.startswith(name)})
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--guidance-scale", type=float, default=3.)
    parser.add_argument("--guidance-rescale", type=float, default=.7)
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args()
    fresh, old = MODEL.with_name("model.new"), MODEL.with_name("model.old")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    state, stage = load_checkpoint("unet"), load_checkpoint("pool")["stages"][-1]
    build_pipeline(state["average"]["shadow"]).to(torch.float16).save_pretrained(fresh, safe_serialization=True)
    shutil.rmtree(fresh / "tokenizer")
    shutil.copytree(WORK / "tokenizer", fresh / "tokenizer")
    index = json.loads((fresh / "model_index.json").read_text())
    index["tokenizer"] = ["transformers", "PreTrainedTokenizerFast"]  # transformers 4 knows only this name of the class
    (fresh / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    (fresh / "sdgen.json").write_text(json.dumps({"guidance_scale": args.guidance_scale, "guidance_rescale": args.guidance_rescale,
                                                  "steps": args.steps,
                                                  "words": sorted(taught_words(stage))}, ensure_ascii=False) + "\n")
    for file in fresh.rglob("*.safetensors"):
        file.chmod(0o644)
    if MODEL.exists():
        MODEL.rename(old)
    fresh.rename(MODEL)
    shutil.rmtree(old, ignore_errors=True)
    size = sum(f.stat().st_size for f in MODEL.rglob("*") if f.is_file())
    log("export", step=state["step"], samples=state["samples"], hours=round(state["seconds"] / 3600, 2), megabytes=round(size / 1e6, 2))


if __name__ == "__main__":
    main()
