"""The world of the built-in model: scenes of flat shapes, the words that describe them, what is held out of training."""

import random
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

SIDE_PX = 64
SHAPES = ["circle", "square", "triangle", "star", "heart", "diamond", "cross", "ring", "moon", "arrow"]
COLOURS = {
    "red": (222, 30, 36),
    "orange": (250, 135, 15),
    "yellow": (250, 220, 40),
    "green": (40, 160, 60),
    "blue": (35, 80, 220),
    "purple": (130, 45, 180),
    "pink": (252, 150, 200),
    "brown": (125, 72, 32),
    "black": (18, 18, 18),
    "gray": (140, 140, 140),
}
BACKGROUNDS = {**COLOURS, "white": (255, 255, 255)}
COLOUR_NAMES = list(COLOURS)
BACKGROUND_NAMES = list(BACKGROUNDS)
SIZES = ["normal", "small", "big"]
SIZES_PX = {1: {"small": (18, 20), "normal": (29, 30, 31), "big": (42, 44)},
            2: {"small": (17, 18), "normal": (23, 24), "big": (28, 29)}}

# Held out of training: these never occur in a training scene, alone or beside another shape.
HELD_OUT_SHAPE_COLOUR = [
    ("circle", "purple"), ("square", "orange"), ("triangle", "blue"), ("star", "green"), ("heart", "black"),
    ("diamond", "red"), ("cross", "pink"), ("ring", "brown"), ("moon", "gray"), ("arrow", "yellow"),
]
HELD_OUT_SHAPE_PAIRS = [
    ("circle", "arrow"), ("square", "heart"), ("triangle", "ring"), ("star", "diamond"), ("cross", "moon"),
]
_HELD_PAIRS = {frozenset(pair) for pair in HELD_OUT_SHAPE_PAIRS}

SHAPE_WORDS = {
    "circle": ["circle", "circle", "circle", "disc", "disk", "dot"],
    "square": ["square"],
    "triangle": ["triangle"],
    "star": ["star"],
    "heart": ["heart"],
    "diamond": ["diamond", "diamond", "diamond", "rhombus"],
    "cross": ["cross", "cross", "cross", "plus", "plus sign"],
    "ring": ["ring"],
    "moon": ["moon", "moon", "crescent", "crescent moon"],
    "arrow": ["arrow"],
}
COLOUR_WORDS = {name: [name] for name in BACKGROUNDS} | {"gray": ["gray", "grey"], "purple": ["purple", "purple", "violet"]}
SIZE_WORDS = {"small": ["small", "small", "little", "tiny"], "big": ["big", "big", "large", "huge"]}
OPENINGS = ["a picture of", "an image of", "a drawing of", "draw", "there is", "show me", "a photo of", "picture of",
            "a painting of", "an illustration of", "we see", "i want", "please draw", "this is", "here is", "a picture with"]
FILLERS = ["simple", "flat", "nice", "beautiful", "high quality", "minimal", "vector art", "digital art", "clean", "2d"]
RELATIONS = {
    "left": ["left of", "to the left of", "on the left of", "on the left side of", "at the left of"],
    "right": ["right of", "to the right of", "on the right of", "on the right side of", "at the right of"],
    "above": ["above", "over", "on top of", "higher than", "atop"],
    "below": ["below", "under", "beneath", "underneath", "lower than"],
}
SIDES = {
    "left": ["on the left", "at the left", "to the left", "left", "on the left side"],
    "right": ["on the right", "at the right", "to the right", "right", "on the right side"],
    "above": ["at the top", "on top", "above", "on the top"],
    "below": ["at the bottom", "below", "on the bottom", "underneath"],
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


@dataclass(frozen=True)
class Thing:
    shape: str
    colour: str
    size: str = "normal"


@dataclass(frozen=True)
class Scene:
    things: tuple  # of Thing; two of them read left to right or top to bottom
    layout: str  # "one", "row" or "column"
    background: str = "white"


@dataclass(frozen=True)
class Caption:
    text: str
    things: tuple  # as mentioned; a shape or colour the words leave open is None
    relation: str  # of the first thing to the second: left right above below, "any" or "one"
    background: str


# ---- what is held out -----------------------------------------------------------------------------------------------

def is_held_out_thing(thing):
    return (thing.shape, thing.colour) in HELD_OUT_SHAPE_COLOUR


def is_held_out_shape_pair(things):
    return len(things) == 2 and frozenset(t.shape for t in things) in _HELD_PAIRS


def is_held_out_combination(things):
    """One in twenty of all (shape, colour) + (shape, colour) pairs, by a hash that does not depend on the order."""
    if len(things) != 2:
        return False
    key = "|".join(sorted(f"{t.colour} {t.shape}" for t in things))
    return zlib.crc32(key.encode()) % 20 == 0


def is_held_out(things):
    return any(map(is_held_out_thing, things)) or is_held_out_shape_pair(things) or is_held_out_combination(things)


# ---- drawing --------------------------------------------------------------------------------------------------------

def _outline(shape):
    """Polygon in [-1, 1]^2, y down."""
    turn = lambda n, radius, start: [(radius * np.sin(start + 2 * np.pi * i / n), -radius * np.cos(start + 2 * np.pi * i / n))
                                     for i in range(n)]
    if shape == "square":
        return [(-.88, -.88), (.88, -.88), (.88, .88), (-.88, .88)]
    if shape == "triangle":
        return [(0, -.87), (1, .87), (-1, .87)]
    if shape == "star":
        outer, inner = turn(5, 1.05, 0), turn(5, .46, np.pi / 5)
        return [(x, y + .1) for pair in zip(outer, inner) for x, y in pair]
    if shape == "heart":
        t = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        x = 16 * np.sin(t) ** 3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
        return list(zip(x / 16.2, (y - 2.5) / 16.2))
    if shape == "diamond":
        return [(0, -1), (.7, 0), (0, 1), (-.7, 0)]
    if shape == "cross":
        a = .34
        return [(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a)]
    if shape == "arrow":
        return [(-1, -.3), (.05, -.3), (.05, -.85), (1, 0), (.05, .85), (.05, .3), (-1, .3)]
    raise ValueError(shape)


@lru_cache(maxsize=None)
def shape_mask(shape, size_px):
    """Coverage [n, n] in 0..1 of a shape whose widest extent is size_px; n = size_px + 2, centred."""
    n, k = size_px + 2, 8
    image = Image.new("L", (n * k, n * k))
    draw = ImageDraw.Draw(image)
    c, r = n * k / 2, size_px * k / 2
    disc = lambda x, y, radius, fill: draw.ellipse([c + (x - radius) * r, c + (y - radius) * r,
                                                    c + (x + radius) * r - 1, c + (y + radius) * r - 1], fill=fill)
    if shape in ("circle", "ring", "moon"):
        disc(0, 0, 1, 255)
        if shape == "ring":
            disc(0, 0, .55, 0)
        if shape == "moon":
            disc(.48, -.12, .82, 0)
    else:
        draw.polygon([(c + x * r, c + y * r) for x, y in _outline(shape)], fill=255)
    return np.asarray(image, np.float32).reshape(n, k, n, k).mean((1, 3)) / 255


def draw_scene(scene, rng):
    """Pixels uint8 [64, 64, 3]; rng moves the shapes by a few pixels and picks among close sizes."""
    pixels = np.empty((SIDE_PX, SIDE_PX, 3), np.float32)
    pixels[:] = BACKGROUNDS[scene.background]
    centres = {"one": [(32, 32)], "row": [(16, 32), (48, 32)], "column": [(32, 16), (32, 48)]}[scene.layout]
    across = rng.randint(-4, 4)  # shared, so that a pair stays level
    for thing, (x, y) in zip(scene.things, centres):
        size_px = rng.choice(SIZES_PX[len(scene.things)][thing.size])
        mask = shape_mask(thing.shape, size_px)
        if scene.layout == "one":
            x, y = x + rng.randint(-4, 4), y + rng.randint(-4, 4)
        elif scene.layout == "row":
            x, y = x + rng.randint(-1, 1), y + across + rng.randint(-1, 1)
        else:
            x, y = x + across + rng.randint(-1, 1), y + rng.randint(-1, 1)
        n = len(mask)
        left, top = x - n // 2, y - n // 2
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + n, SIDE_PX), min(top + n, SIDE_PX)
        part = mask[y0 - top:y1 - top, x0 - left:x1 - left, None]
        pixels[y0:y1, x0:x1] += part * (np.array(COLOURS[thing.colour], np.float32) - pixels[y0:y1, x0:x1])
    return (pixels + .5).astype(np.uint8)


def random_scene(rng, held_out=False, p_two=.75):
    """A scene of the training world (held_out=False) or one with something that training never shows."""
    while True:
        count = 2 if rng.random() < p_two else 1
        things = tuple(Thing(rng.choice(SHAPES), rng.choice(COLOUR_NAMES), rng.choices(SIZES, (.72, .14, .14))[0])
                       for _ in range(count))
        if count == 2 and (things[0].shape, things[0].colour) == (things[1].shape, things[1].colour):
            continue
        if is_held_out(things) != held_out:
            continue
        taken = {t.colour for t in things}
        background = "white" if rng.random() < .45 else rng.choice([b for b in BACKGROUND_NAMES if b not in taken])
        layout = "one" if count == 1 else rng.choice(["row", "column"])
        return Scene(things, layout, background)


# ---- words ----------------------------------------------------------------------------------------------------------

def _phrase(thing, rng, plain):
    """Words for a thing, and what they say of it."""
    said = thing
    colour, shape = rng.choice(COLOUR_WORDS[thing.colour]), rng.choice(SHAPE_WORDS[thing.shape])
    if not plain and rng.random() < .05:
        said, colour = Thing(thing.shape, None, thing.size), ""
    elif not plain and rng.random() < .02:
        said, shape = Thing(None, thing.colour, thing.size), "shape"
    size = rng.choice(SIZE_WORDS[thing.size]) if thing.size != "normal" else ""
    if not plain and colour and rng.random() < .06:
        words = [size, shape, rng.choice(["in", "that is", "colored", "coloured", "of color"]), colour]
    else:
        words = [size, colour, shape]
    words = " ".join(w for w in words if w)
    article = rng.choices(["a", "the", "one", ""], (.62, .08, .03, .27))[0]
    if article == "a" and words[0] in "aeiou":
        article = "an"
    return f"{article} {words}".strip(), said


def _pair_words(first, second, relation, rng):
    if relation == "any":
        return rng.choice([f"{first} and {second}", f"{first} and {second}", f"{first}, {second}", f"{first} with {second}",
                           f"{first} together with {second}"])
    if relation == "beside":
        return f"{first} {rng.choice(['next to', 'beside', 'and next to it'])} {second}"
    form = rng.random()
    if form < .72:
        link = rng.choice(RELATIONS[relation][:2]) if rng.random() < .5 else rng.choice(RELATIONS[relation])
        return f"{first} {'is ' if rng.random() < .12 else ''}{link} {second}"
    if form < .86:
        return (f"{first} {rng.choice(SIDES[relation])}{rng.choice([' and', ',', ', and'])} {second} "
                f"{rng.choice(SIDES[OPPOSITE[relation]])}")
    return f"{rng.choice(SIDES[relation][:2])} {first}, {rng.choice(SIDES[OPPOSITE[relation]][:2])} {second}"


def describe(scene, rng, plain=False, relation=None):
    """One of many captions of a scene; plain leaves out the rarer turns of phrase."""
    things = list(scene.things)
    if scene.layout == "one":
        relation = "one"
    else:
        forward, backward = ("left", "right") if scene.layout == "row" else ("above", "below")
        # a loose pair stands in a row as it is named: with the order left open, both places got the same shape
        loose = ["any", "any", "any", "beside"] if scene.layout == "row" else []
        relation = relation or rng.choice([forward] * 3 + [backward] * 3 + loose)
        if relation == backward:
            things.reverse()
    phrases, said = zip(*[_phrase(thing, rng, plain) for thing in things])
    text = phrases[0] if relation == "one" else _pair_words(*phrases, relation, rng)
    if not plain and rng.random() < .06:
        text = rng.choice([f"{text}, {rng.choice(FILLERS)}", f"{rng.choice(FILLERS)} {text}"])
    if scene.background != "white" or rng.random() < .25:
        colour = rng.choice(COLOUR_WORDS[scene.background])
        article = "an" if colour[0] in "aeiou" else "a"
        tail = rng.choice([f"on {article} {colour} background"] * 4 + [
            f"on {colour} background", f"with {article} {colour} background", f"against {article} {colour} background",
            f"in front of {article} {colour} background", f", {colour} background", f"on {colour}", f"over {colour} background"])
        if rng.random() < .92:
            text = f"{text}{'' if tail.startswith(',') else ' '}{tail}"
        else:
            text = f"on {article} {colour} background, {text}"
    if rng.random() < .22:
        text = f"{rng.choice(OPENINGS)} {text}"
    if not plain and rng.random() < .05:
        text += "."
    return Caption(text, said, "any" if relation == "beside" else relation, scene.background)


def held_out_prompts(count=100, seed=2024):
    """The fixed examination: 20 single shapes, 20 loose pairs, 60 pairs with a side; nothing of it was trained on."""
    rng = random.Random(seed)
    captions, seen = [], set()
    while len(captions) < count:
        kind = "one" if len(captions) % 5 == 0 else "any" if len(captions) % 5 == 1 else "side"
        scene = random_scene(rng, held_out=True, p_two=0 if kind == "one" else 1)
        if kind != "one" and len(captions) % 2 and any(map(is_held_out_thing, scene.things)):
            continue  # half of the pairs: known things, met in an unseen pair
        relation = None
        if kind != "one":
            row = ["any"] if kind == "any" else ["left", "right"] if scene.layout == "row" else ["above", "below"]
            relation = rng.choice(row)
        caption = describe(scene, rng, plain=True, relation=relation)
        if caption.text not in seen:
            seen.add(caption.text)
            captions.append(caption)
    return captions


if __name__ == "__main__":
    rng = random.Random(1)
    for _ in range(20):
        print(describe(random_scene(rng), rng).text)
    print("-- held out")
    for caption in held_out_prompts()[:20]:
        print(caption.relation, "|", caption.text)
