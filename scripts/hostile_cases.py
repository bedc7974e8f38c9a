"""The cases of scripts/hostile: hostile files, and the commands that read them."""
import dataclasses
import os
from typing import Callable

import hostile_files as files
from hostile_files import GOLDEN

SD15 = "pipelines/sd15-tiny"
DRAW = ["--steps", "1", "--sampler", "ddim", "--width", "16", "--height", "16", "--seed", "1", "--threads", "1", "-o", "out/"]
PROMPT = ["-p", "a cat"]
MODEL = os.path.join(GOLDEN, SD15)
SMALL_MODEL = os.path.join(GOLDEN, "families/pipelines/turbo-tiny")  # of 64 pixels where nothing else is said


@dataclasses.dataclass
class Case:
    name: str
    arguments: list[str]
    make: Callable[[str], None]  # given the folder that the command will run in
    is_prompt_file: bool = False
    replaces: str = ""  # the file that may be another afterwards


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


def with_files(contents):
    """A make() that writes path -> bytes."""
    def make(folder):
        for path, data in contents.items():
            write(os.path.join(folder, path), data)
    return make


def link_model(folder, source, without=()):
    """folder/m: links to the files of a golden model, but for `without`."""
    top = os.path.join(GOLDEN, source)
    for place, _, names in os.walk(top):
        for name in names:
            path = os.path.relpath(os.path.join(place, name), top)
            if path in without:
                continue
            target = os.path.join(folder, "m", path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.path.join(place, name), target)


def model_case(name, source, path, data, arguments=None):
    """A golden model with one file replaced, drawn with."""
    def make(folder):
        link_model(folder, source, {path})
        write(os.path.join(folder, "m", path), data)
    return Case(name, arguments or ["-m", "m", *PROMPT, *DRAW], make)


def share(items, most, every):
    """At most so many of the items, spread over all of them; with `every`, all."""
    items = list(items)
    if every or len(items) <= most:
        return items
    return [items[i * len(items) // most] for i in range(most)]


def numbered(name, items, most, every, make_case):
    for number, item in share(enumerate(items), most, every):
        yield make_case(f"{name}-{number:03}", item)


def file_cases(name, path, items, most, every, arguments, is_prompt_file=False):
    """One file each, named in `arguments`."""
    return numbered(name, items, most, every, lambda case, data: Case(case, arguments, with_files({path: data}), is_prompt_file))


# --- groups --------------------------------------------------------------------------------------------------------

def config_cases(every):
    """Each key of each JSON file of a model, and what is no such file at all."""
    configs = ["model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
               "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json"]
    for path in configs:
        name = "config-" + path.split("/")[0].removesuffix(".json").replace("tokenizer", "tokenizer-" + path.split("/")[-1].split("_")[0])
        def make_case(case, data, path=path):
            return model_case(case, SD15, path, data)
        yield from numbered(name, files.edits(files.golden(f"{SD15}/{path}").decode(), len(files.NASTY_VALUES) if every else 1), 999, every, make_case)
        yield from numbered(name + "-whole", files.NASTY_JSON, 2, every, make_case)
    yield from numbered("inspect-model", files.json_texts(files.golden(f"{SD15}/model_index.json").decode()), 8, every,
                        lambda case, data: model_case(case, SD15, "model_index.json", data, ["inspect", "m"]))


def tokenizer_cases(every):
    def replaced(source, path):
        return lambda case, data: model_case(case, source, path, data)
    words = [*files.NASTY_JSON, *('{"a":' + value + "}" for value in files.NASTY_VALUES)]
    yield from numbered("vocabulary", words, 7, every, replaced(SD15, "tokenizer/vocab.json"))
    yield from numbered("merges", files.merges(), 7, every, replaced(SD15, "tokenizer/merges.txt"))
    text = files.golden("pipelines/sd2-tiny/tokenizer/tokenizer.json").decode()
    yield from numbered("tokenizer-json", files.json_texts(text), 9, every, replaced("pipelines/sd2-tiny", "tokenizer/tokenizer.json"))
    yield from numbered("spiece", files.spieces(), 14, every, replaced("pipelines/variant-tiny", "tokenizer/spiece.model"))


def weight_cases(every):
    yield from file_cases("safetensors", "x.safetensors", files.safetensors_files(), 30, every, ["inspect", "x.safetensors"])
    yield from file_cases("pickle", "x.pt", files.pickle_files(), 20, every, ["inspect", "x.pt"])
    weights = "unet/diffusion_pytorch_model.safetensors"
    yield from numbered("unet", files.mutations(files.golden(f"{SD15}/{weights}"), 40, 2), 5, every,
                        lambda case, data: model_case(case, SD15, weights, data))
    index = files.golden(f"pipelines/sd2-tiny/{weights}.index.json").decode()
    yield from numbered("index", files.json_texts(index), 6, every,
                        lambda case, data: model_case(case, "pipelines/sd2-tiny", weights + ".index.json", data))
    for name, most in (("alphas", 5), ("lycoris", 3), ("xl-peft", 3)):
        yield from file_cases(f"lora-{name}", "x.safetensors", files.mutations(files.golden(f"loras/{name}.safetensors"), 40), most, every,
                              ["-m", MODEL, "--lora", "x.safetensors", *PROMPT, *DRAW])
    config = '{"r":1,"lora_alpha":1,"use_rslora":false,"alpha_pattern":{"mid":2}}'
    adapter = {"adapter_model.safetensors": files.golden("loras/peft.safetensors")}
    yield from numbered("lora-config", files.json_texts(config), 6, every, lambda case, data: Case(
        case, ["-m", MODEL, "--lora", ".", *PROMPT, *DRAW], with_files({**adapter, "adapter_config.json": data})))
    yield from file_cases("embedding", "x.safetensors", files.mutations(files.golden("loras/cat-toy.safetensors"), 40), 8, every,
                          ["-m", MODEL, "--embedding", "x.safetensors", *PROMPT, *DRAW])
    yield from file_cases("lora-pickle", "x.bin", files.pickle_files(), 4, every, ["-m", MODEL, "--lora", "x.bin", *PROMPT, *DRAW])


def picture_cases(every):
    draw = ["-m", MODEL, *PROMPT, *DRAW]
    start = {"start.png": files.golden("families/start.png")}
    yield from file_cases("png-inspect", "x.png", files.pngs(), 10, every, ["inspect", "x.png"])
    yield from file_cases("png-init", "x.png", files.pngs(), 14, every, [*draw, "--init-image", "x.png"])
    yield from file_cases("jpeg-inspect", "x.jpg", files.jpegs(), 5, every, ["inspect", "x.jpg"])
    yield from file_cases("jpeg-init", "x.jpg", files.jpegs(), 9, every, [*draw, "--init-image", "x.jpg"])
    for ending in (".webp", ".avif", ".gif", ".bmp"):
        yield from file_cases(f"{ending[1:]}-inspect", f"x{ending}", files.picture_files(ending), 2, every, ["inspect", f"x{ending}"])
        yield from file_cases(f"{ending[1:]}-init", f"x{ending}", files.picture_files(ending), 5, every, [*draw, "--init-image", f"x{ending}"])
    yield from numbered("mask", [*files.pngs(), *files.jpegs()], 8, every, lambda case, data: Case(
        case, [*draw, "--init-image", "start.png", "--mask", "x.png"], with_files({**start, "x.png": data})))
    control = os.path.join(GOLDEN, "controlnets/sd15-edges")
    yield from file_cases("control-image", "x.png", files.pngs(), 4, every, [*draw, "--controlnet", control, "--control-image", "x.png"])
    drawn = (files.png(files.header(16, 16), (b"tEXt", text), (b"IDAT", files.rows(16, 16)), (b"IEND", b"")) for text in files.text_chunks())
    yield from file_cases("edit-from", "x.png", drawn, 12, every,
                          ["-m", SMALL_MODEL, "-p", "a dog", "--edit-from", "x.png", "--threads", "1", "-o", "out/"])
    # What an earlier run is said to have left in out/, and what is not its own.
    yield from numbered("words", files.words_files(), 8, every, lambda case, data: Case(
        case, [*draw, "--attention-maps", "out", "--overwrite"],
        with_files({"out/thesis.tex": b"precious", "precious.txt": b"precious", "out/words.json": data}), replaces="out/words.json"))


def text_cases(every):
    draw = ["-m", MODEL, *DRAW]
    yield from file_cases("prompts", "p.txt", files.prompt_files(), 16, every, [*draw, "--prompt-file", "p.txt"], True)
    yield from file_cases("jsonl", "p.jsonl", files.jsonl_files(), 18, every, [*draw, "--prompt-file", "p.jsonl"], True)
    yield from file_cases("toml", "c.toml", files.toml_files(), 16, every, [*draw, *PROMPT, "--config", "c.toml"])


def odd_files(folder):
    """A pipe without a writer, a link to itself, a link to nothing, a link to a device."""
    os.mkfifo(os.path.join(folder, "fifo"))
    os.symlink("loop", os.path.join(folder, "loop"))
    os.symlink("nowhere", os.path.join(folder, "dangling"))
    os.symlink("/dev/zero", os.path.join(folder, "device"))


def link_cases(_):
    uses = {"inspect": ["inspect", "@"], "convert": ["convert", "@", "out/x.safetensors"], "model": ["-m", "@", *PROMPT, *DRAW],
            "lora": ["-m", MODEL, "--lora", "@", *PROMPT, *DRAW], "init": ["-m", MODEL, "--init-image", "@", *PROMPT, *DRAW],
            "edit": ["-m", MODEL, "--edit-from", "@", *PROMPT, *DRAW]}
    for use, arguments in uses.items():
        for name in ("fifo", "loop", "dangling", "device"):
            yield Case(f"odd-{use}-{name}", [name if word == "@" else word for word in arguments], odd_files)
    for path in ("model_index.json", "unet/config.json", "tokenizer/vocab.json", "unet/diffusion_pytorch_model.safetensors"):
        for name in ("fifo", "device"):
            def make(folder, path=path, name=name):
                odd_files(folder)
                link_model(folder, SD15, {path})
                os.symlink(os.path.join(folder, name), os.path.join(folder, "m", path))
            yield Case(f"odd-{path.split('/')[-1].split('.')[0]}-{name}", ["-m", "m", *PROMPT, *DRAW], make)


def package_that_escapes(folder):
    """Links that point out of the model, as a downloaded archive may hold them."""
    os.makedirs(os.path.join(folder, "pkg"))
    link_model(os.path.join(folder, "pkg"), SD15)
    write(os.path.join(folder, "pkg", ".ssh", "authorized_keys"), "attacker\n")
    for i in range(3):
        os.symlink("../.ssh", os.path.join(folder, "pkg", "m", f"d{i}"))
    os.symlink("../.ssh/authorized_keys", os.path.join(folder, "pkg", "m", "k"))


def convert_cases(every):
    yield from file_cases("convert", "x.safetensors", files.safetensors_files(), 6, every, ["convert", "x.safetensors", "out/y.safetensors"])
    yield from file_cases("convert-pickle", "x.pt", files.pickle_files(), 5, every, ["convert", "x.pt", "out/y.safetensors"])
    yield Case("convert-escapes", ["convert", "pkg/m", "out/home"], package_that_escapes)
    def existing(folder):
        link_model(folder, SD15)
        write(os.path.join(folder, "taken", "precious.txt"), "precious")
        write(os.path.join(folder, "file"), "precious")
        os.symlink("taken", os.path.join(folder, "link"))
    for name, target in (("folder", "taken"), ("file", "file"), ("link", "link"), ("itself", "m"), ("inside", "m/unet/deeper"),
                         ("below-a-file", "file/x"), ("no-folder", "none/x"), ("dot", "."), ("empty", ""), ("long", "x" * 300)):
        yield Case(f"convert-to-{name}", ["convert", "m", target], existing)
    def odd_model(folder):
        link_model(folder, SD15)
        os.mkfifo(os.path.join(folder, "m", "fifo"))
        os.symlink("loop", os.path.join(folder, "m", "loop"))
    yield Case("convert-odd-files", ["convert", "m", "out/y"], odd_model)
    for name, target in (("folder-of-none", "none/none/x.png"), ("file", "file/x.png"), ("device", "/dev/full")):
        yield Case(f"output-{name}", ["-m", "m", *PROMPT, *DRAW[:-1], target], existing)


def cases(every=False):
    """All cases, or the share of them that every run of the tests can afford."""
    return [case for group in (config_cases, tokenizer_cases, weight_cases, picture_cases, text_cases, link_cases, convert_cases)
            for case in group(every)]
