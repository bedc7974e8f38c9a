"""Token ids of many texts, as diffusers asks for them. Writes tests/golden/tokens.json."""

import json

import sentencepiece

from common import GOLDEN, PIPELINES, folder, write_json

WORDS = "cat dog fox red blue green castle river mountain sunset oil painting of a the in with small large".split()
LONG = " ".join(WORDS[i * 7 % len(WORDS)] for i in range(200))

TEXTS = [
    # plain
    "", " ", "   ", "\t", "\n", " \t\r\n ", "a", "cat", "a photo of a cat", "A Photo Of A CAT", "  a   photo \t of\n\na cat  ",
    "a red circle above a blue square", "antidisestablishmentarianism", "xqzzy vfkw", LONG, "word" * 80,
    "a photo of a cat, " * 12, "cat " * 75, "cat " * 74 + "cat", "cat " * 76, "cat\n" * 30, "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    # contractions and apostrophes
    "it's", "IT'S", "don't they're we've I'm you'll he'd", "DON'T THEY'RE WE'VE I'M YOU'LL HE'D", "'s 't 're 've 'm 'll 'd",
    "dogs' 'quoted' rock'n'roll 'sss", "it\u2019s they\u2019re", "'S'T'RE'VE'M'LL'D", "''s", "'\u017f", "I'M' s",
    # numbers
    "a1b2", "3.14", "1234567890", "1,000,000", "50mm f/1.8", "\uff11\uff12", "\u2167 \u2177", "\u00bd \u00b2 \u2460", "\u0661\u0662\u0663", "\u0967\u0968", "4k 8K",
    "\u1372 \u3007 \u4e00\u4e8c\u4e09", "v2.1-beta_3",
    # punctuation
    "hello, world!", "!", "!!", "! a ! b!c", "!!! ??? ...", "(masterpiece:1.2), [blurry], {low}", "a-b_c=d+e*f/g\\h|i~j`k^l", "@#$%^&*()", "\u2014 \u2013 \u2026 \u00ab\u00bb \u201c\u201d",
    "$5 \u20ac6 \u00a37", "a_b __init__ _", "<b>bold</b> &amp; &lt;", "http://example.com/a?b=c&d=%20", ".,.,.,", "\u3002\u3001\u300c\u300d", "--prompt", "\u00a9 \u00ae \u2122 \u00b0",
    # spaces that are not spaces, controls
    "a\u00a0b", "a\u3000b", "a\u200bb", "a\u0085b", "a\u2028b\u2029c", "a\u202fb\u205fc\u1680d", "a\ufeffb", "\ufeffa cat", "a\x00b", "a\x01b\x1fc\x7fd", "a\x0bb\x0cc", "a\x1cb\x1dc\x1ed",
    "a\u00adb", "a\u180eb", "a\u2060b", "a\u200eb\u200f", "\u00a0", "\u200b", "x\u200cy\u200dz", "\x80\x9f",
    # letters of the world
    "caf\u00e9", "cafe\u0301", "CAFE\u0301", "\u00c5 A\u030a \u212b", "\u1e69 s\u0323\u0307 s\u0307\u0323", "\u0130", "\u0130stanbul I\u0307 \u0131 I", "\u03a3 \u03c3 \u03c2 \u039f\u0394\u039f\u03a3 \u03a3\u0391\u03a3", "STRASSE stra\u00dfe STRA\u1e9eE",
    "\ufb01sh \ufb00 \ufb05", "\u01c5 \u01c4 \u01f2", "\u00d1and\u00fa NIN\u0303O", "\u041a\u041e\u0428\u041a\u0410 \u043d\u0430 \u0441\u0442\u043e\u043b\u0435", "\u0419 \u0418\u0306", "\u0393\u0391\u03a4\u0391 \u03b3\u03ac\u03c4\u03b1", "\u10d0\u10d1 \u1c90\u1c91 \u10a0", "\u13a0 \uab70 \u13f8", "\u2c00\u2c30 \ua640",
    "\u732b\u304c\u597d\u304d", "\u8d64\u3044\u4e38", "\u7ea2\u8272\u7684\u5706\u5f62\u5728\u84dd\u8272\u65b9\u5757\u4e0a\u65b9", "\uace0\uc591\uc774", "\u1100\u1161\u11a8 \uac01", "\u30ab\u3099 \u30ac \uff76\uff9e", "\uff21\uff22\uff43", "\uf900 \ufa0e \U0002f800",
    "\u0642\u0637\u0629 \u062d\u0645\u0631\u0627\u0621", "\u0642\u0650\u0637\u0651\u0629", "\u05d7\u05ea\u05d5\u05dc \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "\u092c\u093f\u0932\u094d\u0932\u0940 \u0939\u093f\u0928\u094d\u0926\u0940", "\u0958 \u0915\u093c", "\u0e41\u0e21\u0e27\u0e19\u0e49\u0e33", "\u0b95\u0bcb \u0b95\u0bc6\u0bbe", "\u0f73 \u0f71\u0f72", "\u1ea4 A\u0302\u0301 A\u0301\u0302",
    "\u0345 \u1fb3 \u0391\u0345", "\u212a \u2126 \u2103", "\u00b5 \u03bc", "\u02bc \u02b0 \u00aa \u00ba", "\u24b6 \u24d0", "\u2160bc", "k\u0308 \u0327c",
    # astral letters, emoji, marks and other odds
    "\U0001f600", "a \U0001f600 cat", "\U0001f600\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f44d\U0001f3fd", "\u2764\ufe0f \u2764", "\U0001f1eb\U0001f1f7", "1\ufe0f\u20e3 #\ufe0f\u20e3", "\U0001f680to the moon\U0001f680",
    "\u0301", "\u0301a", "a \u0301b", "\u093f", "\U00010400\U00010428", "\U0001d504\U0001d4b6 \U0001d7d8", "\U00020000 \U0002a6d6", "\U0001e900", "\U00011099 \U0001109a\U000110ba", "\ue000 \uf8ff", "\U000f0000 \U0010ffff", "\ufffe\uffff", "\ufffd", "\ufdd0", "\u0378", "\U0001fae8", "\u0300\u0301\u0302\u0303",
    "\U0001d15e", "\u2adc", "\u0344", "e\u0301\u0301\u0316", "\u0e01\u0e33", "\ua7af \u1d2c", "\u2488 \u33a1", "\u0149 \u1e9a \u01f0 \u1e96", "\u03d2 \u03f4 \u1f88 \u1ffc",
    # special tokens written out
    "<|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b <|startoftext|>", "<|startoftext|>a cat<|endoftext|>", "<|ENDOFTEXT|> <|StartOfText|>", "<|endoftext|", "<|end oftext|>", "a<|startoftext|><|endoftext|><|endoftext|>z", "x <|endoftext|>'s",
    "</s>", "a</s>b", "<pad> <unk> <s>", "a cat </s> a dog", "\u2581 a\u2581b", "</w> cat</w>", "<extra_id_0>", "a</S>", "<pad>", " </s> ",
]


def main():
    import transformers

    out = {}
    for name in PIPELINES:
        path = folder(name) / "tokenizer"
        _, kind = json.loads((folder(name) / "model_index.json").read_text())["tokenizer"]
        tokenizer = getattr(transformers, kind).from_pretrained(path, local_files_only=True)
        limit = tokenizer.model_max_length
        plain = None
        if (path / "spiece.model").exists():
            plain = sentencepiece.SentencePieceProcessor(model_file=str(path / "spiece.model"))
        cases = []
        for text in TEXTS:
            ids = tokenizer(text, padding="max_length", max_length=limit, truncation=True).input_ids
            whole = tokenizer(text).input_ids
            assert len(ids) == limit
            case = {"text": text, "ids": ids, "n_tokens_untruncated": len(whole)}
            if plain and plain.encode(text) != whole[:-1]:
                case["plain_ids"] = plain.encode(text)
            cases.append(case)
        out[name] = {"model_max_length": limit, "class": type(tokenizer).__name__, "cases": cases}
    write_json(GOLDEN / "tokens.json", {"tokenizers": out}, indent=None)
