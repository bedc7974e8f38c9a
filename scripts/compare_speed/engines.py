"""The programs compared: what each needs, the command that draws one batch with it, and how its times are read.

A measurement is {"first_step_s": from the process's start to the end of the first guided step, "steps_s": each later step,
"decode_s", "version"} and, where only the program knows it, "arithmetic"; compare_speed.py adds peak_rss_bytes.
"""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

HERE = Path(__file__).resolve().parent
PROMPT = "a picture"
SD15_WIDTHS = [320, 640, 1280, 1280]  # block_out_channels of the UNet


class Missing(Exception):
    """What an engine needs and this machine lacks, and how to get it."""


@dataclass
class Engine:
    name: str
    arithmetic: str | None  # f32, bf16 or int8: which peak it is held against (int8: none), and which sd-gen; None: it tells
    prepare: Callable  # (settings): makes what the engine needs once; raises Missing
    command: Callable  # (settings) -> words
    read: Callable  # (Output, settings) -> measurement
    is_sd_gen: bool = False


@dataclass
class Output:
    started: float  # time.monotonic()
    ended: float
    lines: list  # (when, text) of standard output; a carriage return ends a line too


def need(package, pip_name=None):
    if importlib.util.find_spec(package) is None:
        raise Missing(f"the Python package {package} is not installed: pip install {pip_name or package}")


def need_cpu(settings):
    if settings.device != "cpu":
        raise Missing("here it runs on the CPU only")


def run_quietly(command):
    ran = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ran.returncode:
        raise Missing(f"'{shlex.join(map(str, command))}' failed: {ran.stdout.strip().splitlines()[-1:]}")


def ensure_model(settings):
    """The model's folder, made if it is not there."""
    if not settings.model.exists():
        for package in ("torch", "diffusers", "transformers"):
            need(package)
        print(f"making a model of random weights in {settings.model}", file=sys.stderr)
        run_quietly([sys.executable, HERE / "make_model.py", settings.model, "--shape", settings.shape])


def converted(settings, name):
    """A file or folder made from the model, beside those of other models."""
    return settings.work / f"{settings.model.name}-{name}"


def last_json(output):
    return json.loads([text for _, text in output.lines if text.startswith("{")][-1])


def read_worker(output, settings):
    told = last_json(output)
    return {"first_step_s": told["first_step_at"] - output.started, "steps_s": told["steps_s"],
            "decode_s": told["decode_s"], "version": told["version"]}


# --- sd-gen ---------------------------------------------------------------------------------------------------------

def sd_gen(name, flags):
    words = shlex.split(flags)
    is_int8 = re.search(r"--quantize[ =]int8\b", flags) is not None

    def prepare(settings):
        if not settings.sd_gen.exists():
            raise Missing(f"{settings.sd_gen} is not there: scripts/quickstart builds it; --sd-gen names another")
        told = subprocess.run([settings.sd_gen, "bench", "--help"], stdout=subprocess.PIPE, text=True).stdout
        if "--no-profile" in told and "--no-profile" not in words:  # a run more would count as start
            words.append("--no-profile")

    def command(settings):
        return [settings.sd_gen, "bench", "--json", "--quiet", "--model", settings.model, "--prompt", PROMPT,
                "--sampler", "ddim", "--steps", settings.steps, "--guidance-scale", "7.5", "--width", settings.width,
                "--height", settings.height, "--batch-size", settings.batch_size, "--seed", "1", "--device", settings.device,
                "--threads", settings.threads, "--warmup", "0", "--repetitions", "1", *words]

    def read(output, settings):
        told = last_json(output)
        run = told["runs"][0]
        outside = output.ended - output.started - run["load_s"] - run["total_s"]  # starting and ending the process
        return {"first_step_s": outside + run["load_s"] + run["text_encode_s"] + run["denoise_steps_s"][0],
                "steps_s": run["denoise_steps_s"][1:], "decode_s": run["decode_s"],
                "arithmetic": "int8" if is_int8 else {"float32": "f32", "bfloat16": "bf16"}.get(told["dtype"], told["dtype"]),
                "version": f"sd-gen {told['versions']['sd-gen']}, libtorch {told['versions']['libtorch']}"}
    return Engine(name, None, prepare, command, read, is_sd_gen=True)


# --- diffusers ------------------------------------------------------------------------------------------------------

def diffusers(name, flags, arithmetic):
    def prepare(settings):
        for package in ("torch", "diffusers", "transformers"):
            need(package)

    def command(settings):
        return [sys.executable, HERE / "run_diffusers.py", settings.model, *flags, "--width", settings.width, "--height",
                settings.height, "--batch-size", settings.batch_size, "--steps", settings.steps, "--device", settings.device,
                "--threads", settings.threads]
    return Engine(name, arithmetic, prepare, command, read_worker)


# --- OpenVINO -------------------------------------------------------------------------------------------------------

def need_memory_to_quantise(model):
    """Rather than to have the machine end other programs: nncf took 9.2 times the file for Stable Diffusion 1.5."""
    weights = sum(file.stat().st_size for file in (model / "unet").glob("*.safetensors"))
    free = 1024 * int(re.search(r"MemAvailable:\s*(\d+)", Path("/proc/meminfo").read_text())[1])
    if free < 10 * weights:
        raise Missing(f"nncf needs about {10 * weights / 2 ** 30:.0f} GiB of free memory to quantise the UNet; "
                      f"{free / 2 ** 30:.0f} are free")


def openvino(name, unet, precision, arithmetic):
    def folder(settings):
        batch = f"-batch{settings.batch_size}" if settings.batch_size > 1 else ""
        return converted(settings, f"openvino-{settings.width}x{settings.height}{batch}")

    def prepare(settings):
        need_cpu(settings)
        need("openvino")
        int8 = ["--int8"] if unet == "unet-int8" else []
        if int8:
            need("nncf")
            if not (folder(settings) / f"{unet}.xml").exists():
                need_memory_to_quantise(settings.model)
        if not all((folder(settings) / f"{part}.xml").exists() for part in ("text_encoder", unet, "vae_decoder")):
            for package in ("torch", "diffusers", "transformers"):
                need(package)
            print(f"exporting {unet} to OpenVINO in {folder(settings)}", file=sys.stderr)
            run_quietly([sys.executable, HERE / "export_openvino.py", settings.model, folder(settings), "--width",
                         settings.width, "--height", settings.height, "--batch-size", settings.batch_size, *int8])

    def command(settings):
        return [sys.executable, HERE / "run_openvino.py", folder(settings), "--unet", unet, "--precision", precision,
                "--steps", settings.steps, "--threads", settings.threads]
    return Engine(name, arithmetic, prepare, command, read_worker)


# --- stable-diffusion.cpp -------------------------------------------------------------------------------------------

def sd_cpp(name, weight_type, arithmetic):
    def file(settings):
        return converted(settings, f"{weight_type}.gguf")

    def prepare(settings):
        need_cpu(settings)
        if json.loads((settings.model / "unet" / "config.json").read_text())["block_out_channels"] != SD15_WIDTHS:
            raise Missing("it reads Stable Diffusion 1.x of full size only")
        if settings.batch_size > 1:
            raise Missing("it draws the pictures of a batch one after another")
        if settings.sd_cpp is None:
            raise Missing("--sd-cpp PATH names stable-diffusion.cpp's program, sd-cli")
        if not settings.sd_cpp.exists():
            raise Missing(f"--sd-cpp {settings.sd_cpp} is not there")
        if not file(settings).exists():
            whole, partial = converted(settings, "single-file.safetensors"), converted(settings, f"{weight_type}-partial.gguf")
            print(f"converting the model to {file(settings)}", file=sys.stderr)
            if not whole.exists():
                need("safetensors")
                run_quietly([sys.executable, HERE / "single_file.py", settings.model, whole])
            run_quietly([settings.sd_cpp, "-M", "convert", "-m", whole, "-o", partial, "--type", weight_type])
            partial.rename(file(settings))

    def command(settings):
        return [settings.sd_cpp, "-m", file(settings), "-p", PROMPT, "-W", settings.width, "-H", settings.height, "--steps",
                settings.steps, "--cfg-scale", "7.5", "--sampling-method", "euler", "-s", "1", "-t", settings.threads,
                "-o", settings.work / "sd-cpp.png"]

    def read(output, settings):
        steps = [when for when, text in output.lines if re.search(rf"\b\d+/{settings.steps} - [\d.]+(s/it|it/s)", text)]
        decodes = [re.search(r"decode_first_stage completed, taking ([\d.]+)s", text) for _, text in output.lines]
        decode_s = next(float(match[1]) for match in decodes if match)
        return {"first_step_s": steps[0] - output.started, "steps_s": [b - a for a, b in zip(steps, steps[1:])],
                "decode_s": decode_s, "version": "stable-diffusion.cpp"}
    return Engine(name, arithmetic, prepare, command, read)


ENGINES = {engine.name: engine for engine in [
    sd_gen("sd-gen-f32", "--dtype float32"),
    sd_gen("sd-gen-bf16", "--dtype bfloat16"),
    diffusers("diffusers-f32", ["--dtype", "float32"], "f32"),
    diffusers("diffusers-bf16", ["--dtype", "bfloat16", "--channels-last"], "bf16"),
    diffusers("diffusers-bf16-compile", ["--dtype", "bfloat16", "--channels-last", "--compile"], "bf16"),
    openvino("openvino-f32", "unet", "f32", "f32"),
    openvino("openvino-bf16", "unet", "bf16", "bf16"),
    openvino("openvino-int8", "unet-int8", "bf16", "int8"),
    sd_cpp("sd.cpp-f16", "f16", "f32"),
    sd_cpp("sd.cpp-q8_0", "q8_0", "int8"),
]}
DEFAULT = [name for name in ENGINES if name != "diffusers-bf16-compile"]
