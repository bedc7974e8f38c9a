"""Cross-attention of whole pictures, written out by an attention processor. Writes tests/golden/attention/."""

import torch
import torch.nn.functional as F

from common import GOLDEN, load_pipeline, write_cases, write_tensors
from pictures import DEFAULTS, draw
from pictures import case as picture_case


def case(name, pipeline, attend=None, **changes):
    return picture_case(name, pipeline, **changes) | {"attend": attend or {}}


CASES = [
    case("sd15", "sd15-tiny"),
    case("sd15-pndm-wide", "sd15-tiny", sampler="pndm", width=96, steps=5),
    case("sd15-unguided-odd", "sd15-tiny", guidance_scale=1.0, width=88, height=72, steps=4),
    case("sd15-two", "sd15-tiny", count=2, sampler="euler-a", steps=4, negative_prompt="blurry"),
    case("sd15-attend", "sd15-tiny", attend={"red": 2.5, "square": 0.0}, steps=5),
    case("sd2", "sd2-tiny", width=96, steps=5),
    case("sd2-attend-unguided", "sd2-tiny", attend={"circle": 1.7}, guidance_scale=1.0, steps=4),
    case("variant", "variant-tiny", width=96, steps=4),
    case("variant-attend", "variant-tiny", attend={"blue": 3.0}, height=96, steps=4),
]


class Recorder:
    """An attention processor that keeps the cross-attention of the prompt's rows and may weigh its tokens."""

    def __init__(self, it, pixels_per_latent, token_weights):
        self.latents = (it["height"] // pixels_per_latent, it["width"] // pixels_per_latent)
        self.guided = it["guidance_scale"] > 1
        self.token_weights = token_weights  # [S]
        self.sum, self.layers = 0, 0

    def map_size(self, patches):
        h, w = self.latents
        while h * w > patches:
            h, w = (h + 1) // 2, (w + 1) // 2
        assert h * w == patches
        return h, w

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None, **_):
        assert attention_mask is None and hidden_states.ndim == 3 and attn.group_norm is None
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (
            x.unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for x in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        weights = (q @ k.transpose(2, 3) * attn.scale).softmax(-1)  # [B, heads, L, S]
        if encoder_hidden_states is not None:
            first = len(weights) // 2 if self.guided else 0
            maps = weights[first:].mean(1).transpose(1, 2).unflatten(2, self.map_size(weights.shape[2]))
            self.sum = self.sum + F.interpolate(maps, self.latents, mode="bilinear", align_corners=False)
            self.layers += 1
            weights[first:] *= self.token_weights
        hidden = (weights @ v).transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](hidden)) / attn.rescale_output_factor

    def token_maps(self):
        return self.sum / self.layers


def token_weights(pipe, it):
    """One word, one token or several: those that its letters became, found by encoding what stands before it."""
    length = pipe.tokenizer.model_max_length
    weights = torch.ones(length)
    for word, weight in it["attend"].items():
        before, _, _ = it["prompt"].partition(word)
        first = len(pipe.tokenizer(before.strip()).input_ids) - 1
        last = len(pipe.tokenizer(before + word).input_ids) - 1
        weights[first:last] = weight
    return weights


def main():
    assert "attend" not in DEFAULTS
    tensors, cases = {}, []
    for it in CASES:
        pipe = load_pipeline(it["pipeline"])
        recorder = Recorder(it, pipe.vae_scale_factor, token_weights(pipe, it))
        pipe.unet.set_attn_processor(recorder)
        image, _ = draw(pipe, pipe.scheduler, it)
        maps = recorder.token_maps()
        assert (maps.sum(1) - 1).abs().max() < 1e-5
        print(f"  {it['name']}: {tuple(maps.shape)}, std over places {maps.std((2, 3)).mean():.2e}", flush=True)
        tensors |= {it["name"]: image, f"{it['name']}.token_maps": maps}
        cases.append(it)
    write_tensors(GOLDEN / "attention" / "attention.safetensors", tensors)
    write_cases(GOLDEN / "attention" / "attention.json", {}, cases)
