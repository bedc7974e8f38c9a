"""Hostile files for the parsers: known findings, and mutations of the small real files in tests/golden. The same bytes
on every machine. Used by scripts/fuzz_corpus and scripts/hostile."""
import json
import os
import random
import struct
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOLDEN = os.path.join(ROOT, "tests", "golden")
SD15 = os.path.join(GOLDEN, "pipelines", "sd15-tiny")

DEPTH = 100_000  # brackets; a parser that calls itself once each overflows its stack
DEEP = "[" * DEPTH + "]" * DEPTH
ESCAPES = "\\u001b]0;owned\\u0007\\r\\u001b[Ksd-gen: all is well\\u009b\\u007f"  # as JSON spells them

# For any key of a JSON file.
NASTY_VALUES = ["null", "true", "-1", "0", "2.5", "1e999", "1e308", "NaN", "18446744073709551615", "-9223372036854775808",
                "9" * 5000, '""', '"' + ESCAPES + '"', '"' + "x" * 5000 + '"', "[]", "{}", "[0, -1]", "[[]]", "[1e999]",
                '["' + ESCAPES + '"]', "[" + "1," * 70 + "1]", DEEP, '{"a":' * 70 + "1" + "}" * 70]

# In place of a whole JSON file.
NASTY_JSON = ["", " ", "null", "[]", "{", '{"a"', "{}", "[" * DEPTH, DEEP, '{"a":1e999}', '{"a":NaN,"b":-Infinity}',
              '{"a":[' + "NaN," * 2000 + "NaN]}", "\ufeff{}", '{"a":"\\ud800"}', '{"' + ESCAPES + '":1}', "{}x", "\0",
              '{"' + "k" * 20000 + '":' + "9" * 20000 + "}", "\x1b[2J"]


def golden(path):
    with open(os.path.join(GOLDEN, path), "rb") as file:
        return file.read()


def mutations(data, count, seed=1):
    """`data` cut short, and with bytes changed, put in and taken out."""
    numbers = random.Random(seed)
    for i in range(count):
        mutant = bytearray(data)
        if i % 4 == 0:
            del mutant[numbers.randrange(len(mutant)):]
        for _ in range(numbers.choice((1, 2, 8)) if i % 4 else 0):
            place = numbers.randrange(len(mutant))
            if i % 4 == 1:
                mutant[place] ^= 1 << numbers.randrange(8)
            elif i % 4 == 2:
                mutant[place] = numbers.choice((0, 0x7F, 0x80, 0xFF))
            else:
                mutant[place:place + numbers.randrange(4)] = bytes(numbers.randrange(256) for _ in range(numbers.randrange(5)))
        yield bytes(mutant)


# --- safetensors ---------------------------------------------------------------------------------------------------

def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def safetensors_headers():
    """(header, bytes behind it), none of them sound."""
    big = 2**31 - 1
    yield "", b""
    for text in NASTY_JSON:
        yield text, b""
    for value in NASTY_VALUES:
        for key in ("dtype", "shape", "data_offsets"):
            fields = {"dtype": '"F32"', "shape": "[1]", "data_offsets": "[0,4]"}
            fields[key] = value
            yield '{"t":{' + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}}", b"\0" * 4
        yield '{"t":' + value + "}", b""
        yield '{"__metadata__":{"a":' + value + "}}", b""
    for one in (tensor(shape=[big] * 4, offsets=[0, 0]), tensor(shape=[0] + [big] * 3, offsets=[0, 0]),
                tensor(shape=[1] * 200), tensor(offsets=[4, 0]), tensor(offsets=[0, 2**63]), tensor(offsets=[0, 8]),
                tensor(offsets=[-4, 0]), tensor(shape=[-1]), tensor("BOOL", [4]), tensor("F33")):
        yield {"t": one}, b"\0" * 4
    yield {"a": tensor(), "b": tensor()}, b"\0" * 4
    yield {"a": tensor(), "b": tensor(offsets=[8, 12])}, b"\0" * 12
    yield '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4
    yield {"n" * 100_000: tensor("F33")}, b"\0" * 4
    yield '{"' + ESCAPES + '":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4
    yield {f"t{i}": tensor(shape=[0], offsets=[0, 0]) for i in range(2000)}, b""


def safetensors_files():
    yield from (safetensors(*case) for case in safetensors_headers())
    yield from (b"", b"\0" * 7, struct.pack("<Q", 2**64 - 1) + b"{}", struct.pack("<Q", 100) + b"{}", struct.pack("<Q", 0))
    for name in ("cat-toy", "xl-word", "alphas"):
        yield from mutations(golden(f"loras/{name}.safetensors"), 12)


# --- PyTorch's pickles ---------------------------------------------------------------------------------------------

def zip_file(entries):
    file, directory = b"", b""
    for name, data in entries:
        name = name.encode()
        sizes = struct.pack("<IIIH", zlib.crc32(data), len(data), len(data), len(name))
        directory += b"PK\1\2" + bytes(12) + sizes + bytes(12) + struct.pack("<I", len(file)) + name
        file += b"PK\3\4" + bytes(10) + sizes + bytes(2) + name + data
    return file + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(file), 0)


def pickled(data):
    """The file of one pickle and one storage."""
    return zip_file([("a/data.pkl", data), ("a/byteorder", b"little"), ("a/data/0", b"\1" * 64)])


def text_opcode(text):
    return b"X" + struct.pack("<I", len(text)) + text


ONE_TENSOR = (b"ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\1tQ"
              b"K\0(K\1t(K\1t\x89ccollections\nOrderedDict\n)RtR")


def nested_names(levels, keys, name_bytes):
    """A tensor under many names, each as long as the names of the dictionaries around it together."""
    inner = b"}(" + b"".join(text_opcode(b"%d" % key) + b"h\1" for key in range(keys)) + b"u"
    for level in range(levels):
        inner = b"}" + text_opcode(b"%d" % level + b"k" * name_bytes) + inner + b"s"
    return b"\x80\2" + ONE_TENSOR + b"q\x010" + inner + b"."


def pickles():
    yield from (b"", b".", b"\x80\2", b"\x80\2}.", b"\x80\2N.", b"\x80\xff.", b"(" * DEPTH, b"(" * 1000 + b"t" * 1000 + b".",
                b"\x80\2}" + b"\x94" * DEPTH + b".", b"]" * DEPTH + b"a" * DEPTH + b".")
    for name in (b"os\nsystem", b"builtins\neval", b"torch.storage\n_load_from_bytes", b"\x1b]0;x\7\nowned", b"n" * 5000 + b"\nx"):
        yield b"\x80\2c" + name + b"\n" + text_opcode(b"true") + b"\x85R."
    yield b"\x80\2]q\0h\0a."  # a list that holds itself
    yield b"\x80\2}" + text_opcode(b"t" * 3000) + ONE_TENSOR + b"s."
    yield b"\x80\2}" + text_opcode(b"\x1b[2J") + ONE_TENSOR + b"s."
    yield b"\x80\2}" + text_opcode(b"t") + ONE_TENSOR.replace(b"K\0(K\1t(K\1t", b"J\xff\xff\xff\xff(K\1t(K\1t") + b"s."
    yield b"\x80\2}" + text_opcode(b"t") + ONE_TENSOR.replace(b"K\0(K\1t(K\1t", b"K\0(J\xff\xff\xff\x7ft(K\1t") + b"s."
    yield nested_names(8, 500, 999)
    yield from mutations(b"\x80\2}" + text_opcode(b"t") + ONE_TENSOR + b"s.", 24)


def pickle_files():
    yield from (pickled(data) for data in pickles())
    sound = pickled(b"\x80\2}" + text_opcode(b"t") + ONE_TENSOR + b"s.")
    yield from mutations(sound, 24)
    yield from (b"PK\5\6", b"PK\5\6" + bytes(18), b"PK\3\4" + bytes(100), zip_file([]), zip_file([("a/data.pkl", b"\x80\2}.")] * 2),
                sound[:-22] + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0))
    folder = os.path.join(GOLDEN, "pickles")
    for name in sorted(os.listdir(folder)):
        yield golden(f"pickles/{name}")


# --- pictures ------------------------------------------------------------------------------------------------------

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def header(width, height, depth=8, colour=2):
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def rows(width, height):
    return zlib.compress((b"\0" + b"\x80" * 3 * width) * height)


PARAMETERS = b"a cat\nSteps: 1, Sampler: DDIM, CFG scale: 7.5, Seed: 1, Size: 16x16, Model: sd15-tiny"


def parameter_lines():
    yield PARAMETERS
    for value in (b"-1", b"1e999", b"99999999999999999999", b"nan", b'"', b'"\\', b'"' + DEEP.encode(), b"\x1b[2J", b"x" * 5000, b"", b"0"):
        for key in (b"Steps: 1", b"Seed: 1", b"Sampler: DDIM", b"Size: 16x16", b"Model: sd15-tiny"):
            yield PARAMETERS.replace(key, key.split(b":")[0] + b": " + value)
    yield PARAMETERS + b", Init image: /etc/passwd, Mask: /dev/zero"
    yield PARAMETERS + b', Lora: "' + ESCAPES.encode() + b'"'


def text_chunks():
    """What may stand in tEXt, iTXt or zTXt."""
    yield from (b"", b"\0", b"parameters", b"parameters\0", b"\0parameters", b"k" * 100 + b"\0x", b"parameters\0\1\0\0\0x",
                b"parameters\0\0\0\0\0\xff\xfe", b"parameters\0\0\0en\0\xe4\0a cat")
    for line in parameter_lines():
        yield b"parameters\0" + line


def pngs():
    end, size = (b"IEND", b""), header(16, 16)
    data = (b"IDAT", rows(16, 16))
    yield png(size, data, end)
    yield from (b"", b"\x89PNG\r\n\x1a\n", png(end), png(size), png(size, end), png(data, end), png(size, (b"IDAT", b""), end),
                png(size, (b"IDAT", b""), data, end), png(size, (b"IDAT", data[1][:-9]), end), png(size, data, data, end))
    for shape in ((0, 16), (16, 0), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (65535, 65535), (16385, 1), (16, 17), (20000, 20000)):
        yield png(header(*shape), data, end)
    for depth, colour in ((16, 2), (1, 0), (8, 3), (8, 7), (3, 2), (8, 4), (8, 6)):
        yield png(header(16, 16, depth, colour), data, end)
    yield png(size, (b"IDAT", zlib.compress(bytes(50_000_000))), end)  # a thousand times its size
    yield png(size, (b"\x1bc\x9b\7", b"x"), data, end)
    yield png(header(16, 16, 8, 3), (b"PLTE", b"xx"), data, end)
    yield png(size, (b"iCCP", b"x\0\0" + zlib.compress(bytes(10_000_000))), data, end)
    yield png(size, *[(b"tEXt", b"k\0v")] * 20_000, data, end)
    yield from mutations(golden("families/start.png"), 24)
    for text in text_chunks():
        yield png(size, (b"tEXt", text), data, end)


def jpegs():
    sound = golden("families/start.jpg")
    yield sound
    yield from (b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", sound[:2] + b"\xff\xe1\0\1" + sound[2:],
                sound[:2] + b"\xff\xe1\0\2" * 20_000 + sound[2:],
                sound[:2] + b"\xff\xe1" + struct.pack(">H", 22) + b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(6) + sound[2:])
    frame = max(sound.find(b"\xff\xc0"), sound.find(b"\xff\xc2"))
    for shape in ((0, 0), (65535, 65535), (1, 65535), (16, 0)):
        yield sound[:frame + 5] + struct.pack(">HH", *shape) + sound[frame + 9:]
    yield from mutations(sound, 24)


def picture_files(ending):
    """The small files of a format, cut short, and mutations of two of them."""
    folder = os.path.join(GOLDEN, "picture_files")
    names = sorted(name for name in os.listdir(folder) if name.endswith(ending))
    for name in names:
        yield golden(f"picture_files/{name}")
    for name in (names[0], names[-1]):
        sound = golden(f"picture_files/{name}")
        yield from (sound[:size] for size in (2, 12, 30, len(sound) // 2, len(sound) - 1))
        yield from mutations(sound, 24)
    yield from large_pictures().get(ending, [])


def large_pictures():
    """Small files that say they are large."""
    canvas = b"RIFF" + struct.pack("<I", 40) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff" * 6
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\1\4\0;"
    bmps = [b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, width, height, 1, bits, rle, 0, 0, 0, colours, 0) + b"\0\1" * 4
            for width, height in ((2**31 - 1, 2**31 - 1), (16384, -8192), (-5, 5), (8, -2**31)) for bits, rle, colours in ((24, 0, 0), (8, 1, 2**32 - 1))]
    return {".webp": [canvas], ".gif": [gif], ".bmp": bmps}


def exifs():
    """Blocks of EXIF: of real files, directories that lie, mutations."""
    for name in ("turned-6.jpg", "little-endian.jpg", "xmp.jpg"):
        file = golden(f"picture_files/{name}")
        block = file[file.index(b"\xff\xe1") + 4:][:200]
        yield block
        yield from mutations(block, 12)
    comment = b"UNICODE\0" + "a cat".encode("utf-16-be")
    entry = struct.pack(">HHHII", 1, 0x8769, 4, 1, 26) + bytes(4) + struct.pack(">HHHII", 1, 0x9286, 7, len(comment), 44) + bytes(4)
    for block in (b"MM\0*\0\0\0\x08" + entry + comment, b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0" * 9):
        yield block
        yield from mutations(block, 12)


# --- tokenizers ----------------------------------------------------------------------------------------------------

def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def piece(text, score=0.0):
    body = b"\x0a" + varint(len(text)) + text + b"\x15" + struct.pack("<f", score)
    return b"\x0a" + varint(len(body)) + body


def spieces():
    small = piece(b"<unk>") + piece("\u2581a".encode()) + piece(b"c") + piece(b"t")
    yield small
    yield from (b"", b"\0", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", small + piece(b""), small + piece(b"c"), small + piece(b"a\0b"),
                small + piece(b"\xff\xfe"), small + piece(b"q" * 200_000), small + piece(b"z", float("nan")),
                small + piece(b"z", float("inf")), small + b"\x1a\x04\x12\2\1\2", small + piece(b"\x1b[2J") * 2)
    yield from mutations(small, 24)
    sound = golden("pipelines/variant-tiny/tokenizer/spiece.model")
    yield sound
    yield from mutations(sound[:20_000], 8)


def json_texts(text, seed=1, count=12, values_each=2):
    """`text`, an object, with nasty values for its keys, other texts in its place, and mutations."""
    yield from NASTY_JSON
    yield from edits(text, values_each)
    yield from mutations(text.encode(), count, seed)


def edits(text, values_each):
    """`text` with each key's value replaced by `values_each` of NASTY_VALUES, all of which have their turn."""
    names = list(json.loads(text))
    for i, name in enumerate(names):
        for j in range(values_each):
            changed = json.loads(text)
            changed[name] = "@@"
            yield json.dumps(changed).replace('"@@"', NASTY_VALUES[(i * values_each + j) % len(NASTY_VALUES)])


def merges():
    sound = golden("pipelines/sd15-tiny/tokenizer/merges.txt")
    yield from (b"", b"a", b"a b c", b"\n\n", b"a b\n" * 2, sound + b"zz zz\n", b"\xff \xfe\n", b"x" * 20_000 + b" y\n", b"\x1b[2J \7\n")
    yield from mutations(sound, 12)


def texts():
    """To be encoded."""
    yield from (b"", b" ", b"\0", b"\xff\xfe", "e\u0301\u0323".encode() * 100, b"<|endoftext|>" * 50, b"a" * 200_000, b"'s" * 1000,
                "\u1100\u1161\u11a8".encode() * 50, "\U0001F468\u200d\U0001F469".encode() * 20, b"-" * 5000, "\u0130".encode() * 80)
    yield from mutations("a cat, it's \u00e9t\u00e9 \u4e00\u4e8c <|startoftext|>".encode(), 12)


# --- files of the command line -------------------------------------------------------------------------------------

def prompt_files():
    yield from (b"", b"\n", b"# nothing\n", b"a cat\n", b"a cat --steps\n", b"a cat --steps 1e999\n", b"--seed 1 --seed 2\n", b"a cat --\x1b[2J 1\n",
                b"a \x1b[2J cat\n", b"\xff\xfe\n", "\u0085\u009b2J --steps x\n".encode(), b"a cat --negative-prompt \"x\n", b"a cat --steps 'x\n",
                b"--prompt x --prompt y\n", b"a --output ../../x.png --nothing\n", b"x" * 100_000 + b" --steps x\n", b"a --" + b"f" * 5000 + b" 1\n",
                b"a cat --steps 0\n" * 50, b"a --attend cat:\n", b"a --width 99999999999999999999\n", b"a\0b\n", b"a --init-image /dev/zero\n")
    yield from mutations(b"a cat -- asleep --seed 7 --negative-prompt \"blurry, dark\"\n--prompt 'a box' --steps 1\n", 24)


def jsonl_files():
    yield from (text.encode() for text in NASTY_JSON)
    for i, value in enumerate(NASTY_VALUES):
        for key in ("prompt", "steps", "seed", "attend", "control_image", "width", "output")[i % 3::3]:
            yield ('{"prompt":"a cat","' + key + '":' + value + "}\n").encode()
    yield b'{"prompt":"a","' + ESCAPES.encode() + b'":1}\n'
    yield b'{"prompt":"a","' + b"k" * 5000 + b'":1}\n'
    yield from mutations(b'{"prompt":"a cat","steps":1,"seed":7,"negative_prompt":"x"}\n', 12)


def toml_files():
    yield from (b"", b"=", b"a", b"steps =", b"steps = 1e999", b"steps = \"1", b"steps = 1\nsteps = 2", b"[a]\n", b"steps = [1]", b"\xff\xfe",
                b"steps = \"\\ud800\"", b"steps = \"\\u001b[2J\"", b"\x1b[2J = 1", b"model = \"" + b"x" * 20_000 + b"\"", b"stepps = 1",
                b"k" * 5000 + b" = 1", b"prompt = '''x'''", b"seed = 99999999999999999999", b"output = \"../../x.png\"", b"model = \"\\u0000\"",
                b"config = \"x.toml\"", b"steps = \"\x1b[2J\"", b"\"steps\" = 1", b"\0", b"steps = " + b"[" * DEPTH)
    yield from mutations(b"# settings\nsteps = 1\nsampler = \"ddim\" # x\nnegative-prompt = 'a, \"b\"'\n", 24)


def words_files():
    yield from NASTY_JSON
    for value in NASTY_VALUES + ['"thesis.tex"', '"../precious.txt"', '"/etc/passwd"', '"00-cat.png/../../thesis.tex"', '"00-cat.png"']:
        yield '{"words":[{"file":' + value + "}]}"
        yield '{"words":' + value + "}"
