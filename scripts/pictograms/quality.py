"""How near pictures of a model are to real scenes, how different from each other, and what the VAE alone costs.

  quality.py --vae                              PSNR and SSIM of reconstructions of fresh scenes
  quality.py                                    the built sd-gen and its built-in model (--folder DIR: another) on captions of
                                                fresh scenes
  quality.py --write-prompts FILE.txt           the captions, one a line, for another program
  quality.py --pictures DIR                     that program's PNGs, sorted by name, in the captions' order

Features are the mean tokens of the ranker's picture tower (--features), so that every family of generators is measured alike.
  kid        squared maximum mean discrepancy with the kernel (x.y/d + 1)^3, unbiased ("Demystifying MMD GANs", section 4);
             0 where both come from one distribution
  precision  share of the pictures that lie among the real scenes, recall the other way round, by the third neighbour
             ("Improved Precision and Recall Metric for Assessing Generative Models", section 2)
  variety    mean distance of two pictures of one caption, over that of two real scenes of it
  edges      strength of the sharpest hundredth of brightness steps, over that of real scenes
Real scenes are measured against other real scenes, too: that is what a perfect model would get.
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import captions
import world
from common import ROOT, log, pixels_to_tensor
from drawing import BUILT_IN, draw_by_sd_gen

NEIGHBOUR, SUBSETS, SUBSET = 3, 20, 100
FIXED_PROMPTS, PICTURES_A_PROMPT = 8, 8


def real_scenes(seed, count, stage):
    """(pictures, captions) of training-like scenes that training never drew."""
    rng = random.Random(seed)
    scenes = [world.random_scene(rng, stage) for _ in range(count)]
    said = [captions.describe(s, rng, plain=True, colours_open=False, background_said=True).text for s in scenes]
    return scenes, [world.draw_scene(s, rng) for s in scenes], said


def picture_tower(folder):
    """Of a folder of transformers' CLIPModel."""
    from transformers import CLIPVisionModel
    return CLIPVisionModel.from_pretrained(folder, dtype=torch.float32).eval()


@torch.no_grad()
def features_of(tower, pictures):
    """float64 [N, D]"""
    tokens = torch.cat([tower(pixel_values=pixels_to_tensor(np.stack(pictures[i:i + 64]))).last_hidden_state
                        for i in range(0, len(pictures), 64)])
    return torch.nn.functional.layer_norm(tokens, tokens.shape[2:]).mean(1).double()  # as every layer of it reads them


def kid(a, b, rng):
    """The mean over random subsets, each unbiased."""
    kernel = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    size, values = min(SUBSET, len(a), len(b)), []
    for _ in range(SUBSETS):
        x, y = a[rng.sample(range(len(a)), size)], b[rng.sample(range(len(b)), size)]
        within = sum((k.sum() - k.diagonal().sum()) / (size * (size - 1)) for k in (kernel(x, x), kernel(y, y)))
        values.append(float(within - 2 * kernel(x, y).mean()))
    return sum(values) / len(values)


def covered(a, b):
    """The share of a that is nearer to some b than that b's third neighbour among b."""
    radius = torch.cdist(b, b).kthvalue(NEIGHBOUR + 1, dim=1).values  # the nearest of each is itself
    return float((torch.cdist(a, b) <= radius).any(1).double().mean())


def mean_distance(features):
    n = len(features)
    return float(torch.cdist(features, features).sum() / (n * (n - 1)))


def edge_strength(pictures):
    steps = []
    for picture in pictures:
        grey = picture.astype(np.float64) @ [.299, .587, .114]
        steps.append(np.quantile(np.hypot(*np.gradient(grey)), .99))
    return float(np.mean(steps))


def compare(tower, pictures, real, seed=1):
    rng = random.Random(seed)
    a, b = features_of(tower, pictures), features_of(tower, real)
    return {"kid": round(kid(a, b, rng), 5), "precision": round(covered(a, b), 3), "recall": round(covered(b, a), 3),
            "edges": round(edge_strength(pictures) / edge_strength(real), 3)}


def variety(tower, draw_prompts, stage):
    """Several pictures of one caption: how far apart, over how far apart real scenes of it are."""
    scenes, _, said = real_scenes(4321, FIXED_PROMPTS, stage)
    ratios = []
    for i, (scene, caption) in enumerate(zip(scenes, said)):
        drawn = features_of(tower, draw_prompts([caption] * PICTURES_A_PROMPT, 9000 + 100 * i))
        rng = random.Random(i)
        real = features_of(tower, [world.draw_scene(scene, rng) for _ in range(PICTURES_A_PROMPT)])
        ratios.append(mean_distance(drawn) / max(mean_distance(real), 1e-9))
    return round(float(np.mean(ratios)), 3)


def vae_quality(count, stage):
    from checker import through_vae
    seen = through_vae()
    _, pictures, _ = real_scenes(555, count, stage)
    psnr, ssim = [], []
    for picture in pictures:
        again = seen(picture)
        psnr.append(peak_signal_noise_ratio(picture, again))
        ssim.append(structural_similarity(picture, again, channel_axis=2, gaussian_weights=True, sigma=1.5,
                                          use_sample_covariance=False))
    squared = np.mean([10 ** (-p / 10) for p in psnr])
    return {"psnr": round(float(-10 * np.log10(squared)), 2), "psnr_median": round(float(np.median(psnr)), 2),
            "ssim": round(float(np.mean(ssim)), 4), "of": count}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=BUILT_IN)
    parser.add_argument("--features", default=ROOT / "models" / "pictograms-ranker")
    parser.add_argument("--pictures")
    parser.add_argument("--write-prompts")
    parser.add_argument("--vae", action="store_true")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--stage", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=3.)
    args = parser.parse_args()
    if args.vae:
        log("quality", what="vae", stage=args.stage, **vae_quality(args.count, args.stage))
        return
    _, real, said = real_scenes(1234, args.count, args.stage)
    if args.write_prompts:
        Path(args.write_prompts).write_text("".join(text + "\n" for text in said))
        return
    tower = picture_tower(args.features)
    # not the captions' own scenes: pairs that belong together would be nearer than one distribution makes them
    other = real_scenes(98765, args.count, args.stage)[1]
    log("quality", what="real scenes", of=args.count, stage=args.stage, **compare(tower, real, other))
    if args.pictures:
        files = sorted(Path(args.pictures).glob("*.png"))
        assert len(files) == len(said), f"{args.pictures} holds {len(files)} pictures, the list has {len(said)} captions"
        log("quality", what=args.pictures, **compare(tower, [np.asarray(Image.open(f).convert("RGB")) for f in files], other))
        return
    flags = ["--steps", args.steps, "--guidance-scale", args.guidance]
    drawing = lambda prompts, seed: draw_by_sd_gen(prompts, range(seed, seed + len(prompts)), flags, args.folder)
    log("quality", what=str(args.folder), of=args.count, stage=args.stage, steps=args.steps, guidance=args.guidance,
        **compare(tower, drawing(said, 50_000), other), variety=variety(tower, drawing, args.stage))


if __name__ == "__main__":
    main()
