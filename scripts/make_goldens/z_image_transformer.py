"""Small Z-Image transformers alone and in a whole pipeline, and a 16-channel VAE as they have it. Weights are told by their
names, so that only inputs and results are stored. Writes tests/golden/z_image_transformer/."""

import json
import math

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from single_files import contents

from common import GOLDEN, randn, write_json, write_tensors

FOLDER = GOLDEN / "z_image_transformer"
MODELS = {
    "narrow": dict(dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16, axes_dims=[8, 4, 4], axes_lens=[256, 32, 32]),
    # Wider than what modulates it, no power of two anywhere.
    "wide": dict(dim=288, in_channels=4, n_layers=1, n_refiner_layers=2, n_heads=3, n_kv_heads=3, cap_feat_dim=24, axes_dims=[40, 24, 32],
                 axes_lens=[128, 48, 40], norm_eps=1e-6, rope_theta=100.0, t_scale=500.0),
    "plain": dict(dim=24, in_channels=8, n_layers=2, n_refiner_layers=0, n_heads=1, n_kv_heads=1, cap_feat_dim=8, axes_dims=[12, 4, 8],
                  axes_lens=[160, 32, 32], qk_norm=False),
}
# Model, height and width of the latents, tokens of the prompt, rows of text, timestep.
CASES = {
    "below32": ("narrow", 8, 12, 7, 1, 1000.0),
    "at32": ("narrow", 16, 8, 32, 1, 993.3333129882812),
    "above32": ("narrow", 6, 10, 33, 2, 312.5),
    "at64": ("narrow", 10, 14, 64, 2, 0.9700000286102295),
    "one": ("narrow", 2, 2, 1, 1, 700.0),
    "wide": ("wide", 12, 18, 41, 2, 875.0),
    "plain": ("plain", 18, 6, 20, 3, 454.5454406738281),
}
VAE = dict(latent_channels=16, block_out_channels=[32, 64], layers_per_block=1, norm_num_groups=8, scaling_factor=0.3611, shift_factor=0.1159,
           use_quant_conv=False, use_post_quant_conv=False, down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2)


def fill(model):
    """Weights of unit gain, norms around 1, small biases, pad tokens of the size of others."""
    for key, parameter in model.named_parameters():
        value = contents(key, parameter.shape)
        if key.endswith("pad_token"):
            value = 2 * value
        elif parameter.dim() >= 2:
            value = value * torch.tensor(math.sqrt(12 / parameter[0].numel()), dtype=torch.float32)
        elif key.endswith("weight"):
            value = 1 + 0.5 * value
        else:
            value = 0.5 * value
        parameter.copy_(value)
    return model.eval()


class WrittenOut:
    """ZSingleStreamAttnProcessor with the matrix of attention in the open. weights: (first word, [rows, words]), what the words'
    values are to patches is multiplied by."""

    def __init__(self, seen, weights=None):
        self.seen, self.weights = seen, weights

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, freqs_cis=None):
        def heads(x, norm=None, turned=True):
            x = x.unflatten(-1, (attn.heads, -1))
            x = norm(x) if norm is not None else x
            if turned:
                pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
                x = torch.view_as_real(pairs * freqs_cis.unsqueeze(2)).flatten(3).to(hidden_states.dtype)
            return x.transpose(1, 2)

        assert attention_mask is None
        q, k = heads(attn.to_q(hidden_states), attn.norm_q), heads(attn.to_k(hidden_states), attn.norm_k)
        v = heads(attn.to_v(hidden_states), turned=False)
        weights = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).softmax(-1)
        self.seen.append(weights)
        mixed = weights @ v
        if self.weights is not None:
            first, of_words = self.weights
            weighed = v.clone()
            weighed[:, :, first : first + of_words.shape[1]] *= of_words[:, None, :, None]
            mixed[:, :, :first] = weights[:, :, :first] @ weighed
        return attn.to_out[0](mixed.transpose(1, 2).flatten(2))


def word_maps(model, x, t, words):
    """What patches pay to words, the mean over heads and main layers: [rows, words, h / 2, w / 2]."""
    seen = []
    for layer in model.layers:
        layer.attention.set_processor(WrittenOut(seen))
    model(list(x.unsqueeze(2)), t, list(words))
    h, w, length = x.shape[2] // 2, x.shape[3] // 2, words.shape[1]
    weights = torch.stack(seen).mean((0, 2))  # [rows, S, S]
    first = weights.shape[1] - (length + -length % 32)
    return weights[:, : h * w, first : first + length].transpose(1, 2).unflatten(2, (h, w))


def weighed_words(model, x, t, words, weights):
    """The output where patches get more or less of the words: weights [rows, words]."""
    patches = x.shape[2] // 2 * (x.shape[3] // 2)
    for layer in model.layers:
        layer.attention.set_processor(WrittenOut([], (patches + -patches % 32, weights)))
    return torch.stack(model(list(x.unsqueeze(2)), t, list(words))[0]).squeeze(2)


def network():
    """The network sees the time from noise to picture and points at the picture, as the pipeline turns both. It computes in
    float64 but for its rotations: in float32 it is as far from itself, on another processor, as we may be from it."""
    models = {name: fill(ZImageTransformer2DModel(**config)).double() for name, config in MODELS.items()}
    cases, tensors = [], {}
    for name, (model, h, w, length, rows, timestep) in CASES.items():
        net = models[model]
        x = randn(rows, net.config.in_channels, h, w, name=f"z_image.{name}.x")
        words = randn(rows, length, net.config.cap_feat_dim, name=f"z_image.{name}.words")
        t = ((1000 - torch.full((rows,), timestep)) / 1000).double()
        exact, text = x.double(), words.double()
        output = torch.stack(net(list(exact.unsqueeze(2)), t, list(text))[0]).squeeze(2).float()
        tensors |= {f"{name}.x": x, f"{name}.words": words, f"{name}.velocity": -output}
        shared = torch.stack(net(list(exact[:1].repeat(rows, 1, 1, 1).unsqueeze(2)), t, list(text))[0]).squeeze(2).float()
        tensors[f"{name}.velocity_of_first"] = -shared
        tensors[f"{name}.word_maps"] = word_maps(fill(ZImageTransformer2DModel(**MODELS[model])).double(), exact, t, text).float()
        weights = 1 + randn(rows, length, name=f"z_image.{name}.weights")
        weighed = weighed_words(fill(ZImageTransformer2DModel(**MODELS[model])).double(), exact, t, text, weights.double())
        tensors |= {f"{name}.weights": weights, f"{name}.velocity_weighed": -weighed.float()}
        cases.append({"name": name, "model": model, "length": length, "rows": rows, "timestep": timestep})
    shapes = {name: {k: list(p.shape) for k, p in model.named_parameters()} for name, model in models.items()}
    configs = {name: json.loads(model.to_json_string()) for name, model in models.items()}
    write_json(FOLDER / "network.json", {"models": {n: {"config": configs[n], "shapes": shapes[n]} for n in models}, "cases": cases})
    write_tensors(FOLDER / "network.safetensors", tensors)


def pipeline():
    """Latents of whole runs from given states of the text encoder; picture i has seed + i."""
    net = fill(ZImageTransformer2DModel(**MODELS["narrow"]))
    cases, tensors = [], {}
    for name, guidance, steps, length, count, config in (
        ("turbo", 0.0, 4, 9, 1, dict(shift=3.0)),
        ("guided", 2.5, 3, 37, 2, dict(shift=6.0)),
        ("dynamic", 1.5, 3, 32, 1, dict(use_dynamic_shifting=True)),
    ):
        scheduler = FlowMatchEulerDiscreteScheduler(**config)
        pipe = ZImagePipeline(scheduler, vae=None, text_encoder=None, tokenizer=None, transformer=net)
        pipe.set_progress_bar_config(disable=True)
        words, without = (randn(1, length, 16, name=f"z_image.{name}.{part}") for part in ("words", "without"))
        generators = [torch.Generator().manual_seed(5 + i) for i in range(count)]
        latents = pipe(prompt_embeds=[words[0]] * count, negative_prompt_embeds=[without[0]] * count, height=80, width=112,
                       num_inference_steps=steps, guidance_scale=guidance, generator=generators, output_type="latent").images
        tensors |= {f"{name}.words": words, f"{name}.without": without, f"{name}.latents": latents}
        case = {"name": name, "guidance_scale": guidance, "steps": steps, "seed": 5, "count": count}
        cases.append(case | {"height": 10, "width": 14, "scheduler": json.loads(scheduler.to_json_string())})
    write_json(FOLDER / "pipeline.json", {"model": "narrow", "cases": cases})
    write_tensors(FOLDER / "pipeline.safetensors", tensors)


def vae():
    """Latents as the sampler has them, through scale and shift, to pixels and back."""
    net = fill(AutoencoderKL(**VAE))
    factor, shift = net.config.scaling_factor, net.config.shift_factor
    latents = randn(1, 16, 5, 7, name="z_image.vae")
    image = net.decode(latents / factor + shift).sample
    pixels = image.clamp(-1, 1)
    moments = net.encode(pixels).latent_dist
    known = (moments.mean - shift) * factor  # what the image-to-image pipeline starts from
    tensors = {"latents": latents, "image": image, "pixels": pixels, "mean": moments.mean, "logvar": moments.logvar, "known": known}
    shapes = {key: list(p.shape) for key, p in net.named_parameters()}
    write_json(FOLDER / "vae.json", {"config": json.loads(net.to_json_string()), "shapes": shapes})
    write_tensors(FOLDER / "vae.safetensors", tensors)


def main():
    network()
    pipeline()
    vae()
