"""Trains the SentencePiece tokenizer (case-folding, byte fallback), English first, then Russian, and writes it in the form diffusers and
sd-gen load."""

import argparse
import io
import json
import random
import shutil
import string

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

import captions
import captions_ru
import world
from captions import plural
from common import MAX_TOKENS, WORK, log
from sprites import KINDS

# Everyday words, so that text from outside the world still splits into few pieces.
GENERAL = """the of and to in is it you that he was for on are with as his they be at one have this from or had by hot word but
what some we can out other were all there when up use your how said an each she which do their time if will way about many
then them write would like so these her long make thing see him two has look more day could go come did number sound no most
people my over know water than call first who may down side been now find any new work part take get place made live where
after back little only round man year came show every good me give our under name very through just form sentence great think
say help low line differ turn cause much mean before move right boy old too same tell does set three want air well also play
small end put home read hand port large spell add even land here must big high such follow act why ask men change went light
kind off need house picture try us again animal point mother world near build self earth father head stand own page should
country found answer school grow study still learn plant cover food sun four between state keep eye never last let thought
city tree cross farm hard start might story saw far sea draw left late run while press close night real life few north open
white black red green blue yellow orange purple pink brown gray grey cat dog bird fish horse flower mountain river sky cloud
photo painting drawing image illustration sketch cartoon art style shiny bright dark beautiful detailed background corner
middle center top bottom shape object line paper card poster logo icon sign""".split()


def corpus(count=60000, seed=5):
    rng = random.Random(seed)
    lines = [captions.describe(world.training_scene(rng, 4), rng).text for _ in range(count)]
    for kind in KINDS.values():  # every name in many lines, the rarest synonym too
        for noun in (kind.name, *kind.synonyms):
            lines += [f"{rng.choice(['a', 'the', 'my', 'one'])} {noun}"] * 20 + [f"{rng.choice(['two', 'some', 'many'])} {plural(noun)}"] * 10
    for _ in range(count // 4):
        lines.append(" ".join(rng.choices(GENERAL, k=rng.randint(2, 9))))
    for _ in range(count // 20):
        lines.append("".join(rng.choices(string.ascii_lowercase + string.digits + ".,!?'-:;()\"", k=rng.randint(1, 9))))
    return lines


def read_model(folder):
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "spiece.model").read_bytes())
    return model


SHARED = {"normalization_rule_name": "nmt_nfkc_cf", "model_type": "unigram", "character_coverage": 1., "hard_vocab_limit": False,
          "num_threads": 1, "minloglevel": 2}


def add_russian(folder, count=40000, pieces=768):
    """Appends the pieces of a Russian unigram model of its own: how English splits, and every id it has, stays."""
    rng = random.Random(7)
    lines = [captions_ru.describe(world.training_scene(rng, 3), rng).text for _ in range(count)]
    for names in captions_ru.NAMES.values():  # the rare cases, too
        for noun in names:
            lines += [captions_ru.words_of(noun, [colour], number, case) for number in (1, 2, 5) for case in ("nomn", "gent", "ablt", "loct")
                      for colour in ["синий", "красный"]]
    lines += list("абвгдеёжзийклмнопрстуфхцчшщъыьэюя")
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=written, vocab_size=pieces, **SHARED)
    russian = sentencepiece_model_pb2.ModelProto()
    russian.ParseFromString(written.getvalue())
    model = read_model(folder)
    known = {piece.piece for piece in model.pieces}
    model.pieces.extend(piece for piece in russian.pieces if piece.type == piece.NORMAL and piece.piece not in known)
    model.trainer_spec.vocab_size = len(model.pieces)
    (folder / "spiece.model").write_bytes(model.SerializeToString())


def write_fast(folder):
    """tokenizer.json: the same model for the Rust tokenizers, which transformers 5 wants beside spiece.model."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    plain = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    pieces = [(plain.id_to_piece(i), plain.get_score(i)) for i in range(plain.get_piece_size())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=plain.unk_id(), byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(read_model(folder).normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex("[ ▁]+"), " "),
        normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", plain.eos_id())])
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<pad>", "</s>", "<unk>")])
    tokenizer.save(str(folder / "tokenizer.json"))


def token_lengths(plain, language, stage, count=4000):
    """The middle, the 99th in a hundred, the longest, in tokens of captions."""
    rng = random.Random(6)
    lengths = sorted(len(plain.encode(language.describe(world.training_scene(rng, stage), rng).text)) + 1 for _ in range(count))
    return lengths[count // 2], lengths[count * 99 // 100], lengths[-1]


PROMPTS = ["", " ", "a red circle above a blue square", "a blue tulip to the left of an orange truck", "A RED CIRCLE Above a Blue SQUARE", "a  red   circle", " leading",
           "trailing ", "tab\tand\nnewline", "🙂", "a 🔴 circle", "🏳️‍🌈 flag", "红色圆圈", "赤い丸と青い四角", "빨간 원", "красный круг",
           "ÉCLAIR café", "e\u0301", "ﬁne ligature", "①②③", "ｆｕｌｌｗｉｄｔｈ", "straße STRASSE", "İstanbul", "don't can't it's", "Два красных ЯБЛОКА слева от зелёного кота", "желтый шар, черный фон",
           "hello, world!", "a_b_c", "3.14159 and 1,000", "100%", "#hashtag @me", "http://example.org/x?y=1", "<b>bold</b>",
           "a red circle, a blue square.", "(parentheses) [brackets] {braces}", "\"quoted\"", "em—dash – en", "a\u00a0b", "\u200bzero",
           "▁underline", "supercalifragilisticexpialidocious", "x" * 100, "red " * 60, "a star " * 20, "नमस्ते", "مرحبا", "שלום",
           "½ ¼ ²", "™ © ®", "a red circle above a blue square on a yellow background", "\\n \\t", "ring|moon", "two hearts & 1 arrow",
           "\ufffd", "MiXeD CaSe MoOn"]


def check(folder):
    """The transformers class must give SentencePiece's own ids, then eos, then pads."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    plain = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    eos, pad = plain.eos_id(), plain.pad_id()
    for loader in (PreTrainedTokenizerFast, AutoTokenizer):
        tokenizer = loader.from_pretrained(folder)
        for prompt in PROMPTS:
            ids = plain.encode(prompt)[:MAX_TOKENS - 1] + [eos]
            ids += [pad] * (MAX_TOKENS - len(ids))
            got = tokenizer(prompt, padding="max_length", max_length=tokenizer.model_max_length, truncation=True).input_ids
            assert got == ids, (prompt, got, ids)
    return len(PROMPTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep-english", action="store_true", help="add the Russian pieces to the tokenizer that is there")
    args = parser.parse_args()
    folder = WORK / "tokenizer"
    if not args.keep_english:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus()), model_prefix=str(folder / "spiece"), vocab_size=1536, byte_fallback=True, pad_id=0, eos_id=1,
            unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>", **SHARED)
        (folder / "spiece.vocab").unlink()
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": MAX_TOKENS, "pad_token": "<pad>", "eos_token": "</s>",
                    "unk_token": "<unk>", "padding_side": "right", "clean_up_tokenization_spaces": False}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    english = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    add_russian(folder)
    write_fast(folder)
    plain = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    rng = random.Random(8)
    for _ in range(2000):
        text = captions.describe(world.training_scene(rng, 4), rng).text
        assert plain.encode(text) == english.encode(text), text
    log("tokenizer", pieces=plain.get_piece_size(), of_english=english.get_piece_size(), same_ids=check(folder),
        examples=[plain.encode(text, out_type=str) for text in ("A blue tulip to the left of an orange truck on a yellow background",
                                                                "Синий тюльпан слева от оранжевого грузовика на жёлтом фоне")],
        longest=sorted((len(plain.encode(n)), n) for n in KINDS)[-5:], tokens_of_captions=token_lengths(plain, captions, 4),
        of_russian_ones=token_lengths(plain, captions_ru, 3))


if __name__ == "__main__":
    main()
