"""Warns when free text looks like personal data: a bulletin is read by everybody, on displays and on the air.

Only a look-alike check for a person at a keyboard: it reads Dutch habits of writing (titles, street names,
post codes, phone numbers, birth dates, citizen numbers) and says what it saw, so that a card number can take
its place. It cannot tell that a text is free of personal data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = "name"
ADDRESS = "address"
PHONE = "phone"
BIRTH_DATE = "birth-date"
CITIZEN_NUMBER = "citizen-number"
EMAIL = "email"
ACCOUNT = "account"


@dataclass(frozen=True)
class Sighting:
    """`kind` of personal data that `text` looks like."""

    kind: str
    text: str


_MONTHS = (
    "jan(?:uari)?|feb(?:ruari)?|maart|mrt|apr(?:il)?|mei|juni?|juli?|aug(?:ustus)?|sep(?:tember)?"
    "|okt(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_STREET = (
    "straat|laan|weg|plein|kade|dijk|singel|gracht|hof|steeg|pad|dreef|plantsoen"
    "|baan|wal|markt|erf|oord|park|kamp"
)
_TITLE = (
    r"(?:[Mm]evr(?:\.|ouw)?|[Mm]w\.?|[Dd]hr\.?|[Mm]eneer|[Mm]ijnheer|[Dd]e heer|[Ff]am(?:\.|ilie)|[Mm]ej\.?)"
)
_CAPITAL = r"[A-ZÀ-Þ]"
_INFIX = r"(?:van|van de|van den|van der|de|den|der|ten|ter|el|al|ben|bin|von)"

_PATTERNS = (
    (EMAIL, re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")),
    (ACCOUNT, re.compile(r"\b[A-Z]{2}\d{2}\s?[A-Z]{4}(?:\s?\d){10}\b")),
    (
        PHONE,
        re.compile(
            r"(?<![\w,.:-])(?!0(?:800|88|900))(?:\+31|0031|0)(?:[\s-]?\(0\))?(?:[\s-]?[1-9])(?:[\s-]?\d){8}(?![\w-])"
        ),
    ),
    (PHONE, re.compile(r"(?<![\w+])\+\d{2}(?:[\s-]?\d){8,11}(?!\d)")),
    (BIRTH_DATE, re.compile(r"\b\d{1,2}[-/.]\d{1,2}[-/.](?:19\d\d|20[01]\d)\b")),
    (BIRTH_DATE, re.compile(rf"\b\d{{1,2}} (?:{_MONTHS})\.? (?:19\d\d|20[01]\d)\b", re.IGNORECASE)),
    (BIRTH_DATE, re.compile(r"\bgeb(?:oren)?\.? (?:op |in )?\d{1,4}(?![:\d.]\d)\b(?! uur)", re.IGNORECASE)),
    (ADDRESS, re.compile(rf"\b{_CAPITAL}[\w'-]*(?:{_STREET})\s+\d{{1,4}}\s?[a-zA-Z]?\b")),
    (ADDRESS, re.compile(r"\b[1-9]\d{3}\s?(?!SA|SD|SS)[A-Z]{2}\b(?!\d)")),
    (NAME, re.compile(rf"\b{_TITLE}\s+(?:{_INFIX}\s+)?{_CAPITAL}[\w'.-]*")),
    (NAME, re.compile(rf"\b{_CAPITAL}[a-zà-ÿ]+ {_INFIX} {_CAPITAL}[a-zà-ÿ]+")),
    (NAME, re.compile(rf"\bnaam:?\s+{_CAPITAL}[\w'.-]+", re.IGNORECASE)),
    (NAME, re.compile(rf"\b(?:{_CAPITAL}\.){{1,4}}\s?(?:{_INFIX}\s+)?{_CAPITAL}[a-zà-ÿ]+")),
)
_DIGITS = re.compile(r"(?<![\d:,.-])\d{9}(?![\d:])")


def sightings(text: str, known_names: tuple[str, ...] = ()) -> tuple[Sighting, ...]:
    """What in `text` looks like personal data, each place once; `known_names`: places that are none (points,
    areas).
    """
    found: list[Sighting] = []
    taken: list[tuple[int, int]] = []
    for name in known_names:
        taken += [match.span() for match in re.finditer(re.escape(name), text)] if name else []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if not any(start < match.end() and match.start() < end for start, end in taken):
                taken.append(match.span())
                found.append(Sighting(kind, match.group().strip()))
    for match in _DIGITS.finditer(text):
        overlaps = any(start < match.end() and match.start() < end for start, end in taken)
        if not overlaps and _is_citizen_number(match.group()):
            found.append(Sighting(CITIZEN_NUMBER, match.group()))
    return tuple(found)


def _is_citizen_number(digits: str) -> bool:
    """The eleven-proof of the Dutch burgerservicenummer."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    total = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True))
    return total % 11 == 0 and digits != "000000000"
