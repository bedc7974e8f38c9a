"""Judges a picture by template matching: which shapes, in which colours, where, on which background. No learning."""

import argparse
import random
from dataclasses import dataclass

import numpy as np

import world

MIN_IOU = .75  # a blob that merely resembles a shape does not count
MIN_AREA_PX = 14
MAX_COLOUR_DISTANCE = 75


@dataclass
class Found:
    shape: str
    colour: str
    x: float
    y: float
    iou: float
    size_px: int


def _nearest(pixel, names_to_rgb):
    distance, name = min((float(np.linalg.norm(pixel - np.array(rgb))), name) for name, rgb in names_to_rgb.items())
    return name if distance < MAX_COLOUR_DISTANCE else "unknown"


def _components(mask):
    """Boolean masks of the 8-connected parts."""
    rest = mask.copy()
    while rest.any():
        part = np.zeros_like(rest)
        stack = [tuple(np.argwhere(rest)[0])]
        rest[stack[0]] = False
        while stack:
            y, x = stack.pop()
            part[y, x] = True
            y0, x0 = max(y - 1, 0), max(x - 1, 0)
            for dy, dx in np.argwhere(rest[y0:y + 2, x0:x + 2]):
                rest[y0 + dy, x0 + dx] = False
                stack.append((y0 + dy, x0 + dx))
        yield part


def _core(part):
    """The part without its antialiased rim, where it has any inside."""
    p = np.pad(part, 1)
    inner = part & p[:-2, 1:-1] & p[2:, 1:-1] & p[1:-1, :-2] & p[1:-1, 2:]
    return inner if inner.sum() >= 6 else part


def _match(alpha, part):
    """Best (iou, shape, size) over shapes, near sizes and one-pixel shifts."""
    ys, xs = np.nonzero(part)
    y0, y1, x0, x1 = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
    extent = max(y1 - y0, x1 - x0)
    pad = 40
    alpha = np.pad(alpha * np.pad(part, 1)[1:-1, 1:-1], pad)
    best = (0., "unknown", 0)
    for size in range(max(extent - 3, 8), extent + 3):
        for shape in world.SHAPES:
            template = world.shape_mask(shape, int(size))
            n = len(template)
            # align the bounding boxes, then try one pixel each way
            rows, cols = np.nonzero(template.max(1) > .3)[0], np.nonzero(template.max(0) > .3)[0]
            top = (y0 + y1 - rows[0] - rows[-1] - 1) // 2 + pad
            left = (x0 + x1 - cols[0] - cols[-1] - 1) // 2 + pad
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    window = alpha[top + dy:top + dy + n, left + dx:left + dx + n]
                    if window.shape != template.shape:
                        continue
                    common = np.minimum(window, template).sum()
                    iou = common / (alpha.sum() + template.sum() - common)
                    if iou > best[0]:
                        best = (float(iou), shape, int(size))
    return best


def look(pixels):
    """(background, [Found]) of a uint8 picture [64, 64, 3]."""
    image = pixels.astype(np.float32)
    rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    ground = np.median(rim, 0)
    background = _nearest(ground, world.BACKGROUNDS)
    distance = np.linalg.norm(image - ground, axis=2)
    found = []
    for part in _components(distance > 32):
        if part.sum() < MIN_AREA_PX:
            continue
        colour = np.median(image[_core(part)], 0)
        axis = colour - ground
        alpha = np.clip((image - ground) @ axis / (axis @ axis), 0, 1)
        iou, shape, size = _match(alpha, part)
        ys, xs = np.nonzero(part)
        found.append(Found(shape if iou >= MIN_IOU else "unknown", _nearest(colour, world.COLOURS),
                           float(xs.mean()), float(ys.mean()), iou, size))
    return background, found


def judge(pixels, caption):
    """Which of shape, colour, side, background are right; "all" needs the first three, "strict" the background too."""
    background, found = look(pixels)
    want = list(caption.things)
    verdict = {"background": background == caption.background, "count": len(found) == len(want), "found": found}
    fits = lambda f, t, key: getattr(t, key) is None or getattr(f, key) == getattr(t, key)
    orders = [found] if len(found) == 1 else [found, found[::-1]]
    if caption.relation in world.OPPOSITE and len(found) == 2:
        along = (lambda f: f.x) if caption.relation in ("left", "right") else (lambda f: f.y)
        across = (lambda f: f.y) if caption.relation in ("left", "right") else (lambda f: f.x)
        verdict["apart"] = abs(along(found[0]) - along(found[1])) > max(8, abs(across(found[0]) - across(found[1])))
        ordered = sorted(found, key=along, reverse=caption.relation in ("right", "below"))
    else:
        verdict["apart"], ordered = True, None
    all_of = lambda order, *keys: len(order) == len(want) and all(fits(f, t, k) for f, t in zip(order, want) for k in keys)
    verdict["shape"] = any(all_of(o, "shape") for o in orders)
    verdict["colour"] = any(all_of(o, "colour") for o in orders)
    verdict["bound"] = any(all_of(o, "shape", "colour") for o in orders)
    verdict["side"] = verdict["bound"] if ordered is None else verdict["apart"] and all_of(ordered, "shape", "colour")
    verdict["all"] = verdict["bound"] and verdict["side"]
    verdict["strict"] = verdict["all"] and verdict["background"]
    return verdict


def reconstruct():
    """The bound that the VAE sets on any picture of this model."""
    import torch
    from diffusers import AutoencoderKL
    from common import MODEL, pixels_to_tensor
    vae = AutoencoderKL.from_pretrained(MODEL / "vae", torch_dtype=torch.float32)

    @torch.no_grad()
    def through(pixels):
        out = vae.decode(vae.encode(pixels_to_tensor(pixels[None])).latent_dist.mode()).sample[0]
        return ((out.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    return through


def main():
    parser = argparse.ArgumentParser(description="the checker's own accuracy on freshly drawn scenes")
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--through-vae", action="store_true", help="judge the exported VAE's reconstructions instead")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    seen = reconstruct() if args.through_vae else lambda pixels: pixels
    right = refused = 0
    for i in range(args.scenes):
        scene = world.random_scene(rng, held_out=i % 2 == 1)
        caption = world.describe(scene, rng, plain=True)
        pixels = seen(world.draw_scene(scene, rng))
        verdict = judge(pixels, caption)
        right += verdict["strict"]
        if not verdict["strict"]:
            print("missed:", caption.text, verdict)
        other = world.describe(world.random_scene(rng), rng, plain=True)
        refused += not judge(pixels, other)["all"]
    print(f"right captions accepted {right}/{args.scenes}, other scenes' captions refused {refused}/{args.scenes}")


if __name__ == "__main__":
    main()
