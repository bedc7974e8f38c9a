"""Trains the KL autoencoder (8x smaller, 4 channels) on scenes drawn on the fly. --decoder-only refines the decoder later.

Crops of 64 pixels first (four times as many steps, never mere background), whole pictures for the last part.
"""

import argparse
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

import world
from common import (DEVICE, Average, Threads, assert_all_gradients, bfloat16, load_checkpoint, log, pixels_to_tensor,
                    save_checkpoint)
from schedule import learning_rate
from stream import Scenes, stream

CROP_PX = 64


def build_vae():
    vae = AutoencoderKL(in_channels=3, out_channels=3, latent_channels=4, sample_size=world.SIDE_PX,
                        block_out_channels=(16, 32, 96, 128), layers_per_block=1, norm_num_groups=4,
                        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
    for name, module in vae.named_modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            # diffusers' default loses a factor 1/sqrt(3) a layer; residual branches start as nothing
            ends_branch = name.endswith("conv2") or name.endswith("to_out.0")
            torch.nn.init.normal_(module.weight, std=0 if ends_branch else module.weight[0].numel() ** -.5)
            torch.nn.init.zeros_(module.bias)
    return vae


def scenes(seed, step, count, stage=4):
    return pixels_to_tensor(np.stack([world.drawn(seed, step * count + i, stage)[1] for i in range(count)]))


def crops(seed, step, count, stage=4):
    """Two crops a scene, on the grid, where something is."""
    rng = random.Random(seed * 1_000_003 + step)
    out = []
    for i in range(count // 2):
        _, pixels = world.drawn(seed, step * count + i, stage)
        busy = (pixels != pixels[:1, :1]).any(2)
        tries = 0
        while len(out) < 2 * (i + 1):
            y, x = 8 * rng.randint(0, 8), 8 * rng.randint(0, 8)
            tries += 1
            if tries > 30 or busy[y:y + CROP_PX, x:x + CROP_PX].mean() > .12:
                out.append(pixels[y:y + CROP_PX, x:x + CROP_PX])
    return pixels_to_tensor(np.stack(out))


def whole_pictures(seed, stage, count, first, workers):
    """Endlessly float [count, 3, H, W] on the device."""
    for pixels, _ in stream(Scenes(seed, stage, first, captions=0), workers):
        for part in pixels.split(count):
            yield pixels_to_tensor(part.to(DEVICE))


def edges(x):
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def reconstruction_loss(out, x):
    edge = sum((a - b).abs().mean() for a, b in zip(edges(out), edges(x)))
    return (out - x).abs().mean() + 4 * F.mse_loss(out, x) + edge


@torch.no_grad()
def psnr(vae, stage=4, count=128):
    x = scenes(999, 0, count, stage).to(DEVICE)
    out = torch.cat([vae.decode(vae.encode(part).latent_dist.mode()).sample for part in x.split(16)])
    mse = ((out.clamp(-1, 1) - x) / 2).pow(2).mean((1, 2, 3))
    return float((-10 * mse.log10()).mean())


@torch.no_grad()
def centre_latents(vae, mean, std):
    """Folds (z - mean) / std, channel by channel, into the 1x1 convolutions on both sides of the latents."""
    variance_too = torch.cat([std, torch.ones_like(std)])
    vae.quant_conv.weight /= variance_too[:, None, None, None]
    vae.quant_conv.bias.copy_((vae.quant_conv.bias - torch.cat([mean, 2 * std.log()])) / variance_too)
    vae.post_quant_conv.bias += vae.post_quant_conv.weight[:, :, 0, 0] @ mean
    vae.post_quant_conv.weight *= std[None, :, None, None]


def trained_vae():
    """The averaged weights, latents of mean 0 and deviation 1. The first call freezes the encoder: it measures them for good."""
    state = load_checkpoint("vae")
    vae = build_vae()
    vae.load_state_dict(state["average"]["shadow"])
    vae.eval()
    norm = load_checkpoint("vae_norm")
    if not norm:
        with torch.no_grad():
            latents = torch.cat([vae.encode(part).latent_dist.mode() for part in scenes(997, 0, 800).split(16)])
        norm = {"mean": latents.mean((0, 2, 3)), "std": latents.std((0, 2, 3)), "step": state["step"]}
        save_checkpoint("vae_norm", **norm)
        save_checkpoint("vae_frozen", average=state["average"], step=state["step"])
    vae.load_state_dict(load_checkpoint("vae_frozen")["average"]["shadow"])
    centre_latents(vae, norm["mean"], norm["std"])
    decoder = load_checkpoint("vae_decoder")
    if decoder:
        vae.load_state_dict(decoder["average"]["shadow"])  # its encoder is the same
    vae.register_to_config(scaling_factor=1.)
    return vae.eval()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--minutes", type=float, help="of this run: the rate decays towards its end, should that come first")
    parser.add_argument("--whole-from", type=float, default=.8, help="part of the steps after which pictures are whole")
    parser.add_argument("--batch", type=int, default=16, help="crops; a quarter as many whole pictures")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--kl", type=float, default=2e-4)
    parser.add_argument("--latent-noise", type=float, default=.05, help="of the latents' own deviation")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw whole pictures; 0: the training itself")
    parser.add_argument("--save-every", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--stage", type=int, default=4, help="of the curriculum; the decoder alone may be fitted to what the UNet was taught")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    name = "vae_decoder" if args.decoder_only else "vae"
    vae = trained_vae().train() if args.decoder_only else build_vae()
    if args.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    vae = vae.to(DEVICE, memory_format=torch.channels_last)
    if DEVICE.type == "cuda" and args.decoder_only:
        vae.decoder.compile(dynamic=False)
    parameters = [p for p in vae.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, betas=(.9, .99), weight_decay=1e-4)
    average, step, seconds = Average(vae, .998), 0, 0.
    state = load_checkpoint(name)
    if state:
        vae.load_state_dict(state["model"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
        average.load(state["average"])
        step, seconds = state["step"], state["seconds"]
    log(name, event="start", step=step, parameters=sum(p.numel() for p in vae.parameters()), args=vars(args))
    began, began_step, lately, lately_pictures, threads = time.time(), step, time.time(), 0, Threads()

    def save():
        vae_now = build_vae()
        vae_now.load_state_dict(average.shadow)
        vae_now.to(DEVICE).eval()
        with torch.no_grad():
            latents = torch.cat([vae_now.encode(part.to(DEVICE)).latent_dist.mode() for part in scenes(998, 0, 128).split(16)])
        save_checkpoint(name, model=vae.state_dict(), optimizer=optimizer.state_dict(), average=average.state(), step=step,
                        seconds=seconds + time.time() - began, scaling_factor=float(1 / latents.std()))
        log(name, step=step, psnr=psnr(vae_now, args.stage), latent_std=float(latents.std()),
            channel_mean=latents.mean((0, 2, 3)).tolist(), seconds=seconds + time.time() - began)

    seed = args.seed + 10 * args.decoder_only
    pictures = whole_pictures(seed + 1, args.stage, args.batch // 4, step * args.batch // 4, args.workers)
    progress = step / args.steps
    while progress < 1:
        whole = progress >= args.whole_from
        x = next(pictures) if whole else crops(seed, step, args.batch, args.stage).to(DEVICE)
        x = x.contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = min((step - began_step + 1) / 100, 1) * learning_rate(progress, 1, args.lr, warm=0, decay_from=.5)
        with bfloat16():
            with torch.set_grad_enabled(not args.decoder_only):
                posterior = vae.encode(x).latent_dist
            z = posterior.mode() if args.decoder_only else posterior.sample()
            # what the UNet will hand over is never exact
            z = z + args.latent_noise * z.detach().std() * torch.randn_like(z)
            out = vae.decode(z).sample
        loss = reconstruction_loss(out.float(), x)
        kl = .5 * (posterior.mean.float() ** 2 + posterior.var.float() - 1 - posterior.logvar.float()).mean()
        (loss + (0 if args.decoder_only else args.kl) * kl).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.)
        if step == began_step + 100:
            assert_all_gradients(vae, name)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update()
        step += 1
        progress = max(step / args.steps, (time.time() - began) / 60 / args.minutes if args.minutes else 0)
        lately_pictures += len(x)
        threads.step()
        if step % 50 == 0:
            log(name, step=step, loss=round(loss.item(), 4), kl=round(kl.item(), 4), per_s=round(lately_pictures / (time.time() - lately), 1), whole=whole,
                threads=torch.get_num_threads())
            lately, lately_pictures = time.time(), 0
        if step % args.save_every == 0 or progress >= 1:
            save()


if __name__ == "__main__":
    main()
