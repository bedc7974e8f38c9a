"""Qwen2's tokenizer on a small vocabulary, in both forms of files. Writes tests/golden/qwen2_tokens/."""

import json
import shutil
import unicodedata

from transformers import Qwen2TokenizerFast

import tokens
from common import GOLDEN, write_cases, write_json
from tokenizers_small import train_qwen2

FOLDER = GOLDEN / "qwen2_tokens"
SPECIAL = "<|endoftext|> <|im_start|> <|im_end|>".split()
ORDINARY = "<tool_call> </tool_call> <think> </think>".split()
TEXTS = [
    # contractions, in capitals, cut short, with the long s
    "It's IT'S it'S don't DON'T we'Re WE'VE I'm I'M you'Ll he'D", "'s'S't'T're'RE've'Ve'm'M'll'LL'd'D", "'r 'v 'l 'e '", "'r'v'l", "x'sx 'sss 'tt 'mm 'dd",
    "it'\u017f '\u017f\u017f", "'\ufb06 '\u00df", "''s '''t", "it\u2019s", "' s", "'re'", "l'lll'l",
    # line breaks and runs of spaces
    "a\nb", "a\n\nb", "a\r\nb", "a\rb\n\rc", "a \n b", "a  \n  b", "a   \n\n   b  ", "\n", "\n\n\n", " \n", "\n ", "\n  a", "  \n  \n  ", "a\n", "a \t\n", "\t\ta", "\t a", " \ta", "a\t\tb", "a  b   c    d", "   ", "  a", "a  ", " ", "a\u00a0b \u00a0c\u00a0 d", "a\u3000\u3000b", "\u2028a\u2029\nb", "a\u0085\u0085b\n", "a\x0b\x0c b", "\u200b \u200ba", " \u180ea",
    # signs before letters, breaks behind signs
    "(cat) [dog], {fox}; a/b\\c", "!\n!\r\n!!\n\na", " !\n a", "  !", "a!b?c", "...a ...1 ... a", "$5 #1 @home _x_ __y__", "a,b, c ,d", "--a -- a- -", "\u00abcaf\u00e9\u00bb\n\n\u2014\u00e9l\u00e8ve", "\u3002\u732b\u3001\u72ac\n", "\U0001f600a \U0001f600\n\U0001f680 x",
    # digits one by one
    "1234567890", " 12 3.14", "a1b22", "\u0661\u0662 \u0967 \u2167 \u00bd\u00b2 \uff11", "1\n2", "-1 +2 1st 2nd", "\u24b6 \u2460",
    # what NFC joins, reorders or leaves; marks are no letters
    "cafe\u0301 caf\u00e9", "e\u0323\u0301\u0302x \u1e69 s\u0307\u0323", "\u1100\u1161\u11a8 \uac01", "\u0958 \u0915\u093c", "\u0301a a\u0301\u0301b", "x\u0338= \u2260", "\u212b \u2126 \ufb01", "\u092c\u093f\u0932\u094d\u0932\u0940", "\u0e41\u0e21\u0e27\u0e19\u0e49\u0e33", "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \u0642\u0650\u0637\u0651\u0629", "\n\u0301a", " \u0301 a",
    "\u4e00\u53ea\u7ea2\u8272\u7684\u732b\uff0c\u5750\u5728\u684c\u5b50\u4e0a\u3002", "\u8d64\u3044\u4e38\u306e\u4e0a", "\uace0\uc591\uc774 \ud55c \ub9c8\ub9ac", "\U00020000\U0002a6d6 \U0001d504", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd \u2764\ufe0f \U0001f1eb\U0001f1f7",
    # added tokens, whole, in the middle of words and nearly
    "<|im_start|>user\na cat<|im_end|>\n<|im_start|>assistant\n", "<|im_start|>user\n\n a cat \n<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "a<|endoftext|>b <|endoftext|> c", "<|im_end|><|im_end|>", "<|IM_END|> <|im_end |> <|im_end", "<think>red</think>", "< think> <think", "cat<think>'s</think>'s", "e<|im_end|>\u0301", " <|im_start|> ", "\n<|im_start|>\n", "<tool_call>{}</tool_call><tool_cal>",
]


def added(token, special):
    return {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": special}


def write_tokenizer(folder, **more):
    """vocab.json, merges.txt and tokenizer_config.json with the keys that Qwen3's has."""
    folder.mkdir(parents=True)
    vocab, merges = train_qwen2()
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(m) for m in merges), ""]), encoding="utf-8")
    tokens = [added(token, True) for token in SPECIAL] + [added(token, False) for token in ORDINARY]
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {str(len(vocab) + i): token for i, token in enumerate(tokens)},
        "additional_special_tokens": SPECIAL[1:],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    write_json(folder / "tokenizer_config.json", config | more)


def case_of(tokenizer, text):
    """Byte ranges only where NFC changes nothing: of what it joins the reference tells the first character alone."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    case = {"text": text, "ids": encoded["input_ids"]}
    if unicodedata.is_normalized("NFC", text):
        bytes_before = [len(text[:i].encode()) for i in range(len(text) + 1)]
        case["bytes"] = [[bytes_before[i] for i in pair] for pair in encoded["offset_mapping"]]
    return case


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    write_tokenizer(FOLDER / "files")
    tokenizer = Qwen2TokenizerFast.from_pretrained(FOLDER / "files", local_files_only=True)
    tokenizer.save_pretrained(FOLDER / "json")
    again = Qwen2TokenizerFast.from_pretrained(FOLDER / "json", local_files_only=True)
    cases = [case_of(tokenizer, text) for text in TEXTS + [text for text in tokens.TEXTS if len(text) < 80]]
    assert cases == [case_of(again, case["text"]) for case in cases]
    write_cases(FOLDER / "tokens.json", {"pad_id": tokenizer.pad_token_id}, cases)
