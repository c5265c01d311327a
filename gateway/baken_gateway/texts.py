"""Text messages of the mesh on MQTT: what was heard, what is asked to be sent, and what became of that.

    text/<sender>-<packet id>            a text, retained; both numbers as eight hex digits
    text-request/<gateway or any>/<id>   please send this, retained until its fate is final
    text-fate/<id>                       what became of the request, retained

All are JSON. Nobody has signed a text: whoever holds the channel's key can write one in any name, so nothing
here may be shown as a bulletin. Two gateways that hear the same text publish it under one topic, and `join`
makes one text of what both say, whatever the order; so they end with the same content and do not fight.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from baken.wire.errors import RemoteProtocolError
from baken.wire.packet import BROADCAST
from baken_gateway import topics, views
from baken_gateway.region import Region

CHANNEL_LIMIT = 232  # bytes of UTF-8 to everybody on a channel
DIRECT_LIMIT = 220  # to one node, which is sealed
REQUEST_LIFE_S = 3600
MAX_TEXTS = 200  # kept at the broker, the newest
MAX_FATES = 200
MAX_HEARD_BY = 16
MAX_JSON = 4096
MAX_CHANNEL = 7
ANY = "any"

TAKEN = "taken"  # a gateway will send it
SENT = "sent"  # its node has it
RELAYED = "relayed"  # another node was heard to pass it on
DELIVERED = "delivered"  # the addressee has acknowledged it
FAILED = "failed"  # `reason`: the name of a Routing error, or NO_ANSWER
REFUSED = "refused"  # never sent; `reason` says why
STATES = (TAKEN, SENT, RELAYED, DELIVERED, FAILED, REFUSED)

_KEY = re.compile("([0-9a-f]{8})-([0-9a-f]{8})")
_NODE = re.compile("!([0-9a-f]{8})")


@dataclass(frozen=True)
class Text:
    """A text that was heard, or sent from here. `heard_by`: ids of gateways, in order of the alphabet."""

    sender: int
    packet_id: int
    to: int
    text: str
    time_s: int
    channel: int = 0
    channel_name: str = ""
    long_name: str = ""
    short_name: str = ""
    alert: bool = False
    sealed: bool = False
    heard_by: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.sender:08x}-{self.packet_id:08x}"

    @property
    def direct(self) -> bool:
        return self.to != BROADCAST


@dataclass(frozen=True)
class Request:
    """A text that somebody at a console wants to be sent. `to`: a node number, or everybody on `channel`."""

    text: str
    time_s: int
    to: int = BROADCAST
    channel: int = 0
    console: str = ""

    @property
    def limit(self) -> int:
        """Bytes that the text may have."""
        return CHANNEL_LIMIT if self.to == BROADCAST else DIRECT_LIMIT

    @property
    def problem(self) -> str:
        """Why it cannot be sent, with value and limit; empty when it can."""
        size = len(self.text.encode())
        if not self.text.strip():
            return "text is empty"
        if size > self.limit:
            return f"text is {size} bytes, limit {self.limit}"
        return ""


@dataclass(frozen=True)
class Fate:
    """What became of a request at `gateway`. `text`: key of the Text; `by`: node that acknowledged it."""

    state: str
    gateway: str
    time_s: int
    final: bool = False
    text: str = ""
    by: int | None = None
    reason: str = ""


def node_name(num: int) -> str:
    """!4d656401"""
    return f"!{num:08x}"


def node_number(name: str) -> int | None:
    """The number of !4d656401, None for anything else."""
    match = _NODE.fullmatch(name)
    return int(match[1], 16) if match else None


def join(one: Text, other: Text) -> Text | None:
    """What two gateways know of the same text together; None when their texts are not the same.

    Commutative, associative and idempotent, so it does not matter who hears of whom first.
    """
    if (one.key, one.to, one.text) != (other.key, other.to, other.text):
        return None
    return replace(
        one,
        time_s=min(one.time_s, other.time_s),
        channel=min(one.channel, other.channel),
        channel_name=_first(one.channel_name, other.channel_name),
        long_name=_first(one.long_name, other.long_name),
        short_name=_first(one.short_name, other.short_name),
        alert=one.alert or other.alert,
        sealed=one.sealed or other.sealed,
        heard_by=tuple(sorted({*one.heard_by, *other.heard_by})[:MAX_HEARD_BY]),
    )


# --- as JSON


def encode_text(text: Text, region: Region) -> bytes:
    """With the codes of points beside node numbers, for dashboards."""
    return views.encode(
        {
            "from": node_name(text.sender),
            "fromPoint": _code(region, text.sender),
            "fromLong": text.long_name,
            "fromShort": text.short_name,
            "to": node_name(text.to) if text.direct else None,
            "toPoint": _code(region, text.to) if text.direct else None,
            "direct": text.direct,
            "channel": text.channel,
            "channelName": text.channel_name,
            "alert": text.alert,
            "sealed": text.sealed,
            "text": text.text,
            "time": views.iso(text.time_s, region.timezone),
            "heardBy": list(text.heard_by),
            "verified": False,
        }
    )


def decode_text(key: str, payload: bytes) -> Text:
    """RemoteProtocolError when it is none, or not the one of this key."""
    said = _object(payload)
    match = _KEY.fullmatch(key)
    sender = _number_of(said, "from")
    if match is None or sender != int(match[1], 16):
        raise RemoteProtocolError(f"text of {said.get('from')!r} under the key {key!r}", "text-topic")
    heard_by: list[Any] = _get(said, "heardBy", list)
    if len(heard_by) > MAX_HEARD_BY or not all(
        isinstance(one, str) and topics.is_name(one) for one in heard_by
    ):
        raise RemoteProtocolError("heardBy is no list of at most 16 gateways", "text-json")
    return Text(
        sender,
        int(match[2], 16),
        BROADCAST if said.get("to") is None else _number_of(said, "to"),
        _get(said, "text", str)[:1000],
        _time(said),
        _channel(said),
        _get(said, "channelName", str)[:40],
        _get(said, "fromLong", str)[:40],
        _get(said, "fromShort", str)[:8],
        _get(said, "alert", bool),
        _get(said, "sealed", bool),
        tuple(heard_by),
    )


def encode_request(request: Request, region: Region) -> bytes:
    return views.encode(
        {
            "to": None if request.to == BROADCAST else node_name(request.to),
            "channel": request.channel,
            "text": request.text,
            "time": views.iso(request.time_s, region.timezone),
            "console": request.console,
        }
    )


def decode_request(payload: bytes) -> Request:
    """RemoteProtocolError when it is none; its text may still be too long, see `Request.problem`."""
    said = _object(payload)
    to = BROADCAST if said.get("to") is None else _number_of(said, "to")
    return Request(_get(said, "text", str), _time(said), to, _channel(said), _get(said, "console", str)[:40])


def encode_fate(fate: Fate, region: Region) -> bytes:
    return views.encode(
        {
            "state": fate.state,
            "final": fate.final,
            "gateway": fate.gateway,
            "time": views.iso(fate.time_s, region.timezone),
            "text": fate.text or None,
            "by": None if fate.by is None else node_name(fate.by),
            "byPoint": None if fate.by is None else _code(region, fate.by),
            "reason": fate.reason,
        }
    )


def decode_fate(payload: bytes) -> Fate:
    """RemoteProtocolError when it is none."""
    said = _object(payload)
    state, gateway = _get(said, "state", str), _get(said, "gateway", str)
    if state not in STATES or not topics.is_name(gateway):
        raise RemoteProtocolError(f"state {state!r} of gateway {gateway!r}", "text-json")
    return Fate(
        state,
        gateway,
        _time(said),
        _get(said, "final", bool),
        "" if said.get("text") is None else _get(said, "text", str)[:17],
        None if said.get("by") is None else _number_of(said, "by"),
        _get(said, "reason", str)[:80],
    )


def key_of_topic(below: str) -> str | None:
    """The key of a text's topic below the prefix."""
    key = below.removeprefix("text/")
    return key if key != below and _KEY.fullmatch(key) else None


def request_of_topic(below: str) -> tuple[str, str] | None:
    """(gateway or any, id) of a request's topic below the prefix."""
    parts = below.split("/")
    if len(parts) != 3 or parts[0] != "text-request" or not all(topics.is_name(part) for part in parts[1:]):
        return None
    return parts[1], parts[2]


def fate_of_topic(below: str) -> str | None:
    """The request's id of a fate's topic below the prefix."""
    request_id = below.removeprefix("text-fate/")
    return request_id if request_id != below and topics.is_name(request_id) else None


def _first(one: str, other: str) -> str:
    return min(one, other) if one and other else one or other


def _code(region: Region, num: int) -> str | None:
    point = region.point_by_node_num(num)
    return point.code if point else None


def _object(payload: bytes) -> Mapping[str, Any]:
    if len(payload) > MAX_JSON:
        raise RemoteProtocolError(f"{len(payload)} bytes, limit {MAX_JSON}", "text-long")
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"no JSON: {error}", "text-json") from error
    if not isinstance(said, dict):
        raise RemoteProtocolError("no JSON object", "text-json")
    return said


def _get(said: Mapping[str, Any], name: str, kind: type) -> Any:
    value = said.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RemoteProtocolError(f"{name} is {value!r:.40}, must be a {kind.__name__}", "text-json")
    if kind is str and any("\ud800" <= letter <= "\udfff" for letter in str(value)):
        raise RemoteProtocolError(f"{name} holds half a letter", "text-json")
    return value


def _number_of(said: Mapping[str, Any], name: str) -> int:
    number = node_number(_get(said, name, str))
    if number is None or number in (0, BROADCAST):
        raise RemoteProtocolError(
            f"{name} is {said[name]!r:.40}, must be a node such as !4d656401", "text-json"
        )
    return number


def _channel(said: Mapping[str, Any]) -> int:
    channel = _get(said, "channel", int)
    if not 0 <= channel <= MAX_CHANNEL:
        raise RemoteProtocolError(f"channel is {channel}, allowed 0 to {MAX_CHANNEL}", "text-json")
    return channel


def _time(said: Mapping[str, Any]) -> int:
    try:
        time = datetime.fromisoformat(_get(said, "time", str))
        unix_s = int(time.timestamp()) if time.tzinfo else -1
    except (ValueError, OverflowError, OSError):
        unix_s = -1
    if not 0 < unix_s < 1 << 32:
        raise RemoteProtocolError(f"time is {said['time']!r:.40}, must be ISO 8601 with offset", "text-json")
    return unix_s
