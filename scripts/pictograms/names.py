"""Compares pictograms.txt with Unicode CLDR's annotations: which names are ours alone, and what CLDR would add.

    python names.py              names that CLDR's English has not
    python names.py --language ru    CLDR's own names and keywords, for a second language
"""

import argparse
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from sprites import KINDS

ANNOTATIONS = Path("/usr/share/unicode/cldr/common/annotations")  # Debian: unicode-cldr-core


def annotations(language):
    """character -> (name, keywords)."""
    names, keywords = {}, {}
    for node in ElementTree.parse(ANNOTATIONS / f"{language}.xml").getroot().iter("annotation"):
        if node.get("type") == "tts":
            names[node.get("cp")] = node.text
        else:
            keywords[node.get("cp")] = node.text.split(" | ")
    return {character: (name, keywords.get(character, [])) for character, name in names.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", default="en")
    args = parser.parse_args()
    known = annotations(args.language)
    for kind in KINDS.values():
        if not kind.character:
            continue
        name, keywords = known[kind.character]
        if args.language != "en":
            print(kind.name, "|", name, "|", ", ".join(keywords))
            continue
        words = {w.lower() for w in [name, *keywords]}
        ours = [n for n in (kind.name, *kind.synonyms) if n not in words and n.rstrip("s") not in words]
        if ours:
            print(f"{kind.character} {', '.join(ours)} | CLDR: {name}; {', '.join(keywords)}")


if __name__ == "__main__":
    main()
