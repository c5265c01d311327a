"""What one node of the exercise hears in 72 hours, as frames at times: its own neighbour is everybody.

All true bulletins of the exercise and the forged one, each point's own statuses and one every four hours with
pulses at the hours between, heartbeats of every authority, the emergency reports and the answers to them, and
around them a hundred stock nodes on the region's channel that tell who they are twice a day, with texts,
positions and telemetry. What is signed is signed with the region's keys, so the node works as hard as in the
field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from baken.wire import answer, bulletin, heartbeat, messages, packet, protobuf, pulse, report, sealed, status
from baken.wire.channel import channel_hash, crypt, expand_key
from baken.wire.packet import BROADCAST, Packet, low_byte
from baken.wire.records import MAX_PAYLOAD
from baken_gateway.region import Region, load_channel_psk, load_key
from baken_hardware.bench import region as bench_region
from baken_hardware.demo import scenario

POINT = "OV06"
"""Where the measured node stands."""
HOURS = 72
STOCK_NODES = 100
_STATUS_H, _HEARTBEAT_H, _NODE_INFO_H, _STOCK_H = 4, 1, 12, 3
_FIRST_STOCK = 0x5000_0000
_SENDER = 0x0BAD_CAFE
_HOUR_MS = 3_600_000
_APART_MS = 12_000  # between frames of one kind: the node has relayed one before the next comes
_REPEATS = 2  # of a record, in other packets: a frame that meets the node while it sends is lost

Frame = tuple[int, bytes]  # when, in milliseconds since the start, and a whole LoRa frame


def make_region(folder: Path) -> Region:
    """The exercise's region with all its points and authorities."""
    names = dict.fromkeys(made.authority for made in scenario.load_bulletins() if not made.is_forged)
    settings = bench_region.Settings(name="Merenland", authorities=tuple(names))
    return bench_region.init(folder, scenario.POINTS, settings)


class Crisis:
    """The frames of one exercise in the region `region`, in order of time."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._tag = region.trust.tag
        self._start_s = scenario.unix_s(scenario.START)
        self._authorities = {entry.name: entry.number for entry in region.authorities}
        self._points = {point.code: point for point in region.points}
        self._keys: dict[str, object] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._packet_id = 1
        self._told: list[status.Status] = []
        name = region.channel.name.encode()
        self._key = expand_key(load_channel_psk(region.folder), b"")
        self._hash = channel_hash(name, self._key)

    def frames(self) -> list[Frame]:
        """Everything, by time; call it once."""
        made = [*self._bulletins(), *self._statuses(), *self._pulses(), *self._heartbeats(), *self._letters()]
        return sorted([*made, *self._stock()])

    def _bulletins(self) -> Iterator[Frame]:
        sent: dict[str, tuple[int, int]] = {}
        areas = {area.code: area.index for area in self._region.areas}
        for made in scenario.load_bulletins():
            authority = self._authorities[scenario.REGION_AUTHORITY if made.is_forged else made.authority]
            seq = 0xF00001 if made.is_forged else self._next("bulletin", authority)
            wire = bulletin.Bulletin(authority, seq, made.sent_s, made.expires_s, made.text.encode())
            for field in ("msg_type", "scope", "urgency", "severity", "certainty", "response_type", "event"):
                setattr(wire, field, getattr(made, field).encode())
            wire.status = b"Exercise"
            wire.areas = tuple(areas[code] for code in made.areas)
            if made.msg_type in ("Update", "Cancel"):
                wire.references = tuple(sent[name] for name in made.references if name in sent)
            sent[made.id] = (authority, seq)
            sign = self._sign("point-VR00" if made.is_forged else f"authority-{authority}")
            for raw in bulletin.encode_parts(wire, self._tag, sign):
                yield from self._record(self._at(made.sent_s), raw)

    def _statuses(self) -> Iterator[Frame]:
        told = [(made.sent_s, made.code, made.draft) for made in scenario.load_reports()]
        for hour in range(4, HOURS, _STATUS_H):
            moment_s = self._start_s + hour * 3600
            told += [(moment_s + 20 * index, code, None) for index, code in enumerate(self._points)]
        for moment_s, code, draft in sorted(told, key=lambda one: one[:2]):
            if code == POINT:
                continue
            number = self._points[code].number
            made = status.Status(number, self._next("status", number), moment_s, b"OPEN", b"Open.")
            if draft is not None:
                made.take_condition(draft)
            made.exercise = True
            made.seen = tuple(
                status.Seen(authority, max(1, self._numbers.get(("bulletin", authority), 1)), 0xFFFF, 0xFF)
                for authority in list(self._authorities.values())[: status.MAX_SEEN]
            )
            made.text = made.text[: status.text_capacity(len(made.seen), True)]
            made.anchors = tuple(self._value(made, chain, 0) for chain in range(pulse.CHAINS))
            self._told.append(made)
            yield from self._record(
                self._at(moment_s), status.encode(made, self._tag, self._sign(f"point-{code}"))
            )

    def _pulses(self) -> Iterator[Frame]:
        """At each full hour, of all whose STATUS is older: that it holds, and one more received and read."""
        for hour in range(1, HOURS):
            moment_s = self._start_s + hour * 3600
            newest = {made.origin: made for made in self._told if made.time_s <= moment_s}
            shown: list[pulse.Pulse] = []
            for number, told in sorted(newest.items()):
                alive = (moment_s - told.time_s) // pulse.PERIOD_S
                if not 1 <= alive <= pulse.LAST_STEP[pulse.ALIVE]:
                    continue
                reach = ((pulse.ALIVE, alive), (pulse.RECEIVED, 1), (pulse.READ, 1))
                steps = tuple((chain, step, self._value(told, chain, step)) for chain, step in reach)
                one = pulse.Pulse(number, told.seq & 0xFF, steps)
                if 1 + sum(other.size for other in (*shown, one)) > MAX_PAYLOAD:
                    yield from self._record(self._at(moment_s), pulse.encode(shown))
                    moment_s += 20
                    shown = []
                shown.append(one)
            if shown:
                yield from self._record(self._at(moment_s), pulse.encode(shown))

    def _value(self, made: status.Status, chain: int, step: int) -> bytes:
        secret = hashlib.sha256(b"%d %d %d" % (made.origin, made.seq, chain)).digest()
        return pulse.chain_value(secret, self._tag, made.origin, made.seq, chain, step)

    def _heartbeats(self) -> Iterator[Frame]:
        for hour in range(1, HOURS, _HEARTBEAT_H):
            for authority in self._authorities.values():
                moment_s = self._start_s + hour * 3600 + 60 * authority
                beat = heartbeat.Heartbeat(authority, self._next("heartbeat", authority), moment_s, 0)
                raw = heartbeat.encode(beat, self._tag, self._sign(f"authority-{authority}"))
                yield from self._record(self._at(moment_s), raw)

    def _letters(self) -> Iterator[Frame]:
        """The emergency reports; every other one is answered."""
        authority = self._authorities[scenario.REGION_AUTHORITY]
        is_answered = False
        for row in scenario.load_rows("status.jsonl"):
            if row["type"] == "NOODMELDING" and row["from"] != POINT:
                is_answered = not is_answered
                moment_s = scenario.unix_s(row["sent"])
                number = self._points[row["from"]].number
                made = report.Report(number, self._next("report", number), moment_s, authority, exercise=True)
                key = bytes(32)  # whose it is does not matter to those who pass it on
                text = row["text"].encode()[: report.MAX_TEXT]
                raw = sealed.encode_report(made, text, key, self._tag, self._sign(f"point-{row['from']}"))
                yield from self._record(self._at(moment_s), raw)
                if is_answered:
                    seq, now_s = self._next("answer", authority), moment_s + 900
                    reply = answer.Answer(authority, seq, number, made.seq, now_s, now_s + 86_400)
                    sign = self._sign(f"authority-{authority}")
                    raw = sealed.encode_answer(reply, b"Hulp is onderweg.", key, self._tag, sign)
                    yield from self._record(self._at(now_s), raw)

    def _stock(self) -> Iterator[Frame]:
        for index in range(STOCK_NODES):
            sender = _FIRST_STOCK + 0x9E37 * index
            user = {
                "id": b"!%08x" % sender,
                "long_name": b"Vrijwilliger %d" % index,
                "short_name": b"V%03d" % index,
                "hw_model": 43,
                "public_key": bytes((index + place) & 0xFF for place in range(32)),
            }
            for hour in range(0, HOURS, _NODE_INFO_H):
                yield self._frame(
                    hour * _HOUR_MS + index * _APART_MS,
                    messages.NODEINFO_APP,
                    protobuf.encode(messages.USER, user),
                    sender,
                )
            for turn, hour in enumerate(range(index % _STOCK_H, HOURS, 5 * _STOCK_H)):
                at_ms = hour * _HOUR_MS + 1_500_000 + index * _APART_MS
                yield self._frame(at_ms, *self._said(index, turn, hour), sender)

    def _said(self, index: int, turn: int, hour: int) -> tuple[int, bytes]:
        """A text, a position or telemetry."""
        if (index + turn) % 3 == 0:
            return messages.TEXT_MESSAGE_APP, b"Bericht %d van vrijwilliger %d. " % (turn, index) * 3
        if (index + turn) % 3 == 1:
            position = {"latitude_i": 525_000_000 + index, "longitude_i": 55_000_000, "time": self._start_s}
            return messages.POSITION_APP, protobuf.encode(messages.POSITION, position)
        metrics = {"battery_level": 80, "voltage": 3.9, "uptime_seconds": hour * 3600}
        telemetry = {"time": self._start_s + hour * 3600, "device_metrics": metrics}
        return messages.TELEMETRY_APP, protobuf.encode(messages.TELEMETRY, telemetry)

    def _record(self, at_ms: int, raw: bytes) -> Iterator[Frame]:
        for turn in range(_REPEATS):
            yield self._frame(at_ms + turn * 3 * _APART_MS, messages.PRIVATE_APP, raw, _SENDER)

    def _frame(self, at_ms: int, portnum: int, payload: bytes, sender: int) -> Frame:
        self._packet_id += 1
        data = protobuf.encode(messages.DATA, {"portnum": portnum, "payload": payload, "bitfield": 0})
        header = Packet(
            BROADCAST,
            sender,
            self._packet_id,
            crypt(self._key, self._packet_id, sender, data),
            3,
            3,
            self._hash,
            relay_node=low_byte(sender),
        )
        return at_ms, packet.encode(header)

    def _sign(self, name: str) -> Callable[[bytes], bytes]:
        if name not in self._keys:
            self._keys[name] = load_key(self._region.folder / "keys" / f"{name}.key", self._region).key
        return self._keys[name].sign  # type: ignore[attr-defined]

    def _next(self, kind: str, origin: int) -> int:
        seq = self._numbers.get((kind, origin), 0) + 1
        self._numbers[kind, origin] = seq
        return seq

    def _at(self, moment_s: int) -> int:
        return (moment_s - self._start_s) * 1000
