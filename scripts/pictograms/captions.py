"""Words for scenes: a grammar with many paraphrases; the examination's prompts; hard negatives for the contrastive towers."""

import random
import re
from dataclasses import dataclass, replace

import world
from sprites import ALL, BACKGROUND_NAMES, COLOUR_NAMES, CORE, KINDS, colours_of
from world import Group, Scene

COLOUR_WORDS = {name: [name] for name in COLOUR_NAMES} | {
    "gray": ["gray", "grey"], "purple": ["purple", "purple", "violet"], "turquoise": ["turquoise", "turquoise", "teal", "cyan"]}
SIZE_WORDS = {"small": ["small", "small", "little", "tiny"], "big": ["big", "big", "large", "huge"]}
NUMBERS = {2: ["two", "two", "two", "2", "a pair of", "a couple of"], 3: ["three", "three", "three", "3"],
           4: ["four", "four", "four", "4"], 5: ["five", "five", "five", "5"]}
OPENINGS = ["a picture of", "an image of", "a drawing of", "draw", "there is", "show me", "a photo of", "a photo of", "picture of",
            "a painting of", "an illustration of", "we see", "i want", "please draw", "this is", "here is", "a picture with"]
FILLERS = ["simple", "flat", "nice", "beautiful", "high quality", "minimal", "vector art", "digital art", "clean", "2d", "icon"]
RELATIONS = {
    "left": ["left of", "to the left of", "on the left of", "on the left side of", "at the left of"],
    "right": ["right of", "to the right of", "on the right of", "on the right side of", "at the right of"],
    "above": ["above", "above", "over", "higher than", "somewhere above"],
    "below": ["below", "below", "under", "beneath", "underneath", "lower than"],
}
SIDES = {
    "left": ["on the left", "at the left", "to the left", "on the left side"],
    "right": ["on the right", "at the right", "to the right", "on the right side"],
    "above": ["at the top", "above", "on the top"],
    "below": ["at the bottom", "below", "on the bottom"],
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
# what has no singular, and what it is counted in
COUNTED_IN = {"scissors": "pair", "jeans": "pair", "trousers": "pair", "socks": "pair", "gloves": "pair", "glasses": "pair",
              "eyeglasses": "pair", "sunglasses": "pair", "grapes": "bunch", "cherries": "pair", "fries": "box", "french fries": "box",
              "popcorn": "box", "lightning": "bolt", "bacon": "slice", "cutlery": "set"}
PLURALS = {"mouse": "mice", "sheep": "sheep", "fish": "fish", "deer": "deer", "leaf": "leaves", "maple leaf": "maple leaves",
           "four-leaf clover": "four-leaf clovers", "squid": "squids", "cactus": "cacti", "loaf": "loaves", "die": "dice", "dice": "dice",
           "cup of coffee": "cups of coffee", "glass of wine": "glasses of wine", "glass of milk": "glasses of milk",
           "ball of yarn": "balls of yarn", "fork and knife": "forks and knives", "potato": "potatoes", "tomato": "tomatoes",
           "hippopotamus": "hippopotamuses", "ewe": "ewes", "goose": "geese", "snowman": "snowmen"}


@dataclass(frozen=True)
class Caption:
    text: str
    groups: tuple  # of Group in the order of the layout's slots; a colour of None is left open
    layout: str
    loose: bool  # the words say nothing of who stands where
    background: str | None  # None: not said


def plural(noun):
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _article(words):
    return "an" if words[0] in "aeiou" and not words.startswith(("uni", "ufo", "one")) else "a"


def _phrase(group, rng, plain, colour_open):
    """Words for a group, and what they say of it."""
    kind = KINDS[group.name]
    noun = kind.name if not kind.synonyms or rng.random() < (.9 if plain else .7) else rng.choice(kind.synonyms)
    said, colour = group, rng.choice(COLOUR_WORDS[group.colour]) if group.colour else ""
    if colour and colour_open:
        said, colour = replace(group, colour=None), ""
    size = rng.choice(SIZE_WORDS[group.size]) if group.size != "normal" else ""
    join = lambda *words: " ".join(w for w in words if w)
    unit = COUNTED_IN.get(noun)
    many = group.count > 1
    head = f"{plural(unit)} of {join(colour, noun)}" if unit and many else plural(noun) if many else noun
    if unit and many:
        words = join(size, head)
    elif not plain and colour and rng.random() < .06:
        words = join(size, head, rng.choice(["in", "that are" if many else "that is", "colored", "coloured", "of color"]), colour)
    else:
        words = join(size, colour, head)
    if many:
        number = rng.choice(NUMBERS[group.count] if not plain else NUMBERS[group.count][:1])
        if unit and "of" in number:
            number = "two"
        return f"{rng.choice(['', '', '', '', 'exactly ', 'a group of ']) if not plain and 'of' not in number else ''}{number} {words}", said
    if unit:
        return rng.choice([f"a {unit} of {words}", words, f"some {words}"]), said
    article = rng.choices(["a", "the", "one", ""], (.66, .08, .03, .23) if not plain else (1, 0, 0, 0))[0]
    return f"{_article(words) if article == 'a' else article} {words}".strip(), said


def _pair_words(first, second, relation, is_are, rng):
    if relation == "any":
        return rng.choice([f"{first} and {second}"] * 3 + [f"{first}, {second}", f"{first} with {second}", f"{first} together with {second}",
                           f"{first} {rng.choice(['next to', 'beside'])} {second}"])
    form = rng.random()
    if form < .72:
        link = rng.choice(RELATIONS[relation][:2]) if rng.random() < .5 else rng.choice(RELATIONS[relation])
        return f"{first} {is_are + ' ' if rng.random() < .12 else ''}{link} {second}"
    if form < .86:
        return (f"{first} {rng.choice(SIDES[relation])}{rng.choice([' and', ',', ', and'])} {second} "
                f"{rng.choice(SIDES[OPPOSITE[relation]])}")
    return f"{rng.choice(SIDES[relation][:2])} {first}, {rng.choice(SIDES[OPPOSITE[relation]][:2])} {second}"


def _arranged(scene, phrases, relation, rng):
    """(words, loose) of the scene's arrangement."""
    p = phrases
    if scene.layout == "one":
        return p[0], False
    if scene.layout in ("row", "column"):
        forward, backward = ("left", "right") if scene.layout == "row" else ("above", "below")
        # a loose pair stands in a row as it is named: with the order left open, both places got the same thing
        loose = ["any"] * 4 if scene.layout == "row" else []
        relation = relation or rng.choice([forward] * 3 + [backward] * 3 + loose)
        order = (1, 0) if relation == backward else (0, 1)
        is_are = "are" if scene.groups[order[0]].count > 1 else "is"
        return _pair_words(p[order[0]], p[order[1]], relation, is_are, rng), relation == "any"
    if scene.layout == "row3":
        if relation == "between" or (not relation and rng.random() < .5):
            return f"{p[1]} {rng.choice(['between', 'between', 'in between'])} {p[0]} and {p[2]}", False
        return rng.choice([f"{p[0]}, {p[1]} and {p[2]}", f"{p[0]}, {p[1]}, {p[2]}", f"{p[0]}, {p[1]} and {p[2]} in a row",
                           f"from left to right: {p[0]}, {p[1]}, {p[2]}"]), False
    if scene.layout == "column3":
        return rng.choice([f"from top to bottom: {p[0]}, {p[1]}, {p[2]}", f"{p[0]} above {p[1]} above {p[2]}",
                           f"{p[0]}, {p[1]} and {p[2]} in a column", f"{p[0]} over {p[1]} over {p[2]}"]), False
    if scene.layout == "on":
        return rng.choice([f"{p[0]} {link} {p[1]}" for link in ("on", "on", "on", "on top of", "on top of", "sitting on", "standing on")]
                          + [f"{p[1]} with {p[0]} on top", f"{p[1]} with {p[0]} on it"]), False
    return rng.choice([f"{p[0]} {link} {p[1]}" for link in ("inside", "inside", "inside", "in", "in", "within")]
                      + [f"{p[1]} with {p[0]} inside", f"{p[1]} around {p[0]}", f"{p[1]} containing {p[0]}"]), False


def _with_background(text, colour, rng, plain):
    colour = rng.choice(COLOUR_WORDS[colour])
    article = _article(colour)
    tail = rng.choice([f"on {article} {colour} background"] * 4 + ([] if plain else [
        f"on {colour} background", f"with {article} {colour} background", f"against {article} {colour} background",
        f"in front of {article} {colour} background", f", {colour} background"]))
    if plain or rng.random() < .92:
        return f"{text}{'' if tail.startswith(',') else ' '}{tail}"
    return f"on {article} {colour} background, {text}"


def leaves_colours_open(scene, rng):
    """Mostly all colours are said, or none; a thing inside must be told from what it is inside of."""
    p_open = .4 if len(scene.groups) == 1 else .3  # with .18, two tints often ran into one another where none was said
    return scene.layout != "inside" and rng.random() < p_open


def names_background(scene, rng):
    """Always where it is not the usual one."""
    return scene.background != world.usual_background(scene) or rng.random() < .2


def describe(scene, rng, plain=False, relation=None, colours_open=None, background_said=None):
    """One of many captions of a scene; plain leaves out the rarer turns of phrase."""
    if colours_open is None:
        colours_open = leaves_colours_open(scene, rng)
    phrases, said = zip(*[_phrase(g, rng, plain, colours_open) for g in scene.groups])
    text, loose = _arranged(scene, phrases, relation, rng)
    if not plain and rng.random() < .06:
        text = rng.choice([f"{text}, {rng.choice(FILLERS)}", f"{rng.choice(FILLERS)} {text}"])
    if background_said is None:
        background_said = names_background(scene, rng)
    if background_said:
        text = _with_background(text, scene.background, rng, plain)
    if rng.random() < .25:
        text = f"{rng.choice(OPENINGS)} {text}"
    if not plain and rng.random() < .05:
        text += "."
    return Caption(text, said, scene.layout, loose, scene.background if background_said else None)


def altered(scene, rng):
    """A hard negative; it holds nothing held out unless the scene itself does."""
    own = world.held_out_reasons(scene)
    while True:
        other = _altered(scene, rng)
        if other != scene and world.held_out_reasons(other) <= own:
            return other


def _altered(scene, rng):
    """A scene of the same words put wrongly: swapped colours, places, numbers, sizes, or one word changed."""
    groups, ways = list(scene.groups), []
    two = len(groups) > 1
    if two and groups[0].name != groups[1].name:
        ways += ["places"] * 3
        if groups[0].colour and groups[1].colour and groups[0].colour != groups[1].colour and scene.layout != "inside":
            ways += ["colours"] * 3
        if groups[0].count != groups[1].count:
            ways.append("counts")
    if scene.layout in ("row", "column", "on"):
        ways.append("layout")
    ways += ["count"] if groups[0].count > 1 else []
    ways += ["colour"] * 2 if groups[0].colour else []
    ways += ["name", "background"]
    way, at = rng.choice(ways), rng.randrange(len(groups))
    if way in ("places", "colours", "counts"):
        a, b = groups[:2]
        groups[0] = b if way == "places" else replace(a, colour=b.colour) if way == "colours" else replace(a, count=b.count)
        groups[1] = a if way == "places" else replace(b, colour=a.colour) if way == "colours" else replace(b, count=a.count)
        if way == "places" and scene.layout == "inside":
            groups = [replace(groups[1], colour=rng.choice([c for c in COLOUR_NAMES if c != groups[1].colour])
                              if groups[1].colour else None), groups[0]]  # rarely used: another colour instead
            groups = groups if groups[1].name in world.CONTAINERS else list(scene.groups)
    elif way == "layout":
        return replace(scene, layout=rng.choice([x for x in ("row", "column", "on") if x != scene.layout]))
    elif way == "count":
        groups[at] = replace(groups[at], count=rng.choice([c for c in (2, 3, 4, 5)[:4 if not two else 2] if c != groups[at].count]))
    elif way == "colour" and groups[at].colour:
        groups[at] = replace(groups[at], colour=rng.choice([c for c in COLOUR_NAMES if c != groups[at].colour]))
    elif way == "name" and groups[at].name not in world.CONTAINERS:
        same = [n for n in ALL if KINDS[n].tintable == bool(groups[at].colour) and n != groups[at].name]
        groups[at] = replace(groups[at], name=rng.choice(same))
    else:
        return replace(scene, background=rng.choice([b for b in BACKGROUND_NAMES if b != scene.background]))
    return replace(scene, groups=tuple(groups))


def same_meaning(a, b):
    """Whether a picture may fit both captions."""
    if a.loose or b.loose:
        return sorted(map(repr, a.groups)) == sorted(map(repr, b.groups)) and a.background == b.background
    return (a.groups, a.layout, a.background) == (b.groups, b.layout, b.background)


def taught_words(stage, quiet=20_000, describe=describe):
    """Every word that training captions of a stage can hold, in lower case: until no new one has come for so many captions."""
    rng, words, since = random.Random(1), set(), 0
    while since < quiet:
        caption = describe(world.training_scene(rng, stage), rng).text.lower()
        new = set(re.findall(r"\w+(?:['-]\w+)*", caption)) - words
        words |= new
        since = 0 if new else since + 1
    return sorted(words)


# ---- the examination ------------------------------------------------------------------------------------------------

CATEGORIES = ["one", "two", "counting", "colours", "position", "attribution"]


def _exam_scene(category, kinds, unseen, rng):
    """(scene, relation) of one prompt; unseen: with a held-out combination, else with none."""
    name = rng.choice(kinds)
    colour = rng.choice(colours_of(name))
    if category == "one":
        return Scene((Group(name, colour),), "one", rng.choice(BACKGROUND_NAMES)), None
    if category == "counting":
        return Scene((Group(name, colour, rng.choice([2, 3, 4, 5])),), "one", "white"), None
    if category == "colours":
        return Scene((Group(name, colour),), "one", "white"), None
    other = rng.choice(kinds)
    groups = (Group(name, colour), Group(other, rng.choice(colours_of(other))))
    if category == "two":
        return Scene(groups, "row", "white"), "any"
    if category == "position":
        layout = rng.choice(["row", "column"])
        return Scene(groups, layout, "white"), rng.choice(["left", "right"] if layout == "row" else ["above", "below"])
    return Scene(groups, "row", "white"), "any"


NEEDS = {"one": "backgrounds", "two": "pairs", "counting": "counts", "colours": "colours", "position": "pairs",
         "attribution": ("pairs", "colours")}


def exam(category, kinds=tuple(CORE), unseen=True, count=200, seed=2024, describe=describe):
    """The fixed prompts of a category; unseen ones hold a combination that training never shows, the others none.

    describe: another language's.
    """
    rng = random.Random(f"{category} {unseen} {seed}")
    captions, seen = [], set()
    while len(captions) < count:
        scene, relation = _exam_scene(category, list(kinds), unseen, rng)
        names = [g.name for g in scene.groups]
        if len(set(names)) < len(names) or (category in ("colours", "attribution") and not all(g.colour for g in scene.groups)):
            continue
        if category == "attribution" and scene.groups[0].colour == scene.groups[1].colour:
            continue
        needs = NEEDS[category]
        if category == "attribution" and unseen:
            needs = needs[len(captions) % 2]
        reasons = world.held_out_reasons(scene)
        if category not in ("colours", "attribution"):
            reasons.discard("colours")  # no colour will be said
        if category != "one":
            usual = world.usual_background(scene)
            if not usual:
                continue
            scene = replace(scene, background=usual)
            reasons.discard("backgrounds")
        elif not world.fits(scene):
            continue
        if reasons != ({needs} if unseen else set()):
            continue
        caption = describe(scene, rng, plain=True, relation=relation, colours_open=category not in ("colours", "attribution"),
                           background_said=category == "one")
        if caption.text not in seen:
            seen.add(caption.text)
            captions.append(caption)
    return captions


def main():
    rng = random.Random(1)
    for stage in (1, 2, 3, 4):
        for _ in range(8):
            scene = world.training_scene(rng, stage)
            print(stage, describe(scene, rng).text, " |NOT| ", describe(altered(scene, rng), rng).text)
    for category in CATEGORIES:
        for unseen in (True, False):
            print(category, unseen, [c.text for c in exam(category, unseen=unseen)[:5]])


if __name__ == "__main__":
    main()
