"""What the model's sdgen.json tells of what it was taught, beside the words: sd-gen warns of what is outside.

    python taught.py FOLDER...    writes it anew into their sdgen.json
"""

import argparse
import json
from pathlib import Path

import captions
import captions_ru
from sprites import KINDS

SIZES = [[128, 128], [192, 128], [128, 192]]
MOST_OF_A_KIND, MOST_KINDS = 5, 3
# English and Russian words for more than that
TOO_MANY = ("six seven eight nine ten eleven twelve dozen dozens hundred hundreds thousand many "
            "шесть шести шестью семь семи семью восемь восьми девять девяти девятью десять десяти десятью "
            "одиннадцать двенадцать сто много").split()
# Signs that no caption holds: the tokenizer knows them, the text encoder never saw them.
UNTAUGHT_SIGNS = "!?;\"()[]{}…«»“”„¡¿"


def both_spellings(words):
    return {*words, *(word.replace("ё", "е") for word in words)}


def english_names(kind):
    names = set()
    for noun in (kind.name, *kind.synonyms):
        names |= {noun, captions.plural(noun)}
    return names


def russian_names(kind):
    names = set()
    for noun in captions_ru.NAMES.get(kind.name, []):
        for case in captions_ru.CASES:
            names.add(captions_ru.words_of(noun, [], 1, case))
            for count in (2, 5):
                case_of_many = case if case in captions_ru.NUMBERS[2] else "nomn"
                names.add(captions_ru.words_of(noun, [], count, case_of_many).split(" ", 1)[1])
    return both_spellings(names)


def colour_words():
    words = {word for names in captions.COLOUR_WORDS.values() for word in names}
    for names in captions_ru.COLOURS.values():
        for word in names:
            for case in captions_ru.CASES:
                for number in ("masc", "femn", "neut", "plur"):
                    grammemes = {case, "plur"} if number == "plur" else {case, "sing", number}
                    words.add(captions_ru._inflected(word, tuple(sorted(grammemes))))
            for living in (("accs", "anim", "masc", "sing"), ("accs", "anim", "plur")):
                words.add(captions_ru._inflected(word, tuple(sorted(living))))
    return both_spellings(words)


def taught():
    things = {name: sorted(english_names(kind) | russian_names(kind)) for name, kind in KINDS.items()}
    return {"sizes": SIZES, "most_of_a_kind": MOST_OF_A_KIND, "most_kinds": MOST_KINDS, "too_many": TOO_MANY,
            "untaught_signs": UNTAUGHT_SIGNS, "coloured": [name for name, kind in KINDS.items() if kind.tintable],
            "colours": sorted(colour_words()), "things": things}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    for folder in parser.parse_args().folders:
        file = folder / "sdgen.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | taught(), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
