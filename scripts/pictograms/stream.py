"""Scenes with their pictures and captions, made by worker processes while training goes on."""

import os
import random
import signal

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import captions
import captions_ru
import world
from common import MAX_TOKENS, load_tokenizer, tokenize

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the workers are the parallelism
CHUNK = 200


def caption_of(scene, rng, russian):
    language = captions_ru if rng.random() < russian and captions_ru.speaks_of(scene) else captions
    return language.describe(scene, rng)


class Scenes(IterableDataset):
    """Chunks of CHUNK scenes from `first` on: (pixels uint8 [CHUNK, H, W, 3], token ids int16 [CHUNK, captions, 32]).

    Chunk k is the same whoever makes it. Without pictures the first of the two is empty.
    """

    def __init__(self, seed, stage, first=0, size=(world.SIDE_PX, world.SIDE_PX), captions=8, russian=0., pictures=True):
        self.seed, self.stage, self.first, self.size = seed, stage, first, size
        self.captions, self.russian, self.pictures = captions, russian, pictures

    def __iter__(self):
        worker = get_worker_info()
        at, step = (self.first + worker.id * CHUNK, worker.num_workers * CHUNK) if worker else (self.first, CHUNK)
        tokenizer = load_tokenizer() if self.captions else None
        while True:
            yield self.chunk(at, tokenizer)
            at += step

    def chunk(self, at, tokenizer):
        pixels, texts = [], []
        for index in range(at, at + CHUNK):
            rng = world.scene_rng(self.seed, index)
            scene = world.training_scene(rng, self.stage)
            if self.pictures:
                pixels.append(world.draw_scene(scene, rng, *self.size))
            rng = random.Random(f"{self.seed} {index}")  # the words do not depend on how it was drawn
            texts += [caption_of(scene, rng, self.russian).text for _ in range(self.captions)]
        ids = tokenize(tokenizer, texts).to(torch.int16).view(CHUNK, self.captions, MAX_TOKENS) if self.captions else torch.empty(0)
        return torch.from_numpy(np.stack(pixels)) if self.pictures else torch.empty(0), ids


def stream(scenes, workers):
    """An endless iterator; 0 workers: made where it is asked for."""
    return iter(DataLoader(scenes, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None, worker_init_fn=_outlive))


def _outlive(_):
    """SIGTERM to the whole group is for the training, which saves; its end is its workers'."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
