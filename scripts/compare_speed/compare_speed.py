"""Speed and memory of sd-gen beside other programs, on this machine, with the same model (of random weights if none is given).

    python scripts/compare_speed/compare_speed.py --out DIR [--engines sd-gen-bf16 openvino-bf16] [--rounds 3]

Each engine draws one batch in a process of its own; rounds go through all engines in turn, so that what else the
machine does falls on all alike. Prints a Markdown table; writes results.json and chart.svg into DIR. README.md beside this
file says what is measured.
"""

import argparse
import json
import os
import platform
import re
import shlex
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import chart
import engines
from engines import Missing, Output

# This process stays small and without torch: Linux counts a parent's memory towards the peak of a child it starts.
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def lines_of(stream):
    """(when, text) of each line as it comes; a progress line, which has no end until the next begins, as it is written."""
    lines, pending = [], b""
    while chunk := os.read(stream.fileno(), 65536):
        *whole, pending = re.split(rb"[\r\n]", pending + chunk)
        if pending.endswith(b"\x1b[K"):
            whole, pending = [*whole, pending], b""
        lines += [(time.monotonic(), text.decode(errors="replace")) for text in whole if text]
    return lines


def run(command, settings, log):
    """(Output, peak resident bytes) of a command; raises RuntimeError if it fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(settings.threads), "PYTHONDONTWRITEBYTECODE": "1"}
    words = list(map(str, command))
    with open(log, "wb") as errors:
        started = time.monotonic()
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment)
        try:
            lines = lines_of(process.stdout)
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # interrupted: nothing is left running
            process.kill()
            process.wait()
            raise
        ended = time.monotonic()
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
    if process.returncode:
        told = Path(log).read_text(errors="replace").strip().splitlines()
        raise RuntimeError(f"ended with {process.returncode}: {told[-1] if told else shlex.join(words)}")
    return Output(started, ended, lines), usage.ru_maxrss * 1024


def ask_worker(words, settings):
    output, _ = run([sys.executable, HERE / "work_and_peak.py", *words], settings, settings.out / "work_and_peak.log")
    return engines.last_json(output)


def gpu_name():
    try:
        told = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True)
    except OSError:
        return None
    return told.stdout.strip().splitlines()[0] if told.returncode == 0 and told.stdout.strip() else None


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", info)
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    features = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if re.search(rf"\b{flag}\b", info)]
    return {"cpu": model[1] if model else platform.machine(), "cores": len(os.sched_getaffinity(0)), "features": features,
            "memory_bytes": int(memory[1]) * 1024, "system": platform.platform(), "gpu": gpu_name()}


def summary(measurements):
    steps = [second for one in measurements for second in one["steps_s"]]
    columns = {"step_s": steps, "decode_s": [one["decode_s"] for one in measurements],
               "first_step_s": [one["first_step_s"] for one in measurements]}
    result = {name: {"median": statistics.median(values), "min": min(values), "n": len(values)} for name, values in columns.items()}
    result["peak_rss_bytes"] = max(one["peak_rss_bytes"] for one in measurements)
    for fact in ("version", "arithmetic"):
        result[fact] = measurements[-1][fact]
    return result


def add_ratios(results, baseline):
    """Each engine against the sd-gen of the same arithmetic, else the fastest sd-gen; or all against one."""
    table = results["summary"]
    ours = sorted((name for name in table if table[name]["is_sd_gen"]), key=lambda name: table[name]["step_s"]["median"])
    for name, row in table.items():
        same = [other for other in ours if table[other]["arithmetic"] == row["arithmetic"]]
        against = baseline if baseline in table else name if name in ours else (same or ours or [None])[0]
        row["against"] = against
        for stage in ("step_s", "decode_s", "first_step_s"):
            row[stage]["ratio"] = table[against][stage]["median"] / row[stage]["median"] if against else None
        peak = results["peak_gflops"].get(row["arithmetic"])
        for stage, work in (("step_s", "step_gflop"), ("decode_s", "decode_gflop")):
            if work in results["work"]:
                row[stage]["gflops"] = results["work"][work] / row[stage]["median"]
                row[stage]["of_peak"] = row[stage]["gflops"] / peak if peak else None


def markdown(results):
    def seconds(figures):
        return f"{chart.number(figures['median'])} ({chart.number(figures['min'])})"

    def share(figures):
        return f"{100 * figures['of_peak']:.0f} %" if figures.get("of_peak") else ""

    def ratio(figures, is_itself):
        return "" if is_itself or figures["ratio"] is None else f"{figures['ratio']:.2f}"

    lines = ["| engine | a guided step, s | decode, s | start to first step, s | peak memory, GiB | step: sd-gen / it | decode: "
             "sd-gen / it | against | step, of peak | decode, of peak |", "|" + " --- |" * 10]
    for name, row in sorted(results["summary"].items(), key=lambda item: item[1]["step_s"]["median"]):
        itself = row["against"] == name
        cells = [name, seconds(row["step_s"]), seconds(row["decode_s"]), seconds(row["first_step_s"]),
                 f"{row['peak_rss_bytes'] / 2 ** 30:.2f}", ratio(row["step_s"], itself), ratio(row["decode_s"], itself),
                 "" if itself or not row["against"] else row["against"], share(row["step_s"]), share(row["decode_s"])]
        lines.append("| " + " | ".join(cells) + " |")
    peaks = ", ".join(f"{name} {value:.0f} GFLOP/s" for name, value in results["peak_gflops"].items())
    work = results["work"]
    lines += ["", results["caption"] + ". Median (least). A ratio below 1: sd-gen is faster."]
    if work:
        lines.append(f"A step is {chart.number(work['step_gflop'])} GFLOP, a decode {chart.number(work['decode_gflop'])}"
                     + (f"; best of oneDNN here: {peaks}." if peaks else "."))
    lines += [f"Left out: {name} - {why}" for name, why in results["skipped"].items()]
    return "\n".join(lines)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="engines: " + ", ".join(engines.ENGINES))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where results.json, chart.svg and logs go")
    parser.add_argument("--engines", nargs="+", default=engines.DEFAULT, metavar="NAME", help="[all but diffusers-bf16-compile]")
    parser.add_argument("--sd-gen-mode", action="append", default=[], metavar="NAME=FLAGS",
                        help="another sd-gen, with flags of its own: 'sd-gen-fast=--dtype bfloat16 --sampler euler' (repeatable)")
    parser.add_argument("--rounds", type=int, default=3, help="[3]")
    parser.add_argument("--steps", type=int, default=4, help="steps a picture; the first counts as loading [4]")
    parser.add_argument("--shape", choices=("sd15", "sdxl"), default="sd15", help="size of the model that is made [sd15]")
    parser.add_argument("--size", type=int, help="width and height in pixels, a multiple of 64 [512; 1024 for sdxl]")
    parser.add_argument("--batch-size", type=int, default=1, metavar="N", help="pictures drawn together: 2 N UNet rows [1]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: sd-gen and diffusers only [cpu]")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="[all cores]")
    parser.add_argument("--model", type=Path, help="a StableDiffusionPipeline folder [WORK/SHAPE, made if missing]")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where models are made and converted: 2 to 12 GB [OUT/work]")
    parser.add_argument("--sd-gen", type=Path, default=ROOT / "build" / "sd-gen", help="[build/sd-gen]")
    parser.add_argument("--sd-cpp", type=Path, metavar="PATH", help="stable-diffusion.cpp's sd-cli")
    parser.add_argument("--baseline", metavar="NAME", help="compare with this engine [the sd-gen of the same arithmetic]")
    settings = parser.parse_args(arguments)
    for mode in settings.sd_gen_mode:
        name, equals, flags = mode.partition("=")
        if not equals or not name or name in engines.ENGINES:
            parser.error(f"--sd-gen-mode {mode}: give NAME=FLAGS with a name of its own")
        engines.ENGINES[name] = engines.sd_gen(name, flags)
        settings.engines = [*settings.engines, name]
    unknown = [name for name in settings.engines if name not in engines.ENGINES]
    if unknown:
        parser.error(f"unknown engine {unknown[0]}; known: {', '.join(engines.ENGINES)}")
    settings.size = settings.size or {"sd15": 512, "sdxl": 1024}[settings.shape]
    if settings.size % 64 or settings.size < 64 or settings.steps < 2:
        parser.error("--size is a multiple of 64, --steps at least 2")
    if min(settings.rounds, settings.threads, settings.batch_size) < 1:
        parser.error("--rounds, --threads and --batch-size are at least 1")
    settings.width = settings.height = settings.size
    settings.out = settings.out.resolve()
    settings.work = (settings.work or settings.out / "work").resolve()
    settings.model = (settings.model or settings.work / settings.shape).resolve()
    return settings


def measure_peak(settings, results):
    if settings.device != "cpu":
        return
    try:
        for name, value in ask_worker(["peak", settings.threads], settings)["gflops"].items():
            results["peak_gflops"][name] = max(value, results["peak_gflops"].get(name, 0))
    except RuntimeError as error:
        print(f"the machine's peak was not measured (needs torch): {error}", file=sys.stderr)


def measure(chosen, settings, results):
    for number in range(1, settings.rounds + 1):
        measure_peak(settings, results)
        measured = {}
        for engine in [engine for engine in chosen if engine.name not in results["skipped"]]:
            try:
                output, peak_rss = run(engine.command(settings), settings, settings.out / f"{engine.name}.log")
                told = {"arithmetic": engine.arithmetic, **engine.read(output, settings)}
                measured[engine.name] = {**told, "peak_rss_bytes": peak_rss}
            except (RuntimeError, LookupError, StopIteration, ValueError) as error:
                results["skipped"][engine.name] = f"round {number}: {error or type(error).__name__}"
                print(f"{engine.name} left out: {results['skipped'][engine.name]}", file=sys.stderr)
                continue
            step_s = statistics.median(measured[engine.name]["steps_s"])
            print(f"round {number} of {settings.rounds}: {engine.name}, {chart.number(step_s)} s a step", file=sys.stderr)
        results["rounds"].append({"load_average": os.getloadavg()[0], "measured": measured})


def caption(settings, at):
    where = at["gpu"] or "CUDA" if settings.device == "cuda" else f"{at['cpu']}, {settings.threads} of {at['cores']} cores"
    batch = f", batches of {settings.batch_size}" if settings.batch_size > 1 else ""
    return (f"{where}, {settings.model.name}, {settings.width}x{settings.height} pixels{batch}, "
            f"{settings.rounds} round{'s' if settings.rounds > 1 else ''}")


def main():
    settings = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    for folder in (settings.out, settings.work):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        engines.ensure_model(settings)
    except Missing as missing:
        sys.exit(f"no model: {missing}")
    results = {"machine": machine(), "settings": {key: str(value) for key, value in vars(settings).items()}, "work": {},
               "peak_gflops": {}, "skipped": {}, "rounds": [], "summary": {}}
    chosen = []
    for name in dict.fromkeys(settings.engines):
        try:
            engines.ENGINES[name].prepare(settings)
            chosen.append(engines.ENGINES[name])
        except Missing as missing:
            results["skipped"][name] = str(missing)
            print(f"{name} left out: {missing}", file=sys.stderr)
    try:
        results["work"] = ask_worker(["work", settings.model, settings.width, settings.height, settings.batch_size], settings)
    except RuntimeError as error:
        print(f"operations were not counted (needs torch and diffusers): {error}", file=sys.stderr)
    measure(chosen, settings, results)
    for engine in chosen:
        measurements = [one["measured"][engine.name] for one in results["rounds"] if engine.name in one["measured"]]
        if measurements:
            results["summary"][engine.name] = {**summary(measurements), "is_sd_gen": engine.is_sd_gen}
    if not results["summary"]:
        sys.exit("no engine could be measured")
    add_ratios(results, settings.baseline)
    results["caption"] = caption(settings, results["machine"])
    (settings.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (settings.out / "chart.svg").write_text(chart.svg(results))
    print(markdown(results))


if __name__ == "__main__":
    main()
