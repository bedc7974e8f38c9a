"""Draws the README's sheet: prompts through build/sd-gen, one picture each, with its words below.

    python scripts/shapes/sheet.py models/shapes.png
"""

import pathlib
import subprocess
import sys
import tempfile

from PIL import Image, ImageDraw, ImageFont

PROMPTS = [
    "a red circle above a blue square", "a green star to the left of a pink heart", "a yellow moon on a black background",
    "an orange arrow below a purple ring", "a brown cross and a gray diamond", "a blue triangle on a yellow background",
]
SCALE, GAP, TEXT_PX = 3, 12, 34
ROOT = pathlib.Path(__file__).resolve().parents[2]


def draw(folder):
    prompt_file = folder / "prompts.txt"
    prompt_file.write_text("".join(f"{prompt} --seed 1\n" for prompt in PROMPTS))
    command = [ROOT / "build" / "sd-gen", "--prompt-file", prompt_file, "--output", f"{folder}/{{index}}.png"]
    printed = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    return [Image.open(path).convert("RGB") for path in printed.split("\n") if path]


def wrapped(draw_on, text, font, width):
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        lines = lines[:-1] + [longer] if draw_on.textlength(longer, font) <= width else lines + [word]
    return "\n".join(lines)


def main():
    with tempfile.TemporaryDirectory() as folder:
        pictures = draw(pathlib.Path(folder))
    side = pictures[0].width * SCALE
    sheet = Image.new("RGB", (len(PROMPTS) * (side + GAP) + GAP, side + 2 * GAP + TEXT_PX), "#f0f0f0")
    canvas, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for i, (prompt, picture) in enumerate(zip(PROMPTS, pictures)):
        x = GAP + i * (side + GAP)
        sheet.paste(picture.resize((side, side), Image.LANCZOS), (x, GAP))
        canvas.text((x, side + GAP + 4), wrapped(canvas, prompt, font, side), "black", font)
    sheet.save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
