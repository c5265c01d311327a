"""What a node answers to packets that are for it: acknowledgements, refusals, replies and traceroutes.

Questions about the node itself are answered in `presence`, which sends them on the way that is told here.
"""

from baken.compat import const
from baken.mesh.events import Received
from baken.mesh.opening import Opened
from baken.wire import protobuf
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import (
    ADMIN_APP,
    ERROR_NO_RESPONSE,
    ERROR_NONE,
    NEIGHBORINFO_APP,
    NODEINFO_APP,
    POSITION_APP,
    PRIVATE_APP,
    ROUTING,
    ROUTING_APP,
    TELEMETRY_APP,
    TEXT_MESSAGE_APP,
    TRACEROUTE_APP,
)
from baken.wire.packet import Packet, low_byte

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.node import MeshNode

MAX_REFUSALS = const(4)

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


class Answers:
    """The answers of one node, which go out like everything it sends."""

    def __init__(self, node: "MeshNode") -> None:
        self._node = node
        self._refusals = []  # (packet id, Routing.Error) of the last packets to us that were not accepted

    def answer(self, header: Packet, received: Received, now: int) -> bool:
        """Answer a question to us; False when nobody here does."""
        if received.portnum == TRACEROUTE_APP:
            return self._answer_trace(header, received, now)
        return self._node.presence.answer(received, self._hops(received, received.hops_away), now)

    def end_of_trace(self, header: Packet, opened: "Opened", snr_db: float) -> "Opened":
        """A traceroute to us, question or answer, with the last hop filled in."""
        from baken.mesh.traceroute import extend

        data = dict(opened.data)
        try:
            data["payload"] = extend(header, data, None, snr_db)
        except RemoteProtocolError:
            self._node.counters["bad-route"] = self._node.counters.get("bad-route", 0) + 1
            data.pop("want_response", None)  # nothing to answer
        return Opened(data, opened.channel, opened.pki, opened.signed)

    def _answer_trace(self, header: Packet, received: Received, now: int) -> bool:
        self._node.send(
            TRACEROUTE_APP,
            received.payload,
            now,
            to=header.sender,
            channel=received.channel,
            hop_limit=self._hops(header, received.hops_away),
            want_ack=True,
            request_id=header.id,
        )
        return True

    def acknowledge_unanswered(self, header: Packet, received: Received, now: int) -> None:
        """Answer a packet to us that nobody here has answered, if its sender or a relay waits for that."""
        channel = received.channel
        hops_away = received.hops_away
        answer_hops = self._hops(header, hops_away)
        is_answer = bool(received.data.get("request_id"))
        is_directed = header.hop_start > 0 and header.next_hop == low_byte(self._node.config.node_num)
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
        return self._node.send(
            portnum,
            payload,
            now,
            to=received.sender,
            channel=received.channel,
            hop_limit=self._hops(received, received.hops_away),
            want_ack=received.want_ack if want_ack is None else want_ack,
            request_id=received.packet_id,
            pki=received.pki and portnum != ROUTING_APP,
        )

    def repeat(self, header: Packet, channel: int, now: int) -> None:
        """The sender of a packet has not heard our acknowledgement, or refusal: say it again."""
        error = ERROR_NONE
        for refused, told in self._refusals:
            if refused == header.id:
                error = told
                break
        self._send_routing(error, header, channel, 0, False, now)

    def refuse(self, header: Packet, error: int, now: int) -> None:
        """Tell the sender of a packet to us that we cannot read it."""
        self._send_routing(error, header, self._node.config.primary, self._hops(header, None), False, now)

    def _send_routing(
        self, error: int, header: Packet, channel: int, hop_limit: int, want_ack: bool, now: int
    ) -> None:
        """Tell the sender of a packet what became of it."""
        self._node.send(
            ROUTING_APP,
            protobuf.encode(ROUTING, {"error_reason": error}),
            now,
            to=header.sender,
            channel=channel,
            hop_limit=hop_limit,
            want_ack=want_ack,
            request_id=header.id,
        )

    def _hops(self, header: "Packet | Received", hops_away: "int | None") -> int:
        """Hop limit of an answer: two more than the question used, within what is configured."""
        configured = self._node.config.hop_limit
        if hops_away is None:
            return configured
        if hops_away > configured:
            return hops_away
        if header.hop_start == 0:
            return 0
        return min(hops_away + 2, configured)
