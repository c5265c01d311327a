"""Telling others that we are here: what goes out by itself, and what is answered when somebody asks.

NodeInfo at the start and every few hours; where the settings say so also Telemetry, Position and
NeighborInfo. In between, nodes that were heard but never told who they are, are asked. All of it gives way:
what nobody waits for is sent only while the channel is polite company (below 25 %), answers below 40 %, and
neither from the half of our airtime that is kept for messages, however much others ask.
"""

from baken.compat import const
from baken.wire import protobuf
from baken.wire.channel import DEFAULT_KEY
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.messages import (
    NEIGHBORINFO_APP,
    NODEINFO_APP,
    POSITION_APP,
    PRIORITY_BACKGROUND,
    ROLE_CLIENT_HIDDEN,
    ROLE_ROUTER,
    ROLE_ROUTER_LATE,
    TELEMETRY_APP,
    USER,
)
from baken.wire.packet import BROADCAST

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.config import MeshConfig
    from baken.mesh.events import Received
    from baken.mesh.node import MeshNode

MAX_ANSWERED = const(16)  # askers that are remembered
MAX_ASKED = const(16)  # nodes that were asked who they are
MAX_UNKNOWN = const(4)  # nodes that are to be asked

_FIRST_MS = const(30_000)
_STAGGER_MS = const(15_000)
_SPREAD_MS = const(30_000)
_UNEVEN = const(4)  # a period is up to this part longer: who starts together must not go on together
_AGAIN_MS = const(60_000)  # between two NodeInfos that were called for
_PAUSE_MS = const(600_000)  # between a NodeInfo and a question of our own
_RETRY_MS = const(60_000)
_ASK_AFTER_MS = const(60_000)  # a new node is about to announce itself
_ANSWER_AGAIN_S = const(43_200)  # NodeInfo, to the same node
_ANSWER_AGAIN_MS = const(180_000)  # the rest
_MIN_PERIOD_S = const(60)
_MIN_NODE_INFO_S = const(3600)
_MIN_NEIGHBOR_INFO_S = const(14_400)
_ROUTER_PERIOD_S = const(43_200)
_MANY_NODES = const(40)
_NOT_PLANNED = 1 << 48

_PORTS = (NODEINFO_APP, POSITION_APP, TELEMETRY_APP, NEIGHBORINFO_APP)


class Presence:
    """The part of a MeshNode that introduces it; `node` is that one.

    The owner keeps `unix_s`, `battery_percent` (101: external power) and `voltage` up to date; None: unknown.
    """

    def __init__(self, node: "MeshNode", config: "MeshConfig", rand: "Callable[[int], int]") -> None:
        self.unix_s: "int | None" = None
        self.battery_percent: "int | None" = None
        self.voltage: "float | None" = None
        self._node = node
        self._config = config
        self._rand = rand
        self._started = False
        self._due: "list[int | None]" = [None] * len(_PORTS)  # when each is sent next, None: never
        self._told_at = None  # our last NodeInfo that was not an answer
        self._announced_at = None
        self._introduced_at = None
        self._unknown = []  # [number, channel, when to ask it]
        self._asked = []
        self._answered = {}  # (number, port): when

    def configure(self, config: "MeshConfig", now: int) -> None:
        """Take other settings; a period that became shorter counts from now."""
        self._config = config
        if self._started:
            self._plan(now)

    def start(self, now: int) -> None:
        """Begin, at the first call."""
        if not self._started:
            self._started = True
            self._plan(now)

    def _plan(self, now: int) -> None:
        for index in range(len(_PORTS)):
            period_ms = self._period_ms(index, now)
            due = self._due[index]
            if period_ms is None:
                self._due[index] = None
            elif due is None:
                self._due[index] = now + _FIRST_MS + index * _STAGGER_MS + self._rand(_SPREAD_MS)
            else:
                self._due[index] = min(due, now + self._uneven(period_ms))

    def _period_ms(self, index: int, now: int) -> "int | None":
        """Time between two of our own accord, None for never; it grows with the number of nodes around."""
        config = self._config
        if config.role == ROLE_CLIENT_HIDDEN:
            return None
        port = _PORTS[index]
        is_router = config.role in (ROLE_ROUTER, ROLE_ROUTER_LATE)
        least_s = _MIN_PERIOD_S
        if port == NODEINFO_APP:
            period_s = config.node_info_s
            least_s = _MIN_NODE_INFO_S
        elif port == POSITION_APP:
            period_s = config.position_s if config.place is not None else 0
        elif port == TELEMETRY_APP:
            period_s = config.telemetry_s
        else:
            period_s = config.neighbor_info_s if self._may_tell_neighbors() else 0
            least_s = _MIN_NEIGHBOR_INFO_S
        if is_router and port in (POSITION_APP, TELEMETRY_APP):
            least_s = _ROUTER_PERIOD_S
        if period_s <= 0:
            return None
        period_ms = 1000 * max(period_s, least_s)
        return period_ms if is_router else self._scaled(period_ms, now)

    def _turn(self, index: int, now: int) -> "int | None":
        """When the next of a port is due, None for never."""
        period_ms = self._period_ms(index, now)
        return None if period_ms is None else now + self._uneven(period_ms)

    def _uneven(self, period_ms: int) -> int:
        """The period and up to a quarter more, drawn anew each time.

        Nodes that were switched on together would else fill the channel together, every few hours
        (Floyd and Jacobson, The Synchronization of Periodic Routing Messages, 1994).
        """
        return period_ms + self._rand(period_ms // _UNEVEN)

    def _scaled(self, period_ms: int, now: int) -> int:
        more = self._node.nodes.online(now) - _MANY_NODES
        if more <= 0:
            return period_ms
        modem = self._node.modem
        return period_ms + period_ms * more * (1 << modem.spreading_factor) * 10 // modem.bandwidth_hz

    def _may_tell_neighbors(self) -> bool:
        """On the public channel who hears whom is nobody's business, and its airtime everybody's."""
        secret = self._config.secrets()[self._config.primary]
        return self._config.neighbor_info_on_air and secret is not None and secret.key != DEFAULT_KEY

    # Of our own accord

    def deadline(self) -> int:
        """When `run` has something to do; far off where nothing is planned."""
        if not self._started:
            return 0
        first = _NOT_PLANNED
        for due in self._due:
            if due is not None and due < first:
                first = due
        for _, _, due in self._unknown:
            if due < first:
                first = due
        return first

    def run(self, now: int) -> None:
        """Send what is due."""
        self.start(now)
        for index in range(len(_PORTS)):
            due = self._due[index]
            if due is None or due > now:
                continue
            port = _PORTS[index]
            if port == NODEINFO_APP or self._node.access.allows_own_news(now):
                self._due[index] = self._turn(index, now)  # whatever comes of it, not before
                self._tell(port, now)
            else:
                self._due[index] = now + _RETRY_MS
        self._ask(now)

    def _tell(self, port: int, now: int) -> None:
        if port == NODEINFO_APP:
            self.announce(now)
            return
        channel = self._config.primary
        if port == POSITION_APP:
            channel = self._position_channel()
            if channel is None:
                return
        payload = self._payload(port, channel, b"", now)
        if payload is not None:
            self._send(port, payload, now, channel=channel, priority=PRIORITY_BACKGROUND)

    def announce(self, now: int, to: int = BROADCAST, request_id: int = 0) -> bool:
        """See `MeshNode.announce`."""
        self.start(now)
        if to == BROADCAST:
            if self._announced_at is not None and now - self._announced_at < _AGAIN_MS:
                return False
            self._announced_at = now
            self._due[0] = self._turn(0, now)
        self._told_at = now
        return self._send(
            NODEINFO_APP,
            protobuf.encode(USER, self._config.user()),
            now,
            to=to,
            channel=self._config.primary,
            request_id=request_id,
            priority=PRIORITY_BACKGROUND,
        )

    def introduce(self, num: int, now: int) -> None:
        """Node `num` could not open what we sealed to it, because it lacks our key: it gets our NodeInfo."""
        if self._introduced_at is None or now - self._introduced_at >= _AGAIN_MS:
            self._introduced_at = now
            self.announce(now, to=num)

    def heard(self, num: int, channel: int, now: int) -> None:
        """A packet of this node was read; if we do not know who that is, it will be asked in a while."""
        if self._config.role == ROLE_CLIENT_HIDDEN or self._node.nodes.has_user(num) or num in self._asked:
            return
        for entry in self._unknown:
            if entry[0] == num:
                return
        if len(self._unknown) >= MAX_UNKNOWN:
            return
        self._unknown.append([num, channel, now + _ASK_AFTER_MS + self._rand(_SPREAD_MS)])

    def _ask(self, now: int) -> None:
        """Ask one node who it is; the others wait, for one question in ten minutes is enough."""
        at = 0
        while at < len(self._unknown):
            entry = self._unknown[at]
            at += 1
            num, channel, due = entry
            if now < due:
                continue
            if self._node.nodes.has_user(num):
                at -= 1
                self._unknown.pop(at)
                continue
            told_at = self._told_at
            pause_ms = self._scaled(_PAUSE_MS, now)
            if told_at is not None and now - told_at < pause_ms:
                entry[2] = told_at + pause_ms
            elif not self._node.access.allows_own_news(now):
                entry[2] = now + _RETRY_MS
            else:
                at -= 1
                self._unknown.pop(at)
                self._asked.append(num)
                if len(self._asked) > MAX_ASKED:
                    self._asked.pop(0)
                self._told_at = now
                own = protobuf.encode(USER, self._config.user())
                self._send(NODEINFO_APP, own, now, to=num, channel=channel, want_response=True)

    # Answers

    def answer(self, received: "Received", hop_limit: int, now: int) -> bool:
        """Answer a packet to us that wants a response, if it is one of our questions and manners allow it."""
        port = received.portnum
        if port not in _PORTS:
            return False
        if not (self._node.access.is_quiet_enough(now) and self._node.access.has_half_left(now)):
            self._count("answer-withheld")
            return False
        asker = received.sender
        key = (asker, port)
        if port == NODEINFO_APP:
            answered_s = self._node.nodes.answered_s(asker)
            if answered_s is not None and now // 1000 - answered_s < _ANSWER_AGAIN_S:
                return False
        elif key in self._answered and now - self._answered[key] < _ANSWER_AGAIN_MS:
            return False
        payload = self._payload(port, received.channel, received.payload, now)
        if payload is None:
            return False
        if port == NODEINFO_APP:
            self._node.nodes.set_answered(asker, now)
        else:
            self._remember_answer(key, now)
        return self._send(
            port,
            payload,
            now,
            to=asker,
            channel=received.channel,
            hop_limit=hop_limit,
            request_id=received.packet_id,
        )

    def _remember_answer(self, key: "tuple[int, int]", now: int) -> None:
        if key not in self._answered and len(self._answered) >= MAX_ANSWERED:
            oldest = key
            for other in self._answered:
                if oldest == key or self._answered[other] < self._answered[oldest]:
                    oldest = other
            self._answered.pop(oldest)
        self._answered[key] = now

    def _payload(self, port: int, channel: int, question: bytes, now: int) -> "bytes | None":
        """What we have to tell on this port, None where it is nothing, or nothing for this channel."""
        if port == NODEINFO_APP:
            return protobuf.encode(USER, self._config.user())
        from baken.mesh import reports

        if port == POSITION_APP:
            place = self._config.place
            precision = self._config.channels[channel].position_precision
            return (
                reports.position(place, precision, self.unix_s) if place is not None and precision else None
            )
        if port == NEIGHBORINFO_APP:
            return reports.neighbor_info(self._node, now)
        try:
            return reports.telemetry(self._node, now, question)
        except RemoteProtocolError:
            self._count("bad-telemetry")
            return None

    def _position_channel(self) -> "int | None":
        """The primary channel, or else the first, on which a position may be told."""
        channels = self._config.channels
        secrets = self._config.secrets()
        for index in [self._config.primary] + list(range(len(channels))):
            if secrets[index] is not None and channels[index].position_precision:
                return index
        return None

    def _send(self, port: int, payload: bytes, now: int, **options) -> bool:
        try:
            self._node.send(port, payload, now, **options)
        except LocalProtocolError as error:
            self._count(error.cause)
            return False
        return True

    def _count(self, cause: str) -> None:
        counters = self._node.counters
        counters[cause] = counters.get(cause, 0) + 1
