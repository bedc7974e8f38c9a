"""Small pictures of every kind that people have, and what Pillow makes of them: exif_transpose(), then convert("RGB")."""

import io
import shutil
import struct
import zlib

import common
import numpy
import torch
from PIL import Image, ImageOps, PngImagePlugin

FOLDER = common.GOLDEN / "picture_files"
WIDTH, HEIGHT = 21, 14
ORIENTATION = 0x0112


def picture(mode="RGB"):
    """Slopes, a coloured block and a corner by which every turn can be told."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = numpy.stack([x * 255 // (WIDTH - 1), y * 255 // (HEIGHT - 1), (x + y) * 7 % 256], axis=-1).astype(numpy.uint8)
    rgb[2:6, 3:9] = (230, 20, 40)
    rgb[9:12, 12:18] = (20, 40, 220)
    rgb[0:2, 0:2] = (255, 255, 255)
    image = Image.fromarray(rgb)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(((x * 37 + y * 11) % 256).astype(numpy.uint8)))
        return image
    if mode == "P":
        return image.quantize(16, dither=Image.Dither.NONE)
    return image.convert(mode)


def exif(orientation):
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags.tobytes()


def tiff(entries, endian=">"):
    """A directory of (tag, type, count, four bytes)."""
    head = b"MM\0*" if endian == ">" else b"II*\0"
    body = b"".join(struct.pack(endian + "HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"Exif\0\0" + head + struct.pack(endian + "IH", 8, len(entries)) + body + bytes(4)


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def jpeg(mode="RGB", **options):
    return saved(picture(mode), format="JPEG", quality=90, **options)


def with_adobe(data, transform):
    """The transform that Adobe's marker names: 0 as stored, 1 YCbCr, 2 YCCK."""
    at = data.index(b"Adobe")
    return data[: at + 11] + bytes([transform]) + data[at + 12 :]


def without_adobe(data):
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0] :]


def jpegs():
    for orientation in range(2, 9):
        yield f"turned-{orientation}.jpg", jpeg(exif=exif(orientation))
    long = struct.pack(">I", 6)
    yield "little-endian.jpg", jpeg(exif=tiff([(ORIENTATION, 3, 1, struct.pack("<HH", 6, 0))], "<"))
    yield "long-value.jpg", jpeg(exif=tiff([(ORIENTATION, 4, 1, long)]))
    yield "two-values.jpg", jpeg(exif=tiff([(ORIENTATION, 3, 2, struct.pack(">HH", 8, 3))]))
    yield "no-such-turn.jpg", jpeg(exif=exif(9), xmp=XMP)
    yield "xmp.jpg", jpeg(xmp=XMP)
    yield "grey.jpg", jpeg("L")
    yield "progressive.jpg", jpeg(progressive=True)
    yield "restarts.jpg", jpeg(restart_marker_rows=1)
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield f"{sampling.replace(':', '')}.jpg", jpeg(subsampling=sampling)
    yield "rgb.jpg", jpeg(keep_rgb=True)
    yield "cmyk.jpg", jpeg("CMYK")
    yield "cmyk-progressive-turned.jpg", jpeg("CMYK", progressive=True, exif=exif(6))
    yield "ycck.jpg", with_adobe(jpeg("CMYK"), 2)
    yield "cmyk-unmarked.jpg", without_adobe(jpeg("CMYK"))


def png(*before, after=()):
    """A PNG with (type, data) chunks before and behind its picture."""
    plain = saved(picture(), format="PNG")
    data = plain.index(b"IDAT") - 4
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (plain[:data] + b"".join(chunk(*each) for each in before) + plain[data:-12] + b"".join(chunk(*each) for each in after)
            + plain[-12:])


def pngs():
    raw = "\nexif\n{:8}\n{}\n".format(len(exif(6)), exif(6).hex()).encode()
    yield "exif.png", png((b"eXIf", exif(6)[6:]))
    yield "exif-behind.png", png(after=[(b"eXIf", exif(5)[6:])])
    yield "raw-profile.png", png((b"tEXt", b"Raw profile type exif\0" + raw))
    yield "raw-profile-packed.png", png((b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)))
    yield "raw-profile-and-exif.png", png((b"tEXt", b"Raw profile type exif\0" + raw), (b"eXIf", exif(3)[6:]))
    yield "xmp.png", png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    yield "xmp-packed.png", png((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)))


def webps():
    webp = lambda mode="RGB", **options: saved(picture(mode), format="WEBP", **options)
    yield "lossy.webp", webp(quality=80)
    yield "lossless.webp", webp(lossless=True)
    yield "alpha.webp", webp("RGBA", quality=80)
    yield "alpha-lossless.webp", webp("RGBA", lossless=True, exact=True)
    yield "turned.webp", webp(lossless=True, exif=exif(7))
    yield "xmp.webp", webp(lossless=True, xmp=XMP)
    frames = [picture("RGB").transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    yield "moving.webp", webp(lossless=True, save_all=True, append_images=frames)


def avifs():
    avif = lambda mode="RGB", **options: saved(picture(mode), format="AVIF", quality=95, subsampling="4:4:4", **options)
    yield "plain.avif", avif()
    yield "420.avif", saved(picture(), format="AVIF", quality=95, subsampling="4:2:0")
    yield "alpha.avif", avif("RGBA")
    yield "grey.avif", avif("L")
    for orientation in range(2, 9):
        yield f"turned-{orientation}.avif", avif(exif=exif(orientation))
    yield "xmp.avif", avif(xmp=XMP)
    yield "moving.avif", avif(save_all=True, append_images=[picture().transpose(Image.Transpose.FLIP_TOP_BOTTOM)])


def on_canvas(gif, left, top, width, height):
    """The GIF's frame at a place of a larger canvas."""
    image = gif.index(b",", 13 + (3 << (gif[10] & 7) + 1))
    return (gif[:6] + struct.pack("<HH", width, height) + gif[10 : image + 1] + struct.pack("<HH", left, top) + gif[image + 5 :])


def gifs():
    gif = lambda image, **options: saved(image, format="GIF", **options)
    yield "plain.gif", gif(picture("P"), interlace=0)
    yield "interlaced.gif", gif(picture("P"), interlace=1)
    yield "transparent.gif", gif(picture("P"), transparency=3)
    yield "moving.gif", gif(picture("P"), save_all=True, append_images=[picture("P").transpose(Image.Transpose.ROTATE_180)])
    yield "placed.gif", on_canvas(gif(picture("P"), interlace=0), 4, 3, WIDTH + 9, HEIGHT + 8)
    yield "placed-transparent.gif", on_canvas(gif(picture("P"), interlace=0, transparency=5), 4, 3, WIDTH + 9, HEIGHT + 8)
    yield "over-the-edge.gif", on_canvas(gif(picture("P"), interlace=0), 4, 3, 10, 8)
    yield "grey.gif", gif(picture("L"))


def bmp(bits, compression, height, palette, rows, masks=b""):
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, height, 1, bits, compression, len(rows), 2835, 2835, len(palette) // 4, 0) + masks
    offset = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + head + palette + rows


def indices():
    return numpy.asarray(picture("P"))[::-1]


def palette():
    colours = picture("P").getpalette()[:48]
    return b"".join(bytes((colours[i + 2], colours[i + 1], colours[i], 0)) for i in range(0, 48, 3))


def runs(nibbles=False):
    """RLE with runs, stretches, a move and short rows."""
    out = b""
    for y, row in enumerate(indices()):
        if y == 3:
            out += b"\0\2\5\0"  # five to the right
            row = row[5:]
        if y == 4:
            row = row[:-4]  # the rest is left out
        head, tail = row[:5].tolist(), row[5:]
        if nibbles:
            out += bytes((0, 5, head[0] << 4 | head[1], head[2] << 4 | head[3], head[4] << 4, 0))
            out += b"".join(bytes((1, value << 4)) for value in tail)
        else:
            out += bytes((0, 5, *head, 0)) + b"".join(bytes((1, value)) for value in tail)
        out += b"\0\0"
    return out + b"\0\1"


def bmps():
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"{mode.lower()}.bmp", saved(picture(mode), format="BMP")
    packed = numpy.pad(indices(), ((0, 0), (0, 3)))
    yield "nibbles.bmp", bmp(4, 0, HEIGHT, palette(), (packed[:, ::2] << 4 | packed[:, 1::2]).tobytes())
    yield "top-down.bmp", bmp(8, 0, -HEIGHT, palette(), packed.tobytes())
    rgb = numpy.asarray(picture()).astype(numpy.uint16)[::-1]
    for name, shift, masks in (("565", 6, (0xF800, 0x7E0, 0x1F)), ("555", 5, None)):
        red, green, blue = rgb[..., 0] >> 3, rgb[..., 1] >> 8 - shift, rgb[..., 2] >> 3
        rows = numpy.pad((red << shift + 5 | green << 5 | blue).astype("<u2"), ((0, 0), (0, 1))).tobytes()
        yield f"{name}.bmp", bmp(16, 3 if masks else 0, HEIGHT, b"", rows, struct.pack("<III", *masks) if masks else b"")
    yield "runs-8.bmp", bmp(8, 1, HEIGHT, palette(), runs())
    yield "runs-4.bmp", bmp(4, 2, HEIGHT, palette(), runs(nibbles=True))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    shown = {}
    for make in (jpegs, pngs, webps, avifs, gifs, bmps):
        for name, data in make():
            (FOLDER / name).write_bytes(data)
            image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
            shown[name] = torch.from_numpy(numpy.asarray(image).copy())
    common.write_tensors(FOLDER / "shown.safetensors", shown)
