"""Trains the UNet on latents of drawn scenes; the text encoder follows at a fraction of the rate, or stays as it is."""

import argparse
import random
import time

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn

import world
from common import (Average, Threads, WORK, assert_all_gradients, learning_rate, load_checkpoint, log, save_checkpoint)
from train_text import build_text_encoder, load_tokenizer, tokenize
from train_vae import trained_vae

LATENT_SIDE = world.SIDE_PX // 8


def build_unet():
    unet = UNet2DConditionModel(
        sample_size=LATENT_SIDE, in_channels=4, out_channels=4, block_out_channels=(96, 128), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=192, attention_head_dim=4,
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


class Pool:
    """Latents of scenes, encoded as training goes on; each is met several times, always under another caption."""

    def __init__(self, vae, seed, capacity=120_000):
        self.vae, self.seed, self.capacity = vae, seed, capacity
        self.scenes, self.latents, self.made = [], torch.empty(capacity, 4, LATENT_SIDE, LATENT_SIDE), 0

    @torch.no_grad()
    def grow(self, count):
        import numpy as np
        from common import pixels_to_tensor
        rng = random.Random(self.seed * 1_000_003 + self.made)
        new = [world.random_scene(rng) for _ in range(count)]
        pixels = pixels_to_tensor(np.stack([world.draw_scene(scene, rng) for scene in new]))
        latents = torch.cat([self.vae.encode(part.contiguous(memory_format=torch.channels_last)).latent_dist.mode()
                             for part in pixels.split(32)]) * self.vae.config.scaling_factor
        for scene, latent in zip(new, latents):
            at = self.made % self.capacity
            self.scenes[at:at + 1] = [scene]
            self.latents[at] = latent
            self.made += 1

    def state(self):
        return {"scenes": self.scenes, "latents": self.latents[:len(self.scenes)].half(), "made": self.made}

    def load(self, state):
        self.scenes, self.made = state["scenes"], state["made"]
        self.latents[:len(self.scenes)] = state["latents"].float()


def some_timesteps(count):
    """Half uniform, half bunched in the middle, where shapes are decided."""
    middle = (torch.sigmoid(torch.randn(count) * .8) * 1000).long()
    return torch.where(torch.rand(count) < .5, middle, torch.randint(1000, (count,))).clamp(0, 999)


def v_loss(unet, scheduler, latents, noise, t, context):
    noisy = scheduler.add_noise(latents, noise, t).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        out = unet(noisy, t, encoder_hidden_states=context).sample
    return F.mse_loss(out.float(), scheduler.get_velocity(latents, noise, t))


@torch.no_grad()
def alarms(unet, text, tokenizer, scheduler, vae):
    """v-loss near pure noise with the right, a shuffled and an empty caption: words must matter there first."""
    rng = random.Random(4242)
    some = [world.random_scene(rng) for _ in range(128)]
    import numpy as np
    from common import pixels_to_tensor
    latents = vae.encode(pixels_to_tensor(np.stack([world.draw_scene(s, rng) for s in some]))).latent_dist.mode()
    latents = latents * vae.config.scaling_factor
    captions = [world.describe(s, rng, plain=True).text for s in some]
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    scores = {}
    for key, words in {"right": captions, "shuffled": captions[1:] + captions[:1], "empty": [""] * len(captions)}.items():
        context = text(tokenize(tokenizer, words)).last_hidden_state
        scores[key] = round(float(v_loss(unet, scheduler, latents, noise, torch.full((len(captions),), 950), context)), 4)
    return scores


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5400)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=7e-4)
    parser.add_argument("--text-lr", type=float, default=0., help="0 keeps the pre-trained text encoder as it is")
    parser.add_argument("--decay-from", type=float, default=.65)
    parser.add_argument("--average", type=float, default=.999)
    parser.add_argument("--judge-every", type=int, default=600)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    tokenizer, scheduler, vae = load_tokenizer(), build_scheduler(), trained_vae()
    vae = vae.to(memory_format=torch.channels_last)
    torch.manual_seed(args.seed)
    unet, text = build_unet().to(memory_format=torch.channels_last), pretrained_text(tokenizer)
    text.requires_grad_(args.text_lr > 0)
    both = nn.ModuleDict({"unet": unet, "text": text})
    optimizer = torch.optim.AdamW([{"params": list(unet.parameters()), "peak": args.lr},
                                   {"params": list(text.parameters()), "peak": args.text_lr}],
                                  lr=args.lr, betas=(.9, .99), weight_decay=.01)
    average, pool = Average(both, args.average), Pool(vae, args.seed)
    step, samples, seconds = 0, 0, 0.
    state = load_checkpoint("unet")
    if state:
        both.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for group, peak in zip(optimizer.param_groups, (args.lr, args.text_lr)):
            group["peak"] = peak
        average.load(state["average"])
        step, samples, seconds = state["step"], state["samples"], state["seconds"]
        stored = load_checkpoint("pool")
        if stored:
            pool.load(stored)
    log("unet", event="start", step=step, parameters=sum(p.numel() for p in unet.parameters()), args=vars(args))
    while pool.made < 8192:
        pool.grow(256)
    began, began_step, threads = time.time(), step, Threads()
    losses = []

    def save():
        save_checkpoint("pool", **pool.state())
        save_checkpoint("unet", model=both.state_dict(), optimizer=optimizer.state_dict(), average=average.state(), step=step,
                        samples=samples, seconds=seconds + time.time() - began)

    while step < args.steps:
        torch.manual_seed(args.seed * 1_000_003 + step)
        rng = random.Random(args.seed * 1_000_003 + step)
        pool.grow(8)
        picks = [rng.randrange(len(pool.scenes)) for _ in range(args.batch)]
        words = ["" if rng.random() < .1 else world.describe(pool.scenes[i], rng).text for i in picks]
        latents = pool.latents[picks]
        with torch.set_grad_enabled(args.text_lr > 0), torch.autocast("cpu", torch.bfloat16):
            context = text(tokenize(tokenizer, words)).last_hidden_state
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, group["peak"], warm=200, decay_from=args.decay_from)
        loss = v_loss(unet, scheduler, latents, torch.randn_like(latents), some_timesteps(args.batch), context)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.)
        if step == began_step + 100:
            assert_all_gradients(both, "unet")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update()
        step += 1
        samples += args.batch
        threads.step()
        losses.append(loss.item())
        if step % 100 == 0:
            log("unet", step=step, samples=samples, loss=round(sum(losses) / len(losses), 4), pool=pool.made,
                threads=torch.get_num_threads(), lr=optimizer.param_groups[0]["lr"],
                samples_per_s=round((step - began_step) * args.batch / (time.time() - began), 1))
            losses = []
        if step % args.judge_every == 0 or step == args.steps:
            save()
            log("unet", step=step, at_950=alarms(unet, text, tokenizer, scheduler, vae))
            from evaluate import quick_look
            log("unet", step=step, quick=quick_look(average.shadow))
            torch.set_grad_enabled(True)


if __name__ == "__main__":
    main()
