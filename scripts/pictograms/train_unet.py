"""Trains the UNet on latents of drawn scenes, by a curriculum; of the text encoder only the Russian pieces' embeddings follow.

SIGTERM saves and ends; the same command goes on. `torchrun --nproc-per-node 2 train_unet.py ...` shares every step between two processes
of one thread each, which on two cores is faster than one of two threads; --batch is each one's. On a GPU: --batch 256 --workers 10.
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
import world
from common import (DEVICE, MAX_TOKENS, Average, Threads, assert_all_gradients, bfloat16, load_checkpoint, load_tokenizer, log,
                    pixels_to_tensor, save_checkpoint, tokenize)
from schedule import learning_rate
from stream import CHUNK, Scenes, stream
from train_text import WIDTH, build_text_encoder
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


def models_of(shadow, tokenizer):
    """(UNet, text encoder) of a checkpoint's averaged weights."""
    models = {"unet.": build_unet(), "text.": build_text_encoder(tokenizer)}
    for name, model in models.items():
        model.load_state_dict({k.removeprefix(name): v for k, v in shadow.items() if k.startswith(name)})
    return tuple(models.values())


@torch.no_grad()
def encode(vae, pixels):
    """float [N, 4, h, w] of uint8 [N, H, W, 3], both on the device."""
    parts = pixels_to_tensor(pixels).contiguous(memory_format=torch.channels_last).split(16 if DEVICE.type == "cpu" else 256)
    return torch.cat([vae.encode(part).latent_dist.mode() for part in parts]) * vae.config.scaling_factor


class Pool:
    """Latents of scenes and several captions of each, encoded as training goes on; each is met several times, mostly under another caption."""

    CAPTIONS = 8

    def __init__(self, vae, seed, workers, russian, made=0, capacity=150_000, size=(world.SIDE_PX, world.SIDE_PX)):
        self.vae, self.seed, self.workers, self.russian, self.size = vae, seed, workers, russian, size
        self.capacity, self.first, self.made, self.since, self.stage = capacity, made, made, made, None
        self.latents = torch.empty(capacity, 4, size[1] // 8, size[0] // 8, dtype=torch.half, device=DEVICE)
        self.ids = torch.empty(capacity, self.CAPTIONS, MAX_TOKENS, dtype=torch.int16, device=DEVICE)

    def enter(self, stage, least):
        """From now on the scenes are of this stage, which is drawn from most; at least so many of it are there at once."""
        if stage != self.stage:
            self.stage, self.since = stage, self.made
            self.stream = stream(Scenes(self.seed, stage, self.made, self.size, self.CAPTIONS, self.russian), self.workers)
        while self.made - self.since < least:
            self.grow()

    def grow(self):
        pixels, ids = next(self.stream)
        rows = torch.arange(self.made, self.made + len(pixels), device=DEVICE) % self.capacity
        self.latents[rows] = encode(self.vae, pixels.to(DEVICE)).half()
        self.ids[rows] = ids.to(DEVICE)
        self.made += len(pixels)

    def pick(self, count):
        """(latents [N, 4, h, w], token ids [N, 32]): two in three from the present stage."""
        oldest = max(self.made - self.capacity, self.first)
        newest = max(self.since, oldest)
        from_ = torch.where(torch.rand(count, device=DEVICE) < .67, newest, oldest)
        rows = (from_ + torch.rand(count, device=DEVICE) * (self.made - from_)).long().clamp(max=self.made - 1) % self.capacity
        said = torch.randint(self.CAPTIONS, (count,), device=DEVICE)
        return self.latents[rows].float(), self.ids[rows, said].long()


def some_timesteps(count):
    """Half uniform, half bunched in the middle, where shapes are decided."""
    middle = (torch.sigmoid(torch.randn(count, device=DEVICE) * .8) * 1000).long()
    anywhere = torch.randint(1000, (count,), device=DEVICE)
    return torch.where(torch.rand(count, device=DEVICE) < .5, middle, anywhere).clamp(0, 999)


def is_russian(tokenizer):
    """[pieces, 1] 1. where a piece has a Cyrillic letter, else 0."""
    return torch.tensor([[float(any("а" <= c <= "я" or c == "ё" for c in piece))]
                         for piece in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))], device=DEVICE)


def context_of(text, ids):
    """[N, 32, 256] of token ids [N, 32]."""
    with bfloat16():
        return text(ids).last_hidden_state


def v_loss(unet, scheduler, latents, noise, t, context):
    noisy = scheduler.add_noise(latents, noise, t).contiguous(memory_format=torch.channels_last)
    with bfloat16():
        out = unet(noisy, t, encoder_hidden_states=context).sample
    return F.mse_loss(out.float(), scheduler.get_velocity(latents, noise, t))


@torch.no_grad()
def alarms(unet, text, tokenizer, scheduler, vae, stage, count=96):
    """v-loss near pure noise with the right, a shuffled and an empty caption: words must matter there first."""
    some = [world.drawn(4242, i, stage) for i in range(count)]
    latents = encode(vae, torch.as_tensor(np.stack([pixels for _, pixels in some])).to(DEVICE))
    rng = random.Random(4242)
    words = [captions.describe(scene, rng, plain=True).text for scene, _ in some]
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    scores = {}
    for key, said in {"right": words, "shuffled": words[1:] + words[:1], "empty": [""] * count}.items():
        t = torch.full((count,), 950, device=DEVICE)
        scores[key] = round(float(v_loss(unet, scheduler, latents, noise, t, context_of(text, tokenize(tokenizer, said).to(DEVICE)))), 4)
    return scores


def shared(parameters, stopped, progress):
    """Makes every process's gradients their mean. (Whether any process is to stop, the mean of their progress.)"""
    flat = torch.cat([p.grad.flatten() for p in parameters] + [torch.tensor([float(stopped), progress], device=DEVICE)])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    parts = flat[:-2].split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts):
        parameter.grad.copy_(part.view_as(parameter))
    return bool(flat[-2] > 0), float(flat[-1])


def stage_at(samples, starts):
    """starts: the number of samples at which stage 2, 3, 4 begin."""
    return 1 + sum(samples >= start for start in starts)


def placed(unet):
    """(the UNet on the device; the same to be called: compiled where that pays, not on a CPU, where it once gave wrong gradients)."""
    unet = unet.to(DEVICE, memory_format=torch.channels_last)
    if DEVICE.type == "cpu":
        unet.set_attn_processor(AttnProcessor())  # two products and a softmax: the CPU's fused attention has a slow backward pass
        return unet, unet
    return unet, torch.compile(unet, dynamic=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=2_000_000, help="seen in all sessions together; the rate decays towards it")
    parser.add_argument("--minutes", type=float, help="of this run: the rate decays towards its end, should that come first")
    parser.add_argument("--stages", type=int, nargs="+", default=[20_000, 250_000, 900_000], help="samples at which stages 2, 3, 4 begin")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=7e-4)
    parser.add_argument("--russian", type=float, default=.12, help="part of the captions, where there are words for the scene")
    parser.add_argument("--rows-lr", type=float, default=3e-4, help="of the text encoder's rows for Russian pieces (0: they stay, too)")
    parser.add_argument("--decay-from", type=float, default=.85)
    parser.add_argument("--average", type=float, default=.999)
    parser.add_argument("--fresh", type=int, help="new scenes a step; without it an eighth of the batch: each is met eight times")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw them; 0: the training itself, between steps")
    parser.add_argument("--oblong", type=float, default=.08, help="part of the batches that are 192x128 or 128x192")
    parser.add_argument("--alarm-every", type=int, default=250)
    parser.add_argument("--judge-every", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    args.fresh = args.fresh or max(args.batch // 8, 1)
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if processes > 1:
        if DEVICE.type == "cuda":
            torch.cuda.set_device(rank)
        torch.distributed.init_process_group("nccl" if DEVICE.type == "cuda" else "gloo")
    tokenizer, scheduler = load_tokenizer(), build_scheduler()
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(DEVICE)
    vae = trained_vae().to(DEVICE, memory_format=torch.channels_last)
    torch.manual_seed(args.seed)
    (unet, called), text = placed(build_unet()), pretrained_text(tokenizer).to(DEVICE)
    text.requires_grad_(False)
    rows = text.get_input_embeddings().weight
    rows.requires_grad_(args.russian > 0 and args.rows_lr > 0)
    if rows.requires_grad:
        of_russian = is_russian(tokenizer)
        rows.register_hook(lambda gradient: gradient * of_russian)
    both = nn.ModuleDict({"unet": unet, "text": text})
    optimizer = torch.optim.AdamW([{"params": list(unet.parameters()), "peak": args.lr},
                                   {"params": list(text.parameters()), "peak": args.rows_lr}],
                                  lr=args.lr, betas=(.9, .99), weight_decay=.01, fused=True)
    average = Average(both, args.average)
    step, samples, seconds, warm_from, made = 0, 0, 0., 0, 0
    state = load_checkpoint("unet")
    if state:
        both.load_state_dict(state["model"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
        for group, peak in zip(optimizer.param_groups, (args.lr, args.rows_lr)):
            group["peak"], group["fused"] = peak, True
        average.load(state["average"])
        step, samples, seconds, made = state["step"], state["samples"], state["seconds"], state.get("made", 0)
        warm_from = state["warm_from"] if "optimizer" in state else step
    optimizer.param_groups[1]["weight_decay"] = 0.  # English rows have no gradient and must not shrink
    own_seed = args.seed + 1000 * rank
    pools = {"square": Pool(vae, own_seed, args.workers, args.russian, made)}
    for i, size in enumerate(OBLONG):
        pools[size] = Pool(vae, own_seed + 100 * (i + 1), min(args.workers, 1), args.russian, made, 20_000, size)
    told = log if rank == 0 else lambda *_, **__: None
    told("unet", event="start", processes=processes, step=step, samples=samples, parameters=sum(p.numel() for p in unet.parameters()), args=vars(args))
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))

    def save():
        save_checkpoint("unet", model=both.state_dict(), optimizer=optimizer.state_dict(), average=average.state(), step=step, stage=stage,
                        samples=samples, warm_from=warm_from, made=pools["square"].made, seconds=seconds + time.time() - began)

    empty = tokenize(tokenizer, [""]).to(DEVICE)
    trained = [p for p in both.parameters() if p.requires_grad]
    began, began_step, threads, losses, owed = time.time(), step, Threads(), [], dict.fromkeys(pools, 0)
    lately, lately_step, stage, progress, ended = began, step, stage_at(samples, args.stages), samples / args.samples, False
    while samples < args.samples and not ended:
        stage = stage_at(samples, args.stages)
        torch.manual_seed(own_seed * 1_000_003 + step)
        of_all = random.Random(args.seed * 1_000_003 + step)  # one size in all processes: the largest would keep the others waiting
        size = "square" if of_all.random() >= args.oblong else of_all.choice(OBLONG)
        pool = pools[size]
        pool.enter(stage, 3000 if size == "square" else 400)
        owed[size] += args.fresh
        while owed[size] >= CHUNK:
            pool.grow()
            owed[size] -= CHUNK
        latents, ids = pool.pick(args.batch)
        context = context_of(text, torch.where(torch.rand(args.batch, 1, device=DEVICE) < .1, empty, ids))
        for group in optimizer.param_groups:
            group["lr"] = min((step - warm_from + 1) / 200, 1) * learning_rate(progress, 1, group["peak"], warm=0, decay_from=args.decay_from)
        loss = v_loss(called if size == "square" else unet, scheduler, latents, torch.randn_like(latents), some_timesteps(args.batch), context)
        loss.backward()
        minutes = (time.time() - began) / 60
        ended = bool(stopped) or bool(args.minutes) and minutes > args.minutes
        progress = max((samples + args.batch * processes) / args.samples, minutes / args.minutes if args.minutes else 0)
        if processes > 1:
            ended, progress = shared(trained, ended, progress)
        torch.nn.utils.clip_grad_norm_(trained, 1.)
        if step == began_step + 100:
            assert_all_gradients(unet, "unet")  # a batch may hold no Russian
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if rank == 0:
            average.update()
        step += 1
        samples += args.batch * processes
        threads.step()
        losses.append(loss.detach())
        if step % 50 == 0:
            told("unet", step=step, samples=samples, stage=stage, loss=round(float(sum(losses) / len(losses)), 4), pool=pools["square"].made,
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
