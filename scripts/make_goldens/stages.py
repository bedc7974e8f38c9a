"""Every stage alone: text encoder, UNet, VAE. Writes tests/golden/stages/."""

import torch
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.image_processor import VaeImageProcessor

from common import GOLDEN, PIPELINES, load_pipeline, randn, write_json, write_tensors

PROMPTS = ["a red circle above a blue square", "It's 3 cats, isn't it? \u732b \U0001f431", "fox " * 100, ""]
# name, timestep, latent height, latent width
UNET_CASES = [("t981", 981, 8, 8), ("t1", 1, 8, 8), ("tfrac", 693.7142944335938, 8, 8), ("wide", 500, 8, 12), ("odd", 321, 9, 11)]
SIZES = {"square": (5, 5), "wide": (4, 7)}
TIMES = [0.0, 1.0, 2.5, 500.0, 693.7142944335938, 981.0, 999.0]


def text_stage(pipe, out):
    ids = pipe.tokenizer(
        PROMPTS, padding="max_length", max_length=pipe.tokenizer.model_max_length, truncation=True, return_tensors="pt"
    ).input_ids
    out["text.input_ids"] = ids
    encoded = pipe.text_encoder(ids)
    out["text.last_hidden_state"], out["text.pooled"] = encoded.last_hidden_state, encoded.pooler_output


def unet_stage(pipe, name, out):
    seen = {}

    def keep(key):
        return lambda module, args, result: seen.update({key: result[0] if isinstance(result, tuple) else result})

    unet = pipe.unet
    hooks = [
        unet.time_embedding.register_forward_hook(keep("time_embedding")),
        unet.down_blocks[0].register_forward_hook(keep("down0")),
        unet.mid_block.register_forward_hook(keep("mid")),
    ]
    context = out["text.last_hidden_state"][[3, 0]]  # empty, then words: as guidance stacks them
    for case, t, height, width in UNET_CASES:
        sample = randn(2, 4, height, width, name=f"{name}.unet.{case}")
        result = unet(sample, torch.tensor(t), encoder_hidden_states=context).sample
        out[f"unet.{case}.sample"] = sample
        out[f"unet.{case}.timestep"] = torch.tensor([t], dtype=torch.float32)
        out[f"unet.{case}.encoder_hidden_states"] = context
        out[f"unet.{case}.output"] = result
        out |= {f"unet.{case}.{key}": value for key, value in seen.items()}
    for hook in hooks:
        hook.remove()
    return out


def vae_stage(pipe, name, out):
    for size, (height, width) in SIZES.items():
        latents = 3 * randn(1, 4, height, width, name=f"{name}.vae.{size}")
        image = pipe.vae.decode(latents).sample
        array = VaeImageProcessor.pt_to_numpy((image * 0.5 + 0.5).clamp(0, 1))
        out[f"vae.decode.{size}.latents"] = latents
        out[f"vae.decode.{size}.image"] = image
        out[f"vae.decode.{size}.rgb"] = torch.from_numpy((array * 255).round().astype("uint8"))
        pixels = image.clamp(-1, 1)
        moments = pipe.vae.encode(pixels).latent_dist
        out[f"vae.encode.{size}.image"] = pixels
        out[f"vae.encode.{size}.mean"] = moments.mean
        out[f"vae.encode.{size}.logvar"] = moments.logvar
        out[f"vae.encode.{size}.mode"] = moments.mode()


def timestep_embeddings():
    times = torch.tensor(TIMES)
    out = {"timesteps": times}
    for dim in (16, 17, 320):
        for flip in (0, 1):
            for shift in (0, 1):
                out[f"dim{dim}.flip{flip}.shift{shift}"] = get_timestep_embedding(
                    times, dim, flip_sin_to_cos=bool(flip), downscale_freq_shift=shift
                )
    write_tensors(GOLDEN / "stages" / "timestep_embedding.safetensors", out)


def main():
    for name in PIPELINES:
        pipe = load_pipeline(name)
        out = {}
        text_stage(pipe, out)
        unet_stage(pipe, name, out)
        vae_stage(pipe, name, out)
        write_tensors(GOLDEN / "stages" / f"{name}.safetensors", out)
    timestep_embeddings()
    keys = ("name", "timestep", "height", "width")
    cases = [dict(zip(keys, case)) for case in UNET_CASES]
    facts = {"prompts": PROMPTS, "unet_cases": cases, "vae_sizes": SIZES}
    write_json(GOLDEN / "stages" / "stages.json", {"pipelines": {name: facts for name in PIPELINES}})
