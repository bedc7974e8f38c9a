"""LoRAs in the forms that programs write, and what diffusers makes of them. Writes tests/golden/loras/.

Pictures come from diffusers' own loaders with the LoRA fused; forms it cannot load (LoHa, LoKr, CP decomposition,
whole differences, DoRA by inputs) are checked as weights, by the formulas of the LyCORIS paper written out here."""

import json
import shutil

import torch
from families import load_family, measured
from pictures import DEFAULTS
from safetensors.torch import save_file

from common import GOLDEN, load_pipeline, randn, write_cases, write_tensors

OUT = GOLDEN / "loras"
ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0"
XL_ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.1"


def pair(weight, rank, name, gain=0.4):
    """down and up for a weight [out, in, ...]; the change is about `gain` times as large as the weight."""
    out, ins = weight.shape[0], weight.shape[1:]
    down = randn(rank, *ins, name=f"{name}.down") / weight[0].numel() ** 0.5
    up = randn(out, rank, *([1] * (weight.dim() - 2)), name=f"{name}.up") / rank**0.5 * gain
    return down, up


def kohya(weights, layers, name, rank=2, alpha=1.0):
    """layers: {kohya's name: (component, our name)}"""
    out = {}
    for long, (component, short) in layers.items():
        weight = weights[component][f"{short}.weight"]
        down, up = pair(weight, rank, f"{name}.{long}")
        out |= {f"{long}.lora_down.weight": down, f"{long}.lora_up.weight": up, f"{long}.alpha": torch.tensor(alpha)}
    return out


def peft(weights, layers, name, rank=2, down="lora_A", up="lora_B"):
    out = {}
    for component, short in layers:
        a, b = pair(weights[component][f"{short}.weight"], rank, f"{name}.{short}")
        prefix = f"{component}.text_model" if component.startswith("text") else component
        out |= {f"{prefix}.{short}.{down}.weight": a, f"{prefix}.{short}.{up}.weight": b}
    return out


def dora(weights, layers, name):
    """With PEFT's magnitudes; diffusers leaves out LyCORIS' dora_scale."""
    out = peft(weights, layers, name)
    for component, short in layers:
        norms = weights[component][f"{short}.weight"].norm(dim=1)
        out[f"{component}.{short}.lora_magnitude_vector"] = norms * (1 + 0.3 * randn(*norms.shape, name=f"{name}.{short}.m"))
    return out


def processors(weights, name):
    out = {}
    for attention in ("attn1", "attn2"):
        for ours, theirs in (("to_q", "to_q"), ("to_v", "to_v"), ("to_out.0", "to_out")):
            down, up = pair(weights["unet"][f"{ATTENTION}.{attention}.{ours}.weight"], 2, f"{name}.{attention}.{ours}")
            key = f"unet.{ATTENTION}.{attention}.processor.{theirs}_lora"
            out |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
    return out


def sd15_files(weights):
    unet = {f"lora_unet_{n.replace('.', '_')}": ("unet", n) for n in (
        f"{ATTENTION}.attn1.to_q", f"{ATTENTION}.attn2.to_v", f"{ATTENTION}.ff.net.0.proj", "down_blocks.0.attentions.0.proj_in",
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0", "up_blocks.1.resnets.0.conv1", "up_blocks.1.resnets.0.conv_shortcut",
        "down_blocks.0.downsamplers.0.conv", "up_blocks.2.resnets.1.time_emb_proj")}
    text = {f"lora_te_text_model_{n.replace('.', '_')}": ("text_encoder", n) for n in ("encoder.layers.0.self_attn.q_proj", "encoder.layers.0.self_attn.out_proj", "encoder.layers.1.mlp.fc1")}
    layers = [("unet", f"{ATTENTION}.attn1.to_k"), ("unet", f"{ATTENTION}.attn2.to_out.0"), ("unet", "down_blocks.1.resnets.0.conv2"),
              ("text_encoder", "encoder.layers.1.self_attn.v_proj")]
    return {
        "kohya": (kohya(weights, unet | text, "kohya"), None),
        "peft": (peft(weights, layers, "peft"), None),
        "diffusers": (peft(weights, [each for each in layers if each[0] == "unet"], "diffusers", down="lora.down", up="lora.up"), None),
        "processors": (processors(weights, "processors"), None),
        "dora": (dora(weights, layers[:2], "dora"), None),
        "alphas": (peft(weights, layers[:2], "alphas"), {"unet.r": 2, "unet.lora_alpha": 3, "unet.target_modules": ["to_k", "to_out.0"],
                                                         "unet.alpha_pattern": {f"{ATTENTION}.attn1.to_k": 1}, "unet.rank_pattern": {}}),
    }


def xl_files(weights):
    diffusers = {f"lora_unet_{n.replace('.', '_')}": ("unet", n) for n in (f"{XL_ATTENTION}.attn1.to_k", "up_blocks.0.attentions.0.proj_out")}
    # input block 4: level 1's first layer, as each level has one resnet and all but the last a downsampler
    original = {
        "lora_unet_input_blocks_3_1_transformer_blocks_1_attn2_to_k": ("unet", f"{XL_ATTENTION}.attn2.to_k"),
        "lora_unet_middle_block_1_transformer_blocks_0_ff_net_2": ("unet", "mid_block.attentions.0.transformer_blocks.0.ff.net.2"),
        "lora_unet_output_blocks_0_1_proj_in": ("unet", "up_blocks.0.attentions.0.proj_in"),
        "lora_unet_input_blocks_1_0_in_layers_2": ("unet", "down_blocks.0.resnets.0.conv1"),
        "lora_unet_output_blocks_3_0_skip_connection": ("unet", "up_blocks.1.resnets.1.conv_shortcut"),
        "lora_unet_input_blocks_3_0_emb_layers_1": ("unet", "down_blocks.1.resnets.0.time_emb_proj"),
    }
    # diffusers tells the text encoder's form from an output projection
    text = {"lora_te1_text_model_encoder_layers_0_self_attn_k_proj": ("text_encoder", "encoder.layers.0.self_attn.k_proj"),
            "lora_te1_text_model_encoder_layers_0_self_attn_out_proj": ("text_encoder", "encoder.layers.0.self_attn.out_proj"),
            "lora_te2_text_model_encoder_layers_1_self_attn_out_proj": ("text_encoder_2", "encoder.layers.1.self_attn.out_proj"),
            "lora_te2_text_model_encoder_layers_1_mlp_fc2": ("text_encoder_2", "encoder.layers.1.mlp.fc2")}
    layers = [("unet", f"{XL_ATTENTION}.attn2.to_q"), ("text_encoder", "encoder.layers.0.self_attn.out_proj"), ("text_encoder_2", "encoder.layers.0.self_attn.q_proj")]
    return {"xl-kohya": (kohya(weights, diffusers | text, "xl-kohya"), None), "xl-original": (kohya(weights, original | text, "xl-original", alpha=2.0), None),
            "xl-peft": (peft(weights, layers, "xl-peft"), None)}


# LyCORIS, as in its paper's appendix: Hadamard and Kronecker products, kernels in the middle.
def cp(a, t, b):
    """sum over i, j of a[i, out] t[i, j, ...] b[j, in]"""
    return torch.einsum("io,ijhw,jn->onhw", a.double(), t.double(), b.double())


def lycoris(unet):
    linear, conv, small = f"{ATTENTION}.attn1.to_q", "down_blocks.0.resnets.0.conv1", f"{ATTENTION}.attn2.to_k"
    out, expected = {}, {}

    def add(name, layer, parts, delta, factor=1.0, norms=None):
        weight, parts = unet[f"{layer}.weight"].double(), {k: v if torch.is_tensor(v) else torch.tensor(v) for k, v in parts.items()}
        merged = weight + 0.7 * factor * delta.reshape(weight.shape)
        if norms:
            merged = norms(merged)
        key = f"lora_unet_{layer.replace('.', '_')}"
        out[name], expected[name] = {f"{key}.{part}": value for part, value in parts.items()}, merged.float()
        return name, layer

    r = lambda name, *shape: randn(*shape, name=f"lycoris.{name}") * 0.5  # noqa: E731
    o, i = unet[f"{linear}.weight"].shape
    c, d, k, _ = unet[f"{conv}.weight"].shape
    places = []
    a1, b1, a2, b2 = r("a1", o, 2), r("b1", 2, i), r("a2", o, 2), r("b2", 2, i)
    hada = {"hada_w1_a": a1, "hada_w1_b": b1, "hada_w2_a": a2, "hada_w2_b": b2, "alpha": 1.0}
    product = (a1.double() @ b1.double()) * (a2.double() @ b2.double())
    places.append(add("loha", linear, hada, product, 0.5))
    a1, b1, a2, b2 = r("ca1", c, 2), r("cb1", 2, d * k * k), r("ca2", c, 2), r("cb2", 2, d * k * k)
    places.append(add("loha-conv", conv, {"hada_w1_a": a1, "hada_w1_b": b1, "hada_w2_a": a2, "hada_w2_b": b2, "alpha": 4.0}, (a1.double() @ b1.double()) * (a2.double() @ b2.double()), 2.0))
    t1, a1, b1, t2, a2, b2 = r("t1", 2, 2, k, k), r("ta1", 2, c), r("tb1", 2, d), r("t2", 2, 2, k, k), r("ta2", 2, c), r("tb2", 2, d)
    places.append(add("loha-cp", conv, {"hada_t1": t1, "hada_w1_a": a1, "hada_w1_b": b1, "hada_t2": t2, "hada_w2_a": a2, "hada_w2_b": b2, "alpha": 2.0}, cp(a1, t1, b1) * cp(a2, t2, b2)))
    w1, w2 = r("w1", 2, 4), r("w2", o // 2, i // 4)
    places.append(add("lokr-whole", linear, {"lokr_w1": w1, "lokr_w2": w2, "alpha": 9.0}, torch.kron(w1.double(), w2.double())))
    w1a, w1b, w2a, w2b = r("w1a", 4, 1), r("w1b", 1, 2), r("w2a", o // 4, 1), r("w2b", 1, i // 2)
    places.append(add("lokr", linear, {"lokr_w1_a": w1a, "lokr_w1_b": w1b, "lokr_w2_a": w2a, "lokr_w2_b": w2b, "alpha": 0.5}, torch.kron(w1a.double() @ w1b.double(), w2a.double() @ w2b.double()), 0.5))
    w1, w2a, w2b = r("kw1", 2, 2), r("kw2a", c // 2, 2), r("kw2b", 2, d // 2 * k * k)
    second = (w2a.double() @ w2b.double()).reshape(c // 2, d // 2, k, k)
    places.append(add("lokr-conv", conv, {"lokr_w1": w1, "lokr_w2_a": w2a, "lokr_w2_b": w2b, "alpha": 1.0}, torch.kron(w1.double()[:, :, None, None], second), 0.5))
    w1, t2, w2a, w2b = r("pw1", 2, 2), r("pt2", 2, 2, k, k), r("pw2a", 2, c // 2), r("pw2b", 2, d // 2)
    places.append(add("lokr-cp", conv, {"lokr_w1": w1, "lokr_t2": t2, "lokr_w2_a": w2a, "lokr_w2_b": w2b, "alpha": 2.0}, torch.kron(w1.double()[:, :, None, None], cp(w2a, t2, w2b).contiguous())))
    down, mid, up = r("md", 2, d, 1, 1), r("mm", 2, 2, k, k), r("mu", c, 2, 1, 1)
    places.append(add("locon-cp", conv, {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up, "alpha": 1.0}, torch.einsum("op,pqhw,qi->oihw", up[:, :, 0, 0].double(), mid.double(), down[:, :, 0, 0].double()), 0.5))
    places.append(add("diff", small, {"diff": r("diff", *unet[f"{small}.weight"].shape)}, r("diff", *unet[f"{small}.weight"].shape).double()))
    down, up = r("dd", 2, i), r("du", o, 2)
    m_out, m_in = r("mo", o, 1).abs() + 1, r("mi", 1, i).abs() + 1
    delta = up.double() @ down.double()
    low = {"lora_down.weight": down, "lora_up.weight": up, "alpha": 1.0}
    places.append(add("dora-out", linear, low | {"dora_scale": m_out}, delta, 0.5, lambda w: w / w.norm(dim=1, keepdim=True) * m_out))
    places.append(add("dora-in", linear, low | {"dora_scale": m_in}, delta, 0.5, lambda w: w / w.norm(dim=0, keepdim=True) * m_in))
    places.append(add("dora-loha", linear, hada | {"dora_scale": m_out}, product, 0.5, lambda w: w / w.norm(dim=1, keepdim=True) * m_out))
    return out, expected, places


def case(name, pipeline, loras, **changes):
    return {"name": name, "pipeline": pipeline} | DEFAULTS | {"steps": 3, "loras": loras} | changes


CASES = [
    case("kohya", "sd15-tiny", [["kohya.safetensors", 1.0]]),
    case("peft", "sd15-tiny", [["peft.safetensors", 0.8]]),
    case("diffusers", "sd15-tiny", [["diffusers.safetensors", -0.6]]),
    case("processors", "sd15-tiny", [["processors.safetensors", 1.0]]),
    case("dora", "sd15-tiny", [["dora.safetensors", 0.7]]),
    case("alphas", "sd15-tiny", [["alphas.safetensors", 1.0]]),
    case("several", "sd15-tiny", [["kohya.safetensors", 0.5], ["peft.safetensors", 0.7], ["processors.safetensors", 0.4]]),
    # the settings of an LCM-LoRA
    case("lcm", "sd15-tiny", [["peft.safetensors", 1.0]], sampler="lcm", steps=4, guidance_scale=1.5, count=2),
    case("xl-kohya", "xl-tiny", [["xl-kohya.safetensors", 1.0]]),
    case("xl-original", "xl-tiny", [["xl-original.safetensors", 0.8]]),
    case("xl-several", "xl-tiny", [["xl-peft.safetensors", 0.9], ["xl-original.safetensors", 0.5]]),
]


def opened(name):
    pipe = load_family(GOLDEN / "families" / "pipelines" / name) if name.startswith("xl") else load_pipeline(name)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def weights_of(pipe):
    parts = {"unet": pipe.unet, "text_encoder": pipe.text_encoder} | ({"text_encoder_2": pipe.text_encoder_2} if hasattr(pipe, "text_encoder_2") else {})
    return {name: {k.removeprefix("text_model."): v.detach().clone() for k, v in part.state_dict().items()} for name, part in parts.items()}


def draw(pipe, it):
    from families import draw as draw_plain

    return draw_plain(pipe, pipe.scheduler, it)


PLAIN = {}


def drawn(it):
    pipe = opened(it["pipeline"])
    settings = tuple(it[key] for key in ("pipeline", "sampler", "seed"))
    if settings not in PLAIN:
        PLAIN[settings] = draw(pipe, it)
    plain = PLAIN[settings]
    names = []
    for number, (file, _) in enumerate(it["loras"]):
        names.append(f"lora{number}")
        source = OUT / file
        pipe.load_lora_weights(str(source.parent), weight_name=file, adapter_name=names[-1])
    pipe.set_adapters(names, [scale for _, scale in it["loras"]])
    components = [c for c in ("unet", "text_encoder", "text_encoder_2") if hasattr(pipe, c)]
    pipe.fuse_lora(components=components, adapter_names=names)
    pipe.unload_lora_weights()
    image, apart = measured(it["name"], lambda: draw(pipe, it), pipe)
    changed = (image.int() - plain.int()).abs().float().mean().item()
    print(f"    changes the picture by {changed:.1f}")
    assert changed > 2, "the LoRA changes too little to be seen"
    return image, it | apart


def main():
    import embeddings

    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    files = sd15_files(weights_of(opened("sd15-tiny"))) | xl_files(weights_of(opened("xl-tiny")))
    for name, (tensors, metadata) in files.items():
        keep = {"lora_adapter_metadata": json.dumps(metadata)} if metadata else None
        save_file({k: v.contiguous() for k, v in sorted(tensors.items())}, OUT / f"{name}.safetensors", metadata=keep)
        if name == "peft":
            torch.save(dict(sorted(tensors.items())), OUT / f"{name}.bin")
    lyco, expected, places = lycoris(weights_of(opened("sd15-tiny"))["unet"])
    tensors = {f"{name}|{key}": value for name, parts in lyco.items() for key, value in parts.items()}
    write_tensors(OUT / "lycoris.safetensors", tensors | {f"{name}|merged": value for name, value in expected.items()})
    pictures, cases = {}, []
    for it in CASES:
        pictures[it["name"]], told = drawn(it)
        cases.append(told)
        if it["name"] == "peft":
            cases.append(told | {"name": "peft-pickled", "loras": [["peft.bin", 0.8]], "picture": "peft"})
    for it in embeddings.CASES:
        pictures[it["name"]], told = embeddings.drawn(it)
        cases.append(told)
    for path in OUT.iterdir():
        path.chmod(0o644)
    write_tensors(OUT / "pictures.safetensors", pictures)
    write_cases(OUT / "pictures.json", {"lycoris": {name: layer for name, layer in places}}, cases)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    main()
