"""Everybody in one region as its node OV06 hears them: signed records and stock nodes, as frames at times.

What is signed is signed with the region's keys, so a node works as hard as in the field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from baken.wire import messages, packet, protobuf, pulse, status
from baken.wire.channel import channel_hash, crypt, expand_key
from baken.wire.packet import BROADCAST, Packet, low_byte
from baken.wire.records import MAX_PAYLOAD
from baken_gateway.region import Region, load_channel_psk, load_key
from baken_hardware.demo import scenario

POINT = "OV06"
"""Where the measured node stands."""
STOCK_NODES = 100
HOUR_MS = 3_600_000
_NODE_INFO_H, _STOCK_H = 12, 3
_FIRST_STOCK = 0x5000_0000
_SENDER = 0x0BAD_CAFE
_APART_MS = 12_000  # between frames of one kind: the node has relayed one before the next comes

Frame = tuple[int, bytes]  # when, in milliseconds since the start, and a whole LoRa frame


class Voices:
    """Who speaks in `region`. What subclasses say is made of these."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.tag = region.trust.tag
        self.start_s = scenario.unix_s(scenario.START)
        self._keys: dict[str, object] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._packet_id = 1
        self._key = expand_key(load_channel_psk(region.folder), b"")
        self._hash = channel_hash(region.channel.name.encode(), self._key)

    def record(self, at_ms: int, payload: bytes, times: int = 2) -> Iterator[Frame]:
        """The frames of a record, or of pulses, in different packets: one that meets the node while it sends
        is lost.
        """
        for turn in range(times):
            yield self._frame(at_ms + turn * 3 * _APART_MS, messages.PRIVATE_APP, payload, _SENDER)

    def sign(self, name: str) -> Callable[[bytes], bytes]:
        """What signs with the key `name` of the region: root, authority-<number> or point-<code>."""
        if name not in self._keys:
            self._keys[name] = load_key(self.region.folder / "keys" / f"{name}.key", self.region).key
        return self._keys[name].sign  # type: ignore[attr-defined]

    def next_number(self, kind: str, origin: int) -> int:
        """The next sequence number of that origin."""
        self._numbers[kind, origin] = self.last_number(kind, origin) + 1
        return self._numbers[kind, origin]

    def last_number(self, kind: str, origin: int) -> int:
        """The number given last, 0 for none."""
        return self._numbers.get((kind, origin), 0)

    def at_ms(self, moment_s: int) -> int:
        """Milliseconds since the start at that calendar time."""
        return (moment_s - self.start_s) * 1000

    def chain_value(self, made: status.Status, chain: int, step: int) -> bytes:
        """What the point that made this STATUS shows as a step of a chain; its anchor for step 0."""
        secret = hashlib.sha256(b"%d %d %d" % (made.origin, made.seq, chain)).digest()
        return pulse.chain_value(secret, self.tag, made.origin, made.seq, chain, step)

    def pulse_of(self, told: status.Status, alive: int, received: int, read: int) -> pulse.Pulse:
        """What shows that many steps of the chains of a STATUS."""
        reach = ((pulse.ALIVE, alive), (pulse.RECEIVED, received), (pulse.READ, read))
        steps = tuple((chain, step, self.chain_value(told, chain, step)) for chain, step in reach)
        return pulse.Pulse(told.origin, told.seq & 0xFF, steps)

    def in_frames(self, pulses: Iterable[pulse.Pulse]) -> Iterator[bytes]:
        """Payloads with these pulses, as many in each as fit."""
        shown: list[pulse.Pulse] = []
        for one in pulses:
            if 1 + sum(other.size for other in (*shown, one)) > MAX_PAYLOAD:
                yield pulse.encode(shown)
                shown = []
            shown.append(one)
        if shown:
            yield pulse.encode(shown)

    def stock(self, hours: int) -> Iterator[Frame]:
        """A hundred stock nodes on the region's channel: who they are twice a day, texts, positions and
        telemetry.
        """
        for index in range(STOCK_NODES):
            sender = _FIRST_STOCK + 0x9E37 * index
            user = {
                "id": b"!%08x" % sender,
                "long_name": b"Vrijwilliger %d" % index,
                "short_name": b"V%03d" % index,
                "hw_model": 43,
                "public_key": bytes((index + place) & 0xFF for place in range(32)),
            }
            for hour in range(0, hours, _NODE_INFO_H):
                yield self._frame(
                    hour * HOUR_MS + index * _APART_MS,
                    messages.NODEINFO_APP,
                    protobuf.encode(messages.USER, user),
                    sender,
                )
            for turn, hour in enumerate(range(index % _STOCK_H, hours, 5 * _STOCK_H)):
                at_ms = hour * HOUR_MS + 1_500_000 + index * _APART_MS
                yield self._frame(at_ms, *self._said(index, turn, hour), sender)

    def _said(self, index: int, turn: int, hour: int) -> tuple[int, bytes]:
        """A text, a position or telemetry."""
        if (index + turn) % 3 == 0:
            return messages.TEXT_MESSAGE_APP, b"Bericht %d van vrijwilliger %d. " % (turn, index) * 3
        if (index + turn) % 3 == 1:
            position = {"latitude_i": 525_000_000 + index, "longitude_i": 55_000_000, "time": self.start_s}
            return messages.POSITION_APP, protobuf.encode(messages.POSITION, position)
        metrics = {"battery_level": 80, "voltage": 3.9, "uptime_seconds": hour * 3600}
        telemetry = {"time": self.start_s + hour * 3600, "device_metrics": metrics}
        return messages.TELEMETRY_APP, protobuf.encode(messages.TELEMETRY, telemetry)

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
