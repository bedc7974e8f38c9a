"""Scenes of the pictogram world: what stands where, how it is drawn, what is held out of training.

A scene is a function of (seed, index, stage), so nothing of it need be kept. Everything stands on the latent grid (multiples of
8 pixels) in few sizes: the same pictogram then gives the same latents wherever it stands.
"""

import argparse
import json
import random
import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from sprites import (ALL, BACKGROUND_NAMES, BACKGROUNDS, COLOUR_NAMES, CORE, KINDS, colours_of, goes_with, sprite)

SIDE_PX = 128
LAYOUTS = ["one", "row", "column", "row3", "column3", "on", "inside"]
SLOTS = {"one": ["only"], "row": ["left", "right"], "column": ["top", "bottom"], "row3": ["left", "middle", "right"],
         "column3": ["top", "middle", "bottom"], "on": ["upper", "lower"], "inside": ["inner", "outer"]}
CONTAINERS = ["circle", "square", "heart"]
SIZES = ["normal", "small", "big"]
# the background nobody asked for: the first that everything in the picture stands out from
USUAL_BACKGROUNDS = ["white", "blue", "yellow", "pink", "green", "gray", "black", "orange", "purple", "brown", "red"]
HELD_OUT_FILE = Path(__file__).parent / "held_out.json"

# What each stage of the curriculum adds: weights of the layouts, of counts above one, and which kinds; "core": in what part
# of the scenes only CORE.
EVERY_LAYOUT = {"one": .5, "row": .19, "column": .13, "row3": .04, "column3": .03, "on": .06, "inside": .05}
STAGES = {
    1: {"kinds": CORE, "layouts": {"one": 1}, "many": 0},
    2: {"kinds": CORE, "layouts": {"one": .4, "row": .35, "column": .25}, "many": 0},
    3: {"kinds": CORE, "layouts": EVERY_LAYOUT, "many": .45},
    4: {"kinds": ALL, "core": .3, "layouts": EVERY_LAYOUT, "many": .45},
}


@dataclass(frozen=True)
class Group:
    name: str
    colour: str | None = None  # None: not tintable, or left open by a caption
    count: int = 1
    size: str = "normal"


@dataclass(frozen=True)
class Scene:
    groups: tuple  # of Group, in the order of SLOTS[layout]
    layout: str
    background: str


# ---- what is held out -----------------------------------------------------------------------------------------------

def _choose_held_out():
    """Drawn by hashes: a pictogram added later changes no other's lot."""
    lot = lambda *key: zlib.crc32("|".join(map(str, key)).encode())
    return {
        "colours": sorted([n, c] for n in ALL if KINDS[n].tintable
                          for c in sorted(COLOUR_NAMES, key=lambda c: lot("colour", n, c))[:1]),
        "counts": sorted([n, 2 + lot("count", n) % 4] for n in ALL),
        "backgrounds": sorted([n, b] for n in ALL for b in sorted(
            (b for b in BACKGROUND_NAMES if all(goes_with(n, c, b) for c in colours_of(n) if c != b) and b != "white"),
            key=lambda b: lot("ground", n, b))[:1]),
        "pairs": sorted([a, b] for a in ALL for b in ALL if a < b and lot("pair", a, b) % (12 if {a, b} <= set(CORE) else 25) == 0),
    }


@lru_cache(maxsize=1)
def held_out():
    lists = json.loads(HELD_OUT_FILE.read_text())
    return {key: frozenset(map(tuple, rows)) for key, rows in lists.items()}


def held_out_reasons(scene):
    """Which lists forbid the scene in training."""
    lists, reasons = held_out(), set()
    for group in scene.groups:
        if (group.name, group.colour) in lists["colours"]:
            reasons.add("colours")
        if (group.name, group.count) in lists["counts"]:
            reasons.add("counts")
        if (group.name, scene.background) in lists["backgrounds"]:
            reasons.add("backgrounds")
    for i, a in enumerate(scene.groups):
        for b in scene.groups[i + 1:]:
            if tuple(sorted((a.name, b.name))) in lists["pairs"]:
                reasons.add("pairs")
    return reasons


# ---- choosing -------------------------------------------------------------------------------------------------------

def fits(scene):
    """Everything stands out from what is behind it."""
    groups = scene.groups
    if scene.layout == "inside":
        inner, outer = groups
        return (outer.colour in BACKGROUNDS and goes_with(inner.name, inner.colour, outer.colour)
                and goes_with(outer.name, outer.colour, scene.background) and inner.colour != outer.colour)
    return all(goes_with(g.name, g.colour, scene.background) for g in groups)


def usual_background(scene):
    """What a caption that names no background stands for."""
    return next((b for b in USUAL_BACKGROUNDS if fits(replace(scene, background=b))), None)


def _random_group(rng, kinds):
    name = rng.choice(kinds)
    return Group(name, rng.choice(colours_of(name)))


def random_scene(rng, stage=4, kinds=None, layout=None):
    """Any scene of the stage, held out or not."""
    rule = STAGES[stage]
    kinds = kinds or (CORE if "core" in rule and rng.random() < rule["core"] else rule["kinds"])
    layout = layout or rng.choices(list(rule["layouts"]), rule["layouts"].values())[0]
    while True:
        groups = [_random_group(rng, kinds) for _ in SLOTS[layout]]
        if layout == "inside":
            groups[1] = Group(rng.choice(CONTAINERS), rng.choice(BACKGROUND_NAMES))
        if len({g.name for g in groups}) < len(groups) and not (len(groups) == 2 and groups[0].colour != groups[1].colour):
            continue
        if layout == "one" and rng.random() < rule["many"]:
            groups = [replace(groups[0], count=rng.choice([2, 3, 4, 5]))]
        elif layout in ("row", "column") and rng.random() < rule["many"] * .4:
            groups = [replace(g, count=rng.choice([1, 2, 3])) for g in groups]
        elif layout in ("one", "row", "column"):
            groups = [replace(g, size=rng.choices(SIZES, (.72, .14, .14))[0]) for g in groups]
        scene = Scene(tuple(groups), layout, "white")
        usual = usual_background(scene)
        if not usual:
            continue
        # what never stands on white was drawn on white beside another thing, where that is the usual
        p_usual = .3 if layout == "one" and groups[0].count == 1 else .5 if usual == "white" else .75
        scene = replace(scene, background=usual if rng.random() < p_usual else rng.choice(BACKGROUND_NAMES))
        if fits(scene):
            return scene


def training_scene(rng, stage, unseen=False):
    """A scene with nothing in it that is held out; unseen, for tests: one with something."""
    while True:
        scene = random_scene(rng, stage)
        if bool(held_out_reasons(scene)) == unseen:
            return scene


def scene_rng(seed, index):
    return random.Random((seed << 40) + index)


# ---- drawing --------------------------------------------------------------------------------------------------------

def _cells(scene, rng):
    """(group, left, top, cell_px, anchor) of every sprite; all multiples of 8."""
    step = lambda least, most: 8 * rng.randint(least, most)
    first = scene.groups[0]
    if scene.layout == "one":
        if first.count == 1:
            cell = {"small": 40, "normal": 64, "big": 96}[first.size]
            room = (SIDE_PX - cell) // 16
            reach = min(room, 2)
            return [(first, 8 * room + step(-reach, reach), 8 * room + step(-reach, reach), cell, "middle")]
        return [(first, x, y, cell, "middle") for x, y, cell in _many(first.count, rng)]
    if scene.layout in ("row", "column"):
        across = step(-1, 1)  # shared, so that a pair stays level
        places = []
        for i, group in enumerate(scene.groups):
            if group.count == 1:
                cell = {"small": 32, "normal": 48, "big": 64}[group.size]
                spots = [((64 - cell) // 16 * 8, (SIDE_PX - cell) // 16 * 8 + across)]
            else:
                cell = {2: 48, 3: 40}[group.count]
                gap = {2: 8, 3: 0}[group.count]
                start = (SIDE_PX - group.count * cell - (group.count - 1) * gap) // 16 * 8
                spots = [(8, start + k * (cell + gap)) for k in range(group.count)]
            for along, other in spots:
                x, y = (64 * i + along, other) if scene.layout == "row" else (other, 64 * i + along)
                places.append((group, x, y, cell, "middle"))
        return places
    if scene.layout in ("row3", "column3"):
        across, along = 40 + step(-2, 2), 8 * rng.randint(0, 1)
        spots = [(along + 40 * i, across) for i in range(3)]
        return [(g, *(spot if scene.layout == "row3" else spot[::-1]), 40, "middle") for g, spot in zip(scene.groups, spots)]
    if scene.layout == "on":
        x, y = 32 + step(-1, 1), 64 + step(-1, 0)
        return [(scene.groups[1], x, y, 56, "top"), (first, x, y - 48, 56, "bottom")]
    cell = 112
    x, y = 8, 8
    inner = 40 + step(0, 1)
    return [(scene.groups[1], x, y, cell, "middle"),
            (first, x + (cell - inner) // 16 * 8, y + (cell - inner) // 16 * 8 - 8 * (scene.groups[1].name == "heart"), inner, "middle")]


def _many(count, rng):
    """(left, top, cell) of two to five of a kind."""
    shift = lambda least, most: 8 * rng.randint(least, most)
    if count == 2:
        a, b = 40 + shift(-1, 1), 8
        return [(b, a, 48), (b + 64, a, 48)] if rng.random() < .7 else [(a, b, 48), (a, b + 64, 48)]
    if count == 3:
        if rng.random() < .5:
            y, x = 40 + shift(-1, 1), 8 * rng.randint(0, 1)
            return [(x + 40 * i, y, 40) for i in range(3)]
        return [(40, 8, 48), (8, 72, 48), (72, 72, 48)]
    if count == 4:
        return [(x, y, 48) for y in (8, 72) for x in (8, 72)]
    o = 8 * rng.randint(0, 1)
    return [(o, o, 40), (o + 80, o, 40), (o + 40, o + 40, 40), (o, o + 80, 40), (o + 80, o + 80, 40)]


def _spread(cells, scene, width, height, rng):
    """Moves what was placed in the square into a larger picture: all together, or further apart; nothing comes nearer."""
    apart = scene.layout not in ("on", "inside") and rng.random() < .5
    moved = []
    room = [(side - SIDE_PX) // 8 for side in (width, height)]
    together = [rng.randint(0, steps) for steps in room]
    for group, left, top, cell, anchor in cells:
        steps = [int(r * (at + cell / 2) / SIDE_PX) for r, at in zip(room, (left, top))] if apart else together
        moved.append((group, left + 8 * steps[0], top + 8 * steps[1], cell, anchor))
    return moved


def draw_scene(scene, rng, width=SIDE_PX, height=SIDE_PX):
    """Pixels uint8 [height, width, 3], sides of at least SIDE_PX; rng moves things by steps of the grid."""
    pixels = np.empty((height, width, 3), np.float32)
    pixels[:] = BACKGROUNDS[scene.background]
    cells = _cells(scene, rng)
    if (width, height) != (SIDE_PX, SIDE_PX):
        cells = _spread(cells, scene, width, height, rng)
    for group, left, top, cell, anchor in cells:
        ink, alpha = sprite(group.name, group.colour, cell)
        h, w = alpha.shape[:2]
        x = left + (cell - w) // 2
        # what stands on another touches it
        y = {"middle": top + (cell - h) // 2, "top": top + 8, "bottom": top + cell - h + 2}[anchor]
        part = pixels[y:y + h, x:x + w]
        part += ink - alpha * part
    return (pixels.clip(0, 255) + .5).astype(np.uint8)


def drawn(seed, index, stage, width=SIDE_PX, height=SIDE_PX):
    """(scene, pixels) of one training picture."""
    rng = scene_rng(seed, index)
    scene = training_scene(rng, stage)
    return scene, draw_scene(scene, rng, width, height)


def main():
    parser = argparse.ArgumentParser(description="writes held_out.json or a sheet of scenes")
    parser.add_argument("--write-held-out", action="store_true")
    parser.add_argument("--sheet")
    parser.add_argument("--stage", type=int, default=4)
    args = parser.parse_args()
    if args.write_held_out:
        lists = _choose_held_out()
        HELD_OUT_FILE.write_text("{\n" + ",\n".join(
            f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "]" for key, rows in lists.items()) + "}\n")
        print({key: len(rows) for key, rows in lists.items()})
    if args.sheet:
        from PIL import Image
        rows = [[drawn(7, 10 * y + x, args.stage)[1] for x in range(10)] for y in range(8)]
        Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in rows])).save(args.sheet)


if __name__ == "__main__":
    main()
