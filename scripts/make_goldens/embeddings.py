"""Textual inversion: new words in the forms that programs write, and what diffusers draws with them."""

import torch
from safetensors.torch import load_file, save_file

from common import GOLDEN, randn

OUT = GOLDEN / "loras"


def vectors(name, *shape):
    return randn(*shape, name=f"embeddings.{name}")


def write_files():
    OUT.mkdir(parents=True, exist_ok=True)
    save_file({"<cat-toy>": vectors("cat-toy", 24)}, OUT / "cat-toy.safetensors")
    save_file({"emb_params": vectors("style", 3, 24)}, OUT / "my-style.safetensors")
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": vectors("Blob", 2, 24)}, "name": "BlobArt", "step": 500,
                "sd_checkpoint": None, "sd_checkpoint_name": None}, OUT / "blob.pt")
    save_file({"clip_l": vectors("xl.l", 2, 16), "clip_g": vectors("xl.g", 2, 24)}, OUT / "xl-word.safetensors")


def case(name, pipeline, embeddings, prompt, **changes):
    from pictures import DEFAULTS

    return {"name": name, "pipeline": pipeline} | DEFAULTS | {"steps": 3, "loras": [], "embeddings": embeddings, "prompt": prompt} | changes


CASES = [
    case("word", "sd15-tiny", [["cat-toy.safetensors", ""]], "a red <cat-toy> on the moon"),
    case("words", "sd15-tiny", [["my-style.safetensors", ""], ["cat-toy.safetensors", ""]], "a <Cat-toy>, in my-style; x<cat-toy>y", negative_prompt="my-style"),
    case("word-automatic", "sd15-tiny", [["blob.pt", ""]], "BlobArt of a dog"),
    case("word-other-case", "sd15-tiny", [["blob.pt", ""]], "blobart of a dog, BLOBART"),
    case("word-named", "sd15-tiny", [["blob.pt", "<s1>"]], "a dog in <s1> and a cat <s1>"),
    case("word-xl", "xl-tiny", [["xl-word.safetensors", ""]], "a xl-word circle", negative_prompt="xl-word, dark"),
]


def load(pipe, file, token):
    path = OUT / file
    if file.startswith("xl-"):
        state = load_file(path)
        pipe.load_textual_inversion(state["clip_l"], token=token or path.stem, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
        pipe.load_textual_inversion(state["clip_g"], token=token or path.stem, text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)
        return
    emb_params = file == "my-style.safetensors"
    pipe.load_textual_inversion(str(OUT), weight_name=file, token=token or (path.stem if emb_params else None))


def drawn(it):
    import loras
    from families import measured

    if not (OUT / "blob.pt").exists():
        write_files()
    pipe = loras.opened(it["pipeline"])
    for file, token in it["embeddings"]:
        load(pipe, file, token)
    image, apart = measured(it["name"], lambda: loras.draw(pipe, it), pipe)
    return image, it | apart
