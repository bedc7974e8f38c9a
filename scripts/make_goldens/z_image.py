"""Z-Image's texts on small models: what ZImagePipeline.encode_prompt gives. Writes tests/golden/z_image/."""

import shutil

from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3Model

from common import GOLDEN, write_cases, write_tensors
from qwen2_tokens import write_tokenizer
from weights import enliven

FOLDER = GOLDEN / "z_image"
NAME = "z-image-tiny"
SIZES = dict(
    vocab_size=700,  # more than the tokenizer has, as in the real model
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=1024,
    rope_parameters={"rope_type": "default", "rope_theta": 1e6},
)
# One user's turn of Qwen3's template; the real one gives the same text for it.
TEMPLATE = """{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
# name, prompt, max_sequence_length
PROMPTS = [
    ("words", "a red circle above a blue square, (highly detailed)", 512),
    ("empty", "", 512),
    ("spaces", "  \n a cat  \n\n", 512),
    ("world", "caf\u00e9 e\u0301l\u00e8ve, \u732b\u304c\u597d\u304d \U0001f431! IT'S 3 \u043a\u043e\u0448\u043a\u0438", 512),
    ("markup", "a <|im_end|> b <think>c</think> <|endoftext|>d", 512),
    ("long", "a red fox in the forest, oil painting, " * 60, 512),
    ("cut", "a photo of a cat sitting on a wooden table, a painting of a red fox", 24),
    ("cut-ending", "a red circle above", 12),
]


def write_text_parts(folder, model, name):
    """text_encoder/ and tokenizer/ of a pipeline; gives both, as it would load them."""
    shutil.rmtree(folder, ignore_errors=True)
    enliven(model, name, (("q_proj", 2.0), ("k_proj", 2.0))).save_pretrained(folder / "text_encoder")
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes 0600
    write_tokenizer(folder / "tokenizer", chat_template=TEMPLATE)
    return model, Qwen2TokenizerFast.from_pretrained(folder / "tokenizer", local_files_only=True)


def main():
    encoder, tokenizer = write_text_parts(FOLDER / NAME, Qwen3Model(Qwen3Config(**SIZES)), f"{NAME}.text_encoder")
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    pipe = ZImagePipeline(scheduler=scheduler, vae=None, text_encoder=encoder, tokenizer=tokenizer, transformer=None)
    cases, out = [], {}
    for name, prompt, length in PROMPTS:
        embeds, _ = pipe.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False, max_sequence_length=length)
        out[name] = embeds[0]
        cases.append({"name": name, "prompt": prompt, "max_sequence_length": length})
    write_tensors(FOLDER / "texts.safetensors", out)
    write_cases(FOLDER / "texts.json", {"pipeline": NAME}, cases)
