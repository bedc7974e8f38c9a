"""What there is to compute, and how fast this machine can: two measurements that compare_speed.py asks for, each as a
line of JSON.

    work_and_peak.py work MODEL WIDTH HEIGHT PICTURES   floating-point operations of a guided step and of a decode, counted
    work_and_peak.py peak THREADS                       operations a second of large convolutions and matrix products in oneDNN
"""

import json
import sys
import time
import warnings
from pathlib import Path

import torch

REPETITIONS = 6


def count(run):
    from torch.utils.flop_counter import FlopCounterMode
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def work(model, width_px, height_px, pictures):
    """On the meta device: shapes are followed, nothing is computed. A multiplication and an addition are two operations."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    h, w, rows = height_px // 8, width_px // 8, 2 * pictures
    words = json.loads((Path(model) / "text_encoder" / "config.json").read_text())["max_position_embeddings"]
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(Path(model) / "unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(Path(model) / "vae"))
        x_t, t = torch.zeros(rows, unet.config.in_channels, h, w), torch.zeros(rows)
        context = torch.zeros(rows, words, unet.config.cross_attention_dim)
        latents = torch.zeros(pictures, vae.config.latent_channels, h, w)
    return {"step_gflop": count(lambda: unet(x_t, t, context)) / 1e9, "decode_gflop": count(lambda: vae.decode(latents)) / 1e9}


def best_gflops(run, operations):
    """The fastest of a few calls: what slows a call is never the machine's peak."""
    run()
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return operations / min(seconds) / 1e9


def convolution(dtype, channels, side):
    x = torch.randn(2, channels, side, side).to(dtype).contiguous(memory_format=torch.channels_last)
    weight = (torch.randn(channels, channels, 3, 3) / channels).to(dtype)
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight, [1, 1], [1, 1], [1, 1], 1, list(x.shape))
    operations = 2 * x.numel() * channels * 9
    return best_gflops(lambda: torch.ops.mkldnn._convolution_pointwise(
        x, packed, None, [1, 1], [1, 1], [1, 1], 1, "none", [], ""), operations)


def product(dtype, rows, inner, columns):
    x, weight = torch.randn(rows, inner).to(dtype), (torch.randn(columns, inner) / inner).to(dtype)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return best_gflops(lambda: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], ""), 2 * rows * inner * columns)


CONVOLUTIONS = [(320, 64), (640, 32), (512, 64)]  # channels, side: large layers of UNet and decoder
PRODUCTS = [(2048, 1280, 5120), (4096, 2560, 640), (2048, 2048, 2048)]


def peak(threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    dtypes = {"f32": torch.float32}
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        dtypes["bf16"] = torch.bfloat16
    best = {}
    for name, dtype in dtypes.items():
        best[name] = max([convolution(dtype, *size) for size in CONVOLUTIONS] + [product(dtype, *size) for size in PRODUCTS])
    return {"gflops": best}


def main():
    warnings.filterwarnings("ignore")
    if len(sys.argv) == 6 and sys.argv[1] == "work":
        print(json.dumps(work(sys.argv[2], *map(int, sys.argv[3:]))))
    elif len(sys.argv) == 3 and sys.argv[1] == "peak":
        print(json.dumps(peak(int(sys.argv[2]))))
    else:
        sys.exit(__doc__.strip())


if __name__ == "__main__":
    main()
