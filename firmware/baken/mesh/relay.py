"""Relaying other nodes' packets: once each, with one hop less, unless a neighbour was first.

A relay changes hop limit, next hop and relay node in the frame as it was received, and clears want_ack of a
broadcast; the rest, ciphertext included, stays as it is, but for a traceroute, which collects its way. Frames
under foreign keys are relayed too, where the rebroadcast mode allows it.

CLIENT and what is not named here start late and give way to who was faster. ROUTER goes first and never gives
way. ROUTER_LATE, and CLIENT_BASE for its owner's favourites, wait until the others are done and send after
all. CLIENT_MUTE does not relay, CLIENT_HIDDEN only what it can read.
"""

from baken.compat import const
from baken.mesh.nodedb import FAVORITE
from baken.mesh.queue import FLAGS_AT, NEXT_HOP_AT, RELAY_AT, Queued, packet_key, priority_of
from baken.mesh.reliable import SENDS_TO_NEXT_HOP
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import (
    PRIORITY_DEFAULT,
    PRIORITY_RELIABLE,
    PRIVATE_APP,
    REBROADCAST_ALL,
    REBROADCAST_ALL_SKIP_DECODING,
    REBROADCAST_CORE_PORTNUMS_ONLY,
    REBROADCAST_KNOWN_ONLY,
    REBROADCAST_LOCAL_ONLY,
    REBROADCAST_NONE,
    ROLE_CLIENT_BASE,
    ROLE_CLIENT_HIDDEN,
    ROLE_CLIENT_MUTE,
    ROLE_ROUTER,
    ROLE_ROUTER_LATE,
    TRACEROUTE_APP,
)
from baken.wire.packet import BROADCAST, MAX_HOPS, low_byte

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.access import ChannelAccess
    from baken.mesh.config import MeshConfig
    from baken.mesh.events import Received
    from baken.mesh.flood import History
    from baken.mesh.nodedb import NodeDatabase
    from baken.mesh.opening import Opened, Opener
    from baken.mesh.reliable import Retries
    from baken.mesh.routes import Routes
    from baken.wire.packet import Packet

_HOPS_MASK = const(0x07)
_WANT_ACK = const(0x08)
_WANT_ACK_AND_MQTT = const(0x18)

# What firmware 2.7.4 and newer relays in the mode CORE_PORTNUMS_ONLY, and our own records.
_CORE_PORTS = (1, 3, 4, 5, 6, 7, 8, 11, 12, 35, 65, 67, 70, PRIVATE_APP)


def is_retransmission(packet: "Packet") -> bool:
    """Whether a packet that was heard before comes from its origin, with all its hops: it repeats itself."""
    return packet.hop_start > 0 and packet.hop_limit == packet.hop_start


class Relay:
    """The relaying half of a node; `counters` is the node's."""

    def __init__(
        self,
        config: "MeshConfig",
        nodes: "NodeDatabase",
        opener: "Opener",
        access: "ChannelAccess",
        history: "History",
        routes: "Routes",
        retries: "Retries",
        counters: dict,
    ) -> None:
        self._nodes = nodes
        self._opener = opener
        self._access = access
        self._history = history
        self._routes = routes
        self._retries = retries
        self._counters = counters
        self.configure(config)

    def configure(self, config: "MeshConfig") -> None:
        """Take another role, rebroadcast mode or number."""
        self._node_num = config.node_num
        self._low_byte = low_byte(config.node_num)
        self._role = config.role
        self._mode = config.rebroadcast_mode
        if config.role == ROLE_CLIENT_MUTE:
            self._mode = REBROADCAST_NONE
        elif config.role == ROLE_CLIENT_HIDDEN and self._mode in (
            REBROADCAST_ALL,
            REBROADCAST_ALL_SKIP_DECODING,
        ):
            self._mode = REBROADCAST_LOCAL_ONLY

    def relay(self, packet: "Packet", frame: bytes, opened: "Opened | None", snr_db: float, now: int) -> None:
        """Queue our copy of a packet if the rules want one; `opened` is None where we cannot read it."""
        if packet.hop_limit == 0 or packet.id == 0:
            return
        # With hop_start 0, before firmware 2.6, the next hop was padding.
        if packet.hop_start and packet.next_hop not in (0, self._low_byte):
            return
        if not self._wants(packet.sender, opened.data if opened else None):
            return
        if opened is not None:
            priority = priority_of(opened.data, packet.want_ack)
            if opened.data["portnum"] == TRACEROUTE_APP:
                from baken.mesh.traceroute import sign_in

                frame = sign_in(packet, frame, opened, self._opener, self._node_num, snr_db)
        else:
            priority = PRIORITY_RELIABLE if packet.want_ack else PRIORITY_DEFAULT
        copy = bytearray(frame)
        if not self._is_free_hop(packet):
            copy[FLAGS_AT] -= 1
        copy[NEXT_HOP_AT] = self._routes.next_hop(packet.to, packet.relay_node if packet.hop_start else 0)
        item = self._put(copy, packet.id, priority, snr_db, now)
        if item is not None and item.next_hop and copy[FLAGS_AT] & (_HOPS_MASK | _WANT_ACK):
            self._retries.watch(item, SENDS_TO_NEXT_HOP)

    def hear_again(self, packet: "Packet", at: int, frame: bytes, snr_db: float, now: int) -> None:
        """A packet came that is in the history at position `at`: somebody was faster, or repeats it."""
        history = self._history
        key = packet_key(packet.sender, packet.id)
        asks_again = is_retransmission(packet) or self._routes.fell_back(packet, at)
        self._routes.note_relayer(packet, at)
        self._stop_retry(packet, key)
        waiting = self._access.queue.find(key)
        if asks_again:
            history.set_next_hop(at, packet.next_hop)
            if waiting is None:
                opened = self._opener.open(packet)
                if not self._opener.refused_as_false:
                    self.relay(packet, frame, opened, snr_db, now)
            return
        if packet.hop_limit > history.hop_limit(at):
            history.raise_hop_limit(at, packet.hop_limit)
        if waiting is None:
            return
        if packet.hop_limit - 1 > waiting.frame[FLAGS_AT] & _HOPS_MASK and not waiting.not_before:
            # This copy reaches farther than the one that waits, so it takes its place.
            if waiting is not self._access.offered:
                self._remove(waiting)
                self.relay(packet, frame, self._opener.open(packet), snr_db, now)
        elif self._role == ROLE_ROUTER or history.next_hop(at) == self._low_byte:
            return  # nobody else will do it for us
        elif self._is_late(packet):
            if waiting.not_before == 0:
                waiting.not_before = now + self._access.contention.late_ms(snr_db)
        else:
            self._remove(waiting)
            self._count("relay-cancelled")

    def drop(self, sender: int, packet_id: int) -> bool:
        """See `MeshNode.drop_relay`."""
        key = packet_key(sender, packet_id)
        self._retries.forget(key)
        if self._access.remove(key) is None:
            return False
        self._count("relay-dropped")
        return True

    def hold(self, sender: int, packet_id: int, until: int, now: int) -> bool:
        """See `MeshNode.hold_relay`."""
        waiting = self._access.queue.find(packet_key(sender, packet_id))
        if waiting is None or waiting.own or waiting is self._access.offered:
            return False
        waiting.not_before = until
        self._access.restart_timer(now)
        return True

    def overhear_answer(self, asker: int, request_id: int) -> None:
        """Somebody answered `asker`: a copy of the question that waits here is not needed any more."""
        key = packet_key(asker, request_id)
        self._retries.forget(key)
        if self._access.remove(key) is not None:
            self._count("relay-cancelled")

    def relay_again(self, received: "Received", hop_limit: int, hop_start: int, now: int) -> bool:
        """See `MeshNode.relay_again`."""
        if not 0 <= hop_limit < hop_start <= MAX_HOPS:
            raise LocalProtocolError(
                f"hop limit is {hop_limit} of {hop_start}, it must be below a start of at most {MAX_HOPS}",
                cause="hop-limit",
            )
        if not self._wants(received.sender, received.data):
            return False
        waiting = self._access.queue.find(packet_key(received.sender, received.packet_id))
        if waiting is not None:
            if waiting is self._access.offered or waiting.frame[FLAGS_AT] & _HOPS_MASK >= hop_limit:
                return False
            self._remove(waiting)
        copy = bytearray(received.frame)
        copy[FLAGS_AT] = copy[FLAGS_AT] & _WANT_ACK_AND_MQTT | hop_start << 5 | hop_limit
        copy[NEXT_HOP_AT] = 0
        priority = priority_of(received.data, received.want_ack)
        return self._put(copy, received.packet_id, priority, received.snr_db, now) is not None

    def _wants(self, sender: int, data: "dict | None") -> bool:
        """Whether the rebroadcast mode lets this packet through; `data` is None where we cannot read it.

        ALL_SKIP_DECODING is ALL: a node that did not read what it relays would have no records.
        """
        mode = self._mode
        if mode == REBROADCAST_NONE:
            return False
        if mode in (REBROADCAST_ALL, REBROADCAST_ALL_SKIP_DECODING):
            return True
        if data is None:
            return mode == REBROADCAST_CORE_PORTNUMS_ONLY
        if mode == REBROADCAST_CORE_PORTNUMS_ONLY:
            return data["portnum"] in _CORE_PORTS
        if mode == REBROADCAST_KNOWN_ONLY:
            known = self._nodes.get(sender)
            return known is not None and known.user is not None
        return True

    def _is_late(self, packet: "Packet") -> bool:
        if self._role == ROLE_CLIENT_BASE:
            return self._nodes.has(packet.sender, FAVORITE) or self._nodes.has(packet.to, FAVORITE)
        return self._role == ROLE_ROUTER_LATE

    def _is_free_hop(self, packet: "Packet") -> bool:
        """Between routers that their owner has made favourites of each other a hop costs nothing."""
        if self._role not in (ROLE_ROUTER, ROLE_ROUTER_LATE, ROLE_CLIENT_BASE) or not packet.hops_away():
            return False
        for num in self._nodes.numbers_ending(packet.relay_node):
            known = self._nodes.get(num) if self._nodes.has(num, FAVORITE) else None
            if known is not None and known.user is not None:
                if known.user["role"] in (ROLE_ROUTER, ROLE_ROUTER_LATE):
                    return True
        return False

    def _stop_retry(self, packet: "Packet", key: bytes) -> None:
        """Whoever passes a packet on with fewer hops than we left it, or whom we asked to, has it."""
        item = self._retries.waiting(key)
        if item is None:
            return
        is_onward = packet.hop_limit < item.frame[FLAGS_AT] & _HOPS_MASK
        if is_onward or (item.next_hop and packet.relay_node == item.next_hop):
            self._retries.forget(key)

    def _remove(self, waiting: Queued) -> None:
        self._retries.forget(waiting.key)
        self._access.queue.remove(waiting)

    def _put(
        self, copy: bytearray, packet_id: int, priority: int, snr_db: float, now: int
    ) -> "Queued | None":
        copy[RELAY_AT] = self._low_byte
        item = Queued(bytes(copy), packet_id, priority, snr_db)
        if copy[FLAGS_AT] & _WANT_ACK and item.to == BROADCAST:
            copy[FLAGS_AT] &= ~_WANT_ACK
            item = Queued(bytes(copy), packet_id, priority, snr_db)
        return item if self._access.put(item, now) else None

    def _count(self, cause: str) -> None:
        self._counters[cause] = self._counters.get(cause, 0) + 1
