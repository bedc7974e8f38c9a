"""The bar chart of a comparison: a row an engine, a panel each for step, decode, start and memory.

    python scripts/compare_speed/chart.py results.json chart.svg   draws it again
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

OURS, OTHERS, FRAME, INK, SOFT = "#d9480f", "#9fb3c8", "#e3e8ee", "#1f2933", "#616e7c"
PANELS = [  # title, unit, value of a summary
    ("One guided step", "s", lambda row: row["step_s"]["median"]),
    ("VAE decode", "s", lambda row: row["decode_s"]["median"]),
    ("Start to first step", "s", lambda row: row["first_step_s"]["median"]),
    ("Peak memory", "GiB", lambda row: row["peak_rss_bytes"] / 2 ** 30),
]
LABEL_PX, PANEL_PX, GAP_PX, VALUE_PX, ROW_PX, BAR_PX, MARGIN_PX, TOP_PX = 190, 215, 22, 52, 34, 20, 28, 118


def text(x, y, words, size=13, colour=INK, anchor="start", weight="400"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def bar(x, y, width, colour):
    """Square where it begins, round where it ends."""
    radius = min(3.0, width / 2)
    return (f'<path d="M{x:.1f},{y:.1f}h{width - radius:.1f}a{radius:.1f},{radius:.1f} 0 0 1 {radius:.1f},{radius:.1f}'
            f'v{BAR_PX - 2 * radius:.1f}a{radius:.1f},{radius:.1f} 0 0 1 {-radius:.1f},{radius:.1f}h{radius - width:.1f}z" fill="{colour}"/>')


def axis_end(values):
    """The longest bar's value; where one or two dwarf the rest, less: their bars are cut, and marked as cut."""
    middle = sorted(values)[len(values) // 2]
    return min(max(values), 2.5 * middle)


def cut(x, y):
    """Two slanted strokes across a bar."""
    return "".join(f'<path d="M{x + shift:.1f},{y + BAR_PX + 3:.1f}l7,{-BAR_PX - 6}" stroke="#ffffff" stroke-width="3"/>' for shift in (0, 6))


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= .1 else f"{value:.3g}"


def svg(results):
    rows = sorted(results["summary"].items(), key=lambda item: item[1]["step_s"]["median"])
    width = 2 * MARGIN_PX + LABEL_PX + len(PANELS) * PANEL_PX + (len(PANELS) - 1) * GAP_PX
    bottom = TOP_PX + len(rows) * ROW_PX
    height = bottom + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             'font-family="Inter, Helvetica, Arial, sans-serif">',
             f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
             text(MARGIN_PX, 40, "Drawing pictures: speed and memory", 20, weight="600"),
             text(MARGIN_PX, 62, results["caption"] + ". Shorter is better.", 13, SOFT)]
    for i in range(0, len(rows), 2):
        parts.append(f'<rect x="{MARGIN_PX - 10}" y="{TOP_PX + i * ROW_PX}" width="{width - 2 * MARGIN_PX + 20}" '
                     f'height="{ROW_PX}" rx="4" fill="#f7f9fb"/>')
    for i, (name, row) in enumerate(rows):
        colour, weight = (OURS, "600") if row["is_sd_gen"] else (INK, "400")
        parts.append(text(MARGIN_PX, TOP_PX + i * ROW_PX + 22, name, 13, colour, weight=weight))
    for k, (title, unit, value_of) in enumerate(PANELS):
        x = MARGIN_PX + LABEL_PX + k * (PANEL_PX + GAP_PX)
        end = axis_end([value_of(row) for _, row in rows])
        parts.append(text(x, TOP_PX - 16, title, 13, INK, weight="600"))
        parts.append(text(x + PANEL_PX, TOP_PX - 16, unit, 12, SOFT, "end"))
        parts.append(f'<path d="M{x},{TOP_PX - 6}V{bottom}" stroke="{FRAME}" stroke-width="1"/>')
        for i, (_, row) in enumerate(rows):
            y, value = TOP_PX + i * ROW_PX, value_of(row)
            length = max(2.0, min(value / end, 1) * (PANEL_PX - VALUE_PX))
            parts.append(bar(x, y + (ROW_PX - BAR_PX) / 2, length, OURS if row["is_sd_gen"] else OTHERS))
            if value > end:
                parts.append(cut(x + length - 32, y + (ROW_PX - BAR_PX) / 2))
            weight = "600" if row["is_sd_gen"] else "400"
            parts.append(text(x + length + 6, y + 22, number(value), 12, INK, weight=weight))
    parts.append(text(MARGIN_PX, bottom + 24, "Medians; a step is two UNet rows a picture; the same weights in every engine. "
                      "scripts/compare_speed remakes this picture.", 11, SOFT))
    return "\n".join(parts) + "\n</svg>\n"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    Path(sys.argv[2]).write_text(svg(json.loads(Path(sys.argv[1]).read_text())))
