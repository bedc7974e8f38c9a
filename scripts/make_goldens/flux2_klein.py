"""FLUX.2 klein's texts on small models: Flux2KleinPipeline.encode_prompt. Writes tests/golden/flux2_klein/."""

from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline
from transformers import Qwen3Config, Qwen3ForCausalLM

from common import GOLDEN, write_cases, write_tensors
from z_image import SIZES, write_text_parts

FOLDER = GOLDEN / "flux2_klein"
NAME = "klein-tiny"
LAYERS = (1, 2, 4)  # of 5, as 9, 18 and 27 of 36
# name, prompt, max_sequence_length
PROMPTS = [
    ("words", "a red circle above a blue square, (highly detailed)", 48),
    ("empty", "", 32),
    ("full", "a red fox in the forest, oil painting, " * 4, 40),
]


def main():
    config = Qwen3Config(**SIZES | {"num_hidden_layers": 5})
    encoder, tokenizer = write_text_parts(FOLDER / NAME, Qwen3ForCausalLM(config), f"{NAME}.text_encoder")
    scheduler = FlowMatchEulerDiscreteScheduler()
    pipe = Flux2KleinPipeline(scheduler=scheduler, vae=None, text_encoder=encoder, tokenizer=tokenizer, transformer=None)
    cases, out = [], {}
    for name, prompt, length in PROMPTS:
        out[name], _ = pipe.encode_prompt(prompt, device="cpu", max_sequence_length=length, text_encoder_out_layers=LAYERS)
        cases.append({"name": name, "prompt": prompt, "max_sequence_length": length})
    write_tensors(FOLDER / "texts.safetensors", out)
    write_cases(FOLDER / "texts.json", {"pipeline": NAME, "layers": LAYERS}, cases)
