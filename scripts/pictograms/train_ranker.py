"""Trains a vision transformer and a copy of the UNet's text encoder: a CLIP that ranks pictures for sd-gen --best-of.

Each picture meets the captions of all others and several hard negatives of its own (swapped places and colours, other
numbers, one word changed). Each caption meets pictures spoilt as the UNet spoils them: two drawings of the same words, in other
places or tints, run into one another. A throw-away head must read the scene from the picture's tokens, too. Half of the pictures come
out of the VAE, as those do that are to be ranked.

  train_ranker.py --steps 4000        goes on from the last checkpoint
  train_ranker.py --export DIR        the averaged weights as a folder of transformers' CLIPModel
"""

import argparse
import json
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

import captions
import world
from common import (DEVICE, WORK, Average, Threads, assert_all_gradients, bfloat16, load_checkpoint, load_tokenizer, log,
                    pixels_to_tensor, resumed, save_checkpoint, tokenize)
from schedule import learning_rate
from sprites import colours_of
from stream import caption_of
from train_text import EMBEDDING, Reader, answers_of, ground_of, reading_loss
from train_text import WIDTH as TEXT_WIDTH
from train_unet import pretrained_text
from train_vae import trained_vae

SIDE, PATCH, WIDTH, LAYERS = world.SIDE_PX, 16, 192, 4
NEGATIVES = 3
RUSSIAN = .12  # part of the captions
MEAN = STD = [.5, .5, .5]  # pixels of -1 to 1


class Ranker(nn.Module):
    def __init__(self, text, reader=True):
        super().__init__()
        self.text = text
        self.project = nn.Linear(TEXT_WIDTH, EMBEDDING, bias=False)
        self.vision = CLIPVisionModelWithProjection(CLIPVisionConfig(
            hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=4, image_size=SIDE,
            patch_size=PATCH, hidden_act="quick_gelu", projection_dim=EMBEDDING))
        self.watcher = Reader(WIDTH) if reader else None
        self.log_scale = nn.Parameter(torch.tensor(2.7))
        with torch.no_grad():  # CLIP's own start hardly tells places apart
            for name, parameter in self.vision.named_parameters():
                if "position_embedding" in name or "class_embedding" in name:
                    nn.init.normal_(parameter, std=.2)
                elif "patch_embedding" in name:
                    nn.init.normal_(parameter, std=parameter[0].numel() ** -.5)

    def of_pictures(self, pixels):
        """(tokens [N, 65, D], unit embeddings [N, E])"""
        out = self.vision(pixel_values=pixels)
        return out.last_hidden_state, F.normalize(out.image_embeds.float(), dim=1)

    def of_words(self, tokenizer, texts):
        """Unit embeddings [N, E]; the texts are cut to the longest of their third: attention is causal, pads come last."""
        ids = tokenize(tokenizer, texts).to(self.log_scale.device)
        lengths = (ids == tokenizer.eos_token_id).int().argmax(1) + 1
        order = lengths.argsort()
        parts = [self.project(self.text(ids[rows, :int(lengths[rows].max())]).pooler_output) for rows in order.chunk(3)]
        return F.normalize(torch.cat(parts)[order.argsort()].float(), dim=1)


def some_scenes(rng, count, unseen):
    """Scenes of the stage that the UNet was taught."""
    return [world.training_scene(rng, 3, unseen) for _ in range(count)]


def retinted(scene, rng):
    """The scene with other tints: what its words may mean where they leave colours open."""
    return replace(scene, groups=tuple(replace(g, colour=rng.choice(colours_of(g.name))) for g in scene.groups))


def some_captions(scenes, rng, negatives):
    said = [caption_of(s, rng, RUSSIAN) for s in scenes]
    wrong = [[caption_of(captions.altered(s, rng), rng, RUSSIAN) for _ in range(negatives)] for s in scenes]
    same = torch.tensor([[captions.same_meaning(a, b) for b in some] for a, some in zip(said, wrong)])
    return [c.text for c in said], [c.text for some in wrong for c in some], same


@torch.no_grad()
def through_vae(vae, seed, count, unseen=False):
    """(scenes, their pictures out of the VAE, the same pictures spoilt, where those are spoilt indeed); pictures as bytes."""
    rng = random.Random(seed)
    mixing = torch.Generator().manual_seed(seed)
    scenes = some_scenes(rng, count, unseen)
    encode = lambda some: vae.encode(pixels_to_tensor(np.stack(some)).to(DEVICE)).latent_dist.mode()
    decode = lambda latents: ((vae.decode(latents).sample.float().clamp(-1, 1) + 1) * 127.5).round().byte().cpu()
    parts = []
    for at in range(0, count, 20):
        some = scenes[at:at + 20]
        with bfloat16():
            latents = encode([world.draw_scene(s, rng) for s in some])
            other = encode([world.draw_scene(retinted(s, rng) if rng.random() < .5 else s, rng) for s in some])
            mask = torch.randn(len(some), 1, *latents.shape[2:], generator=mixing).to(DEVICE)
            for _ in range(2):
                mask = F.avg_pool2d(F.pad(mask, (2,) * 4, mode="replicate"), 5, 1)
            # here one drawing, there the other, both in between
            mask = .15 + .7 * torch.sigmoid(6 * (mask - mask.mean((2, 3), keepdim=True)) / mask.std((2, 3), keepdim=True))
            apart = (((latents - other).abs().amax(1) > 1).flatten(1).sum(1) > 6).cpu()
            parts.append((decode(latents), decode(latents + mask * (other - latents)), apart))
    return scenes, *map(torch.cat, zip(*parts))


def to_floats(pictures):
    return pictures.to(DEVICE).float().div_(127.5).sub_(1)


def contrast(images, words, wrong_words, same, spoilt, apart, scale):
    """images, words [N, E]; wrong_words [N, K, E], of which same [N, K] are no negatives by chance; spoilt [M, E], of which apart [M] are."""
    every = images @ words.T
    own = torch.einsum("ne,nke->nk", images, wrong_words).masked_fill(same.to(DEVICE), -10.)
    ghosts = (words @ spoilt.T).masked_fill(~apart.to(DEVICE), -10.)
    goal = torch.arange(len(images), device=DEVICE)
    return (F.cross_entropy(scale * torch.cat([every, own], 1), goal) + F.cross_entropy(scale * torch.cat([every.T, ghosts], 1), goal)) / 2


@torch.no_grad()
def examine(ranker, tokenizer, vae, unseen, count=300):
    """Which of two captions a picture prefers, which of two pictures a caption prefers, retrieval among 300."""
    scenes, pictures, spoilt, apart = through_vae(vae, 77 + unseen, count, unseen)
    said, wrong, same = some_captions(scenes, random.Random(78), 1)
    embed = lambda images: torch.cat([ranker.of_pictures(to_floats(part))[1] for part in images.split(50)])
    images, ghosts, words, others = embed(pictures), embed(spoilt), ranker.of_words(tokenizer, said), ranker.of_words(tokenizer, wrong)
    images, ghosts, words, others = (x.cpu() for x in (images, ghosts, words, others))
    similar, goal, own = images @ words.T, torch.arange(count), (images * words).sum(1)
    part = lambda hits: round(float(hits.float().mean()), 4)
    return {"hard_negatives": part((own > (images * others).sum(1))[~same[:, 0]]), "spoilt": part((own > (ghosts * words).sum(1))[apart]),
            "image_to_text": part(similar.argmax(1) == goal), "text_to_image": part(similar.argmax(0) == goal)}


def export(folder, shadow, tokenizer):
    """A CLIPModel of the two towers."""
    ranker = Ranker(pretrained_text(tokenizer), reader=False)
    ranker.load_state_dict({k: v for k, v in shadow.items() if not k.startswith("watcher.")})
    text = {k: v for k, v in ranker.text.config.to_dict().items() if k != "model_type"}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=ranker.vision.config.to_dict(), projection_dim=EMBEDDING))
    clip.text_model.load_state_dict({k.removeprefix("text_model."): v for k, v in ranker.text.state_dict().items()})
    clip.text_projection.load_state_dict(ranker.project.state_dict())
    clip.vision_model.load_state_dict(ranker.vision.vision_model.state_dict())
    clip.visual_projection.load_state_dict(ranker.vision.visual_projection.state_dict())
    clip.logit_scale.data.copy_(ranker.log_scale)
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    clip.half().save_pretrained(folder)
    shutil.copytree(WORK / "tokenizer", folder, dirs_exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE},
        "resample": 3, "image_mean": MEAN, "image_std": STD}, indent=1) + "\n")
    (folder / "model.safetensors").chmod(0o644)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--through-vae", type=int, default=3000, help="scenes that pass the VAE, once, before training begins")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--text-lr", type=float, default=2e-4)
    parser.add_argument("--save-every", type=int, default=500)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--export", metavar="DIR")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer = load_tokenizer()
    if args.export:
        export(args.export, load_checkpoint("ranker")["average"]["shadow"], tokenizer)
        return
    ranker = Ranker(pretrained_text(tokenizer)).to(DEVICE)
    groups = [{"params": [p for n, p in ranker.named_parameters() if n.startswith("text.") == of_text], "peak": peak}
              for of_text, peak in ((False, args.lr), (True, args.text_lr))]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(.9, .98), weight_decay=.01, fused=True)
    average = Average(ranker, .995)
    step, seconds = resumed("ranker", ranker, optimizer, average)
    log("ranker", event="start", step=step, parameters=sum(p.numel() for p in ranker.vision.parameters()), args=vars(args))
    vae = trained_vae().to(DEVICE)
    bank, bank_pictures, bank_spoilt, bank_apart = through_vae(vae, args.seed, args.through_vae)
    log("ranker", event="scenes through the VAE", count=len(bank), spoilt=int(bank_apart.sum()))
    began, began_step, lately, threads = time.time(), step, time.time(), Threads()
    while step < args.steps:
        rng = random.Random(args.seed * 1_000_003 + step)
        rows = rng.sample(range(len(bank)), args.batch // 2)
        drawn = some_scenes(rng, args.batch - len(rows), False)
        scenes = [bank[i] for i in rows] + drawn
        fresh = pixels_to_tensor(np.stack([world.draw_scene(s, rng) for s in drawn])).to(DEVICE)
        pixels = torch.cat([to_floats(bank_pictures[rows]), fresh])
        said, wrong, same = some_captions(scenes, rng, NEGATIVES)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, group["peak"], warm=200, decay_from=.5)
        with bfloat16():
            words = ranker.of_words(tokenizer, said + wrong)
            tokens, images = ranker.of_pictures(torch.cat([pixels, to_floats(bank_spoilt[rows])]))
            answers = torch.tensor([answers_of(s.groups, s.layout) for s in scenes], device=DEVICE)
            watch = reading_loss(ranker.watcher(tokens[:args.batch]), answers, ground_of(scenes).to(DEVICE))
        loss = contrast(images[:args.batch], words[:args.batch], words[args.batch:].view(args.batch, NEGATIVES, -1), same,
                        images[args.batch:], bank_apart[rows], ranker.log_scale.exp().clamp(max=100))
        (loss + .5 * watch).backward()
        torch.nn.utils.clip_grad_norm_(ranker.parameters(), 1.)
        if step == began_step + 100:
            assert_all_gradients(ranker, "ranker")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update()
        step += 1
        threads.step()
        if step % 25 == 0:
            log("ranker", step=step, contrast=round(loss.item(), 4), watch=round(watch.item(), 4), threads=torch.get_num_threads(),
                per_s=round(25 * args.batch / (time.time() - lately), 1))
            lately = time.time()
        if step % args.save_every == 0 or step == args.steps:
            save_checkpoint("ranker", model=ranker.state_dict(), optimizer=optimizer.state_dict(), average=average.state(), step=step,
                            seconds=seconds + time.time() - began)
            now = Ranker(pretrained_text(tokenizer)).to(DEVICE)
            now.load_state_dict(average.shadow)
            now.eval()
            log("ranker", step=step, known=examine(now, tokenizer, vae, False), unseen=examine(now, tokenizer, vae, True))
            lately = time.time()


if __name__ == "__main__":
    main()
