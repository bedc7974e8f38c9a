"""Single-file checkpoints under the original names. Small models are given the original code's names here, loaded through
diffusers' own from_single_file, and what it makes of each tensor is noted. Writes tests/golden/single_files.json.gz."""

import gzip
import json
import re
import shutil
import tempfile
from pathlib import Path

import diffusers
import numpy
import torch
from common import GOLDEN, folder
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

NOISE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "clip_sample": False,
}
XL_UNET = {
    "use_linear_projection": True,
    "cross_attention_dim": 192,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "sample_size": 128,
}
TWO = ("CrossAttnDownBlock2D", "DownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D")
THREE = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")
FOUR = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
FOUR = FOUR, ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")


def unet(types, channels, **config):
    down, up = types
    return dict(down_block_types=down, up_block_types=up, block_out_channels=channels, **config)


def text(width, layers, act, projection):
    sizes = dict(hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers, num_attention_heads=width // 64)
    ids = dict(bos_token_id=0, eos_token_id=2, pad_token_id=1, vocab_size=60, max_position_embeddings=20)
    return dict(hidden_act=act, projection_dim=projection, **sizes, **ids)


CLIP_L = text(64, 2, "quick_gelu", 64)
CLIP_G = text(128, 2, "gelu", 192)
CASES = {
    "sd1": dict(
        pipeline="StableDiffusionPipeline",
        unet=unet(TWO, (64, 128), layers_per_block=2, attention_head_dim=8, cross_attention_dim=64, sample_size=64),
        text_encoder=CLIP_L,
        scheduler="PNDMScheduler",
    ),
    "sd1-inpainting": dict(
        pipeline="StableDiffusionInpaintPipeline",
        unet=unet(TWO, (64, 64), layers_per_block=1, in_channels=9, attention_head_dim=8, cross_attention_dim=64, sample_size=64),
        text_encoder=CLIP_L,
        scheduler="PNDMScheduler",
    ),
    "sd2": dict(
        pipeline="StableDiffusionPipeline",
        unet=unet(
            TWO,
            (64, 128),
            layers_per_block=1,
            attention_head_dim=(1, 2),
            use_linear_projection=True,
            cross_attention_dim=64,
            sample_size=96,
            upcast_attention=True,
        ),
        text_encoder=text(64, 23, "gelu", 512),  # the 24th layer of the file is left out
        scheduler="DDIMScheduler",
        prediction_type="v_prediction",
    ),
    "xl": dict(
        pipeline="StableDiffusionXLPipeline",
        unet=unet(
            THREE,
            (64, 128, 128),
            layers_per_block=1,
            attention_head_dim=(1, 2, 2),
            transformer_layers_per_block=(1, 2, 3),
            projection_class_embeddings_input_dim=192 + 6 * 256,
            **XL_UNET,
        ),
        text_encoder=CLIP_L,
        text_encoder_2=CLIP_G,
        scheduler="EulerDiscreteScheduler",
    ),
    "xl-refiner": dict(
        pipeline="StableDiffusionXLImg2ImgPipeline",
        unet=unet(
            FOUR,
            (64, 64, 64, 64),
            layers_per_block=1,
            attention_head_dim=(1, 1, 1, 1),
            transformer_layers_per_block=2,
            projection_class_embeddings_input_dim=192 + 5 * 256,
            **(XL_UNET | {"cross_attention_dim": 128}),
        ),
        text_encoder_2=CLIP_G,
        scheduler="EulerDiscreteScheduler",
    ),
}


def vae_config(case):
    is_xl = "XL" in case["pipeline"]
    size = 1024 if is_xl else 768 if case["unet"]["sample_size"] == 96 else 512
    types = dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
    factor = 0.13025 if is_xl else 0.18215
    return dict(block_out_channels=(32, 64), layers_per_block=1, sample_size=size, scaling_factor=factor, **types)


RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0"}
RESNET |= {"conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
UNET_ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0"}
UNET_ENDS |= {"conv_norm_out": "out.0", "conv_out": "out.2", "add_embedding.linear_1": "label_emb.0.0"}
UNET_ENDS |= {"add_embedding.linear_2": "label_emb.0.2"}


def original_unet_key(key, config):
    for ours, theirs in UNET_ENDS.items():
        if key.startswith(ours + "."):
            return theirs + key[len(ours) :]
    layers = config["layers_per_block"]
    if match := re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", key):
        way, level, kind, number, rest = match.groups()
        level, number = int(level), int(number)
        block = "input_blocks" if way == "down" else "output_blocks"
        first = 1 + level * (layers + 1) if way == "down" else level * (layers + 1)
        if kind == "downsamplers":
            return f"{block}.{first + layers}.0.op.{rest.removeprefix('conv.')}"
        if kind == "upsamplers":
            place = 2 if "Attn" in config["up_block_types"][level] else 1
            return f"{block}.{first + layers}.{place}.{rest}"
        if kind == "attentions":
            return f"{block}.{first + number}.1.{rest}"
        part, leaf = rest.split(".")
        return f"{block}.{first + number}.0.{RESNET[part]}.{leaf}"
    if match := re.match(r"mid_block\.resnets\.(\d)\.(\w+)\.(\w+)", key):
        return f"middle_block.{2 * int(match[1])}.{RESNET[match[2]]}.{match[3]}"
    return "middle_block.1." + key.removeprefix("mid_block.attentions.0.")


def original_vae_key(key, levels):
    key = re.sub(r"up_blocks\.(\d+)\.", lambda m: f"up.{levels - 1 - int(m[1])}.", key)
    key = re.sub(r"down_blocks\.(\d+)\.", r"down.\1.", key)
    key = re.sub(r"(\w+)samplers\.0", r"\1sample", key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    key = key.replace("mid_block.attentions.0.group_norm", "mid.attn_1.norm").replace("to_out.0", "proj_out")
    key = re.sub(r"mid_block\.attentions\.0\.(to_)?", "mid.attn_1.", key)
    return key.replace("resnets", "block").replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def open_clip_shapes(config, prefix, more_layers=0):
    """OpenCLIP's own parameters, written down from its architecture."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "positional_embedding": [config["max_position_embeddings"], width],
        "token_embedding.weight": [config["vocab_size"], width],
        "ln_final.weight": [width],
        "ln_final.bias": [width],
        "text_projection": [width, config["projection_dim"]],
        "logit_scale": [],
    }
    for layer in range(config["num_hidden_layers"] + more_layers):
        block = f"transformer.resblocks.{layer}."
        for name, shape in {
            "ln_1": [width],
            "ln_2": [width],
            "attn.out_proj": [width, width],
            "mlp.c_fc": [inner, width],
            "mlp.c_proj": [width, inner],
        }.items():
            shapes |= {f"{block}{name}.weight": shape, f"{block}{name}.bias": shape[:1]}
        shapes |= {f"{block}attn.in_proj_weight": [3 * width, width], f"{block}attn.in_proj_bias": [3 * width]}
    return {prefix + name: shape for name, shape in shapes.items()}


def clip_shapes(model, prefix):
    shapes = {f"{prefix}text_model.{key.removeprefix('text_model.')}": list(value.shape) for key, value in model.state_dict().items()}
    return shapes | {f"{prefix}text_model.embeddings.position_ids": [1, 20]}


def text_shapes(name, case):
    if name == "sd2":
        return open_clip_shapes(case["text_encoder"], "cond_stage_model.model.", more_layers=1)
    shapes = {}
    is_xl = "text_encoder_2" in case
    if "text_encoder" in case:
        prefix = "conditioner.embedders.0.transformer." if is_xl else "cond_stage_model.transformer."
        shapes |= clip_shapes(CLIPTextModel(CLIPTextConfig(**case["text_encoder"])), prefix)
    if is_xl:
        place = 1 if "text_encoder" in case else 0
        shapes |= open_clip_shapes(case["text_encoder_2"], f"conditioner.embedders.{place}.model.")
    return shapes


def original_shapes(name, case):
    model = UNet2DConditionModel(**case["unet"])
    shapes = {}
    for key, value in model.state_dict().items():
        shapes["model.diffusion_model." + original_unet_key(key, case["unet"])] = list(value.shape)
    assert len(shapes) == len(model.state_dict())
    vae = AutoencoderKL(**vae_config(case))
    for key, value in vae.state_dict().items():
        shape = list(value.shape)
        if "mid_block.attentions" in key and key.endswith("weight") and len(shape) == 2:
            shape += [1, 1]
        shapes["first_stage_model." + original_vae_key(key, 2)] = shape
    assert len(shapes) == len(model.state_dict()) + len(vae.state_dict())
    return shapes | text_shapes(name, case) | {"betas": [10]}


def contents(key, shape):
    """Numbers that tell the tensor and the place in it: the fixture stores none of them."""
    mark = 2166136261
    for byte in key.encode():
        mark = (mark ^ byte) * 16777619 % 2**32
    places = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint64)
    whole = (mark + places * 2654435761) % 2**32 >> 8
    return torch.from_numpy((whole / 2**24 - 0.5).astype(numpy.float32)).reshape(shape)


def checksum(tensor):
    bits = tensor.detach().contiguous().numpy().reshape(-1).view(numpy.uint32).astype(numpy.uint64)
    with numpy.errstate(over="ignore"):
        return int((bits * (2 * numpy.arange(bits.size, dtype=numpy.uint64) + 1)).sum(dtype=numpy.uint64))


def write_folder(path, case):
    """The configs that from_single_file is told, in place of the Hub's."""
    index = {"_class_name": case["pipeline"], "_diffusers_version": diffusers.__version__}
    index |= {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    index |= {"scheduler": ["diffusers", case["scheduler"]], "feature_extractor": [None, None]}
    UNet2DConditionModel(**case["unet"]).save_config(path / "unet")
    AutoencoderKL(**vae_config(case)).save_config(path / "vae")
    scheduler = NOISE | {"prediction_type": case.get("prediction_type", "epsilon")}
    if "XL" in case["pipeline"]:
        scheduler |= {"timestep_spacing": "leading"}
        index |= {"force_zeros_for_empty_prompt": "text_encoder" in case}
        if "text_encoder" not in case:
            index |= {"requires_aesthetics_score": True, "text_encoder": [None, None], "tokenizer": [None, None]}
    else:
        index |= {"safety_checker": [None, None], "requires_safety_checker": False}
    getattr(diffusers, case["scheduler"]).from_config(scheduler).save_config(path / "scheduler")
    for name, kind in {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}.items():
        if name not in case:
            continue
        tokenizer = name.replace("text_encoder", "tokenizer")
        index |= {name: ["transformers", kind.__name__], tokenizer: ["transformers", "CLIPTokenizer"]}
        shutil.copytree(folder("sd15-tiny") / "tokenizer", path / tokenizer)
        CLIPTextConfig(**case[name]).save_pretrained(path / name)
    (path / "model_index.json").write_text(json.dumps(index))
    return index


def differences(config, kind):
    """What a config says beyond its class's defaults."""
    defaults = dict(kind().config) if kind is not CLIPTextConfig else kind().to_dict()
    plain = json.loads(json.dumps(config))
    return {k: v for k, v in plain.items() if not k.startswith("_") and v != json.loads(json.dumps(defaults.get(k)))}


def configs_of(case, pipe, index):
    configs = {"model_index": {k: v for k, v in index.items() if k != "_diffusers_version"}}
    configs["unet"] = differences(dict(pipe.unet.config), UNet2DConditionModel)
    configs["vae"] = differences(dict(pipe.vae.config), AutoencoderKL)
    configs["scheduler"] = differences(dict(pipe.scheduler.config), type(pipe.scheduler)) | {"_class_name": case["scheduler"]}
    for name in ("text_encoder", "text_encoder_2"):
        if name in case:
            configs[name] = case[name]
    return configs


def make_case(name, case):
    shapes = original_shapes(name, case)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch)
        save_file({key: contents(key, shape) for key, shape in shapes.items()}, path / "model.safetensors")
        index = write_folder(path / "configs", case)
        kind = getattr(diffusers, case["pipeline"])
        pipe = kind.from_single_file(str(path / "model.safetensors"), config=str(path / "configs"), local_files_only=True)
    components = {}
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if getattr(pipe, part, None) is not None:
            tensors = getattr(pipe, part).state_dict()
            assert all(not value.is_meta for value in tensors.values()), (name, part)
            components[part] = {key: [list(value.shape), str(checksum(value))] for key, value in tensors.items()}
    return {"name": name, "original": shapes, "components": components, "configs": configs_of(case, pipe, index)}


CONTROLNETS = {
    "controlnet-sd1": dict(
        prefix="control_model.",
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        block_out_channels=(64, 128),
        attention_head_dim=8,
        cross_attention_dim=64,
        layers_per_block=2,
    ),
    # without a prefix
    "controlnet-xl": dict(
        prefix="",
        down_block_types=THREE[0],
        block_out_channels=(64, 128, 128),
        attention_head_dim=(1, 2, 2),
        transformer_layers_per_block=(1, 2, 3),
        cross_attention_dim=192,
        layers_per_block=1,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=192 + 6 * 256,
        conditioning_embedding_out_channels=(8, 16, 32, 64),
    ),
}

CONTROLNETS |= {
    # as diffusers' own smaller ones for Stable Diffusion XL: attentions without transformer blocks, and none
    "controlnet-xl-mid": CONTROLNETS["controlnet-xl"] | {"prefix": None, "transformer_layers_per_block": (1, 0, 1)},
    "controlnet-xl-small": CONTROLNETS["controlnet-xl"]
    | {"prefix": None, "down_block_types": ("DownBlock2D",) * 3, "mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": 1},
}


def original_controlnet_key(key, config):
    """Every other layer of the hint block is an activation; convolutions that training began at zero are sequences of one."""
    if match := re.match(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.(\d+))\.(\w+)", key):
        blocks = 2 * (len(config.get("conditioning_embedding_out_channels", (16, 32, 96, 256))) - 1)
        place = 0 if match[1] == "conv_in" else 2 * (blocks + 1) if match[1] == "conv_out" else 2 * (int(match[2]) + 1)
        return f"input_hint_block.{place}.{match[3]}"
    key = re.sub(r"^controlnet_down_blocks\.(\d+)\.", r"zero_convs.\1.0.", key)
    if key.startswith("zero_convs"):
        return key
    if key.startswith("controlnet_mid_block."):
        return "middle_block_out.0." + key.removeprefix("controlnet_mid_block.")
    return original_unet_key(key, config)


def make_controlnet(name, config):
    prefix, config = config["prefix"], {k: v for k, v in config.items() if k != "prefix"}
    model = ControlNetModel(**config)
    own = prefix is None  # under diffusers' names
    shapes = {key if own else prefix + original_controlnet_key(key, config): list(value.shape) for key, value in model.state_dict().items()}
    assert len(shapes) == len(model.state_dict())
    tensors = {key: contents(key, shape) for key, shape in shapes.items()}
    loaded = tensors if own else convert_controlnet_checkpoint(tensors, dict(model.config))
    # of Stable Diffusion XL's ControlNets diffusers leaves these out; the UNet has them under the same names
    for key in model.state_dict().keys() - loaded.keys():
        original = prefix + original_controlnet_key(key, config)
        assert "label_emb" in original, key
        loaded[key] = contents(original, shapes[original])
    tensors = {key: [list(value.shape), str(checksum(value))] for key, value in loaded.items()}
    if not any("attn2" in key for key in shapes):
        config.pop("cross_attention_dim")  # nothing tells it
        config.pop("attention_head_dim")
        config.pop("use_linear_projection")
    return {"name": name, "original": shapes, "tensors": tensors, "config": json.loads(json.dumps(config))}


def main():
    controlnets = [make_controlnet(name, dict(config)) for name, config in CONTROLNETS.items()]
    text = json.dumps({"cases": [make_case(name, case) for name, case in CASES.items()], "controlnets": controlnets})
    (GOLDEN / "single_files.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
