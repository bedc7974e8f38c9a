"""Draws one picture with OpenVINO alone - no torch, no pipeline around it: the least it can cost - and prints a line of
JSON: when the first step ended, seconds of each later step, of the decode. compare_speed.py starts it, once a round.

    run_openvino.py FOLDER --unet unet --precision bf16 --steps 4 --threads 2
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import openvino as ov

GUIDANCE_SCALE = 7.5
BOS, EOS = 49406, 49407


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--unet", default="unet", help="unet or unet-int8")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of what is not int8")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    core = ov.Core()
    config = {"INFERENCE_PRECISION_HINT": options.precision, "INFERENCE_NUM_THREADS": options.threads, "NUM_STREAMS": 1,
              "PERFORMANCE_HINT": "LATENCY"}

    def load(name):
        return core.compile_model(options.folder / f"{name}.xml", "CPU", config).create_infer_request()

    def infer(request, *inputs):
        return request.infer(list(inputs))[0]

    ids = np.full((2, 77), EOS, np.int64)
    ids[:, 0] = BOS
    text_encoder = load("text_encoder")
    context = infer(text_encoder, ids)  # [2, 77, D]
    del text_encoder
    unet = load(options.unet)
    alphas_cumprod = np.cumprod(1 - np.linspace(.00085 ** .5, .012 ** .5, 1000) ** 2)
    times = [1 + i * (1000 // options.steps) for i in range(options.steps)][::-1]
    x_t = np.random.default_rng(1).standard_normal((1, *unet.model_inputs[0].shape[1:]), np.float32)
    step_ends = []
    for i, t in enumerate(times):
        eps_uncond, eps_cond = infer(unet, np.concatenate([x_t, x_t]), np.full(2, t, np.float32), context)
        eps = eps_uncond + GUIDANCE_SCALE * (eps_cond - eps_uncond)
        a = alphas_cumprod[t]
        a_next = alphas_cumprod[times[i + 1]] if i + 1 < len(times) else alphas_cumprod[0]
        x_0 = (x_t - (1 - a) ** .5 * eps) / a ** .5
        x_t = (a_next ** .5 * x_0 + (1 - a_next) ** .5 * eps).astype(np.float32)
        step_ends.append(time.monotonic())
    vae_decoder = load("vae_decoder")
    start = time.monotonic()
    pixels = infer(vae_decoder, x_t / np.float32(.18215))
    decode_s = time.monotonic() - start
    if not np.isfinite(pixels).all():
        raise SystemExit("the picture has numbers that are not finite")
    print(json.dumps({"first_step_at": step_ends[0], "steps_s": [b - a for a, b in zip(step_ends, step_ends[1:])],
                      "decode_s": decode_s, "version": f"openvino {ov.get_version()}"}))


if __name__ == "__main__":
    main()
