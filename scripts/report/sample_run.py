"""Makes a run as `sd-gen --report` describes it, with synthetic pictures and maps, and the page that shows it.

    python3 scripts/report/sample_run.py OUT.html     writes the page from src/results/report_page.html
"""
import base64
import json
import math
import pathlib
import random
import re
import struct
import sys
import zlib

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "src" / "results" / "report_page.html"
PLACEHOLDER = "__RUN_DATA__"
HOSTILE = "</script><img src=x onerror=alert(1)> \"quotes\" & emoji 🦊 <!--<script> __proto__"
LONG = ("a wide calm harbour at dusk with nine small wooden boats under a heavy violet sky while two gulls circle above the "
        "old stone lighthouse and warm lamps glow along the quay beside quiet houses painted in faded coral and green")


def png(width, height, channels, data):
    """An 8-bit PNG: grey for one channel, RGB for three."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    stride = width * channels
    rows = b"".join(b"\0" + bytes(data[at:at + stride]) for at in range(0, stride * height, stride))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    packed = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(packed).decode()


def scene(width, height, shapes, ground, sky, noise=0.0, seed=0):
    """A picture of discs and squares, (kind, x, y, size, colour) in parts of its sides, under a share of noise."""
    data, side, rng = bytearray(), min(width, height), random.Random(seed)
    for y in range(height):
        down = y / height
        base = ground if down > 0.62 else [int(a + (b - a) * down) for a, b in zip(sky, ground)]
        row = bytearray(bytes(base) * width)
        for kind, cx, cy, size, colour in shapes:
            dy = y - cy * height
            if abs(dy) > size * side:
                continue
            half = size * side if kind == "square" else math.sqrt((size * side) ** 2 - dy * dy)
            left, right = max(0, int(cx * width - half)), min(width, int(cx * width + half))
            shade = 1.1 - 0.35 * (dy / (size * side) + 1) / 2
            row[3 * left:3 * right] = bytes(min(255, int(c * shade)) for c in colour) * max(0, right - left)
        if noise > 0:
            row = bytearray(int(v * (1 - noise) + rng.randrange(256) * noise) for v in row)
        data += row
    return png(width, height, 3, data)


def attention(width, height, tokens):
    """Maps of tokens given as (text, [(x, y, radius, strength)...], everywhere): at each patch they sum to one."""
    raw = []
    for _, spots, everywhere in tokens:
        cells = []
        for row in range(height):
            for column in range(width):
                x, y = (column + 0.5) / width, (row + 0.5) / height
                cells.append(everywhere + sum(s * math.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * r * r)) for a, b, r, s in spots))
        raw.append(cells)
    sums = [sum(column) for column in zip(*raw)]
    items = []
    for (text, _, _), cells in zip(tokens, raw):
        cells = [cell / total for cell, total in zip(cells, sums)]
        highest = max(cells)
        items.append({"text": text, "map": png(width, height, 1, [round(255 * cell / highest) for cell in cells]),
                      "highest": highest, "share": sum(cells) / len(cells)})
    return items


SPECIAL = [("start", [], 1.6), ("end", [], 0.35), ("padding", [(0.5, 0.05, 0.3, 0.5)], 0.5)]


def segments_of(prompt, pattern=r"\w+"):
    segments, at = [], 0
    for index, match in enumerate(re.finditer(pattern, prompt)):
        if match.start() > at:
            segments.append({"text": prompt[at:match.start()]})
        segments.append({"text": match[0], "word": index})
        at = match.end()
    return segments + ([{"text": prompt[at:]}] if at < len(prompt) else [])


def picture(path, prompt, size, grid, shapes, spots, colours, steps=0, **more):
    """`spots` maps the number of a word to where it is heard; the others are heard a little everywhere."""
    width, height = size
    segments = segments_of(prompt, more.pop("pattern", r"\w+"))
    names = [segment["text"] for segment in segments if "word" in segment]
    rng = random.Random(path)
    tokens = [(name, spots.get(i, [(rng.random(), rng.random(), 0.2, 0.12)]), rng.uniform(0.02, 0.09)) for i, name in enumerate(names)]
    items = attention(*grid, tokens + SPECIAL) if grid else []
    shown, thumb = [], (96, max(1, round(96 * height / width)))
    for step in range(1, steps + 1):
        noise = max(0.0, 1 - step / steps) ** 0.8
        shown.append({"step": step, "image": scene(*thumb, shapes, *colours, noise=noise, seed=step)})
    command = "sd-gen --prompt '" + prompt.replace("'", "'\\''") + "' --seed 7"
    return {"path": path, "image": scene(*size, shapes, *colours), "width": width, "height": height, "seconds": 12.3,
            "prompt": prompt, "negative_prompt": "", "segments": segments, "words": items[:len(names)], "around": items[len(names):],
            "steps": shown, "parameters": [["Steps", "30"], ["Sampler", "DDIM"], ["CFG scale", "7.5"], ["Seed", "7"],
                                           ["Size", f"{width}x{height}"], ["Model", "pictograms"], ["Version", "sd-gen 0.1.0"]],
            "command": command, **more}


def sample_run():
    table, dusk = [(150, 112, 78), (222, 226, 228)], [(58, 52, 92), (214, 138, 120)]
    apple = [("square", 0.7, 0.55, 0.16, (52, 96, 190)), ("disc", 0.28, 0.6, 0.17, (198, 40, 38))]
    boats = [("disc", x, 0.66, 0.05, (96, 60, 44)) for x in (0.1, 0.3, 0.52, 0.68)] + [("square", 0.88, 0.4, 0.09, (220, 212, 200))]
    tile = [("disc", 0.5, 0.28, 0.2, (210, 40, 40)), ("square", 0.5, 0.76, 0.17, (40, 70, 200))]
    pictures = [
        picture("apple.png", "a red apple, left of a blue cube on a wooden table", (512, 512), (64, 64), apple,
                {1: [(0.28, 0.6, 0.11, 0.9)], 2: [(0.28, 0.6, 0.13, 1.3)], 3: [(0.45, 0.58, 0.2, 0.3)], 6: [(0.7, 0.55, 0.11, 0.8)],
                 7: [(0.7, 0.55, 0.13, 1.1)], 8: [(0.5, 0.75, 0.15, 0.12)], 10: [(0.3, 0.9, 0.2, 0.6), (0.75, 0.9, 0.2, 0.6)],
                 11: [(0.5, 0.85, 0.22, 0.9)]}, table, steps=30, negative_prompt="blurry, text, <b>watermark</b>"),
        picture("<b>hostile</b>.png", HOSTILE, (64, 64), (8, 8), tile, {0: [(0.06, 0.06, 0.1, 3.0)], 1: [(0.94, 0.94, 0.1, 3.0)]}, table, steps=4),
        picture("harbour.png", LONG, (384, 256), (24, 16), boats, {3: [(0.5, 0.8, 0.3, 0.8)], 9: [(0.4, 0.66, 0.12, 0.9)], 14: [(0.5, 0.15, 0.3, 0.8)],
                                                                 22: [(0.88, 0.4, 0.09, 1.0)]}, dusk, steps=12),
        picture("cyrillic.png", "красный круг над синим квадратом", (64, 64), (8, 8), tile,
                {0: [(0.5, 0.28, 0.14, 0.8)], 1: [(0.5, 0.28, 0.16, 1.0)], 3: [(0.5, 0.76, 0.13, 0.8)], 4: [(0.5, 0.76, 0.15, 1.0)]}, table),
        picture("no_maps.png", "a moon without any map", (96, 160), None, tile, {}, dusk),
    ]
    return {"title": "sd-gen", "version": "0.1.0", "command": "sd-gen --prompt-file prompts.txt --report report", "model": "pictograms",
            "heat": [[index, index * index // 255, index // 2] for index in range(256)],
            "machine": [["device", "cpu"], ["dtype", "bfloat16"], ["threads", "2"]],
            "stages": [{"name": "load unet", "seconds": 1.5, "count": 1}, {"name": "text_encode", "seconds": 0.082, "count": 5},
                       {"name": "denoise_step", "seconds": 50.6, "count": 150}, {"name": "decode", "seconds": 3.4, "count": 5}],
            "pictures": pictures}


def page_of(run, template=TEMPLATE):
    """The page as the program writes it: the JSON in place of the mark, every `<` escaped."""
    text = pathlib.Path(template).read_text(encoding="utf-8")
    if text.count(PLACEHOLDER) != 1:
        raise ValueError(f"{template}: {PLACEHOLDER} occurs {text.count(PLACEHOLDER)} times, not once")
    return text.replace(PLACEHOLDER, json.dumps(run, ensure_ascii=False).replace("<", "\\u003c"))


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text(page_of(sample_run()), encoding="utf-8")
