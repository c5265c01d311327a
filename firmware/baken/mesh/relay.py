"""Relaying other nodes' packets: once each, with one hop less, unless a neighbour was first.

A relay changes hop limit, next hop and relay node in the frame as it was received, and clears want_ack of a
broadcast; the rest, ciphertext included, stays as it is. Frames under foreign keys are relayed too.
"""

from baken.compat import const
from baken.mesh.queue import Queued, packet_key, priority_of
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import (
    PRIORITY_DEFAULT,
    PRIORITY_RELIABLE,
    ROLE_CLIENT_MUTE,
    ROLE_ROUTER,
    ROLE_ROUTER_LATE,
)
from baken.wire.packet import BROADCAST, MAX_HOPS, low_byte

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.access import ChannelAccess
    from baken.mesh.config import MeshConfig
    from baken.mesh.events import Received
    from baken.mesh.flood import History
    from baken.mesh.opening import Opener
    from baken.wire.packet import Packet

_FLAGS_AT = const(12)
_NEXT_HOP_AT = const(14)
_RELAY_AT = const(15)
_HOPS_MASK = const(0x07)
_WANT_ACK = const(0x08)
_WANT_ACK_AND_MQTT = const(0x18)


def is_retransmission(packet: "Packet") -> bool:
    """Whether a packet that was heard before comes from its origin, with all its hops: it repeats itself."""
    return packet.hop_start > 0 and packet.hop_limit == packet.hop_start


class Relay:
    """The relaying half of a node; `counters` is the node's."""

    def __init__(
        self,
        config: "MeshConfig",
        opener: "Opener",
        access: "ChannelAccess",
        history: "History",
        counters: dict,
    ) -> None:
        self._opener = opener
        self._access = access
        self._history = history
        self._counters = counters
        self.configure(config)

    def configure(self, config: "MeshConfig") -> None:
        """Take another role or number."""
        self._role = config.role
        self._low_byte = low_byte(config.node_num)

    def relay(self, packet: "Packet", frame: bytes, data: "dict | None", snr_db: float, now: int) -> None:
        """Queue our copy of a packet if the rules want one; `data` is None where we cannot read it."""
        if data is not None:
            priority = priority_of(data, packet.want_ack)
        else:
            priority = PRIORITY_RELIABLE if packet.want_ack else PRIORITY_DEFAULT
        self._relay(packet, frame, priority, snr_db, now)

    def hear_again(self, packet: "Packet", at: int, frame: bytes, snr_db: float, now: int) -> None:
        """A packet came that is in the history at position `at`: somebody was faster, or repeats it."""
        waiting = self._access.queue.find(packet_key(packet.sender, packet.id))
        if is_retransmission(packet):
            if waiting is None:
                opened = self._opener.open(packet)
                if not self._opener.refused_as_false:
                    self.relay(packet, frame, opened.data if opened else None, snr_db, now)
            return
        if packet.hop_limit > self._history.hop_limit(at):
            self._history.raise_hop_limit(at, packet.hop_limit)
        if waiting is None:
            return
        if packet.hop_limit - 1 > waiting.frame[_FLAGS_AT] & _HOPS_MASK:
            # This copy reaches farther than the one that waits, so it takes its place.
            if waiting is not self._access.offered:
                self._access.queue.remove(waiting)
                self._relay(packet, frame, waiting.priority, snr_db, now)
        elif self._role == ROLE_ROUTER_LATE:
            waiting.not_before = now + self._access.contention.late_ms(snr_db)
        elif self._role != ROLE_ROUTER:
            self._access.queue.remove(waiting)
            self._count("relay-cancelled")

    def drop(self, sender: int, packet_id: int) -> bool:
        """See `MeshNode.drop_relay`."""
        if self._access.remove(packet_key(sender, packet_id)) is None:
            return False
        self._count("relay-dropped")
        return True

    def overhear_answer(self, asker: int, request_id: int) -> None:
        """Somebody answered `asker`: a copy of the question that waits here is not needed any more."""
        if self._access.remove(packet_key(asker, request_id)) is not None:
            self._count("relay-cancelled")

    def relay_again(self, received: "Received", hop_limit: int, hop_start: int, now: int) -> bool:
        """See `MeshNode.relay_again`."""
        if not 0 <= hop_limit < hop_start <= MAX_HOPS:
            raise LocalProtocolError(
                f"hop limit is {hop_limit} of {hop_start}, it must be below a start of at most {MAX_HOPS}",
                cause="hop-limit",
            )
        waiting = self._access.queue.find(packet_key(received.sender, received.packet_id))
        if waiting is not None:
            if waiting is self._access.offered or waiting.frame[_FLAGS_AT] & _HOPS_MASK >= hop_limit:
                return False
            self._access.queue.remove(waiting)
        copy = bytearray(received.frame)
        copy[_FLAGS_AT] = copy[_FLAGS_AT] & _WANT_ACK_AND_MQTT | hop_start << 5 | hop_limit
        priority = priority_of(received.data, received.want_ack)
        return self._put(copy, received.packet_id, received.to, priority, received.snr_db, now)

    def _relay(self, packet: "Packet", frame: bytes, priority: int, snr_db: float, now: int) -> None:
        if packet.hop_limit == 0 or packet.id == 0:
            return
        if packet.hop_start and packet.next_hop not in (0, self._low_byte):
            return  # with hop_start 0, before firmware 2.6, the byte was padding
        copy = bytearray(frame)
        copy[_FLAGS_AT] -= 1
        self._put(copy, packet.id, packet.to, priority, snr_db, now)

    def _put(self, copy: bytearray, packet_id: int, to: int, priority: int, snr_db: float, now: int) -> bool:
        if self._role == ROLE_CLIENT_MUTE:
            return False
        if to == BROADCAST:
            copy[_FLAGS_AT] &= ~_WANT_ACK
        copy[_NEXT_HOP_AT] = 0
        copy[_RELAY_AT] = self._low_byte
        return self._access.put(Queued(bytes(copy), packet_id, priority, snr_db), now)

    def _count(self, cause: str) -> None:
        self._counters[cause] = self._counters.get(cause, 0) + 1
