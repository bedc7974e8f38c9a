"""Russian words for scenes, as captions.py has the English ones: nouns, colours and numbers in the case that the sentence asks for.

`python captions_ru.py` shows every name's forms and some captions.
"""

import random
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import world
from captions import OPPOSITE, Caption, leaves_colours_open, names_background

CASES = ["nomn", "gent", "datv", "accs", "ablt", "loct"]  # pymorphy3's names; ablt is the instrumental
COLOURS = {"red": ["красный"], "orange": ["оранжевый"], "yellow": ["жёлтый"], "green": ["зелёный"], "blue": ["синий"],
           "purple": ["фиолетовый", "фиолетовый", "лиловый"], "pink": ["розовый"], "brown": ["коричневый"], "black": ["чёрный"],
           "white": ["белый"], "gray": ["серый"], "turquoise": ["бирюзовый"]}
SIZES = {"small": ["маленький", "маленький", "крошечный"], "big": ["большой", "большой", "огромный"]}
NUMBERS = {
    2: {"nomn": ("два", "две"), "gent": ("двух", "двух"), "ablt": ("двумя", "двумя"), "loct": ("двух", "двух")},
    3: {"nomn": ("три", "три"), "gent": ("трёх", "трёх"), "ablt": ("тремя", "тремя"), "loct": ("трёх", "трёх")},
    4: {"nomn": ("четыре", "четыре"), "gent": ("четырёх", "четырёх"), "ablt": ("четырьмя", "четырьмя"), "loct": ("четырёх", "четырёх")},
    5: {"nomn": ("пять", "пять"), "gent": ("пяти", "пяти"), "ablt": ("пятью", "пятью"), "loct": ("пяти", "пяти")}}
# what stands before the words, and the case they are in after it
OPENINGS = [("рисунок", "gent"), ("картинка", "gent"), ("изображение", "gent"), ("фото", "gent"), ("картинка:", "nomn"), ("это", "nomn"),
            ("здесь", "nomn"), ("нарисуй", "accs"), ("покажи", "accs"), ("я хочу", "accs")]
RELATIONS = {  # (words between, case after them)
    "left": [("слева от", "gent"), ("слева от", "gent"), ("левее", "gent")],
    "right": [("справа от", "gent"), ("справа от", "gent"), ("правее", "gent")],
    "above": [("над", "ablt"), ("над", "ablt"), ("выше", "gent")],
    "below": [("под", "ablt"), ("под", "ablt"), ("ниже", "gent")]}
SIDES = {"left": ["слева"], "right": ["справа"], "above": ["сверху", "вверху"], "below": ["снизу", "внизу"]}
GENDERS = {"masc": 0, "neut": 0, "femn": 1}


def _read_names():
    names = {}
    for line in (Path(__file__).parent / "pictograms_ru.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            kind, russian = line.split(": ")
            names[kind] = russian.split(", ")
    return names


NAMES = _read_names()


@lru_cache(maxsize=1)
def _words():
    import pymorphy3  # here, so that the names can be read without it
    return pymorphy3.MorphAnalyzer(lang="ru")


def _noun(word):
    nouns = [p for p in _words().parse(word) if "NOUN" in p.tag and "nomn" in p.tag and "sing" in p.tag]
    # among words of one spelling: стул, стулья; парусник that sails, not the butterfly
    wanted = {"стул": lambda p: p.inflect({"plur", "gent"}).word == "стульев", "парусник": lambda p: p.tag.animacy == "inan"}
    return next(filter(wanted.get(word), nouns))


def _adjective(word):
    return next(p for p in _words().parse(word) if "ADJF" in p.tag and "nomn" in p.tag)


@lru_cache(maxsize=None)
def _inflected(word, grammemes):
    parsed = _adjective(word) if word.endswith(("ый", "ий", "ой")) else _noun(word)
    form = parsed.inflect(set(grammemes))
    assert form, (word, grammemes)
    return form.word


@lru_cache(maxsize=None)
def _tag(noun):
    """(gender, animate)"""
    tag = _noun(noun.split()[-1]).tag
    return tag.gender, tag.animacy == "anim"


def words_of(noun, adjectives, count, case):
    """Adjectives and noun (the last word; others before it agree with it) after a number, if count is over one."""
    *own, head = noun.split()
    gender, animate = _tag(noun)
    if count == 1:
        agree = lambda word: _inflected(word, tuple(sorted(
            {"sing", case, gender} | ({"anim" if animate else "inan"} if case == "accs" and gender == "masc" else set()))))
        return " ".join([*map(agree, [*adjectives, *own]), _inflected(head, ("sing", case))])
    straight = case in ("nomn", "accs")
    number = NUMBERS[count]["nomn" if straight else case][GENDERS[gender]]
    if straight:  # две красные кошки, два красных круга, пять красных кругов
        noun_form = ("sing", "gent") if count < 5 else ("plur", "gent")
        adjective_case = "nomn" if count < 5 and gender == "femn" else "gent"
    else:
        noun_form, adjective_case = ("plur", case), case
    return " ".join([number, *(_inflected(word, ("plur", adjective_case)) for word in [*adjectives, *own]), _inflected(head, noun_form)])


@lru_cache(maxsize=None)
def _of_colour(colour):
    return f"{_inflected(colour, ('gent', 'masc', 'sing'))} цвета"


def _phrase(group, rng, plain, colour_open):
    """(a function of the case that gives the words, what they say)."""
    names = NAMES[group.name]
    noun = names[0] if len(names) == 1 or rng.random() < (.9 if plain else .75) else names[1]
    said, colour = group, rng.choice(COLOURS[group.colour]) if group.colour else ""
    if colour and colour_open:
        said, colour = replace(group, colour=None), ""
    size = rng.choice(SIZES[group.size]) if group.size != "normal" else ""
    behind = bool(colour) and not plain and rng.random() < .06
    adjectives = [w for w in (size, "" if behind else colour) if w]
    tail = f" {_of_colour(colour)}" if behind else ""
    one = "один " if group.count == 1 and not plain and rng.random() < .02 and _tag(noun)[0] == "masc" else ""
    digit = group.count > 1 and not plain and rng.random() < .15

    def words(case):
        text = words_of(noun, adjectives, group.count, case)
        if digit:
            text = f"{group.count} {text.split(' ', 1)[1]}"
        return (one if case == "nomn" else "") + text + tail
    return words, said


def _with(words):
    """"с", or "со" where two consonants would stumble."""
    return ("со " if len(words) > 1 and words[0] in "сзшж" and words[1] not in "аеёиоуыэюя" else "с ") + words


def _into(words):
    return ("во " if words[0] in "вф" and words[1] not in "аеёиоуыэюя" else "в ") + words


def _pair(p, relation, case, rng):
    first, second = p
    if relation == "any":
        return rng.choice([f"{first(case)} и {second(case)}"] * 4 + [f"{first(case)}, {second(case)}", f"{first(case)} {_with(second('ablt'))}",
                           f"{first(case)} рядом {_with(second('ablt'))}"])
    if rng.random() < .76 or case != "nomn":
        link, after = rng.choice(RELATIONS[relation])
        return f"{first(case)} {link} {second(after)}"
    here, there = rng.choice(SIDES[relation]), rng.choice(SIDES[OPPOSITE[relation]])
    return rng.choice([f"{first('nomn')} {here}, {second('nomn')} {there}", f"{first('nomn')} {here} и {second('nomn')} {there}",
                       f"{here} {first('nomn')}, {there} {second('nomn')}"])


def _arranged(scene, p, relation, case, rng):
    """(words, loose) of the scene's arrangement; what stands first is in the case."""
    if scene.layout == "one":
        return p[0](case), False
    if scene.layout in ("row", "column"):
        forward, backward = ("left", "right") if scene.layout == "row" else ("above", "below")
        loose = ["any"] * 4 if scene.layout == "row" else []
        relation = relation or rng.choice([forward] * 3 + [backward] * 3 + loose)
        order = (1, 0) if relation == backward else (0, 1)
        return _pair([p[i] for i in order], relation, case, rng), relation == "any"
    a, b, c = [*(words(case) for words in p), "", ""][:3]
    if scene.layout == "row3":
        if relation == "between" or (not relation and rng.random() < .5):
            return f"{b} между {p[0]('ablt')} и {p[2]('ablt')}", False
        return rng.choice([f"{a}, {b} и {c}", f"{a}, {b}, {c}", f"{a}, {b} и {c} в ряд", f"слева направо: {a}, {b}, {c}"]), False
    if scene.layout == "column3":
        return rng.choice([f"сверху вниз: {a}, {b}, {c}", f"{a} над {p[1]('ablt')} над {p[2]('ablt')}",
                           f"{a}, {b} и {c} друг под другом"]), False
    if scene.layout == "on":
        return rng.choice([f"{a} на {p[1]('loct')}"] * 4 + [f"{a} сверху на {p[1]('loct')}", f"{a} стоит на {p[1]('loct')}" if case == "nomn"
                                                            else f"{a} на {p[1]('loct')}"]), False
    return rng.choice([f"{a} {_into(p[1]('loct'))}"] * 2 + [f"{a} внутри {p[1]('gent')}"] * 2 + [f"{b} {_with(p[0]('ablt'))} внутри"]), False


def speaks_of(scene):
    """Whether there are words for all that is in it."""
    return all(group.name in NAMES for group in scene.groups)


def describe(scene, rng, plain=False, relation=None, colours_open=None, background_said=None):
    """One of many Russian captions of a scene."""
    if colours_open is None:
        colours_open = leaves_colours_open(scene, rng)
    phrases, said = zip(*[_phrase(g, rng, plain, colours_open) for g in scene.groups])
    opening, case = rng.choice(OPENINGS) if rng.random() < .2 else ("", "nomn")
    text, loose = _arranged(scene, phrases, relation, case, rng)
    if background_said is None:
        background_said = names_background(scene, rng)
    if background_said:
        colour = rng.choice(COLOURS[scene.background])
        text += rng.choice([f" на {_inflected(colour, ('loct', 'masc', 'sing'))} фоне"] * 5 + ([] if plain else [
            f", {colour} фон", f" на фоне {_of_colour(colour)}"]))
    text = f"{opening} {text}".strip()
    if rng.random() < .5:
        text = text.replace("ё", "е")  # as most people type
    if not plain and rng.random() < .05:
        text += "."
    return Caption(text, said, scene.layout, loose, scene.background if background_said else None)


def main():
    for kind, names in NAMES.items():
        for noun in names:
            print(kind, *_tag(noun), *(f"{words_of(noun, ['синий'], 1, case)}" for case in CASES if case != "datv"), *(
                words_of(noun, ["красный"], 2, case) for case in ("nomn", "gent", "ablt", "loct")), words_of(noun, [], 5, "nomn"), sep=" | ")
    rng = random.Random(1)
    for _ in range(40):
        print(describe(world.training_scene(rng, 3), rng).text)


if __name__ == "__main__":
    main()
