"""A small CLIP of two towers, and how it ranks pictures by words. Writes tests/golden/ranker/."""

import shutil

import numpy as np
import torch
from families import BOS, EOS, opened, tokenizer
from PIL import Image
from tokenizers_small import train_bpe
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from common import GOLDEN, write_cases, write_json, write_tensors
from weights import enliven

OUT = GOLDEN / "ranker"
TEXTS = ["a red circle above a blue square", "two dogs on the moon", ""]
PICTURES = ["start.png", "start.jpg", "mask.png"]
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 40},
    "crop_size": {"height": 32, "width": 32},
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def clip():
    vocab, _ = train_bpe()
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_act": "quick_gelu"}
    text = CLIPTextConfig(
        vocab_size=1000, hidden_size=16, intermediate_size=32, max_position_embeddings=77, pad_token_id=0, bos_token_id=vocab[BOS], eos_token_id=vocab[EOS], **sizes
    )
    vision = CLIPVisionConfig(hidden_size=24, intermediate_size=48, image_size=32, patch_size=8, **sizes)
    loud = (("q_proj", 2.0), ("k_proj", 2.0))
    return enliven(CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=20)), "ranker", loud).half().float().eval()


def prepared(name):
    """By Pillow: torchvision's resampling differs from it."""
    return CLIPImageProcessorPil.from_pretrained(OUT / "clip")(opened(name, None), return_tensors="pt").pixel_values


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    model, words = clip(), tokenizer(EOS)
    model.half().save_pretrained(OUT / "clip")
    model.float()
    words.save_pretrained(OUT / "clip")
    write_json(OUT / "clip" / "preprocessor_config.json", PREPROCESSOR)
    (OUT / "clip" / "model.safetensors").chmod(0o644)
    pixels = {name: prepared(name) for name in PICTURES}
    cases = []
    for text in TEXTS:
        ids = words(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
        for name in PICTURES:
            out = model(input_ids=ids, pixel_values=pixels[name])
            cosine = torch.nn.functional.cosine_similarity(out.text_embeds.double(), out.image_embeds.double())
            cases.append({"text": text, "picture": name, "score": round(100 * cosine.item(), 6)})
    write_cases(OUT / "scores.json", {}, cases)
    image = opened("start.png", None)
    sizes = [(77, 53), (40, 64), (24, 16), (160, 53), (5, 3)]
    write_tensors(OUT / "bicubic.safetensors", {f"{w}x{h}": torch.from_numpy(np.array(image.resize((w, h), Image.BICUBIC))) for w, h in sizes})


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
