"""Draws a batch of pictures with diffusers and prints a line of JSON: when the first step ended, seconds of each later
step, of the decode. compare_speed.py starts it, once a round.

    run_diffusers.py MODEL --dtype bfloat16 --channels-last [--compile] --width 512 --height 512 --batch-size 1 --steps 4
        --threads 2 [--device cuda]
"""

import argparse
import json
import time
import warnings

import torch
import diffusers


def now():
    """On the clock that all processes share; what a GPU was told to do before is done."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.monotonic()


class Timed:
    """A callable that remembers when each call began and ended."""

    def __init__(self, call):
        self.call, self.spans = call, []

    def __call__(self, *args, **kwargs):
        start = now()
        result = self.call(*args, **kwargs)
        self.spans.append((start, now()))
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile UNet and decoder, weights frozen and prepacked")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    for name in ("width", "height", "batch-size", "steps", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(options.model, torch_dtype=getattr(torch, options.dtype))
    pipe.to(options.device)
    pipe.scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    if options.channels_last:
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
    if options.compile:
        from torch._inductor import config
        config.freezing = options.device == "cpu"
        pipe.unet.forward = torch.compile(pipe.unet.forward)
        pipe.vae.decoder.forward = torch.compile(pipe.vae.decoder.forward)
    decode = pipe.vae.decode = Timed(pipe.vae.decode)
    step_ends = []

    def on_step_end(pipe, step, t, tensors):
        step_ends.append(now())
        return {}

    def draw(steps):
        with torch.inference_mode():
            pipe("a picture", num_inference_steps=steps, guidance_scale=7.5, width=options.width, height=options.height,
                 num_images_per_prompt=options.batch_size, generator=torch.Generator().manual_seed(1),
                 callback_on_step_end=on_step_end)

    draw(options.steps)
    first = step_ends[0]
    steps_s = [end - start for start, end in zip(step_ends, step_ends[1:])]
    if options.compile:  # the first decode compiled: time another
        draw(1)
    start, end = decode.spans[-1]
    print(json.dumps({"first_step_at": first, "steps_s": steps_s, "decode_s": end - start,
                      "version": f"diffusers {diffusers.__version__}, torch {torch.__version__}"}))


if __name__ == "__main__":
    main()
