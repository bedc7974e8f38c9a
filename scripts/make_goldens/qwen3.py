"""Qwen3 as a text encoder: small models and all their hidden states. Writes tests/golden/qwen3/."""

import shutil

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3Model

from common import GOLDEN, seed_of, write_json, write_tensors
from weights import enliven

FOLDER = GOLDEN / "qwen3"
SIZES = dict(vocab_size=37, hidden_size=24, intermediate_size=40, num_hidden_layers=3, max_position_embeddings=64)
MODELS = {
    # heads wider together than the hidden states, two for each key: as the 4B model has them
    "grouped": (Qwen3Model, dict(num_attention_heads=4, num_key_value_heads=2, head_dim=16, rope_theta=1e6)),
    # biases, one key for each head, short rotations; keys with `model.` and a head
    "causal-lm": (
        Qwen3ForCausalLM,
        dict(num_attention_heads=3, num_key_value_heads=3, head_dim=8, rope_theta=1e4, attention_bias=True, rms_norm_eps=1e-5),
    ),
    # one key for all
    "one-key": (Qwen3Model, dict(num_attention_heads=4, num_key_value_heads=1, head_dim=8, rope_theta=5e5)),
}
# Which tokens may be seen, [texts, tokens]
MASKS = {
    "none": None,
    "right": [[1] * 13, [1] * 8 + [0] * 5],
    "left": [[0] * 4 + [1] * 9, [1] * 13],
    "holes": [[1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1], [0, 1] * 6 + [0]],
}


def random_ids(*shape, name):
    return torch.randint(0, SIZES["vocab_size"], shape, generator=torch.Generator().manual_seed(seed_of(name)))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    cases = []
    for name, (kind, options) in MODELS.items():
        theta = options["rope_theta"]
        rest = {key: value for key, value in options.items() if key != "rope_theta"}
        config = Qwen3Config(**SIZES, **rest, rope_parameters={"rope_type": "default", "rope_theta": theta})
        model = enliven(kind(config), f"qwen3.{name}", (("q_proj", 2.0), ("k_proj", 2.0)))
        model.save_pretrained(FOLDER / name)
        out = {}
        for mask, rows in MASKS.items():
            ids = random_ids(2, 13, name=f"qwen3.{name}.{mask}")
            seen = None if rows is None else torch.tensor(rows)
            states = model(input_ids=ids, attention_mask=seen, output_hidden_states=True).hidden_states
            out[f"{mask}.ids"] = ids
            if seen is not None:
                out[f"{mask}.mask"] = seen
            out[f"{mask}.states"] = torch.stack(states)
        write_tensors(FOLDER / f"{name}.safetensors", out)
        cases.append({"name": name, "masks": list(MASKS)})
    write_json(FOLDER / "qwen3.json", {"cases": cases})
    for path in FOLDER.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes 0600
