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
from baken.mesh.events import (
    Acknowledged,
    GaveUp,
    KeyConflict,
    NodeSeen,
    Received,
    Transmit,
    Undecryptable,
)
from baken.mesh.flood import History
from baken.mesh.nodedb import IGNORED, KEY_CONFLICT, SIGNS, NodeDatabase, user_fits
from baken.mesh.opening import NO_KEY, Opened, Opener
from baken.mesh.outgoing import Sealer, check_route, compose
from baken.mesh.presence import Presence
from baken.mesh.queue import Queued, packet_key, priority_of
from baken.mesh.relay import Relay, is_retransmission
from baken.mesh.reliable import SENDS, SENDS_TO_NEXT_HOP, Retries
from baken.mesh.routes import Routes
from baken.wire import packet, protobuf
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import (
    ADMIN_APP,
    ERROR_MAX_RETRANSMIT,
    ERROR_NO_CHANNEL,
    ERROR_NO_RESPONSE,
    ERROR_NONE,
    ERROR_PKI_UNKNOWN_PUBKEY,
    NEIGHBORINFO_APP,
    NODEINFO_APP,
    POSITION_APP,
    PRIVATE_APP,
    ROUTING,
    ROUTING_APP,
    TELEMETRY_APP,
    TEXT_MESSAGE_APP,
    TRACEROUTE_APP,
    USER,
)
from baken.wire.modem import UNSET
from baken.wire.packet import BROADCAST, Packet, low_byte

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.config import MeshConfig, MqttSettings
    from baken.mesh.opening import Opened

MAX_EVENTS = const(16)
MAX_REFUSALS = const(4)

_TELL_OWN_KEY_MS = const(3_600_000)

# Somebody here or above answers these, or may have its reasons not to.
_SERVED_PORTS = (
    TEXT_MESSAGE_APP,
    POSITION_APP,
    NODEINFO_APP,
    ROUTING_APP,
    ADMIN_APP,
    TELEMETRY_APP,
    TRACEROUTE_APP,
    NEIGHBORINFO_APP,
    PRIVATE_APP,
)


class MeshNode:
    """One node. `rand(n)` gives an integer in [0, n).

    `counters` counts what happened, by name; `nodes` is who was heard; `budget` and `utilisation` tell how
    much airtime we and everybody took; `modem` is how the radio must be set. `presence` tells others of us;
    the owner keeps its `unix_s`, `battery_percent` and `voltage` up to date.
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
        self._sealer = Sealer(config, self._opener, self.nodes, rand)
        self._history = History()
        self._routes = Routes(config, self.nodes, self._history)
        self._retries = Retries()
        self._relay = Relay(
            config,
            self.nodes,
            self._opener,
            self.access,
            self._history,
            self._routes,
            self._retries,
            self.counters,
        )
        self._events = []
        self.presence = Presence(self, config, rand)
        self.envelopes = None
        self.use_mqtt(config.mqtt)
        self._own_key_told_at = None
        self._refusals = []  # (packet id, Routing.Error) of the last packets to us that were not accepted
        self._counter = rand(1 << 10)

    def configure(self, config: "MeshConfig", now: int) -> None:
        """Go on with other settings; what was heard, queued and spent stays. The caller tunes the radio."""
        self.config = config
        self._low_byte = low_byte(config.node_num)
        self._opener.configure(config)
        self._sealer.configure(config)
        self.access.configure(config)
        self._routes.configure(config)
        self._relay.configure(config)
        self.modem = self.access.modem
        self.presence.configure(config, now)
        self.use_mqtt(config.mqtt)
        self.access.start_timer(now)

    # Frames from the radio

    def receive_frame(self, frame: bytes, rssi_dbm: int, snr_db: float, now: int) -> None:
        """Take one frame as the radio heard it."""
        self._retries.extend(self.access.heard(frame, now))
        try:
            header = packet.decode(frame)
        except RemoteProtocolError as error:
            self._count(error.cause)
        else:
            if header.via_mqtt and self.config.ignore_mqtt:
                self._count("via-mqtt")
            else:
                self._receive_packet(header, frame, rssi_dbm, snr_db, now)
        self._take_refused()
        self.access.start_timer(now)

    def _receive_packet(self, header: Packet, frame: bytes, rssi_dbm: int, snr_db: float, now: int) -> None:
        if self.config.region == UNSET:
            self._count("region-unset")
            return
        if header.sender in self.config.ignore_incoming or self.nodes.has(header.sender, IGNORED):
            self._count("ignored")
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
            at = self._history.remember(key, header.hop_limit, header.next_hop if header.hop_start else 0)
            self._routes.note_relayer(header, at)
            self._hear_new(header, frame, rssi_dbm, snr_db, now)

    def _hear_own(self, header: Packet, at: int) -> None:
        if at < 0:
            self._count("own-unknown")
            return
        self._routes.note_relayer(header, at)
        if self._history.acknowledge(at):
            self.cancel(header.id)
            self._tell(Acknowledged(header.id, self.config.node_num))

    def _hear_again(self, header: Packet, at: int, frame: bytes, snr_db: float, now: int) -> None:
        if header.to == self.config.node_num:
            if header.want_ack and is_retransmission(header):
                # The sender has not heard our acknowledgement.
                opened = self._opener.open(header)
                if opened is not None:
                    self._send_routing(self._refusal(header.id), header, opened.channel, 0, False, now)
            return
        self._relay.hear_again(header, at, frame, snr_db, now)

    def _hear_new(self, header: Packet, frame: bytes, rssi_dbm: int, snr_db: float, now: int) -> None:
        is_ours = header.to == self.config.node_num
        opened = self._opener.open(header)
        if self.envelopes is not None:
            self.envelopes.heard(header, opened, rssi_dbm, snr_db)
        if opened is None:
            refusal = self._opener.refusal
            self._count(refusal)
            if not self._opener.refused_as_false:
                self._tell(Undecryptable(header, rssi_dbm, snr_db))
                if not is_ours:
                    self._relay.relay(header, frame, None, snr_db, now)
            if is_ours and header.want_ack:
                error = ERROR_PKI_UNKNOWN_PUBKEY if refusal == NO_KEY else ERROR_NO_CHANNEL
                hops = self._answer_hops(header, None)
                self._send_routing(error, header, self.config.primary, hops, False, now)
            return
        self._count("received")
        if is_ours and opened.data["portnum"] == TRACEROUTE_APP:
            opened = self._end_of_trace(header, opened, snr_db)
        data = opened.data
        received = Received(
            header, opened.channel, data, rssi_dbm, snr_db, bytes(frame), opened.pki, opened.signed
        )
        hops_away = received.hops_away
        news = self.nodes.heard(header.sender, snr_db, hops_away, opened.channel, now)
        if opened.signed:
            self.nodes.set_mark(header.sender, SIGNS, True)
        self._routes.learn(header, data, hops_away)
        self._tell(received)
        answered = False
        if received.portnum == NODEINFO_APP:
            news = self._learn_user(header.sender, received.payload, now) or news
        self.presence.heard(header.sender, opened.channel, now)
        if is_ours:
            if received.portnum == ROUTING_APP:
                self._receive_routing(header.sender, data, now)
            elif data.get("request_id"):
                self.cancel(data["request_id"])  # an answer tells that the question arrived
            elif received.portnum == ADMIN_APP:
                answered = True  # whoever serves it gives `acknowledge` or `reply`
            elif data.get("want_response"):
                answered = self._answer(header, received, now)
            if not answered:
                self._acknowledge(header, received, now)
        else:
            if header.to != BROADCAST and data.get("request_id"):
                self._relay.overhear_answer(header.to, data["request_id"])
            self._relay.relay(header, frame, opened, snr_db, now)
        if news:
            self._tell(NodeSeen(header.sender))

    def _answer(self, header: Packet, received: Received, now: int) -> bool:
        """Answer a question to us; False when nobody here does."""
        if received.portnum == TRACEROUTE_APP:
            return self._answer_trace(header, received, now)
        return self.presence.answer(received, self._answer_hops(received, received.hops_away), now)

    def _end_of_trace(self, header: Packet, opened: "Opened", snr_db: float) -> "Opened":
        """A traceroute to us, question or answer, with the last hop filled in."""
        from baken.mesh.traceroute import extend

        data = dict(opened.data)
        try:
            data["payload"] = extend(header, data, None, snr_db)
        except RemoteProtocolError:
            self._count("bad-route")
            data.pop("want_response", None)  # nothing to answer
        return Opened(data, opened.channel, opened.pki, opened.signed)

    def _answer_trace(self, header: Packet, received: Received, now: int) -> bool:
        self.send(
            TRACEROUTE_APP,
            received.payload,
            now,
            to=header.sender,
            channel=received.channel,
            hop_limit=self._answer_hops(header, received.hops_away),
            want_ack=True,
            request_id=header.id,
        )
        return True

    def _learn_user(self, num: int, payload: bytes, now: int) -> bool:
        """Take a node's word for who it is, but not for another key than the first one."""
        try:
            user = protobuf.decode(USER, payload)
        except RemoteProtocolError:
            self._count("bad-user")
            return False
        if not user_fits(user):
            self._count("bad-user")
            return False
        if bool(user.get("is_licensed")) != self.config.is_licensed:
            self._count("licensed-differs")
            return False
        key = user.get("public_key", b"")
        if key and key == self.config.public_key:
            self._count("own-key")
            if self._own_key_told_at is None or now - self._own_key_told_at >= _TELL_OWN_KEY_MS:
                self._own_key_told_at = now
                self._tell(KeyConflict(num, own_key=True))
            return False
        if self.nodes.public_key(num) not in (b"", key):
            self._count("key-conflict")
            if not self.nodes.has(num, KEY_CONFLICT):  # told once, however often it is repeated
                self.nodes.set_mark(num, KEY_CONFLICT, True)
                self._tell(KeyConflict(num))
            return False
        return self.nodes.update_user(num, user)

    def _receive_routing(self, sender: int, data: dict, now: int) -> None:
        packet_id = data.get("request_id", 0)
        try:
            routing = protobuf.decode(ROUTING, data.get("payload", b""))
        except RemoteProtocolError:
            self._count("bad-routing")
            return
        error = routing.get("error_reason")
        if not packet_id or error is None:
            return
        if error == ERROR_PKI_UNKNOWN_PUBKEY:
            if self._history.find(packet_key(self.config.node_num, packet_id)) >= 0:
                self.presence.introduce(sender, now)
        self.cancel(packet_id)
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

    def hasten_relay(self, sender: int, packet_id: int, priority: int) -> bool:
        """Let the waiting relay of a packet, whose content turned out to be urgent, have this priority."""
        return self.access.hasten(packet_key(sender, packet_id), priority)

    def hold_relay(self, sender: int, packet_id: int, until: int, now: int) -> bool:
        """Keep a waiting relay back until `until`; any other copy that is heard before cancels it.

        False if none waits.
        """
        return self._relay.hold(sender, packet_id, until, now)

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

        `pki`: seal between our key pair and the addressee's. None does so where a stock node would: to one
        node whose key is known, but not NodeInfo, Position, Routing and traceroutes. A direct text is never
        sent otherwise once we have a key pair: without the addressee's key it is refused with "no-key".
        `hop_start` above `hop_limit` marks a packet that is served or sent on, not a retransmission. With
        `want_ack` it is sent up to three times. What becomes of it is told as Acknowledged or GaveUp, or by
        the answer itself.
        """
        if hop_limit is None:
            hop_limit = self.config.hop_limit
        if hop_start is None:
            hop_start = hop_limit
        hops = (hop_limit, hop_start)
        sender = self.config.node_num
        secret = check_route(self._opener.secrets, channel, sender, to, hops)
        mqtt = self.config.ok_to_mqtt
        data = compose(portnum, payload, request_id, want_response, reply_id, emoji, mqtt)
        if packet_id == 0:
            packet_id = self._new_packet_id()
        frame = self._sealer.frame(data, secret, to, packet_id, hops, want_ack, pki)
        item = Queued(frame, packet_id, priority_of(data, want_ack) if priority is None else priority)
        if self.envelopes is not None:
            self.envelopes.sent(frame, data, channel)
        next_hop = self._routes.next_hop(to)
        if next_hop:
            item = item.directed(next_hop)
        self._history.remember(item.key, hop_limit, next_hop)
        sends = SENDS if want_ack else SENDS_TO_NEXT_HOP if next_hop and hop_limit else 1
        if self.access.put(item, now) and sends > 1 and not self._retries.watch(item, sends):
            self._count("retries-full")
        self.access.start_timer(now)
        return packet_id

    def cancel(self, packet_id: int) -> bool:
        """Drop an own packet that has not been handed to the radio; True if there was one."""
        key = packet_key(self.config.node_num, packet_id)
        self._retries.forget(key)
        return self.access.remove(key) is not None

    def announce(self, now: int, to: int = BROADCAST, request_id: int = 0) -> bool:
        """Send our NodeInfo now; False when it went out to everyone less than a minute ago."""
        return self.presence.announce(now, to, request_id)

    def free_places(self) -> int:
        """Room in the transmit queue."""
        return self.access.queue.free

    def _acknowledge(self, header: Packet, received: Received, now: int) -> None:
        """Answer a packet to us that nobody here has answered, if its sender or a relay waits for that."""
        channel = received.channel
        hops_away = received.hops_away
        answer_hops = self._answer_hops(header, hops_away)
        is_answer = bool(received.data.get("request_id"))
        is_directed = header.hop_start > 0 and header.next_hop == self._low_byte
        if received.data.get("want_response") and received.portnum not in _SERVED_PORTS:
            self._send_routing(ERROR_NO_RESPONSE, header, channel, answer_hops, False, now)
        elif header.want_ack and not is_answer:
            again = received.portnum == TEXT_MESSAGE_APP
            self._send_routing(ERROR_NONE, header, channel, answer_hops, again, now)
        elif is_directed and (header.want_ack or header.hop_limit) or header.want_ack and hops_away == 0:
            # An answer needs no acknowledgement, but the last relay must stop repeating it.
            self._send_routing(ERROR_NONE, header, channel, 0, False, now)

    def acknowledge(self, received: Received, error: int, now: int) -> None:
        """Answer a packet of ADMIN_APP to us with a Routing.Error, 0 for yes; others are answered here."""
        if error != ERROR_NONE:
            self._refusals.append((received.packet_id, error))
            if len(self._refusals) > MAX_REFUSALS:
                self._refusals.pop(0)
        self.reply(received, ROUTING_APP, protobuf.encode(ROUTING, {"error_reason": error}), now, False)

    def reply(
        self, received: Received, portnum: int, payload: bytes, now: int, want_ack: "bool | None" = None
    ) -> int:
        """Answer a packet to us the way it came; gives the packet id, LocalProtocolError as for `send`.

        `want_ack` None is what the question wanted.
        """
        return self.send(
            portnum,
            payload,
            now,
            to=received.sender,
            channel=received.channel,
            hop_limit=self._answer_hops(received, received.hops_away),
            want_ack=received.want_ack if want_ack is None else want_ack,
            request_id=received.packet_id,
            pki=received.pki and portnum != ROUTING_APP,
        )

    def _refusal(self, packet_id: int) -> int:
        for refused, error in self._refusals:
            if refused == packet_id:
                return error
        return ERROR_NONE

    def _send_routing(
        self, error: int, header: Packet, channel: int, hop_limit: int, want_ack: bool, now: int
    ) -> None:
        """Tell the sender of a packet what became of it."""
        self.send(
            ROUTING_APP,
            protobuf.encode(ROUTING, {"error_reason": error}),
            now,
            to=header.sender,
            channel=channel,
            hop_limit=hop_limit,
            want_ack=want_ack,
            request_id=header.id,
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

    # Over MQTT, see `envelope`

    def use_mqtt(self, settings: "MqttSettings | None") -> None:
        """Exchange packets with other meshes over the client's network; None or switched off: stop it."""
        self.envelopes = None
        if settings is not None and settings.is_active:
            from baken.mesh.envelope import Envelopes

            self.envelopes = Envelopes(self, settings)

    def open_packet(self, header: Packet) -> "Opened | None":
        """What is in a packet, None where no key of ours fits."""
        return self._opener.open(header)

    def receive_envelope(self, header: Packet, frame: bytes, now: int) -> None:
        """Take a packet that came over MQTT as if it had been heard."""
        self._receive_packet(header, frame, 0, 0.0, now)
        self._take_refused()
        self.access.start_timer(now)

    def acknowledge_by_echo(self, packet_id: int) -> None:
        """The broker has our packet. The radio's own retries go on: nobody near may have heard it."""
        self._tell(Acknowledged(packet_id, self.config.node_num))

    # The radio

    def channel_busy(self, now: int) -> None:
        """The channel was not free for the frame of the last Transmit: it waits again."""
        self.access.busy(now)

    def transmitted(self, now: int) -> None:
        """The frame of the last Transmit has left the antenna."""
        item, airtime_ms = self.access.transmitted(now)
        self._retries.extend(airtime_ms)
        self._count("sent" if item.own else "relayed")
        retry_ms = self.access.contention.retry_ms(airtime_ms, self.utilisation.percent(now))
        self._retries.sent(item.key, now + retry_ms)
        at = self._history.find(item.key)
        if at >= 0:
            self._history.set_relayed(at)
        self.access.start_timer(now)

    # Events and time

    def next_event(
        self, now: int
    ) -> "Transmit | Received | Undecryptable | Acknowledged | GaveUp | KeyConflict | NodeSeen | None":
        """The next thing the caller should know or do; call until None."""
        self.presence.start(now)
        if not self._events:
            self._run_timers(now)
            offer = self.access.next_offer(now)
            self._take_refused()
            if offer is not None:
                return Transmit(offer.frame, offer.packet_id, self.access.airtime_ms(offer.frame))
        return self._events.pop(0) if self._events else None

    def _run_timers(self, now: int) -> None:
        self.presence.run(now)
        while (due := self._retries.next_due(now)) is not None:
            self._retry(due[0], due[1], now)
        self.access.start_timer(now)

    def _retry(self, item: Queued, sends_left: int, now: int) -> None:
        if sends_left:
            if sends_left == 1:
                self._routes.forget(item.to)
            self._count("retried")
            self.access.put(item, now)
        elif item.is_answerable:
            self._tell(GaveUp(item.packet_id, ERROR_MAX_RETRANSMIT))

    def _take_refused(self) -> None:
        while self.access.refused:
            item, error = self.access.refused.pop(0)
            self._retries.forget(item.key)
            if item.own:
                self._tell(GaveUp(item.packet_id, error))

    def deadline(self) -> int:
        """When `next_event` must be called again; a time in the past means now."""
        if self._events or self.access.refused:
            return 0
        first = self.presence.deadline()
        for due in (self._retries.deadline(), self.access.deadline()):
            if due is not None and due < first:
                first = due
        return first

    def _tell(self, event: object) -> None:
        if len(self._events) >= MAX_EVENTS:
            self._events.pop(0)
            self._count("events-dropped")
        self._events.append(event)

    def _count(self, cause: str) -> None:
        self.counters[cause] = self.counters.get(cause, 0) + 1
