"""Names of MQTT topics, all under `baken/v1/<region>/`.

    record/<kind>/<origin>/<seq>          exact bytes of a record of one part, retained; a kind that is not
                                          known here is called kind<number>
    record/<kind>/<origin>/<seq>.<part>   the same for each part (from 1) of one with several
    pulse/<point number>                  the newest pulse of a point, as a PULSES message of one, retained
    bulletin/<authority>/<seq>            readable view (JSON), retained
    status/<point code>                   readable view (JSON), retained
    gateway/<id>                          readable view (JSON) of a gateway, retained
    gateway/<id>/online                   "1", or "0" as last will, retained; consoles use console/<id>/online
    text/<sender>-<packet id>             a text message of the mesh (JSON), retained; see `texts`
    text-request/<gateway or any>/<id>    a text that is to be sent (JSON), retained until it is done
    text-fate/<id>                        what became of it (JSON), retained
    gateway/<id>/echo                     not retained: a gateway's question to itself, see `bridge`

A record's topic follows from its bytes, so whoever publishes it, it is the same topic with the same content.
"""

from __future__ import annotations

import re

from baken.wire.records import KIND_NAMES, RecordHeader, decode_header

TEXT_TOPICS = ("text", "text-request", "text-fate")
NAME_RULE = "ID of 1 to 32 letters, digits, - and _"
_NUMBER = "(0|[1-9][0-9]{0,7})"
_RECORD = re.compile(f"([a-z]+|kind{_NUMBER})/{_NUMBER}/{_NUMBER}(?:\\.{_NUMBER})?")
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_KINDS = {name: kind for kind, name in KIND_NAMES.items()}


def prefix(region_id: str) -> str:
    """What all topics of a region begin with, slash included."""
    return f"baken/v1/{region_id}/"


def is_name(text: str) -> bool:
    """True when `text` can name a gateway or console in a topic: 1 to 32 letters, digits, - and _."""
    return _NAME.fullmatch(text) is not None


def of_header(header: RecordHeader) -> str:
    """Topic of a record below the prefix."""
    part = f".{header.part + 1}" if header.parts > 1 else ""
    name = KIND_NAMES.get(header.kind, f"kind{header.kind}")
    return f"record/{name}/{header.origin}/{header.seq}{part}"


def of_record(raw: bytes) -> str:
    """Topic below the prefix for these bytes; RemoteProtocolError when they are no record."""
    return of_header(decode_header(raw))


def pulse(point: int) -> str:
    return f"pulse/{point}"


def bulletin_view(origin: int, seq: int) -> str:
    return f"bulletin/{origin}/{seq}"


def status_view(code: str) -> str:
    return f"status/{code}"


def record_place(topic: str) -> tuple[int, int, int] | None:
    """(kind, origin, seq) of a topic below the prefix, or None when it is not one of a record."""
    if not topic.startswith("record/"):
        return None
    match = _RECORD.fullmatch(topic[len("record/") :])
    kind = _KINDS.get(match[1], int(match[2] or 0)) if match else 0
    return (kind, int(match[3]), int(match[4])) if match and kind else None


def bulletin_of_view(topic: str) -> tuple[int, int] | None:
    """(authority, seq) of a bulletin view's topic, or None."""
    match = re.fullmatch(f"bulletin/{_NUMBER}/{_NUMBER}", topic)
    return (int(match[1]), int(match[2])) if match else None
