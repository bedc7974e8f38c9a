"""CLIP's tokenizer folder from the merges in a wheel of open_clip_torch: clip_vocabulary.py WHEEL FOLDER"""

import gzip
import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile

MERGES = "open_clip/bpe_simple_vocab_16e6.txt.gz"
SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
TOKENS = 49408
BOS, EOS = "<|startoftext|>", "<|endoftext|>"


def byte_letters():
    """GPT-2's letter for each byte: printable ones stand for themselves, the others for U+0100 onwards."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("\xa1"), ord("\xac") + 1), *range(ord("\xae"), ord("\xff") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + i) for i in range(len(others))]


def read_merges(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read(MERGES)
    found = hashlib.sha256(packed).hexdigest()
    if found != SHA256:
        sys.exit(f"{wheel}: {MERGES} has the sha256 {found}, expected {SHA256}")
    lines = gzip.decompress(packed).decode("utf-8").split("\n")
    letters = byte_letters()
    count = TOKENS - 2 * len(letters) - 2  # what the ids of the trained models leave room for
    return letters, lines[1 : 1 + count]


def write_folder(folder, letters, merges):
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges), BOS, EOS]
    assert len(tokens) == len(set(tokens)) == TOKENS
    special = {"bos_token": BOS, "eos_token": EOS, "unk_token": EOS, "pad_token": EOS}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **special}
    files = {
        "vocab.json": json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False),
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]),
        "tokenizer_config.json": json.dumps(config, indent=1),
        "special_tokens_map.json": json.dumps(special, indent=1),
    }
    os.makedirs(os.path.dirname(os.path.abspath(folder)), exist_ok=True)
    scratch = tempfile.mkdtemp(dir=os.path.dirname(os.path.abspath(folder)))
    os.chmod(scratch, 0o755)
    for name, text in files.items():
        with open(os.path.join(scratch, name), "w", encoding="utf-8") as file:
            file.write(text)
    try:
        os.rename(scratch, folder)  # nothing, or an empty folder, may be there
    except OSError as error:
        shutil.rmtree(scratch)
        sys.exit(f"{folder}: cannot be written: {error.strerror}")


def main():
    wheel, folder = sys.argv[1:]
    write_folder(folder, *read_merges(wheel))


main()
