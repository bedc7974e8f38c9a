"""The ways in which other programs store weights, words and LoRAs, and what these are. Writes tests/golden/stored/.

Weights with scales are multiplied out by torch in double; LoRA patterns are PEFT's, words diffusers' (the pictures of
embeddings.py, under other names), the control LoRA is added up here and drawn by diffusers."""

import json
import re
import shutil

import torch
from common import GOLDEN, load_pipeline, randn, write_cases, write_json, write_tensors
from safetensors.torch import save_file

OUT = GOLDEN / "stored"
E4, E5 = torch.float8_e4m3fn, torch.float8_e5m2


def quantized(name, shape, scale, dtype):
    """Codes for random numbers and these scales, which must fit the shape."""
    numbers = randn(*shape, name=f"stored.{name}") / scale
    return numbers.round().clamp(-127, 127).to(dtype) if dtype == torch.int8 else numbers.to(dtype)


def scales(name, *shape):
    return randn(*shape, name=f"stored.{name}.scale").abs() * 0.01 + 0.003


def text_bytes(value):
    return torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)


def scaled():
    """(what is stored, what it stands for): every layout that is read."""
    stored, read = {}, {}

    def add(name, shape, scale, dtype, ending, expanded=None, **more):
        wide = scale if expanded is None else expanded
        codes = quantized(name, shape, wide, dtype)
        stored[f"{name}.weight"], stored[f"{name}.{ending}"] = codes, scale
        stored.update({f"{name}.{key}": value for key, value in more.items()})
        read[f"{name}.weight"] = (codes.double() * wide.double()).float()

    one = torch.tensor(0.02)
    add("comfy", (6, 8), one, E4, "scale_weight", scale_input=torch.tensor(1.5), bias=torch.ones(6))
    read["comfy.bias"] = torch.ones(6)
    add("conv", (4, 3, 3, 3), torch.tensor([0.001]), E5, "weight_scale", input_scale=torch.tensor(2.0))
    add("half", (6, 8), one.half(), E4, "weight_scale", comfy_quant=text_bytes({"format": "float8_e4m3fn"}))
    rows = scales("rows", 6, 1)
    add("rows", (6, 8), rows, E4, "weight_scale")
    add("row_list", (6, 8), rows.flatten(), E4, "scale_weight", rows)
    add("row_conv", (6, 4, 3, 3), rows.flatten(), E4, "weight_scale", rows.view(6, 1, 1, 1))
    add("whole", (6, 8), rows, torch.int8, "weight_scale", comfy_quant=text_bytes({"format": "int8_tensorwise", "per_row": True}))
    groups = scales("groups", 6, 2)
    add("groups", (6, 8), groups, torch.int8, "weight_scale", groups.repeat_interleave(4, 1))
    blocks = scales("blocks", 2, 2)
    wide = blocks.repeat_interleave(128, 0).repeat_interleave(128, 1)[:130, :140]
    add("blocks", (130, 140), blocks, E4, "weight_scale_inv", wide)
    add("eight", (6, 8), rows.flatten() * 127, torch.int8, "SCB", rows, weight_format=torch.tensor(0, dtype=torch.uint8))
    codes = quantized("quanto", (6, 8), rows, torch.int8)
    stored.update({"quanto.weight._data": codes, "quanto.weight._scale": rows, "quanto.input_scale": one, "quanto.output_scale": one})
    read["quanto.weight"] = (codes.double() * rows.double()).float()
    stored["plain.weight"] = read["plain.weight"] = randn(3, 4, name="stored.plain").half()
    stored["fp8.weight"] = read["fp8.weight"] = randn(3, 4, name="stored.fp8").to(E4)
    stored["scaled_fp8"] = torch.empty(0, dtype=E4)
    return stored, read


def words():
    from embeddings import vectors

    toy = vectors("cat-toy", 24)
    parameters = torch.nn.ParameterDict({"<cat-toy>": torch.nn.Parameter(toy.view(1, 24))})
    torch.save({"string_to_token": {"toy": 265}, "string_to_param": {"toy": toy.view(1, 24)}, "name": "<cat-toy>", "step": 3}, OUT / "named.pt")
    torch.save({"string_to_token": {"<cat-toy>": torch.tensor(265)}, "string_to_param": parameters}, OUT / "parameters.pt")
    torch.save(toy, OUT / "bare.pt")
    torch.save({"string_to_param": {"a": toy, "b": toy}}, OUT / "two.pt")
    save_file({"text_encoders_0": vectors("xl.l", 2, 16), "text_encoders_1": vectors("xl.g", 2, 24)}, OUT / "xl-numbered.safetensors")


PATTERNS = (
    r"to_k", r"attn1.to_k", r"down_blocks\.\d+.*to_k", r"^down_blocks", r"^down_blocks.*", r".*", r"", r"to_(q|k)", r"to_q|to_k", r"(?:attn1|attn2)\.to_v",
    r"(?P<which>to_q)", r"[^.]+", r"[a-z_]+\d\.to_k", r"[\w.]+", r"blocks\.[0-2]\.attn1\.to_k", r"attn\d{1}\.to_k", r"attn\d{2,}\.to_k", r"attn\d{,3}\.to_.",
    r"to_k$", r"\Adown_blocks\.0.*\Z", r"\bto_k\b", r"\Bo_k", r".*?to_k", r".+?\.to_k", r"(a|b|c)*to_k", r"(a*)*to_k", r"(?!attn1)\w+\.to_k", r"(?=attn1)\w+\.to_k",
    r"to_k{", r"{2", r"to_[k-q]", r"to_[\x6bq]", r"to_[]k]", r"to_[^]k]", r"\x74o_k", r"down_blocks.0|to_q", r"to_k\.", r"TO_K", r"to_k+", r"to_kk?", r"(?#note)to_k",
    r"mid.*to_k", r"blocks", r"\.to_k", r"attentions\.0\..*|mid_block", r"\S+", r"\s*", r"to_k\s?", r"((((to_k))))", r"(to_k)?", r"(x+x+)+y", r"[.]to_k", r"[\d]", r"[a\-z]+",
)
NAMES = ("to_k", "mid_block", "attn1.to_k", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q",
         "up_blocks.2.attentions.1.transformer_blocks.0.attn2.to_v", "mid_block.attentions.0.proj_in", "a-z", "xto_k", "down_blocks.10.to_k", "x" * 30, "to_k{", "ab.{2")
BAD = ("(", ")", "a)(b", "[a", "*a", "a**", "a{3,1}", "\\", "(?<a)", "(?P<a", "\\q", "[z-a]", "+", "a|*", "(?i)a", "(a)\\1", "(?<=a)b", "a++", "(?P=x)")


def matches(pattern, name):
    return bool(re.match(rf"(.*\.)?({pattern})$", name))


def lora_patterns():
    """A folder as PEFT saves it, but for the order of its patterns, and the picture of the UNet that it makes of that."""
    from loras import draw
    from peft import LoraConfig, PeftModel, get_peft_model
    from pictures import DEFAULTS

    pipe = load_pipeline("sd15-tiny")
    config = LoraConfig(
        r=2,
        lora_alpha=2,
        target_modules=r"(down_blocks\.[01]|mid_block).*(to_k|to_q)",
        alpha_pattern={r"down_blocks\.\d+.*attn1\.to_k": 8, r"to_k": 3, r"mid_block.*": 5, r".*to_k": 0.5},
        rank_pattern={r".*attn2\.to_q": 3},
    )
    model = get_peft_model(pipe.unet, config)
    for name, parameter in sorted(model.named_parameters()):
        if "lora_" in name:
            parameter.data = randn(*parameter.shape, name=f"stored.{name}") * 0.35
    model.save_pretrained(OUT / "patterns", safe_serialization=True)
    (OUT / "patterns" / "README.md").unlink(missing_ok=True)
    path = OUT / "patterns" / "adapter_config.json"
    write_json(path, json.loads(path.read_text()) | {"alpha_pattern": config.alpha_pattern})
    pipe = load_pipeline("sd15-tiny")
    pipe.unet = PeftModel.from_pretrained(pipe.unet, OUT / "patterns").merge_and_unload()
    it = {"name": "patterns", "pipeline": "sd15-tiny"} | DEFAULTS | {"steps": 3}
    return draw(pipe, it), it


def control_lora():
    """A ControlNet that is its UNet's way down with some layers changed: the file, and the picture that it steers."""
    from controlnets import COPIED, control, draw
    from diffusers import ControlNetModel

    pipe = load_pipeline("sd15-tiny")
    pipe.own_scheduler = pipe.scheduler
    config = {key: pipe.unet.config[key] for key in COPIED if key in pipe.unet.config}
    net = ControlNetModel(**config, conditioning_embedding_out_channels=(4, 4, 8, 8))
    base, file, weights = pipe.unet.state_dict(), {"lora_controlnet": torch.empty(0)}, {}
    for key, value in sorted(net.state_dict().items()):
        if key not in base:
            gain = 0.3 if key.startswith("controlnet_cond") else 0.5
            file[key] = weights[key] = randn(*value.shape, name=f"stored.control.{key}") * (gain / max(1, value[0].numel()) ** 0.5)
            continue
        weights[key] = base[key]
        if key.endswith(("attn1.to_q.weight", "resnets.0.conv1.weight")):
            layer, rank = key.removesuffix(".weight"), 2
            down = randn(rank, *value.shape[1:], name=f"stored.control.{key}.down") / value[0].numel() ** 0.5
            up = randn(value.shape[0], rank, *([1] * (value.dim() - 2)), name=f"stored.control.{key}.up")
            file |= {f"{layer}.up": up, f"{layer}.down": down}
            weights[key] = base[key] + (up.flatten(1) @ down.flatten(1)).reshape(value.shape)
        elif key.endswith("conv1.bias"):
            file[key] = weights[key] = base[key] + 0.1
    net.load_state_dict(weights)
    write_tensors(OUT / "control-lora.safetensors", file)
    it = control("control-lora", "sd15-tiny", ["control-lora"], ["start.png"])
    return draw(pipe, {"control-lora": net.eval()}, it), it


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    stored, read = scaled()
    write_tensors(OUT / "scaled.safetensors", stored)
    write_tensors(OUT / "scaled-read.safetensors", read)
    words()
    write_json(OUT / "name_patterns.json", {"names": NAMES, "bad": BAD, "patterns": [[each, [matches(each, name) for name in NAMES]] for each in PATTERNS]})
    pictures, cases = {}, []
    for picture, it in (lora_patterns(), control_lora()):
        pictures[it["name"]] = picture
        cases.append(it)
    for path in OUT.rglob("*.*"):
        path.chmod(0o644)
    write_tensors(OUT / "pictures.safetensors", pictures)
    write_cases(OUT / "pictures.json", {}, cases)
