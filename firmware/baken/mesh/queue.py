"""The transmit queue: sixteen frames, most urgent first.

Order: frames that need not wait, then higher priority, then other nodes' packets before our own, then first
in first out. A full queue gives up its least urgent frame for a more urgent one.
"""

import struct

from baken.compat import const
from baken.wire.messages import (
    ADMIN_APP,
    PRIORITY_ACK,
    PRIORITY_DEFAULT,
    PRIORITY_HIGH,
    PRIORITY_RELIABLE,
    PRIORITY_RESPONSE,
    ROUTING_APP,
    TEXT_MESSAGE_APP,
)
from baken.wire.packet import BROADCAST
from baken.wire.record import Record

QUEUE_SIZE = const(16)

# Places in a frame's header.
FLAGS_AT = const(12)
NEXT_HOP_AT = const(14)
RELAY_AT = const(15)
_WANT_ACK = const(0x08)


def packet_key(sender: int, packet_id: int) -> bytes:
    """Sender and id as they stand in a frame, bytes 4 to 11."""
    return struct.pack("<II", sender, packet_id)


def priority_of(data: dict, want_ack: bool) -> int:
    """What a stock node would give this packet; it is not sent along, so every relay works it out again."""
    portnum = data["portnum"]
    if portnum == ROUTING_APP:
        return PRIORITY_ACK
    if portnum in (TEXT_MESSAGE_APP, ADMIN_APP):
        return PRIORITY_HIGH
    if data.get("request_id"):
        return PRIORITY_RESPONSE
    if data.get("want_response") or want_ack:
        return PRIORITY_RELIABLE
    return PRIORITY_DEFAULT


class Queued(Record):
    """A frame that waits. `key` is sender and id as in the frame; `snr_db` is None for our own packets."""

    __slots__ = ("frame", "key", "not_before", "packet_id", "priority", "snr_db")

    def __init__(
        self, frame: bytes, packet_id: int, priority: int, snr_db: "float | None" = None, not_before: int = 0
    ) -> None:
        self.frame = frame
        self.key = bytes(frame[4:12])
        self.packet_id = packet_id
        self.priority = priority
        self.snr_db = snr_db
        self.not_before = not_before

    @property
    def own(self) -> bool:
        """Whether the packet is ours, not a relay."""
        return self.snr_db is None

    @property
    def to(self) -> int:
        """The addressee."""
        return struct.unpack_from("<I", self.frame, 0)[0]

    @property
    def is_answerable(self) -> bool:
        """Whether it is our own and we asked for an answer; of broadcasts the frame does not tell."""
        return self.own and (self.to == BROADCAST or bool(self.frame[FLAGS_AT] & _WANT_ACK))

    @property
    def next_hop(self) -> int:
        """Low byte of the node that should relay the frame; 0: everybody."""
        return self.frame[NEXT_HOP_AT]

    def directed(self, next_hop: int) -> "Queued":
        """The same packet, for another next hop."""
        frame = bytearray(self.frame)
        frame[NEXT_HOP_AT] = next_hop
        return Queued(bytes(frame), self.packet_id, self.priority, self.snr_db)


class TransmitQueue:
    """Bounded and ordered; the order of `_waiting` is the order of arrival."""

    def __init__(self) -> None:
        self._waiting = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def free(self) -> int:
        """Places left."""
        return QUEUE_SIZE - len(self._waiting)

    def put(self, item: Queued, keep: "Queued | None" = None) -> "Queued | None":
        """Add; gives back what had to go for it (the item itself when nothing here is less urgent).

        `keep` never goes: the radio may be sending it just now.
        """
        evicted = None
        if len(self._waiting) >= QUEUE_SIZE:
            for other in self._waiting:
                if other is not keep and (evicted is None or other.priority <= evicted.priority):
                    evicted = other
            if evicted is None or evicted.priority >= item.priority:
                return item
            self.remove(evicted)
        self._waiting.append(item)
        return evicted

    def front(self, now: int) -> "Queued | None":
        """The frame to send next; it stays in the queue. Frames that must wait come last."""
        best = None
        for item in self._waiting:
            if best is None or self._before(item, best, now):
                best = item
        return best

    @staticmethod
    def _before(item: Queued, other: Queued, now: int) -> bool:
        waits = item.not_before > now
        if waits != (other.not_before > now):
            return not waits
        if waits and item.not_before != other.not_before:
            return item.not_before < other.not_before
        if item.priority != other.priority:
            return item.priority > other.priority
        return other.own and not item.own

    def find(self, key: bytes) -> "Queued | None":
        """The waiting frame with this sender and id."""
        for item in self._waiting:
            if item.key == key:
                return item
        return None

    def remove(self, item: Queued) -> None:
        """Take out a frame that is in the queue."""
        for at in range(len(self._waiting)):
            if self._waiting[at] is item:
                self._waiting.pop(at)
                return
