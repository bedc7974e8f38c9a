"""Judges a picture by template matching: which pictograms, in which colours, how many, where, on which background. Nothing is learned.

What differs from the ground is cut into connected parts; every part, scaled to a fixed size, is compared with every pictogram
in every colour on that ground. "On" tries all cuts of one part into two; "inside" repeats the search on the container's ground.
"""

import argparse
import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy import ndimage

import captions
import world
from sprites import ALL, BACKGROUNDS, colours_of, goes_with, sprite

MIN_CONTRAST = 42  # of a pixel with the ground, Euclidean RGB
CLEAR_CONTRAST = 90  # what is fainter may be missing at the rim of a thing, as steam on grey or a beak on yellow
MAX_FAINT_PART = .06  # of a thing's pixels; more is something else that has run into it
MIN_AREA_PX = 16
MIN_FAINT_AREA_PX = 64  # of a part that holds nothing clear
MAX_ERROR = .42  # a part's squared distance to its template over the template's own to the ground
PATCH_PX = 20
BANK_CELLS = (40, 64)
ASPECT_WEIGHT = 2500.  # of the squared log ratio of aspects against the mean squared colour distance


@dataclass
class Found:
    name: str
    colour: str | None
    x: float
    y: float
    box: tuple  # top, left, bottom, right
    error: float


def _tight(mask):
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1) if len(rows) else None


def _patch(image, box):
    """The box scaled to PATCH_PX squared, as a vector; and the log of its aspect."""
    top, left, bottom, right = box
    part = Image.fromarray(image[top:bottom, left:right].clip(0, 255).astype(np.uint8))
    small = np.asarray(part.resize((PATCH_PX, PATCH_PX), Image.BOX if min(part.size) >= 2 * PATCH_PX else Image.BILINEAR), np.float32)
    return small.ravel(), float(np.log((right - left) / (bottom - top)))


def _contrast(image, ground):
    return np.linalg.norm(image - ground, axis=2)


@lru_cache(maxsize=None)
def _bank(background, cell, least):
    """Every pictogram that stands out from the background, cut to what has at least this contrast with it.

    Keys, patches [N, P], log aspects, squared contrasts, squared norms.
    """
    ground = np.array(BACKGROUNDS[background], np.float32)
    keys, patches, aspects = [], [], []
    for name in ALL:
        for colour in colours_of(name):
            if not goes_with(name, colour, background):
                continue
            ink, alpha = sprite(name, colour, cell)
            image = np.pad(ink + (1 - alpha) * ground - ground, ((2, 2), (2, 2), (0, 0))) + ground
            box = _tight(_contrast(image, ground) > least)
            if box is None:
                continue
            vector, aspect = _patch(image, box)
            keys.append((name, colour))
            patches.append(vector)
            aspects.append(aspect)
    patches = np.stack(patches)
    contrast = ((patches.reshape(len(keys), -1, 3) - ground) ** 2).mean((1, 2))
    return keys, patches, np.array(aspects), contrast, (patches ** 2).sum(1)


def _recognise(image, box, background):
    """(name, colour, error) of the nearest template, with what is faint or without; the error is relative to the template's contrast."""
    return min((_nearest(image, part, background, least) for part, least in _cuts(image, box, background)), key=lambda told: told[2])


def _cuts(image, box, background):
    """(box, least contrast): all of it, and what is clear of it, if that leaves out little."""
    yield box, MIN_CONTRAST
    top, left, bottom, right = box
    contrast = _contrast(image[top:bottom, left:right], np.array(BACKGROUNDS[background], np.float32))
    clear, seen = _tight(contrast > CLEAR_CONTRAST), contrast > MIN_CONTRAST
    if clear and seen[clear[0]:clear[2], clear[1]:clear[3]].sum() >= (1 - MAX_FAINT_PART) * seen.sum():
        yield (top + clear[0], left + clear[1], top + clear[2], left + clear[3]), CLEAR_CONTRAST


def _nearest(image, box, background, least):
    cell = min(BANK_CELLS, key=lambda c: abs(c - 6 - max(box[2] - box[0], box[3] - box[1])))
    keys, patches, aspects, contrast, norms = _bank(background, cell, least)
    vector, aspect = _patch(image, box)
    distance = (norms - 2 * patches @ vector + vector @ vector) / vector.size + ASPECT_WEIGHT * (aspects - aspect) ** 2
    best = int(distance.argmin())
    return *keys[best], float(distance[best] / contrast[best])


def nearest_background(rgb):
    return min(BACKGROUNDS, key=lambda name: np.linalg.norm(rgb - np.array(BACKGROUNDS[name], np.float32)))


def _parts(contrast):
    """(box, mask) of the connected parts; pieces up to four pixels apart are one."""
    mask = contrast > MIN_CONTRAST
    joined = ndimage.binary_dilation(mask, np.ones((5, 5)))
    labels, count = ndimage.label(joined, np.ones((3, 3)))
    boxes = []
    for i in range(1, count + 1):
        part = mask & (labels == i)
        if part.sum() >= (MIN_AREA_PX if (contrast[part] > CLEAR_CONTRAST).any() else MIN_FAINT_AREA_PX):
            boxes.append((_tight(part), part))
    return boxes


def _found(image, box, background):
    name, colour, error = _recognise(image, box, background)
    known = error <= MAX_ERROR
    return Found(name if known else "unknown", colour if known else None, (box[1] + box[3]) / 2, (box[0] + box[2]) / 2, box, error)


def look(pixels):
    """(background, [Found], foreground mask)."""
    image = pixels.astype(np.float32)
    rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    background = nearest_background(np.median(rim, 0))
    # differences are from the colour that is there, comparisons are with the colour that has the name
    contrast = _contrast(image, np.median(rim, 0))
    return background, [_found(image, box, background) for box, _ in _parts(contrast)], contrast > MIN_CONTRAST


def look_on(pixels):
    """The two things of one connected part: [upper, lower], or nothing."""
    image = pixels.astype(np.float32)
    background, found, mask = look(pixels)
    if len(found) != 1:
        return []
    top, left, bottom, right = found[0].box
    best = (np.inf, [])
    for cut in range(top + (bottom - top) // 5, bottom - (bottom - top) // 5):
        halves, total = [], 0
        for y0, y1 in ((top, cut), (cut, bottom)):
            box = _tight(mask[y0:y1])
            if box is None:
                break
            box = (y0 + box[0], box[1], y0 + box[2], box[3])
            half = _found(image, box, background)
            halves.append(half)
            total += half.error * (box[2] - box[0]) * (box[3] - box[1])
        if len(halves) == 2 and total < best[0]:
            best = (total, halves)
    return best[1]


def look_inside(pixels):
    """[inner, outer] where one thing lies on a container, or nothing."""
    image = pixels.astype(np.float32)
    background, found, mask = look(pixels)
    boxes = [f.box for f in found if min(f.box[2] - f.box[0], f.box[3] - f.box[1]) >= 72]
    if len(boxes) != 1 or len(found) != 1:
        return []
    silhouette = ndimage.binary_fill_holes(mask)
    core = ndimage.binary_erosion(silhouette, iterations=4)
    band = core & ~ndimage.binary_erosion(silhouette, iterations=9)
    if not band.any():
        return []
    colour = np.median(image[band], 0)
    flat = image.copy()
    flat[core] = colour
    outer = _found(flat, boxes[0], background)
    ground = nearest_background(colour)
    inner = [_found(image, box, ground) for box, _ in _parts(_contrast(image, colour) * core)]
    return [inner[0], outer] if len(inner) == 1 else []


def _fits(found, group):
    return found.name == group.name and (group.colour is None or found.colour == group.colour)


def _along(layout):
    return (lambda f: f.x) if layout in ("row", "row3") else (lambda f: f.y)


def _in_order(found, groups, layout):
    """Whether the parts, read along the layout, are the groups, one after the other."""
    along, across = (_along(layout), _along("column" if layout == "row" else "row"))
    ordered, at = sorted(found, key=along), 0
    if len(found) != sum(g.count for g in groups):
        return False
    last = -np.inf
    for group in groups:
        part = ordered[at:at + group.count]
        at += group.count
        if not all(_fits(f, group) for f in part) or min(map(along, part)) < last + 8:
            return False
        last = max(map(along, part))
    if len(found) == 2 and len(groups) == 2:
        return abs(along(found[0]) - along(found[1])) > abs(across(found[0]) - across(found[1]))
    return True


def judge(pixels, caption):
    """"all": exactly what the words say, in its place; "strict": on the said background too. The rest names the failure."""
    background, found, _ = look(pixels)
    groups, layout = caption.groups, caption.layout
    if layout == "on":
        found = look_on(pixels)
    elif layout == "inside":
        found = look_inside(pixels)
    wanted = sum(g.count for g in groups)
    verdict = {"background": caption.background in (None, background), "count": len(found) == wanted, "found": found}
    bag = sorted(g.name for g in groups for _ in range(g.count))
    verdict["names"] = sorted(f.name for f in found) == bag
    paired, rest = 0, list(found)
    for group in groups:
        for _ in range(group.count):
            match = next((f for f in rest if _fits(f, group)), None)
            if match:
                rest.remove(match)
                paired += 1
    verdict["bound"] = paired == wanted == len(found)
    if layout == "one":
        verdict["place"] = True
    elif layout in ("on", "inside"):
        verdict["place"] = len(found) == 2 and all(map(_fits, found, groups))
    elif caption.loose:
        verdict["place"] = any(_in_order(found, order, way) for order in (groups, groups[::-1]) for way in ("row", "column"))
    else:
        verdict["place"] = _in_order(found, groups, layout)
    verdict["all"] = verdict["bound"] and verdict["place"]
    verdict["strict"] = verdict["all"] and verdict["background"]
    return verdict


# ---- its own examination --------------------------------------------------------------------------------------------

def through_vae():
    """The bound that the VAE sets on any picture of this model."""
    import torch
    from common import pixels_to_tensor
    from train_vae import trained_vae
    vae = trained_vae()

    @torch.no_grad()
    def seen(pixels):
        out = vae.decode(vae.encode(pixels_to_tensor(pixels[None])).latent_dist.mode()).sample[0]
        return ((out.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    return seen


def accuracy(count, seed, stage, seen, missed=None):
    """Own captions accepted, altered captions refused, other scenes' captions refused; by layout the first."""
    rng = random.Random(seed)
    accepted = altered_refused = others_refused = 0
    by_layout = {}
    for _ in range(count):
        scene = world.random_scene(rng, stage)
        caption = captions.describe(scene, rng, plain=True, colours_open=False, background_said=True)
        pixels = seen(world.draw_scene(scene, rng))
        verdict = judge(pixels, caption)
        accepted += verdict["strict"]
        right, total = by_layout.get(scene.layout, (0, 0))
        by_layout[scene.layout] = (right + verdict["strict"], total + 1)
        if not verdict["strict"] and missed is not None:
            missed.append((caption.text, verdict, pixels))
        wrong = captions.describe(captions.altered(scene, rng), rng, plain=True, colours_open=False, background_said=True)
        if captions.same_meaning(caption, wrong):
            altered_refused += 1
        else:
            altered_refused += not judge(pixels, wrong)["strict"]
        other = captions.describe(world.random_scene(rng, stage), rng, plain=True, colours_open=False)
        others_refused += not judge(pixels, other)["all"]
    return {"of": count, "accepted": accepted, "altered_refused": altered_refused, "others_refused": others_refused,
            "accepted_by_layout": by_layout}


def main():
    parser = argparse.ArgumentParser(description="the checker's own accuracy on freshly drawn scenes")
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--stage", type=int, default=4)
    parser.add_argument("--through-vae", action="store_true", help="judge the VAE's reconstructions instead")
    parser.add_argument("--missed", action="store_true", help="name what was refused")
    args = parser.parse_args()
    missed = []
    print(accuracy(args.scenes, args.seed, args.stage, through_vae() if args.through_vae else lambda pixels: pixels, missed))
    if args.missed:
        for text, verdict, _ in missed:
            print(f"  {text}: " + "; ".join(f"{f.colour} {f.name} {f.error:.2f} {f.box}" for f in verdict["found"]),
                  "" if verdict["background"] else "background")


if __name__ == "__main__":
    main()
