"""The world's parts as RGBA pictures: pictograms of the emoji font, plain or tinted, and geometric shapes."""

import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = os.environ.get("PICTOGRAMS_FONT", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")  # Debian: fonts-noto-color-emoji
COLOURS = {
    "red": (222, 30, 36), "orange": (250, 135, 15), "yellow": (250, 220, 40), "green": (40, 160, 60), "blue": (35, 80, 220),
    "purple": (130, 45, 180), "pink": (252, 150, 200), "brown": (125, 72, 32), "black": (22, 22, 22), "white": (250, 250, 250),
    "gray": (140, 140, 140), "turquoise": (50, 200, 200),
}
COLOUR_NAMES = list(COLOURS)
BACKGROUNDS = {name: rgb for name, rgb in COLOURS.items() if name != "turquoise"} | {"white": (255, 255, 255)}
BACKGROUND_NAMES = list(BACKGROUNDS)
SHAPES = {
    "circle": ["disc", "disk", "dot"], "square": [], "triangle": [], "star": [], "heart": [], "diamond": ["rhombus"],
    "cross": ["plus", "plus sign"], "ring": [], "moon": ["crescent", "crescent moon"], "arrow": [],
}
MARGIN_PX = 3  # between a sprite and its cell, so that neighbours never touch
MASTER_PX = 128


@dataclass(frozen=True)
class Kind:
    name: str
    synonyms: tuple
    character: str  # "" for a shape
    core: bool
    tintable: bool


def _read_kinds():
    kinds = {}
    for line in (Path(__file__).parent / "pictograms.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            character, flags, names = line.split(" ", 2)
            name, *synonyms = [n.strip() for n in names.split(",")]
            assert name not in kinds, name
            kinds[name] = Kind(name, tuple(synonyms), character, "*" in flags, "~" in flags)
    for name, synonyms in SHAPES.items():
        assert name not in kinds, name
        kinds[name] = Kind(name, tuple(synonyms), "", True, True)
    return kinds


KINDS = _read_kinds()
ALL = list(KINDS)
CORE = [name for name, kind in KINDS.items() if kind.core]


# ---- masters --------------------------------------------------------------------------------------------------------

def skip_without_font():
    """For tests: ends the program with ctest's code for a skipped one."""
    if not Path(FONT).exists():
        print(f"skipped: there is no {FONT} (Debian: fonts-noto-color-emoji; elsewhere set PICTOGRAMS_FONT)")
        sys.exit(77)


@lru_cache(maxsize=1)
def _font():
    return ImageFont.truetype(FONT, 109)  # the only size of its bitmaps


@lru_cache(maxsize=None)
def _pictogram(character):
    """RGBA float [h, w, 4] in 0..255, cropped, not premultiplied."""
    canvas = Image.new("RGBA", (220, 200))
    ImageDraw.Draw(canvas).text((20, 20), character, font=_font(), embedded_color=True)
    box = canvas.getchannel("A").point(lambda a: 255 * (a > 24)).getbbox()
    return np.asarray(canvas.crop(box), np.float32)


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
        x, y = 16 * np.sin(t) ** 3, -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
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
def _shape_mask(shape):
    n, k = MASTER_PX, 4
    image = Image.new("L", (n * k, n * k))
    draw = ImageDraw.Draw(image)
    c = n * k / 2
    disc = lambda x, y, radius, fill: draw.ellipse([c + (x - radius) * c, c + (y - radius) * c,
                                                    c + (x + radius) * c - 1, c + (y + radius) * c - 1], fill=fill)
    if shape in ("circle", "ring", "moon"):
        disc(0, 0, 1, 255)
        if shape == "ring":
            disc(0, 0, .55, 0)
        if shape == "moon":
            disc(.48, -.12, .82, 0)
    else:
        draw.polygon([(c + x * c, c + y * c) for x, y in _outline(shape)], fill=255)
    mask = np.asarray(image, np.float32).reshape(n, k, n, k).mean((1, 3))
    rows, columns = np.nonzero(mask.max(1) > 24)[0], np.nonzero(mask.max(0) > 24)[0]
    return mask[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def _tinted(picture, rgb):
    """The sprite's main colour, and what shades off it, becomes rgb; eyes, wheels, outlines of other hues stay."""
    colour, alpha = picture[..., :3], picture[..., 3]
    light = colour @ np.array([.3, .59, .11], np.float32)
    chroma = colour - light[..., None]
    solid = alpha > 128
    saturation = np.linalg.norm(chroma, axis=2)
    vivid = solid & (saturation > 40)
    if vivid.sum() > .3 * solid.sum():  # it has a hue: the commonest direction of chroma
        angle = np.arctan2(colour[..., 0] - colour[..., 1], colour[..., 2] - light)
        histogram, edges = np.histogram(angle[vivid], 24, (-np.pi, np.pi))
        around = histogram + np.roll(histogram, 1) + np.roll(histogram, -1)
        main = edges[around.argmax()] + np.pi / 24
        apart = np.abs((angle - main + np.pi) % (2 * np.pi) - np.pi)
        weight = np.clip((.85 - apart) / .3, 0, 1) * np.clip((saturation - 12) / 20, 0, 1)
    else:  # grey or white: what is neither vivid nor far from the commonest lightness
        histogram, edges = np.histogram(light[solid], 16, (0, 256))
        around = histogram + np.roll(histogram, 1) + np.roll(histogram, -1)
        main = edges[around.argmax()] + 8
        weight = np.clip((60 - saturation) / 20, 0, 1) * np.clip((100 - np.abs(light - main)) / 30, 0, 1)
    middle = np.median(light[solid & (weight > .5)])
    ratio = (light / max(middle, 1))[..., None]
    rgb = np.array(rgb, np.float32)
    shade = rgb * np.clip(.3 + .7 * ratio, 0, 1)
    glow = np.clip((ratio - 1) * .7, 0, .55)
    new = shade + (255 - shade) * glow
    return np.concatenate([colour + weight[..., None] * (new - colour), alpha[..., None]], 2)


@lru_cache(maxsize=None)
def master(name, colour):
    """RGBA float [h, w, 4] of a kind in a colour (None: as the font draws it)."""
    kind = KINDS[name]
    if kind.character:
        picture = _pictogram(kind.character)
        return _tinted(picture, COLOURS[colour]) if colour else picture
    mask = _shape_mask(name)
    return np.concatenate([np.broadcast_to(np.array(COLOURS[colour], np.float32), (*mask.shape, 3)), mask[..., None]], 2)


@lru_cache(maxsize=None)
def sprite(name, colour, cell_px):
    """(premultiplied colour [h, w, 3], alpha [h, w, 1] in 0..1): widest extent cell_px less the margins."""
    picture = master(name, colour)
    extent = cell_px - 2 * MARGIN_PX
    h, w = picture.shape[:2]
    size = (max(round(w * extent / max(h, w)), 1), max(round(h * extent / max(h, w)), 1))
    # PIL's resize premultiplies RGBA by itself: doing it twice gives bright fringes
    small = np.asarray(Image.fromarray(picture.round().astype(np.uint8), "RGBA").resize(size, Image.LANCZOS), np.float32)
    alpha = small[..., 3:] / 255
    return small[..., :3] * alpha, alpha


@lru_cache(maxsize=None)
def goes_with(name, colour, background):
    """Whether a sprite stands out: little of it, and little of its rim, may look like the background."""
    ink, alpha = sprite(name, colour, 64)
    ground = np.array(BACKGROUNDS[background], np.float32)
    near = np.linalg.norm(ink + (1 - alpha) * ground - ground, axis=2) < 55
    solid = alpha[..., 0] > .6
    padded = np.pad(solid, 3)
    inner = solid.copy()
    for dy, dx in ((-3, 0), (3, 0), (0, -3), (0, 3), (2, 2), (-2, 2), (2, -2), (-2, -2)):
        inner &= padded[3 + dy:3 + dy + solid.shape[0], 3 + dx:3 + dx + solid.shape[1]]
    rim = solid & ~inner
    return bool((near & solid).sum() < .2 * solid.sum() and (near & rim).sum() < .2 * rim.sum())


def colours_of(name):
    return COLOUR_NAMES if KINDS[name].tintable else [None]
