"""Phrases of the phrasebook as an operator writes them, and `baken-console phrases`, which shows the book.

A phrase is its number and then its parameters in the book's order, with spaces between: `12 OV 2027-01-13
14:30`. It takes a few bytes on the air where its text takes a hundred.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from baken.wire import phrases
from baken_console.draft import WHOLE_REGION
from baken_console.place import Place
from baken_gateway.region import Region

Phrase = tuple[int, tuple[Any, ...]]

HOW_TO_WRITE = {
    "A": "AREA",
    "P": "POINT",
    "T": "HH:MM",
    "D": "YYYY-MM-DD",
    "N": "NUMBER",
    "Q": "AMOUNT",
    "W": "WORD",
}
_FIRST_DAY = date(2025, 1, 1)
_LANGUAGES = tuple(language.decode() for language in phrases.LANGUAGES)
UNITS = tuple(unit.decode() for unit in phrases.UNITS)

_EPILOG = f"""\
how the parameters are written
  AREA        code of an area, or ALL for the whole region
  POINT       code of a point, OV06
  HH:MM       a time of day, 14:30
  YYYY-MM-DD  a date
  NUMBER      0 to 65535
  AMOUNT      a number with its unit, 3min or -5C; units: {" ".join(UNITS)}
  WORD        at most {phrases.MAX_WORD} bytes, the same in every language

examples
  baken-console phrases ... water            the phrases that speak of water
  baken-console phrases ... --language tr    the whole book in Turkish
  baken-console send ... --exercise --event WATER --phrase "36 OV 3min" --phrase "11 15:00"
"""


def add_command(
    commands: Any, common: argparse.ArgumentParser, formatter: type[argparse.HelpFormatter]
) -> None:
    """Add `phrases` to the command line."""
    parser = commands.add_parser(
        "phrases",
        parents=[common],
        help="print the phrasebook: vetted words that take few bytes on the air",
        description="Print the phrases that send --phrase takes: number, parameters, words.",
        epilog=_EPILOG,
        formatter_class=formatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="only phrases with all these words")
    parser.add_argument("--language", choices=_LANGUAGES, default="nl", help="of the words (nl)")
    parser.add_argument("--json", action="store_true", help="as a JSON list")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, place: Place) -> int:
    """Print the book; exit code 1 when no phrase has all the words."""
    rows = [row for row in book(arguments.language) if has_all(row[2], arguments.words)]
    if arguments.json:
        named = [{"number": number, "parameters": wanted, "text": text} for number, wanted, text in rows]
        print(json.dumps(named, indent=2, ensure_ascii=False))
    else:
        for number, wanted, text in rows:
            print(f"{number:3}  {wanted:<24} {text}".rstrip())
        if not rows:
            print(f"no phrase with: {' '.join(arguments.words)}")
    return 0 if rows else 1


def book(language: str, names_of: Mapping[str, str] = HOW_TO_WRITE) -> list[tuple[int, str, str]]:
    """(number, how its parameters are written, words) of every phrase, in one of phrases.LANGUAGES.

    `names_of`: what each kind of parameter is called.
    """
    out = []
    for number, kinds in enumerate(phrases.TYPES):
        names = [names_of[kind] for kind in kinds]
        text = phrases.template(number, language.encode()).format(*[f"<{name}>" for name in names])
        out.append((number, " ".join(names), text))
    return out


def parse(text: str, region: Region) -> Phrase:
    """A phrase from its number and parameters.

    ValueError or RegionError says the value and what is allowed; `phrases.encode` tells what does not fit the
    wire format.
    """
    number_text, *words = text.split() or [""]
    if not number_text.isdecimal() or int(number_text) >= len(phrases.TYPES):
        raise ValueError(
            f"phrase is {number_text!r}, known are 0 to {len(phrases.TYPES) - 1}; see baken-console phrases"
        )
    number = int(number_text)
    kinds = phrases.TYPES[number]
    if kinds.endswith("W") and len(words) > len(kinds):
        words[len(kinds) - 1 :] = [" ".join(words[len(kinds) - 1 :])]
    if len(words) != len(kinds):
        wanted = " ".join([number_text, *(HOW_TO_WRITE[kind] for kind in kinds)])
        raise ValueError(f"phrase is {text!r}, write it as {wanted!r}")
    return number, tuple(_parameter(kind, word, region) for kind, word in zip(kinds, words, strict=True))


def encode(texts: Sequence[str], region: Region) -> bytes:
    """The phrases `texts` as a bulletin's content; ValueError, RegionError or LocalProtocolError."""
    return phrases.encode([parse(text, region) for text in texts])


def in_dutch(content: bytes, region: Region) -> str:
    """How a display shows the content."""
    return phrases.render_content(content, b"nl", region.trusted_now).decode()


def has_all(text: str, words: Sequence[str]) -> bool:
    """Whether a search for `words` finds `text`."""
    return all(word.casefold() in text.casefold() for word in words)


def _parameter(kind: str, word: str, region: Region) -> Any:
    if kind == "A":
        return None if word.upper() in WHOLE_REGION else region.area_by_code(word.upper()).index
    if kind == "P":
        return region.point(word.upper()).number
    if kind == "T":
        match = re.fullmatch(r"(\d{1,2}):([0-5]\d)", word)
        if match is None or int(match[1]) * 60 + int(match[2]) > 24 * 60:
            raise ValueError(f"time is {word!r}, allowed 00:00 to 24:00")
        return int(match[1]) * 60 + int(match[2])
    if kind == "D":
        try:
            return (date.fromisoformat(word) - _FIRST_DAY).days
        except ValueError:
            raise ValueError(f"date is {word!r}, write it as 2027-01-13") from None
    if kind == "Q":
        match = re.fullmatch(r"(-?\d+)(\D+)", word)
        if match is None or match[2] not in UNITS:
            raise ValueError(f"amount is {word!r}, write a number with its unit: {' '.join(UNITS)}")
        return int(match[1]), match[2].encode()
    if kind == "N":
        if not word.isdecimal():
            raise ValueError(f"number is {word!r}, write digits only")
        return int(word)
    return word.encode()
