"""What every training shares: folders, logs, checkpoints that survive a kill, moving averages."""

import json
import os
import sys
import time
from pathlib import Path

import torch

def _root():
    """The main checkout, where checkpoints outlive a work tree: its .git is a folder, a linked work tree's a file."""
    here = Path(__file__).resolve().parents[2]
    git = here / ".git"
    return Path(git.read_text().split(": ", 1)[1].strip()).parents[2] if git.is_file() else here


ROOT = _root()
WORK = Path(os.environ.get("PICTOGRAMS_WORK", ROOT / ".train" / "pictograms"))
MODEL = WORK / "model"
MAX_TOKENS = 32
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cuda":
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")


def load_tokenizer():
    from transformers import AutoTokenizer
    return AutoTokenizer.from_pretrained(WORK / "tokenizer")


def tokenize(tokenizer, texts):
    """int64 [N, 32]"""
    return tokenizer(texts, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt").input_ids


def log(name, **fields):
    WORK.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"at": time.strftime("%H:%M:%S"), **fields})
    with open(WORK / f"{name}.jsonl", "a") as file:
        file.write(line + "\n")
    print(name, line, file=sys.stderr, flush=True)


def save_checkpoint(name, **state):
    """Written beside and renamed, so that a kill never leaves half a file."""
    path = WORK / f"{name}.pt"
    WORK.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


def load_checkpoint(name):
    path = WORK / f"{name}.pt"
    return torch.load(path, map_location="cpu", weights_only=False) if path.exists() else None


def resumed(name, model, optimizer, average):
    """Loads a training's last checkpoint, if there is one, into its parts. (step, seconds) of it, else (0, 0)."""
    state = load_checkpoint(name)
    if not state:
        return 0, 0.
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    average.load(state["average"])
    return state["step"], state["seconds"]


class Average:
    """Exponential moving average of a module's parameters, warm from the first step."""

    def __init__(self, module, decay):
        self.module, self.decay, self.steps = module, decay, 0
        self.shadow = {k: v.detach().clone() for k, v in module.state_dict().items()}
        self.moving = {k: v for k, v in module.state_dict().items() if v.dtype.is_floating_point}  # changed in place by training

    @torch.no_grad()
    def update(self):
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_([self.shadow[key] for key in self.moving], list(self.moving.values()), 1 - decay)

    def state(self):
        return {"shadow": self.shadow, "steps": self.steps}

    def load(self, state):
        self.shadow = {key: value.to(self.shadow[key].device) for key, value in state["shadow"].items()}
        self.steps = state["steps"]


def assert_all_gradients(module, name):
    """torch.compile once gave exact zeros in whole blocks while the loss fell; this would notice."""
    dead = [k for k, p in module.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.abs().max() > 0)]
    assert not dead, f"{name}: no gradient in {dead}"


def pixels_to_tensor(pixels):
    """uint8 [N, H, W, 3], an array or a tensor -> float [N, 3, H, W] in -1..1, where the pixels are."""
    return torch.as_tensor(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def bfloat16():
    """Products in bfloat16, on the device that trains."""
    return torch.autocast(DEVICE.type, torch.bfloat16)


class Threads:
    """On a shared machine two threads can be slower than one (each waits for the other): now and then, try both."""

    def __init__(self, every_s=60, trial_steps=4):
        self.every_s, self.trial_steps = every_s, trial_steps
        self.most = torch.get_num_threads()
        self.next_trial, self.trials, self.last = 0, [], None

    def step(self):
        """Call once a training step."""
        now = time.time()
        if self.most == 1:
            return
        if self.trials:
            self.trials[-1][1].append(now - self.last)
            if len(self.trials[-1][1]) > self.trial_steps:  # the first of each is not counted
                if len(self.trials) == 1:
                    self.trials.append((1 if self.trials[0][0] > 1 else self.most, []))
                    torch.set_num_threads(self.trials[-1][0])
                else:
                    best = min(self.trials, key=lambda trial: sum(trial[1][1:]))
                    torch.set_num_threads(best[0])
                    self.trials, self.next_trial = [], now + self.every_s
        elif now > self.next_trial:
            self.trials = [(torch.get_num_threads(), [])]
        self.last = now
