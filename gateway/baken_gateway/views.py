"""Readable JSON views of what a replica holds, for dashboards, home automation and exports.

CAP 1.2 words, times in ISO 8601 with the region's offset, codes instead of numbers. A view depends on
nothing but the records, the region and which validity has passed, so two gateways that hold the same
records make the same bytes. The text of a bulletin that is not for the public is left out: whoever may read
it has a console.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from baken.noticeboard.notice import Notice
from baken.noticeboard.receipts import is_for, receipts_of
from baken.noticeboard.replica import Replica
from baken.wire.status import BATTERY_UNKNOWN, WINDOW, Seen, Status
from baken_gateway.region import Region

EXTERNAL_POWER = 101
PARTLY = "partly"


def iso(unix_s: int, timezone: str) -> str:
    """Local time with its offset: 2027-01-12T07:15:00+01:00."""
    return datetime.fromtimestamp(unix_s, _zone(timezone)).isoformat()


def bulletin_view(region: Region, replica: Replica, notice: Notice, unix_s: int | None, before: dict) -> dict:
    """View of one bulletin. `before`: its view as last published; who received or read it stays listed."""
    meta = notice.meta
    authority = region.authority(meta.origin)
    places = meta.areas or tuple(area.index for area in region.areas)
    states = {_area_code(region, index): replica.state_of(notice, index, unix_s) for index in places}
    if not states:
        states = {"": replica.state_of(notice, None, unix_s)}
    public = meta.scope == b"Public"
    meant = [point.code for point in region.points_meant(meta.areas)]
    received, read = _receipts(region, replica, notice.key)
    text = notice.text
    return {
        "id": f"{meta.origin}/{meta.seq}",
        "authority": authority.name if authority else None,
        "status": _word(meta.status),
        "msgType": _word(meta.msg_type),
        "scope": _word(meta.scope),
        "category": _word(meta.category),
        "event": _word(meta.event),
        "responseType": _word(meta.response_type),
        "urgency": _word(meta.urgency),
        "severity": _word(meta.severity),
        "certainty": _word(meta.certainty),
        "language": _word(meta.language),
        "sent": iso(meta.sent_s, region.timezone),
        "expires": iso(meta.expires_s, region.timezone),
        "areas": [_area_code(region, index) for index in meta.areas],
        "areaDesc": ", ".join(_area_name(region, index) for index in meta.areas) or region.name,
        "references": [f"{origin}/{seq}" for origin, seq in meta.references],
        "text": text.decode(errors="replace") if public and text is not None else None,
        "parts": meta.parts,
        "missingParts": [index + 1 for index in notice.missing],
        "state": next(iter(states.values())) if len(set(states.values())) == 1 else PARTLY,
        "stateByArea": states,
        "pointsMeant": meant,
        "received": _in_order(region, received.union(before.get("received", ()))),
        "read": _in_order(region, read.union(before.get("read", ()))),
    }


def status_view(region: Region, replica: Replica, status: Status) -> dict:
    """View of the newest STATUS of a point and of the pulses that follow it."""
    point = region.point_by_number(status.origin)
    as_of_s = replica.pulses.as_of_s(status.origin)
    battery = status.battery_percent
    known = battery not in (BATTERY_UNKNOWN, EXTERNAL_POWER)
    return {
        "point": point.code if point else str(status.origin),
        "name": point.name if point else None,
        "municipality": point.municipality if point else None,
        "seq": status.seq,
        "time": iso(status.time_s, region.timezone),
        "asOf": iso(status.time_s if as_of_s is None else as_of_s, region.timezone),
        "exercise": status.exercise,
        "state": _word(status.state),
        "priority": _word(status.priority),
        "people": status.people,
        "volunteers": status.volunteers,
        "powerHours": status.power_hours,
        "waterLitres": status.water_l,
        "batteryPercent": battery if known else None,
        "externalPower": battery == EXTERNAL_POWER,
        "needs": [_word(need) for need in status.needs],
        "text": status.text.decode(errors="replace"),
        "received": [
            f"{seen.authority}/{seq}" for seen in status.seen for seq in _numbers(seen, seen.received)
        ],
        "read": [
            f"{seen.authority}/{seq}"
            for seen in status.seen
            for seq in _numbers(seen, seen.read)
            if is_for(replica, status.origin, (seen.authority, seq))
        ],
    }


def encode(view: dict) -> bytes:
    """The view as it is published: the same view gives the same bytes."""
    return json.dumps(view, ensure_ascii=False, separators=(",", ":")).encode()


def decode(payload: bytes | None) -> dict:
    """The view in a payload; an empty one when there is none or it is no view."""
    try:
        view = json.loads(payload or b"{}")
    except ValueError:
        return {}
    return view if isinstance(view, dict) else {}


def _receipts(region: Region, replica: Replica, key: tuple[int, int]) -> tuple[set[str], set[str]]:
    received: set[str] = set()
    read: set[str] = set()
    for number, receipt in receipts_of(replica, key).items():
        point = region.point_by_number(number)
        if point is None:
            continue
        if receipt.received:
            received.add(point.code)
        if receipt.read:
            read.add(point.code)
    return received, read


def _in_order(region: Region, codes: Iterable[str]) -> list[str]:
    wanted = set(codes)
    return [point.code for point in region.points if point.code in wanted]


def _numbers(seen: Seen, mask: int) -> list[int]:
    return [seen.newest - index for index in range(WINDOW) if mask >> index & 1 and seen.newest > index]


def _area_code(region: Region, index: int) -> str:
    return region.areas[index].code if index < len(region.areas) else f"#{index}"


def _area_name(region: Region, index: int) -> str:
    return region.areas[index].name if index < len(region.areas) else f"#{index}"


def _word(value: bytes) -> str:
    return value.decode(errors="replace")


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
