"""The exercise: 72 hours without power in the invented Veiligheidsregio Merenland, read from `scenario/`.

`points.csv`, `bulletins.jsonl` and `status.jsonl` are the exercise's own files; every time in them is local
(Europe/Amsterdam) and becomes unix seconds here. All of it is exercise, none of it may be sent as real.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from baken.wire.status import Status
from baken_gateway.region import CRISIS_ROOM_KIND, RELAY_KIND

FOLDER = Path(__file__).parent / "scenario"
POINTS = FOLDER / "points.csv"
START = "2027-01-12T06:40:00"
CRISIS_ROOM = "VR00"
FORGED = "X01"

_ZONE = ZoneInfo("Europe/Amsterdam")
# Institutions that speak through the veiligheidsregio: it signs for them.
_THROUGH = " via VR"
REGION_AUTHORITY = "VR Merenland"


@dataclass(frozen=True)
class Bulletin:
    """One bulletin of the exercise; times in unix seconds, `areas` as codes (empty: the whole region)."""

    id: str
    sent_s: int
    expires_s: int
    authority: str
    event: str
    msg_type: str
    scope: str
    urgency: str
    severity: str
    certainty: str
    response_type: str
    areas: tuple[str, ...]
    references: tuple[str, ...]
    text: str

    @property
    def is_forged(self) -> bool:
        return self.id == FORGED

    def is_for(self, municipality: str | None) -> bool:
        """Whether it is meant for a place in the area with that code; None lies outside every area."""
        return not self.areas or municipality in self.areas


@dataclass(frozen=True)
class Report:
    """One STATUS of the exercise: what the people at point `code` tell at `sent_s`."""

    id: str
    sent_s: int
    code: str
    draft: Status


@dataclass(frozen=True)
class Letter:
    """One NOODMELDING of point `code`, or one ANTWOORD of the crisis room to it (`is_answer`): only those two
    can read it. `ref`: the message that an answer answers.
    """

    id: str
    sent_s: int
    code: str
    is_answer: bool
    ref: str
    priority: str
    text: str


def unix_s(local: str) -> int:
    """Unix seconds of a local ISO time without zone."""
    return int(datetime.fromisoformat(local).replace(tzinfo=_ZONE).timestamp())


def local(moment_s: float) -> datetime:
    """Local time of unix seconds."""
    return datetime.fromtimestamp(moment_s, _ZONE)


def load_stations() -> tuple[str, ...]:
    """Codes of all stations: the crisis room's, the points' and the relays'."""
    with open(POINTS, encoding="utf-8", newline="") as file:
        return tuple(row["code"] for row in csv.DictReader(file))


def load_areas() -> dict[str, str]:
    """The area that each station lies in; relays and the crisis room lie in none."""
    outside = (RELAY_KIND, CRISIS_ROOM_KIND)
    with open(POINTS, encoding="utf-8", newline="") as file:
        return {row["code"]: row["code"][:2] for row in csv.DictReader(file) if row["kind"] not in outside}


def load_bulletins() -> list[Bulletin]:
    """All bulletins in the order in which they are sent, the forged one too."""
    return [_bulletin(row) for row in load_rows("bulletins.jsonl")]


def load_reports() -> list[Report]:
    """All STATUS messages in order."""
    return [_report(row) for row in load_rows("status.jsonl") if row["type"] == "STATUS"]


def load_letters() -> list[Letter]:
    """All emergency reports and answers in order; what is needed stands before a report's text, as a code."""
    return [_letter(row) for row in load_rows("status.jsonl") if row["type"] != "STATUS"]


def load_rows(name: str) -> list[dict[str, Any]]:
    """What stands in a file of the exercise, a dictionary a line."""
    with open(FOLDER / name, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def _bulletin(row: dict[str, Any]) -> Bulletin:
    sender = row["sender"]
    return Bulletin(
        id=row["id"],
        sent_s=unix_s(row["sent"]),
        expires_s=unix_s(row["expires"]),
        authority=REGION_AUTHORITY if sender.endswith(_THROUGH) else sender,
        event="BERICHT" if row["kind"] == "VALS" else row["kind"],
        msg_type=row["msgType"],
        scope=row["scope"],
        urgency=row["urgency"],
        severity=row["severity"],
        certainty=row["certainty"],
        response_type=row["responseType"],
        areas=() if row["area"] == "ALL" else tuple(row["area"].split(",")),
        references=tuple(row["references"].split(",")) if row["references"] else (),
        text=row["text"],
    )


def _report(row: dict[str, Any]) -> Report:
    draft = Status(
        0, 0, 0, row["state"].encode(), row["text"].encode(), needs=tuple(n.encode() for n in row["needs"])
    )
    draft.priority = row["priority"].encode()
    draft.exercise = True
    draft.people = row["people"]
    draft.volunteers = row["volunteers"]
    draft.power_hours = row["power_hours"]
    draft.water_l = row["water_l"]
    return Report(row["id"], unix_s(row["sent"]), row["from"], draft)


def _letter(row: dict[str, Any]) -> Letter:
    is_answer = row["type"] == "ANTWOORD"
    return Letter(
        id=row["id"],
        sent_s=unix_s(row["sent"]),
        code=row["to"] if is_answer else row["from"],
        is_answer=is_answer,
        ref=row["ref"],
        priority=row["priority"],
        text=" ".join((*row["needs"], row["text"])),
    )
