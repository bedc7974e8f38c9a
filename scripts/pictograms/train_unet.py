"""Trains the UNet on latents of drawn scenes, by a curriculum; of the text encoder only the Russian pieces' embeddings follow.

SIGTERM saves and ends; the same command goes on. `torchrun --nproc-per-node 2 train_unet.py ...` shares every step between two processes
of one thread each, which on two cores is faster than one of two threads; --batch is each one's.
"""

import argparse
import os
import random
import signal
import time

import numpy as np
import torch
import torch.distributed
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn

import captions
import captions_ru
import world
from common import (DEVICE, Average, Threads, assert_all_gradients, bfloat16, learning_rate, load_checkpoint, log, pixels_to_tensor,
                    save_checkpoint)
from train_text import WIDTH, build_text_encoder, load_tokenizer, tokenize
from train_vae import trained_vae

LATENT_SIDE = world.SIDE_PX // 8
OBLONG = [(192, 128), (128, 192)]


def build_unet():
    unet = UNet2DConditionModel(
        sample_size=LATENT_SIDE, in_channels=4, out_channels=4, block_out_channels=(96, 176), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=WIDTH, attention_head_dim=4,
        norm_num_groups=8)
    for name, module in unet.named_modules():
        # only the ends of the transformers start as nothing: zeroing more delays the attention
        if name.endswith("proj_out"):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return unet


def build_scheduler():
    return DDIMScheduler(
        num_train_timesteps=1000, beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=True, steps_offset=1, prediction_type="v_prediction", timestep_spacing="trailing",
        rescale_betas_zero_snr=True)


def pretrained_text(tokenizer):
    text = build_text_encoder(tokenizer)
    shadow = load_checkpoint("text")["average"]["shadow"]
    text.load_state_dict({k.removeprefix("text."): v for k, v in shadow.items() if k.startswith("text.")})
    return text


@torch.no_grad()
def encode(vae, pictures):
    """float [N, 4, h, w] on the CPU"""
    pixels = pixels_to_tensor(np.stack(pictures)).contiguous(memory_format=torch.channels_last)
    return torch.cat([vae.encode(part.to(DEVICE)).latent_dist.mode() for part in pixels.split(16)]).cpu() * vae.config.scaling_factor


class Pool:
    """Latents of scenes, encoded as training goes on; each is met several times, always under another caption."""

    def __init__(self, vae, seed, capacity=150_000, width=world.SIDE_PX, height=world.SIDE_PX):
        self.vae, self.seed, self.capacity, self.size = vae, seed, capacity, (width, height)
        self.stages, self.latents, self.made, self.since = [], torch.empty(capacity, 4, height // 8, width // 8, dtype=torch.half), 0, 0

    def grow(self, count, stage):
        if self.stages and self.stages[-1] != stage:
            self.since = self.made  # the newest stage is drawn from most
        pictures = []
        for index in range(self.made, self.made + count):
            pictures.append(world.drawn(self.seed, index, stage, *self.size)[1])
            self.stages.append(stage)
        latents = encode(self.vae, pictures)
        for at, latent in enumerate(latents, self.made):
            self.latents[at % self.capacity] = latent
        self.made += count

    def pick(self, rng):
        """(latent, scene): two in three from the present stage."""
        oldest = max(self.made - self.capacity, 0)
        index = rng.randrange(max(self.since, oldest) if rng.random() < .67 else oldest, self.made)
        return self.latents[index % self.capacity], world.training_scene(world.scene_rng(self.seed, index), self.stages[index])

    def state(self):
        return {"stages": self.stages, "latents": self.latents[:min(self.made, self.capacity)], "made": self.made, "since": self.since}

    def load(self, state):
        if not state:
            return
        self.stages, self.made, self.since = state["stages"], state["made"], state["since"]
        self.latents[:len(state["latents"])] = state["latents"]


def some_timesteps(count):
    """Half uniform, half bunched in the middle, where shapes are decided."""
    middle = (torch.sigmoid(torch.randn(count) * .8) * 1000).long()
    return torch.where(torch.rand(count) < .5, middle, torch.randint(1000, (count,))).clamp(0, 999)


def caption_of(scene, rng, russian):
    language = captions_ru if rng.random() < russian and captions_ru.speaks_of(scene) else captions
    return language.describe(scene, rng)


def is_russian(tokenizer):
    """[pieces, 1] 1. where a piece has a Cyrillic letter, else 0."""
    return torch.tensor([[float(any("а" <= c <= "я" or c == "ё" for c in piece))]
                         for piece in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))], device=DEVICE)


def context_of(text, tokenizer, words):
    """[N, 32, 256] on the device."""
    with bfloat16():
        return text(tokenize(tokenizer, words).to(DEVICE)).last_hidden_state


def v_loss(unet, scheduler, latents, noise, t, context):
    noisy = scheduler.add_noise(latents, noise, t).contiguous(memory_format=torch.channels_last)
    with bfloat16():
        out = unet(noisy, t, encoder_hidden_states=context).sample
    return F.mse_loss(out.float(), scheduler.get_velocity(latents, noise, t))


@torch.no_grad()
def alarms(unet, text, tokenizer, scheduler, vae, stage, count=96):
    """v-loss near pure noise with the right, a shuffled and an empty caption: words must matter there first."""
    some = [world.drawn(4242, i, stage) for i in range(count)]
    latents = encode(vae, [pixels for _, pixels in some]).to(DEVICE)
    rng = random.Random(4242)
    words = [captions.describe(scene, rng, plain=True).text for scene, _ in some]
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    scores = {}
    for key, said in {"right": words, "shuffled": words[1:] + words[:1], "empty": [""] * count}.items():
        t = torch.full((count,), 950, device=DEVICE)
        scores[key] = round(float(v_loss(unet, scheduler, latents, noise, t, context_of(text, tokenizer, said))), 4)
    return scores


def summed(parameters, stopped):
    """Makes every process's gradients their mean; whether any process was told to stop."""
    flat = torch.cat([p.grad.flatten() for p in parameters] + [torch.tensor([float(stopped)], device=DEVICE)])
    torch.distributed.all_reduce(flat)
    parts = flat[:-1].div_(torch.distributed.get_world_size()).split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts):
        parameter.grad.copy_(part.view_as(parameter))
    return bool(flat[-1] > 0)


def stage_at(samples, starts):
    """starts: the number of samples at which stage 2, 3, 4 begin."""
    return 1 + sum(samples >= start for start in starts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=2_000_000, help="seen in all sessions together; the rate decays towards it")
    parser.add_argument("--stages", type=int, nargs="+", default=[20_000, 250_000, 900_000], help="samples at which stages 2, 3, 4 begin")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=7e-4)
    parser.add_argument("--russian", type=float, default=.12, help="part of the captions, where there are words for the scene")
    parser.add_argument("--rows-lr", type=float, default=3e-4, help="of the text encoder's rows for Russian pieces; the rest of it stays")
    parser.add_argument("--decay-from", type=float, default=.85)
    parser.add_argument("--average", type=float, default=.999)
    parser.add_argument("--fresh", type=int, default=4, help="new scenes a step")
    parser.add_argument("--oblong", type=float, default=.08, help="part of the batches that are 192x128 or 128x192")
    parser.add_argument("--alarm-every", type=int, default=250)
    parser.add_argument("--judge-every", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if processes > 1:
        if DEVICE.type == "cuda":
            torch.cuda.set_device(rank)
        torch.distributed.init_process_group("nccl" if DEVICE.type == "cuda" else "gloo")
    tokenizer, scheduler = load_tokenizer(), build_scheduler()
    vae = trained_vae().to(DEVICE, memory_format=torch.channels_last)
    torch.manual_seed(args.seed)
    unet, text = build_unet().to(DEVICE, memory_format=torch.channels_last), pretrained_text(tokenizer).to(DEVICE)
    called = unet
    if DEVICE.type == "cpu":
        unet.set_attn_processor(AttnProcessor())  # two products and a softmax: the CPU's fused attention has a slow backward pass
    else:
        called = torch.compile(unet)  # not on a CPU: there it once gave wrong gradients and no speed
    text.requires_grad_(False)
    rows = text.get_input_embeddings().weight
    rows.requires_grad_(args.russian > 0)
    if args.russian > 0:
        of_russian = is_russian(tokenizer)
        rows.register_hook(lambda gradient: gradient * of_russian)
    both = nn.ModuleDict({"unet": unet, "text": text})
    optimizer = torch.optim.AdamW([{"params": list(unet.parameters()), "peak": args.lr},
                                   {"params": list(text.parameters()), "peak": args.rows_lr}],
                                  lr=args.lr, betas=(.9, .99), weight_decay=.01, fused=True)
    average = Average(both, args.average)
    step, samples, seconds, warm_from = 0, 0, 0., 0
    state = load_checkpoint("unet")
    # only the first process's pools are kept: another's begin with scenes that it has not drawn before
    own_seed = args.seed + rank * (1000 + (state["step"] if state else 0))
    pools = {"pool": Pool(vae, own_seed)}
    for i, (width, height) in enumerate(OBLONG):
        pools[f"pool_{width}x{height}"] = Pool(vae, own_seed + 100 * (i + 1), 20_000, width, height)
    if state:
        both.load_state_dict(state["model"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
        for group, peak in zip(optimizer.param_groups, (args.lr, args.rows_lr)):
            group["peak"], group["fused"] = peak, True
        average.load(state["average"])
        step, samples, seconds = state["step"], state["samples"], state["seconds"]
        warm_from = state["warm_from"] if "optimizer" in state else step
        for name, pool in pools.items() if rank == 0 else ():
            pool.load(load_checkpoint(name))
    optimizer.param_groups[1]["weight_decay"] = 0.  # English rows have no gradient and must not shrink
    told = log if rank == 0 else lambda *_, **__: None
    told("unet", event="start", processes=processes, step=step, samples=samples, parameters=sum(p.numel() for p in unet.parameters()), args=vars(args))
    began, began_step, threads, losses = time.time(), step, Threads(), []
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))

    def save():
        for name, pool in pools.items():
            save_checkpoint(name, **pool.state())
        save_checkpoint("unet", model=both.state_dict(), optimizer=optimizer.state_dict(), average=average.state(), step=step,
                        samples=samples, warm_from=warm_from, seconds=seconds + time.time() - began)

    lately, lately_step = time.time(), step
    trained = [p for p in both.parameters() if p.requires_grad]
    while samples < args.samples and not stopped:
        stage = stage_at(samples, args.stages)
        torch.manual_seed(own_seed * 1_000_003 + step)
        rng = random.Random(own_seed * 1_000_003 + step)
        of_all = random.Random(args.seed * 1_000_003 + step)  # one size in all processes: the largest would keep the others waiting
        square = of_all.random() >= args.oblong
        pool = pools["pool" if square else of_all.choice([name for name in pools if name != "pool"])]
        while pool.made - pool.since < (3000 if square else 400) or not pool.stages or pool.stages[-1] != stage:
            pool.grow(200, stage)
        pool.grow(args.fresh, stage)
        latents, scenes = zip(*[pool.pick(rng) for _ in range(args.batch)])
        latents = torch.stack(latents).float().to(DEVICE)
        words = ["" if rng.random() < .1 else caption_of(scene, rng, args.russian).text for scene in scenes]
        context = context_of(text, tokenizer, words)
        for group in optimizer.param_groups:
            group["lr"] = (min((step - warm_from + 1) / 200, 1)
                           * learning_rate(samples, args.samples, group["peak"], warm=0, decay_from=args.decay_from))
        loss = v_loss(called, scheduler, latents, torch.randn_like(latents), some_timesteps(args.batch).to(DEVICE), context)
        loss.backward()
        if processes > 1 and summed(trained, bool(stopped)):
            stopped.append(True)
        torch.nn.utils.clip_grad_norm_(trained, 1.)
        if step == began_step + 100:
            assert_all_gradients(both, "unet")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if rank == 0:
            average.update()
        step += 1
        samples += args.batch * processes
        threads.step()
        losses.append(loss.item())
        if step % 50 == 0:
            told("unet", step=step, samples=samples, stage=stage, loss=round(sum(losses) / len(losses), 4), pool=pools["pool"].made,
                threads=torch.get_num_threads(), samples_per_s=round((step - lately_step) * args.batch * processes / (time.time() - lately), 1))
            losses, lately, lately_step = [], time.time(), step
        if step % args.alarm_every == 0 and rank == 0:
            log("unet", step=step, samples=samples, at_950=alarms(unet, text, tokenizer, scheduler, vae, stage))
        if step % args.judge_every == 0 and rank == 0:
            save()
            from evaluate import quick_look
            log("unet", step=step, samples=samples, quick=quick_look(average.shadow, stage))
            torch.set_grad_enabled(True)
    if rank == 0:
        save()
    told("unet", event="end", step=step, samples=samples, seconds=round(seconds + time.time() - began))


if __name__ == "__main__":
    main()
