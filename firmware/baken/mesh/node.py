"""One Meshtastic node as a state machine: frames from the radio and orders from above in, events out.

    node.receive_frame(frame, rssi_dbm, snr_db, now)      bad frames are counted by cause, never raised
    node.send(portnum, payload, now)                      gives the packet id
    while (event := node.next_event(now)) is not None: ...
    sleep_until(node.deadline())

On a `Transmit` event the caller checks the channel once. Busy: `channel_busy(now)`. Free: it sends, and calls
`transmitted(now)` when the frame has left the antenna. There is one Transmit at a time.
"""

from baken.compat import const
from baken.mesh.access import ChannelAccess
from baken.mesh.events import Acknowledged, GaveUp, NodeSeen, Received, Transmit, Undecryptable
from baken.mesh.flood import History
from baken.mesh.nodedb import NodeDatabase, user_fits
from baken.mesh.opening import Opener
from baken.mesh.outgoing import check_route, compose, frame_of
from baken.mesh.queue import Queued, packet_key, priority_of
from baken.mesh.relay import Relay, is_retransmission
from baken.mesh.reliable import Retries
from baken.wire import packet, protobuf
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import (
    ADMIN_APP,
    ERROR_MAX_RETRANSMIT,
    ERROR_NO_CHANNEL,
    ERROR_NONE,
    NODEINFO_APP,
    PRIORITY_BACKGROUND,
    ROUTING,
    ROUTING_APP,
    TEXT_MESSAGE_APP,
    USER,
)
from baken.wire.packet import BROADCAST, Packet, low_byte

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.config import MeshConfig

MAX_EVENTS = const(16)
MAX_REFUSALS = const(4)

_FIRST_ANNOUNCE_MS = const(30_000)
_ANNOUNCE_MS = const(10_800_000)
_ANNOUNCE_SPREAD_MS = const(30_000)
_ANNOUNCE_AGAIN_MS = const(60_000)
_ANSWER_AGAIN_S = const(43_200)
_HARD_UTILISATION_PERCENT = const(40)


class MeshNode:
    """One node. `rand(n)` gives an integer in [0, n).

    `counters` counts what happened, by name; `nodes` is who was heard; `budget` and `utilisation` tell how
    much airtime we and everybody took; `modem` is how the radio must be set.
    """

    def __init__(self, config: "MeshConfig", rand: "Callable[[int], int]") -> None:
        self.config = config
        self.nodes = NodeDatabase()
        self.counters = {}
        self.access = ChannelAccess(config, rand, self.counters)
        self.modem = self.access.modem
        self.budget = self.access.budget
        self.utilisation = self.access.utilisation
        self._rand = rand
        self._low_byte = low_byte(config.node_num)
        self._opener = Opener(config, self.nodes)
        self._history = History()
        self._relay = Relay(config, self._opener, self.access, self._history, self.counters)
        self._retries = Retries()
        self._events = []
        self._refusals = []  # (packet id, Routing.Error) of the last packets to us that were not accepted
        self._announce_at = None
        self._announced_at = None
        self._counter = rand(1 << 10)

    def configure(self, config: "MeshConfig", now: int) -> None:
        """Go on with other settings; what was heard, queued and spent stays. The caller tunes the radio."""
        self.config = config
        self._low_byte = low_byte(config.node_num)
        self._opener.configure(config)
        self.access.configure(config)
        self._relay.configure(config)
        self.modem = self.access.modem

    # Frames from the radio

    def receive_frame(self, frame: bytes, rssi_dbm: int, snr_db: float, now: int) -> None:
        """Take one frame as the radio heard it."""
        self._retries.extend(self.access.heard(frame, now))
        try:
            header = packet.decode(frame)
        except RemoteProtocolError as error:
            self._count(error.cause)
        else:
            self._receive_packet(header, frame, rssi_dbm, snr_db, now)
        self.access.start_timer(now)

    def _receive_packet(self, header: Packet, frame: bytes, rssi_dbm: int, snr_db: float, now: int) -> None:
        if header.via_mqtt and self.config.ignore_mqtt:
            self._count("via-mqtt")
            return
        if 0 < header.hop_start < header.hop_limit:
            self._count("hop-start")
            return
        key = bytes(frame[4:12])
        at = self._history.find(key)
        if header.sender == self.config.node_num:
            self._hear_own(header, at)
        elif at >= 0:
            self._count("duplicate")
            self._hear_again(header, at, frame, snr_db, now)
        else:
            self._history.remember(key, header.hop_limit)
            self._hear_new(header, frame, rssi_dbm, snr_db, now)

    def _hear_own(self, header: Packet, at: int) -> None:
        if at < 0:
            self._count("own-unknown")
        elif self._history.acknowledge(at):
            self._retries.forget(header.id)
            self._drop_queued(header.id)
            self._tell(Acknowledged(header.id, self.config.node_num))

    def _hear_again(self, header: Packet, at: int, frame: bytes, snr_db: float, now: int) -> None:
        if is_retransmission(header) and header.to == self.config.node_num:
            # The sender has not heard our acknowledgement.
            if header.want_ack:
                opened = self._opener.open(header)
                if opened is not None:
                    error = self._refusal(header.id)
                    self._send_routing(error, header.sender, header.id, opened.channel, 0, False, now)
            return
        self._relay.hear_again(header, at, frame, snr_db, now)

    def _hear_new(self, header: Packet, frame: bytes, rssi_dbm: int, snr_db: float, now: int) -> None:
        opened = self._opener.open(header)
        if opened is None:
            self._count("undecryptable")
            self._tell(Undecryptable(header, rssi_dbm, snr_db))
            if header.to != self.config.node_num:
                self._relay.relay(header, frame, None, snr_db, now)
            elif header.want_ack and header.channel_hash != 0:
                self._send_routing(
                    ERROR_NO_CHANNEL, header.sender, header.id, 0, self._answer_hops(header, None), False, now
                )
            return
        self._count("received")
        data = opened.data
        received = Received(
            header, opened.channel, data, rssi_dbm, snr_db, bytes(frame), opened.pki, opened.signed
        )
        hops_away = received.hops_away
        news = self.nodes.heard(header.sender, snr_db, hops_away, opened.channel, now)
        self._tell(received)
        answered = False
        if received.portnum == NODEINFO_APP:
            news = self._learn_user(header.sender, received.payload) or news
            if header.to == self.config.node_num and data.get("want_response"):
                answered = self._answer_nodeinfo(received, now)
        if header.to == self.config.node_num:
            if received.portnum == ROUTING_APP:
                self._receive_routing(header.sender, data)
            if received.portnum == ADMIN_APP and not data.get("request_id"):
                answered = True  # whoever serves it gives `acknowledge` or `reply`
            if header.want_ack and not answered:
                self._acknowledge(header, received, now)
        else:
            if header.to != BROADCAST and data.get("request_id"):
                self._relay.overhear_answer(header.to, data["request_id"])
            self._relay.relay(header, frame, data, snr_db, now)
        if news:
            self._tell(NodeSeen(header.sender))

    def _learn_user(self, num: int, payload: bytes) -> bool:
        try:
            user = protobuf.decode(USER, payload)
        except RemoteProtocolError:
            self._count("bad-user")
            return False
        if not user_fits(user):
            self._count("bad-user")
            return False
        return self.nodes.update_user(num, user)

    def _receive_routing(self, sender: int, data: dict) -> None:
        packet_id = data.get("request_id", 0)
        try:
            routing = protobuf.decode(ROUTING, data.get("payload", b""))
        except RemoteProtocolError:
            self._count("bad-routing")
            return
        error = routing.get("error_reason")
        if not packet_id or error is None:
            return
        if self._retries.forget(packet_id):
            self._drop_queued(packet_id)
        self._tell(Acknowledged(packet_id, sender) if error == ERROR_NONE else GaveUp(packet_id, error))

    def relay_again(self, received: Received, hop_limit: int, hop_start: int, now: int) -> bool:
        """Flood a received packet further, under its own sender and id, with a fresh hop limit.

        `hop_limit` must be below `hop_start`, or receivers would take it for a retransmission by the origin.
        False if this node does not relay, had no room, or is about to send a copy that is as good.
        """
        queued = self._relay.relay_again(received, hop_limit, hop_start, now)
        self.access.start_timer(now)
        return queued

    def drop_relay(self, sender: int, packet_id: int) -> bool:
        """Do not relay a packet that turned out to be false; True if the radio did not have it yet."""
        return self._relay.drop(sender, packet_id)

    # Sending our own

    def send(
        self,
        portnum: int,
        payload: bytes,
        now: int,
        to: int = BROADCAST,
        channel: int = 0,
        hop_limit: "int | None" = None,
        hop_start: "int | None" = None,
        want_ack: bool = False,
        request_id: int = 0,
        priority: "int | None" = None,
        packet_id: int = 0,
        want_response: bool = False,
        reply_id: int = 0,
        emoji: int = 0,
        pki: "bool | None" = None,
    ) -> int:
        """Queue a packet of our own and give its id; LocalProtocolError names a value out of bounds.

        `pki`: seal between our key pair and the addressee's; None decides as a stock node would.
        `hop_start` above `hop_limit` marks a packet that is served or sent on, not a retransmission. With
        `want_ack` it is sent up to three times. What becomes of it comes as Acknowledged or GaveUp.
        """
        if hop_limit is None:
            hop_limit = self.config.hop_limit
        if hop_start is None:
            hop_start = hop_limit
        hops = (hop_limit, hop_start)
        sender = self.config.node_num
        secret = check_route(self._opener.secrets, channel, sender, to, hops)
        data = compose(portnum, payload, request_id, want_response, reply_id, emoji)
        if packet_id == 0:
            packet_id = self._new_packet_id()
        frame = frame_of(data, secret, sender, to, packet_id, hops, want_ack)
        item = Queued(frame, packet_id, priority_of(data, want_ack) if priority is None else priority)
        self._history.remember(item.key, hop_limit)
        if self.access.put(item, now) and want_ack:
            if self._retries.full:
                self._count("retries-full")
            else:
                self._retries.watch(item)
        self.access.start_timer(now)
        return packet_id

    def cancel(self, packet_id: int) -> bool:
        """Drop an own packet that has not been handed to the radio; True if there was one."""
        self._retries.forget(packet_id)
        return self._drop_queued(packet_id)

    def announce(self, now: int, to: int = BROADCAST, request_id: int = 0) -> bool:
        """Send our NodeInfo now; False when it went out to everyone less than a minute ago."""
        if to == BROADCAST:
            if self._announced_at is not None and now - self._announced_at < _ANNOUNCE_AGAIN_MS:
                return False
            self._announced_at = now
            self._announce_at = now + _ANNOUNCE_MS + self._rand(_ANNOUNCE_SPREAD_MS)
        user = protobuf.encode(USER, self.config.user())
        self.send(NODEINFO_APP, user, now, to=to, request_id=request_id, priority=PRIORITY_BACKGROUND)
        return True

    def free_places(self) -> int:
        """Room in the transmit queue."""
        return self.access.queue.free

    def _answer_nodeinfo(self, received: Received, now: int) -> bool:
        answered_s = self.nodes.answered_s(received.sender)
        if answered_s is not None and now // 1000 - answered_s < _ANSWER_AGAIN_S:
            return False
        if self.utilisation.percent(now) >= _HARD_UTILISATION_PERCENT:
            return False
        self.nodes.set_answered(received.sender, now)
        user = protobuf.encode(USER, self.config.user())
        self.send(
            NODEINFO_APP,
            user,
            now,
            to=received.sender,
            channel=received.channel,
            hop_limit=self._answer_hops(received, received.hops_away),
            request_id=received.packet_id,
        )
        return True

    def _acknowledge(self, header: Packet, received: Received, now: int) -> None:
        hops_away = received.hops_away
        answer_hops = self._answer_hops(header, hops_away)
        if received.data.get("request_id"):
            # An answer needs no acknowledgement, but the last relay must stop repeating it.
            if hops_away != 0 and header.next_hop != self._low_byte:
                return
            answer_hops = 0
        again = received.portnum == TEXT_MESSAGE_APP and not received.data.get("request_id")
        self._send_routing(ERROR_NONE, header.sender, header.id, received.channel, answer_hops, again, now)

    def acknowledge(self, received: Received, error: int, now: int) -> None:
        """Answer a packet of ADMIN_APP to us with a Routing.Error, 0 for yes; others are answered here."""
        if error != ERROR_NONE:
            self._refusals.append((received.packet_id, error))
            if len(self._refusals) > MAX_REFUSALS:
                self._refusals.pop(0)
        hop_limit = self._answer_hops(received, received.hops_away)
        self._send_routing(
            error, received.sender, received.packet_id, received.channel, hop_limit, False, now
        )

    def reply(self, received: Received, portnum: int, payload: bytes, now: int) -> int:
        """Answer a packet to us the way it came; gives the packet id, LocalProtocolError as for `send`."""
        return self.send(
            portnum,
            payload,
            now,
            to=received.sender,
            channel=received.channel,
            hop_limit=self._answer_hops(received, received.hops_away),
            want_ack=received.want_ack,
            request_id=received.packet_id,
            pki=received.pki,
        )

    def _refusal(self, packet_id: int) -> int:
        for refused, error in self._refusals:
            if refused == packet_id:
                return error
        return ERROR_NONE

    def _send_routing(
        self, error: int, to: int, request_id: int, channel: int, hop_limit: int, want_ack: bool, now: int
    ) -> None:
        payload = protobuf.encode(ROUTING, {"error_reason": error})
        self.send(
            ROUTING_APP,
            payload,
            now,
            to=to,
            channel=channel,
            hop_limit=hop_limit,
            want_ack=want_ack,
            request_id=request_id,
        )

    def _answer_hops(self, header: "Packet | Received", hops_away: "int | None") -> int:
        """Hop limit of an answer: two more than the question used, within what is configured."""
        configured = self.config.hop_limit
        if hops_away is None:
            return configured
        if hops_away > configured:
            return hops_away
        if header.hop_start == 0:
            return 0
        return min(hops_away + 2, configured)

    def _new_packet_id(self) -> int:
        """22 random bits above a 10-bit counter, so that no id comes back while anyone may remember it."""
        while True:
            self._counter = (self._counter + 1) & 0x3FF
            packet_id = self._rand(1 << 22) << 10 | self._counter
            if packet_id and self._history.find(packet_key(self.config.node_num, packet_id)) < 0:
                return packet_id

    def _drop_queued(self, packet_id: int) -> bool:
        return self.access.remove(packet_key(self.config.node_num, packet_id)) is not None

    # The radio

    def channel_busy(self, now: int) -> None:
        """The channel was not free for the frame of the last Transmit: it waits again."""
        self.access.busy(now)

    def transmitted(self, now: int) -> None:
        """The frame of the last Transmit has left the antenna."""
        item, airtime_ms = self.access.transmitted(now)
        self._retries.extend(airtime_ms)
        if item.own:
            self._count("sent")
            retry_ms = self.access.contention.retry_ms(airtime_ms, self.utilisation.percent(now))
            self._retries.sent(item.packet_id, now + retry_ms)
        else:
            self._count("relayed")
        self.access.start_timer(now)

    # Events and time

    def next_event(
        self, now: int
    ) -> "Transmit | Received | Undecryptable | Acknowledged | GaveUp | NodeSeen | None":
        """The next thing the caller should know or do; call until None."""
        if self._announce_at is None:
            self._announce_at = now + _FIRST_ANNOUNCE_MS + self._rand(_ANNOUNCE_SPREAD_MS)
        if not self._events:
            self._run_timers(now)
            offer = self.access.next_offer(now)
            self._take_refused()
            if offer is not None:
                return Transmit(offer.frame, offer.packet_id, self.access.airtime_ms(offer.frame))
        return self._events.pop(0) if self._events else None

    def _run_timers(self, now: int) -> None:
        if self._announce_at is not None and now >= self._announce_at:
            self._announce_at = now + _ANNOUNCE_MS  # whatever comes of it, not before the next turn
            self.announce(now)
        while (due := self._retries.next_due(now)) is not None:
            item, again = due
            if again:
                self._count("retried")
                self.access.put(item, now)
            else:
                self._tell(GaveUp(item.packet_id, ERROR_MAX_RETRANSMIT))
        self.access.start_timer(now)

    def _take_refused(self) -> None:
        while self.access.refused:
            item, error = self.access.refused.pop(0)
            self._retries.forget(item.packet_id)
            self._tell(GaveUp(item.packet_id, error))

    def deadline(self) -> int:
        """When `next_event` must be called again; a time in the past means now."""
        if self._events or self.access.refused or self._announce_at is None:
            return 0
        first = self._announce_at
        retry_at = self._retries.deadline()
        if retry_at is not None and retry_at < first:
            first = retry_at
        fire_at = self.access.deadline()
        if fire_at is not None and fire_at < first:
            first = fire_at
        return first

    def _tell(self, event: object) -> None:
        if len(self._events) >= MAX_EVENTS:
            self._events.pop(0)
            self._count("events-dropped")
        self._events.append(event)

    def _count(self, cause: str) -> None:
        self.counters[cause] = self.counters.get(cause, 0) + 1
