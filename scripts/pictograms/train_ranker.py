"""Trains a vision transformer beside the text encoder, which stays as it is: a CLIP that ranks pictures for sd-gen --best-of.

Each picture meets the captions of all others and several hard negatives of its own (swapped places and colours, other
numbers, one word changed). A throw-away head must read the scene from its tokens, too. Some pictures go through the VAE first:
those that are to be ranked come out of it.

  train_ranker.py --steps 4000        goes on from the last checkpoint
  train_ranker.py --export DIR        the averaged weights as a folder of transformers' CLIPModel
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

import captions
import world
from common import WORK, Average, Threads, assert_all_gradients, learning_rate, load_checkpoint, log, pixels_to_tensor, resumed, save_checkpoint
from train_text import EMBEDDING, Reader, answers_of, ground_of, load_tokenizer, reading_loss, some_scenes, tokenize, trained_towers

SIDE, PATCH, WIDTH, LAYERS = world.SIDE_PX, 16, 192, 4
NEGATIVES = 4
MEAN = STD = [.5, .5, .5]  # pixels of -1 to 1


class Ranker(nn.Module):
    def __init__(self, reader=True):
        super().__init__()
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

    def forward(self, pixels):
        """(tokens [N, 65, D], unit embeddings [N, E])"""
        out = self.vision(pixel_values=pixels)
        return out.last_hidden_state, F.normalize(out.image_embeds.float(), dim=1)


def batch_of(seed, step, count, vae=None, unseen=False, negatives=NEGATIVES):
    scenes, rng = some_scenes(seed, step, count, unseen)
    said = [captions.describe(s, rng) for s in scenes]
    wrong = [[captions.describe(captions.altered(s, rng), rng) for _ in range(negatives)] for s in scenes]
    pixels = pixels_to_tensor(np.stack([world.draw_scene(s, rng) for s in scenes]))
    if vae is not None:
        half = len(pixels) // 2
        with torch.no_grad():
            pixels[:half] = vae.decode(vae.encode(pixels[:half]).latent_dist.mode()).sample.clamp(-1, 1)
    return scenes, said, wrong, pixels


@torch.no_grad()
def embeddings(towers, tokenizer, texts):
    return torch.cat([towers.of_texts(tokenize(tokenizer, texts[i:i + 128]))[1] for i in range(0, len(texts), 128)])


def contrast(images, words, wrong_words, same, scale):
    """images, words [N, E]; wrong_words [N, K, E], of which same [N, K] are no negatives by chance."""
    every = images @ words.T
    own = torch.einsum("ne,nke->nk", images, wrong_words).masked_fill(same, -10.)
    goal = torch.arange(len(images))
    return (F.cross_entropy(scale * torch.cat([every, own], 1), goal) + F.cross_entropy(scale * every.T, goal)) / 2


def same_meanings(said, wrong):
    return torch.tensor([[captions.same_meaning(a, b) for b in some] for a, some in zip(said, wrong)])


@torch.no_grad()
def examine(ranker, towers, tokenizer, unseen, count=300):
    hits, images, words = [], [], []
    for i in range(count // 100):
        _, said, wrong, pixels = batch_of(77, 10 * i + unseen, 100, unseen=unseen, negatives=1)
        image, right = ranker(pixels)[1], embeddings(towers, tokenizer, [c.text for c in said])
        other = embeddings(towers, tokenizer, [c[0].text for c in wrong])
        hits += [float(h) for h, s in zip((image * right).sum(1) > (image * other).sum(1), same_meanings(said, wrong)) if not s]
        images.append(image)
        words.append(right)
    similar = torch.cat(images) @ torch.cat(words).T
    goal = torch.arange(len(similar))
    mean = lambda xs: round(float(sum(xs) / len(xs)), 4)
    return {"hard_negatives": mean(hits), "image_to_text": mean((similar.argmax(1) == goal).float()),
            "text_to_image": mean((similar.argmax(0) == goal).float())}


def export(folder, shadow, tokenizer, towers):
    """A CLIPModel of the trained text encoder and this vision transformer."""
    ranker = Ranker(reader=False)
    ranker.load_state_dict({k: v for k, v in shadow.items() if not k.startswith("watcher.")})
    text = {k: v for k, v in towers.text.config.to_dict().items() if k != "model_type"}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=ranker.vision.config.to_dict(), projection_dim=EMBEDDING))
    clip.text_model.load_state_dict({k.removeprefix("text_model."): v for k, v in towers.text.state_dict().items()})
    clip.text_projection.load_state_dict(towers.project.state_dict())
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
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--save-every", type=int, default=250)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--no-vae", action="store_true", help="clean pictures only")
    parser.add_argument("--export", metavar="DIR")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer = load_tokenizer()
    towers = trained_towers(tokenizer)
    if args.export:
        export(args.export, load_checkpoint("ranker")["average"]["shadow"], tokenizer, towers)
        return
    from train_vae import trained_vae
    vae = None if args.no_vae else trained_vae()
    ranker = Ranker()
    optimizer = torch.optim.AdamW(ranker.parameters(), lr=args.lr, betas=(.9, .98), weight_decay=.01, fused=True)
    average = Average(ranker, .995)
    step, seconds = resumed("ranker", ranker, optimizer, average)
    log("ranker", event="start", step=step, parameters=sum(p.numel() for p in ranker.vision.parameters()), args=vars(args))
    began, began_step, lately, threads = time.time(), step, time.time(), Threads()
    while step < args.steps:
        scenes, said, wrong, pixels = batch_of(args.seed, step, args.batch, vae)
        words = embeddings(towers, tokenizer, [c.text for c in said] + [c.text for some in wrong for c in some])
        words, wrong_words = words[:len(said)], words[len(said):].view(len(said), NEGATIVES, -1)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.lr, warm=200)
        with torch.autocast("cpu", torch.bfloat16):
            tokens, images = ranker(pixels)
            watch = reading_loss(ranker.watcher(tokens), torch.tensor([answers_of(s.groups, s.layout) for s in scenes]), ground_of(scenes))
        loss = contrast(images, words, wrong_words, same_meanings(said, wrong), ranker.log_scale.exp().clamp(max=100))
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
            now = Ranker()
            now.load_state_dict(average.shadow)
            now.eval()
            log("ranker", step=step, known=examine(now, towers, tokenizer, False), unseen=examine(now, towers, tokenizer, True))
            lately = time.time()


if __name__ == "__main__":
    main()
