"""Small tokenizers of the real kinds: byte-level BPE in CLIP's and Qwen2's layouts, a SentencePiece unigram model."""

import io
import re
from collections import Counter

import sentencepiece

CORPUS = """
a photo of a cat sitting on a wooden table, a painting of a red fox in the forest, highly detailed
an astronaut riding a horse on the moon, digital art, trending on artstation, 4k, 8k, sharp focus
a red circle above a blue square, a green triangle to the left of a yellow star, a purple ring below
the quick brown fox jumps over the lazy dog; the five boxing wizards jump quickly
it's a dog's life, they're here, we've seen it, I'm not sure, you'll see, he'd go, don't, can't, won't
portrait of a woman with long hair, oil painting, studio light, soft shadows, in the style of the old masters
a castle on a hill at sunset, mountains, river, clouds, rain, snow, night, morning, city street, neon
small large round square white black orange pink grey brown gold silver wood stone glass metal water fire
left right above below under over behind beside between inside outside with without and or not very
12 345 2024 3.14 100% 50mm f/1.8 (masterpiece:1.2), [blurry], {low quality}, !!! ??? ... --- *** ###
caf\u00e9 na\u00efve fa\u00e7ade \u00fcber stra\u00dfe ni\u00f1o sm\u00f8rrebr\u00f8d \u00e9l\u00e8ve c\u0153ur d\u00e9j\u00e0 vu
\u732b \u72ac \u8d64\u3044\u4e38 \u7f8e\u3057\u3044\u98a8\u666f \u7ea2\u8272\u7684\u5706 \uace0\uc591\uc774
\u043a\u043e\u0448\u043a\u0430 \u043d\u0430 \u0441\u0442\u043e\u043b\u0435 \u03b3\u03ac\u03c4\u03b1 \u03bb\u03cc\u03b3\u03bf\u03c2 \u0642\u0637\u0629 \u092c\u093f\u0932\u094d\u0932\u0940
\U0001f600 \U0001f680\U0001f680 \u2764\ufe0f \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd
"""
# CLIP's own splitting, in what Python's re can say: words, single digits, punctuation runs.
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+")


def byte_alphabet():
    """GPT-2's printable stand-ins for the 256 bytes, in CLIP's vocabulary order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(rest)}


def train_bpe(merges_wanted=486):
    """Vocabulary and merges; ties are broken by the pair's own text, so the result never varies."""
    letters = byte_alphabet()
    words = Counter()
    for piece in PIECES.findall(CORPUS.lower()):
        symbols = [letters[b] for b in piece.encode()]
        words[(*symbols[:-1], symbols[-1] + "</w>")] += 1
    vocab = [*letters.values(), *(c + "</w>" for c in letters.values())]
    merges = learn_merges(words, merges_wanted)
    vocab += ["".join(pair) for pair in merges]
    vocab += ["<|startoftext|>", "<|endoftext|>"]
    assert len(vocab) == len(set(vocab)) == 1000
    return {token: i for i, token in enumerate(vocab)}, merges


def learn_merges(words, merges_wanted):
    """words: {symbols: count}."""
    merges = []
    while len(merges) < merges_wanted:
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = Counter({merged(word, best): count for word, count in words.items()})
    return merges


def train_qwen2(merges_wanted=420):
    """Vocabulary and merges over Qwen2's own pieces; its added tokens are not in them, as in its files."""
    from tokenizers import Regex, pre_tokenizers
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    letters = byte_alphabet()
    pieces = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated").pre_tokenize_str(CORPUS + CORPUS.title())
    words = Counter(tuple(letters[b] for b in piece.encode()) for piece, _ in pieces)
    merges = learn_merges(words, merges_wanted)
    vocab = [*letters.values(), *("".join(pair) for pair in merges)]
    assert len(vocab) == len(set(vocab)) == 256 + merges_wanted
    return {token: i for i, token in enumerate(vocab)}, merges


def merged(word, pair):
    out, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            out.append("".join(pair))
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def train_sentencepiece():
    """spiece.model bytes: pad 0, eos 1, unk 2, as T5 has them."""
    out = io.BytesIO()
    sentencepiece.set_random_generator_seed(7)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.strip().splitlines()),
        model_writer=out,
        vocab_size=220,
        model_type="unigram",
        character_coverage=0.98,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return out.getvalue()
