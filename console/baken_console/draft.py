"""A bulletin while it is being written: sensible CAP words for each kind, and rules that say what is wrong or
unwise.

A `Draft` is what the person chose; `Finding`s are what the rules say about it: an error cannot be sent, a
warning needs a conscious yes, a hint is advice for readable Dutch (one instruction a sentence, at most 12
words).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from baken.wire import cap, phrases
from baken.wire.bulletin import MAX_AREAS, MAX_REFERENCES, MAX_VALIDITY_UNITS, VALIDITY_UNIT_S, Bulletin
from baken.wire.errors import LocalProtocolError
from baken.wire.records import MAX_PARTS
from baken_console.forecast import Cost
from baken_console.privacy import sightings
from baken_console.receipts import BulletinKey
from baken_gateway.region import Region

ERROR = "error"
WARNING = "warning"
HINT = "hint"

MAX_SENTENCE_WORDS = 12
MIN_VALID_S = VALIDITY_UNIT_S
MAX_VALID_S = MAX_VALIDITY_UNITS * VALIDITY_UNIT_S
WHOLE_REGION = ("ALL", "ALLES", "")

# event: (category, urgency, severity, certainty, response type, validity in hours)
DEFAULTS = {
    "ALARM": ("Safety", "Immediate", "Extreme", "Observed", "Execute", 3),
    "BERICHT": ("Safety", "Expected", "Minor", "Observed", "None", 12),
    "UPDATE": ("Safety", "Expected", "Severe", "Likely", "Prepare", 6),
    "OVERZICHT": ("Safety", "Expected", "Moderate", "Observed", "Monitor", 10),
    "OPENING": ("Infra", "Expected", "Moderate", "Observed", "Execute", 48),
    "SLUITING": ("Infra", "Expected", "Moderate", "Observed", "Execute", 24),
    "LIJST": ("Infra", "Expected", "Minor", "Observed", "None", 24),
    "WATER": ("Health", "Immediate", "Severe", "Likely", "Execute", 24),
    "MEDISCH": ("Health", "Immediate", "Severe", "Likely", "Execute", 24),
    "GERUCHT": ("Safety", "Expected", "Minor", "Observed", "None", 12),
    "WEER": ("Met", "Expected", "Severe", "Likely", "Prepare", 12),
    "EVACUATIE": ("Rescue", "Immediate", "Extreme", "Observed", "Evacuate", 6),
    "HERSTEL": ("Infra", "Expected", "Minor", "Likely", "Monitor", 12),
    "TELEFOON": ("Infra", "Immediate", "Moderate", "Observed", "None", 12),
    "EINDE": ("Safety", "Past", "Minor", "Observed", "AllClear", 12),
    "VERWANTEN": ("Safety", "Expected", "Minor", "Observed", "None", 36),
    "INTERN": ("Safety", "Expected", "Moderate", "Observed", "Execute", 6),
    "INTREKKING": ("Safety", "Past", "Minor", "Observed", "AllClear", 6),
}


@dataclass(frozen=True)
class Draft:
    """What a person has chosen so far.

    CAP words are text; `areas`: codes, empty = whole region; `status` "" = not chosen; `phrases`: what is
    sent in place of the text, which then is how it reads in Dutch.
    """

    event: str = "BERICHT"
    msg_type: str = "Alert"
    status: str = ""
    scope: str = "Public"
    category: str = "Safety"
    urgency: str = "Expected"
    severity: str = "Minor"
    certainty: str = "Observed"
    response_type: str = "None"
    areas: tuple[str, ...] = ()
    valid_s: int = 6 * 3600
    language: str = "nl"
    references: tuple[BulletinKey, ...] = ()
    text: str = ""
    sent_s: int | None = None
    phrases: bytes = b""

    def for_event(self, event: str) -> Draft:
        """This draft with the CAP words that fit the kind `event`; staff bulletins are Restricted."""
        defaults = DEFAULTS.get(event)
        if defaults is None:
            return replace(self, event=event)
        category, urgency, severity, certainty, response_type, hours = defaults
        scope = "Restricted" if event == "INTERN" else "Public" if self.event == "INTERN" else self.scope
        return replace(
            self,
            event=event,
            category=category,
            urgency=urgency,
            severity=severity,
            certainty=certainty,
            response_type=response_type,
            valid_s=hours * 3600,
            scope=scope,
        )

    @property
    def is_alarm(self) -> bool:
        """Worth a second question before it goes."""
        return self.event in ("ALARM", "EVACUATIE") or self.severity == "Extreme"


@dataclass(frozen=True)
class Finding:
    """One thing a rule saw: `level` ERROR, WARNING or HINT; `kind` names the sentence, `details` fill it."""

    level: str
    kind: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Named:
    """What the rules must know of a bulletin that an Update or Cancel names."""

    areas: tuple[str, ...]
    status: str
    expires_s: int


def draft_update(draft: Draft, row: Any, cancel: bool) -> Draft:
    """A draft that replaces or withdraws the bulletin in `row` (a model.BulletinRow), for the same area and
    audience.
    """
    event = "INTREKKING" if cancel else row.event
    made = draft.for_event(event)
    return replace(
        made,
        msg_type="Cancel" if cancel else "Update",
        status=row.cap_status,
        scope=row.scope,
        areas=row.areas,
        references=(row.key,),
        severity=made.severity if cancel else row.severity,
        urgency=made.urgency if cancel else row.urgency,
        certainty=row.certainty,
        category=row.category,
        response_type=made.response_type if cancel else row.response_type,
        language=row.language,
    )


def to_bulletin(draft: Draft, region: Region, origin: int, seq: int, now_s: int) -> Bulletin:
    """What the draft stands for; RegionError for an unknown area, LocalProtocolError for a CAP word."""
    sent_s = draft.sent_s if draft.sent_s is not None else now_s
    areas = tuple(region.area_by_code(code).index for code in draft.areas)
    text = clean_text(draft.text).encode()
    bulletin = Bulletin(origin, seq, sent_s, sent_s + draft.valid_s, text, areas, draft.references)
    for name in (
        "event",
        "msg_type",
        "scope",
        "category",
        "urgency",
        "severity",
        "certainty",
        "response_type",
    ):
        setattr(bulletin, name, getattr(draft, name).encode())
    bulletin.status = (draft.status or "Exercise").encode()
    bulletin.language = draft.language.encode()
    if draft.phrases:
        bulletin.say(phrases.decode(draft.phrases))
    return bulletin


def clean_text(text: str) -> str:
    """One line, single spaces: what a display shows."""
    return " ".join(text.split())


def parse_areas(text: str, region: Region) -> tuple[str, ...]:
    """Area codes from "OV,DH" or "ov dh"; "ALL", "ALLES" or nothing is the whole region.

    RegionError names what exists.
    """
    codes = tuple(dict.fromkeys(code for code in re.split(r"[\s,;]+", text.strip().upper()) if code))
    if not codes or (len(codes) == 1 and codes[0] in WHOLE_REGION):
        return ()
    for code in codes:
        region.area_by_code(code)
    return codes if len(codes) < len(region.areas) else ()


def parse_references(text: str) -> tuple[BulletinKey, ...]:
    """References from "1/12" or "1/12,1/13"; ValueError says how to write one."""
    keys: list[BulletinKey] = []
    for word in re.split(r"[\s,;]+", text.strip()):
        match = re.fullmatch(r"(\d{1,5})/(\d{1,8})", word)
        if match is None:
            raise ValueError(f"reference is {word!r}, write it as authority/number, for example 1/12")
        keys.append((int(match[1]), int(match[2])))
    return tuple(dict.fromkeys(keys))


def check(
    draft: Draft,
    region: Region,
    origin: int,
    named: Mapping[BulletinKey, Named],
    highest: int,
    cost: Cost | None,
    now_s: int,
) -> tuple[Finding, ...]:
    """All findings, errors first. `named`: bulletins that are known; `highest`: our highest number so far."""
    live = {known.status for known in named.values() if known.expires_s > now_s}
    found = [*_form_findings(draft, origin, cost), *_reference_findings(draft, origin, named, highest, now_s)]
    found += _text_findings(draft, region)
    other = {"Actual": "Exercise", "Exercise": "Actual"}.get(draft.status)
    if other in live and draft.status not in live:
        found.append(Finding(WARNING, "other-status", {"there": other, "here": draft.status}))
    order = (ERROR, WARNING, HINT)
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def _form_findings(draft: Draft, origin: int, cost: Cost | None) -> list[Finding]:
    found: list[Finding] = []
    if not clean_text(draft.text):
        found.append(Finding(ERROR, "text-empty"))
    if not draft.status:
        found.append(Finding(ERROR, "status-unchosen"))
    if cost is not None and cost.too_long:
        details = {
            "bytes": cost.text_bytes,
            "limit": cost.text_limit,
            "parts": cost.parts,
            "max_parts": MAX_PARTS,
        }
        found.append(Finding(ERROR, "text-long", details))
    if not MIN_VALID_S <= draft.valid_s <= MAX_VALID_S:
        details = {"minutes": draft.valid_s // 60, "low": MIN_VALID_S // 60, "high": MAX_VALID_S // 60}
        found.append(Finding(ERROR, "validity", details))
    if len(draft.areas) > MAX_AREAS:
        found.append(Finding(ERROR, "areas", {"count": len(draft.areas), "limit": MAX_AREAS}))
    if len(draft.references) > MAX_REFERENCES:
        found.append(Finding(ERROR, "references", {"count": len(draft.references), "limit": MAX_REFERENCES}))
    for name, words, _shift, _width in cap.FIELDS:
        value = getattr(draft, name, None)
        if isinstance(value, str) and value:
            try:
                cap.code(name, words, value.encode())
            except LocalProtocolError as error:
                found.append(Finding(ERROR, "word", {"message": str(error)}))
    if draft.sent_s is not None and draft.status != "Exercise":
        found.append(Finding(ERROR, "sent-actual"))
    return found


def _reference_findings(
    draft: Draft, origin: int, named: Mapping[BulletinKey, Named], highest: int, now_s: int
) -> list[Finding]:
    found: list[Finding] = []
    if draft.msg_type in ("Update", "Cancel") and not draft.references:
        found.append(Finding(ERROR, "reference-missing", {"msg_type": draft.msg_type}))
    sent_s = draft.sent_s if draft.sent_s is not None else now_s
    for key in draft.references:
        ref = f"{key[0]}/{key[1]}"
        known = named.get(key)
        if key[0] != origin:
            found.append(Finding(ERROR, "reference-foreign", {"ref": ref, "origin": origin}))
        elif known is None and key[1] > highest:
            found.append(Finding(ERROR, "reference-future", {"ref": ref, "highest": f"{origin}/{highest}"}))
        elif known is None:
            found.append(Finding(HINT, "reference-unknown", {"ref": ref}))
        else:
            if draft.status and known.status != draft.status:
                found.append(
                    Finding(
                        ERROR, "reference-status", {"ref": ref, "there": known.status, "here": draft.status}
                    )
                )
            if draft.areas and (not known.areas or set(known.areas) - set(draft.areas)):
                rest = ", ".join(sorted(set(known.areas) - set(draft.areas))) if known.areas else ""
                found.append(Finding(HINT, "reference-rest", {"ref": ref, "rest": rest}))
            if draft.msg_type == "Cancel" and known.expires_s <= sent_s:
                found.append(Finding(HINT, "reference-over", {"ref": ref}))
    return found


def _text_findings(draft: Draft, region: Region) -> list[Finding]:
    text = clean_text(draft.text)
    names = tuple(point.name for point in region.points) + tuple(area.name for area in region.areas)
    found = [Finding(WARNING, f"private-{seen.kind}", {"text": seen.text}) for seen in sightings(text, names)]
    if draft.phrases:
        return found  # the book's words are vetted
    for sentence in re.split(r"(?<=[.!?:;])\s+", text):
        words = len(sentence.split())
        if words > MAX_SENTENCE_WORDS and draft.language == "nl":
            details = {"words": words, "limit": MAX_SENTENCE_WORDS, "start": " ".join(sentence.split()[:3])}
            found.append(Finding(HINT, "sentence-long", details))
    for match in re.finditer(r"\b([01]?\d|2[0-3])\.([0-5]\d) ?(?:uur|u)\b", text):
        found.append(
            Finding(HINT, "clock-form", {"text": match[0], "better": f"{int(match[1]):02d}:{match[2]}"})
        )
    if (
        draft.event in ("UPDATE", "OVERZICHT")
        and text
        and not re.search(r"volgend bericht", text, re.IGNORECASE)
    ):
        found.append(Finding(HINT, "next-bulletin"))
    return found
