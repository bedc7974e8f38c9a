"""Teaches a copy of the UNet to draw in four steps without guidance what the trained UNet draws in twenty with it.

Progressive distillation (Salimans and Ho, arXiv:2202.00512) with guidance folded in (Meng et al., arXiv:2210.03142), from twenty steps
to four at once: each of the student's DDIM steps is to land where five guided ones of the teacher land. The steps begin where one
of the two has come to, by turns: from its own places the student learns to mend what its earlier steps did.

`train_fast.py --minutes M` starts from the checkpoint of train_unet.py or goes on from its own; export.py --fast writes the folder.
"""

import argparse
import random
import signal
import time
from functools import lru_cache

import torch
import torch.nn.functional as F

from common import (DEVICE, Average, Threads, assert_all_gradients, bfloat16, load_checkpoint, load_tokenizer, log,
                    save_checkpoint, tokenize)
from schedule import learning_rate
from stream import Scenes, stream
from train_unet import LATENT_SIDE, OBLONG, build_scheduler, build_unet, context_of, models_of, placed

STEPS = 4
GUIDANCE, RESCALE = 3., .7


@lru_cache(maxsize=None)
def schedule(count):
    """(timesteps, alphas_cumprod there and 1 at the end) of `count` trailing steps."""
    scheduler = build_scheduler()
    scheduler.set_timesteps(count)
    return scheduler.timesteps.tolist(), [*scheduler.alphas_cumprod[scheduler.timesteps].tolist(), 1.]


def ddim(x, v, alpha, alpha_next):
    """One deterministic step (Song et al., arXiv:2010.02502) of a velocity v."""
    x0 = alpha ** .5 * x - (1 - alpha) ** .5 * v
    noise = alpha ** .5 * v + (1 - alpha) ** .5 * x
    return alpha_next ** .5 * x0 + (1 - alpha_next) ** .5 * noise


def velocity_between(x, x_next, alpha, alpha_next):
    """The v that takes x to x_next in one DDIM step."""
    a, s, a_next, s_next = alpha ** .5, (1 - alpha) ** .5, alpha_next ** .5, (1 - alpha_next) ** .5
    return (x_next - (a * a_next + s * s_next) * x) / (a * s_next - s * a_next)


def velocity(unet, x, t, context):
    with bfloat16():
        t = torch.full((len(x),), t, device=DEVICE) if isinstance(t, int) else t
        return unet(x.contiguous(memory_format=torch.channels_last), t, encoder_hidden_states=context).sample.float()


def guided(unet, x, t, context, empty):
    """Classifier-free guidance, its deviation drawn back to that of the words' own velocity (Lin et al., arXiv:2305.08891)."""
    told, free = velocity(unet, x, t, context), velocity(unet, x, t, empty)
    v = free + GUIDANCE * (told - free)
    return (RESCALE * told.std((1, 2, 3), keepdim=True) / v.std((1, 2, 3), keepdim=True) + 1 - RESCALE) * v


@torch.no_grad()
def lessons(teacher, student, context, empty, size, substeps):
    """(x, t, v) of every student's step along len(context) ways from noise to latents."""
    (timesteps, alphas), (fine_timesteps, fine_alphas) = schedule(STEPS), schedule(STEPS * substeps)
    assert fine_timesteps[::substeps] == timesteps
    x, out = torch.randn(len(context), 4, *size, device=DEVICE), []
    for i, t in enumerate(timesteps):
        y = x
        for j in range(i * substeps, (i + 1) * substeps):
            y = ddim(y, guided(teacher, y, fine_timesteps[j], context, empty), fine_alphas[j], fine_alphas[j + 1])
        alpha, alpha_next = alphas[i:i + 2]
        out.append((x, torch.full((len(x),), t, device=DEVICE), velocity_between(x, y, alpha, alpha_next)))
        own = ddim(x, velocity(student, x, t, context), alpha, alpha_next)
        x = torch.where(torch.rand(len(x), 1, 1, 1, device=DEVICE) < .5, own, y)
    return [torch.cat(part) for part in zip(*out)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True, help="of this run: the rate decays towards its end")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--substeps", type=int, default=5)
    parser.add_argument("--passes", type=int, default=2, help="how often each lesson is learnt from")
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument("--decay-from", type=float, default=.3)
    parser.add_argument("--average", type=float, default=.995)
    parser.add_argument("--russian", type=float, default=.12)
    parser.add_argument("--oblong", type=float, default=.05, help="part of the ways that lead to 192x128 or 128x192")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--seed", type=int, default=8)
    args = parser.parse_args()
    tokenizer, taught = load_tokenizer(), load_checkpoint("unet")
    (teacher, text), student = models_of(taught["average"]["shadow"], tokenizer), build_unet()
    student.load_state_dict(teacher.state_dict())
    (teacher, called_teacher), (student, called_student) = placed(teacher), placed(student)
    teacher.requires_grad_(False)
    text = text.to(DEVICE).requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), lr=args.lr, betas=(.9, .99), weight_decay=.01, fused=True)
    average, step, seconds, samples = Average(student, args.average), 0, 0., 0
    state = load_checkpoint("fast")
    if state:
        student.load_state_dict(state["model"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
        average.load(state["average"])
        step, seconds, samples = state["step"], state["seconds"], state["samples"]
    log("fast", event="start", step=step, samples=samples, args=vars(args))
    scenes = stream(Scenes(args.seed, taught["stage"], samples, captions=1, russian=args.russian, pictures=False), args.workers)
    empty = context_of(text, tokenize(tokenizer, [""] * args.batch).to(DEVICE))
    waiting = torch.empty(0, empty.shape[1], dtype=torch.long, device=DEVICE)
    began, began_step, losses, threads, stopped = time.time(), step, [], Threads(), []
    lately, lately_step, saved = began, step, began
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))

    def save():
        shadow = {f"unet.{k}": v for k, v in average.shadow.items()} | {f"text.{k}": v for k, v in text.state_dict().items()}
        save_checkpoint("fast", model=student.state_dict(), optimizer=optimizer.state_dict(), average=average.state(), shadow=shadow,
                        stage=taught["stage"], step=step, samples=samples, seconds=seconds + time.time() - began)

    while (progress := (time.time() - began) / 60 / args.minutes) < 1 and not stopped:
        torch.manual_seed(args.seed * 1_000_003 + step)
        while len(waiting) < args.batch:
            waiting = torch.cat([waiting, next(scenes)[1][:, 0].long().to(DEVICE)])
        context, waiting = context_of(text, waiting[:args.batch]), waiting[args.batch:]
        rng = random.Random(args.seed * 1_000_003 + step)
        square = rng.random() >= args.oblong
        size = (LATENT_SIDE, LATENT_SIDE) if square else tuple(side // 8 for side in rng.choice(OBLONG))
        of_shape = (called_teacher, called_student) if square else (teacher, student)
        x, t, v = lessons(*of_shape, context, empty, size, args.substeps)
        context = context.repeat(STEPS, 1, 1)
        for _ in range(args.passes):
            for rows in torch.randperm(len(x), device=DEVICE).split(args.batch):
                for group in optimizer.param_groups:
                    group["lr"] = min((step - began_step + 1) / 100, 1) * learning_rate(progress, 1, args.lr, warm=0, decay_from=args.decay_from)
                loss = F.mse_loss(velocity(of_shape[1], x[rows], t[rows], context[rows]), v[rows])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(student.parameters(), 1.)
                if step == began_step + 50:
                    assert_all_gradients(student, "fast")
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                average.update()
                step += 1
                samples += len(rows)
                threads.step()
                losses.append(loss.detach())
        if step - lately_step >= 40:
            log("fast", step=step, samples=samples, loss=round(float(sum(losses) / len(losses)), 4), threads=torch.get_num_threads(),
                samples_per_s=round((step - lately_step) * args.batch / (time.time() - lately), 1))
            losses, lately, lately_step = [], time.time(), step
        if time.time() - saved > 300:
            save()
            saved = time.time()
    save()
    log("fast", event="end", step=step, samples=samples, seconds=round(seconds + time.time() - began))


if __name__ == "__main__":
    main()
