"""Draws a batch of pictures (its size is the export's) with OpenVINO alone - no torch, no pipeline around it: the least it
can cost - and prints a line of JSON: when the first step ended, seconds of each later step, of the decode.
compare_speed.py starts it, once a round.

    run_openvino.py FOLDER --unet unet --precision bf16 --steps 4 --threads 2
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import openvino as ov

GUIDANCE_SCALE = 7.5
A_WORD = 1  # an id that every vocabulary has: the time does not depend on the words


def ddim(x_t, output, a, a_next, predicts_v):
    """A step, eta 0 (DDIM eq. 12)."""
    x_0 = a ** .5 * x_t - (1 - a) ** .5 * output if predicts_v else (x_t - (1 - a) ** .5 * output) / a ** .5
    eps = a ** .5 * output + (1 - a) ** .5 * x_t if predicts_v else output
    return (a_next ** .5 * x_0 + (1 - a_next) ** .5 * eps).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--unet", default="unet", help="unet or unet-int8")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of what is not int8")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    facts = json.loads((options.folder / "model.json").read_text())
    core = ov.Core()
    config = {"INFERENCE_PRECISION_HINT": options.precision, "INFERENCE_NUM_THREADS": options.threads, "NUM_STREAMS": 1,
              "PERFORMANCE_HINT": "LATENCY"}

    def load(name):
        return core.compile_model(options.folder / f"{name}.xml", "CPU", config).create_infer_request()

    def infer(request, *inputs):
        return request.infer(list(inputs))[0]

    text_encoder = load("text_encoder")
    context = infer(text_encoder, np.full(text_encoder.model_inputs[0].shape, A_WORD, np.int64))  # [2, L, D]
    del text_encoder
    unet = load(options.unet)
    rows, *latents_shape = unet.model_inputs[0].shape
    pictures = rows // 2
    context = np.repeat(context, pictures, axis=0)
    alphas_cumprod = np.cumprod(1 - np.linspace(.00085 ** .5, .012 ** .5, 1000) ** 2)
    times = [1 + i * (1000 // options.steps) for i in range(options.steps)][::-1]
    x_t = np.random.default_rng(1).standard_normal((pictures, *latents_shape), np.float32)
    step_ends = []
    for i, t in enumerate(times):
        uncond, cond = np.split(infer(unet, np.concatenate([x_t, x_t]), np.full(rows, t, np.float32), context), 2)
        a_next = alphas_cumprod[times[i + 1]] if i + 1 < len(times) else alphas_cumprod[0]
        x_t = ddim(x_t, uncond + GUIDANCE_SCALE * (cond - uncond), alphas_cumprod[t], a_next,
                   facts["prediction_type"] == "v_prediction")
        step_ends.append(time.monotonic())
    vae_decoder = load("vae_decoder")
    start = time.monotonic()
    pixels = infer(vae_decoder, x_t / np.float32(facts["scaling_factor"]))
    decode_s = time.monotonic() - start
    if not np.isfinite(pixels).all():
        raise SystemExit("the picture has numbers that are not finite")
    print(json.dumps({"first_step_at": step_ends[0], "steps_s": [b - a for a, b in zip(step_ends, step_ends[1:])],
                      "decode_s": decode_s, "version": f"openvino {ov.get_version()}"}))


if __name__ == "__main__":
    main()
