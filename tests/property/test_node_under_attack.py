"""A whole node under bytes that nobody sane would send: frames from the air, client bytes from the cable.

The attacker holds the channel's key and a key pair that the node knows, so what it sends is opened and acted
upon. Whatever comes: nothing raises, what the node remembers stays within its bounds, what it sends is a
frame that others can take, and counters tell why something was dropped.
"""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from baken.crypto.signing import PointKey
from baken.mesh import node as node_module
from baken.mesh.client_api import ClientApi, DeviceInfo
from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.mesh.nodedb import MAX_NODES
from baken.mesh.queue import QUEUE_SIZE
from baken.mesh.reliable import MAX_PENDING
from baken.wire import direct, messages, messages_admin, packet, protobuf, stream
from baken.wire.channel import crypt
from baken.wire.packet import BROADCAST, Packet

OWN = 0x51AB0001
ATTACKER = 0x0BAD0002
OWN_KEY = PointKey(bytes([5]) * 32)
ATTACKER_KEY = PointKey(bytes([6]) * 32)
CHANNELS = (Channel(), Channel(b"Regio", bytes(range(32))))
_SHARED = direct.shared_key(bytes([6]) * 32, OWN_KEY.public)

# So many objects may a node hold that has met hundreds of strangers (measured: a fraction of it).
MAX_OBJECTS = 4000
_SLACK = 400  # queues and tables that are fuller at one moment than at another

_NUMBERS = st.sampled_from([0, 1, OWN, ATTACKER, ATTACKER + 1, 0x80000000, BROADCAST - 1, BROADCAST])
_U32 = _NUMBERS | st.integers(0, 0xFFFFFFFF)
_PORTS = st.sampled_from([0, 1, 3, 4, 5, 6, 7, 8, 11, 32, 65, 66, 67, 70, 71, 72, 256, 511, 512, 0x7FFFFFFF])

_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "uint32": st.sampled_from([0, 1, 7, 8, 255, 0x7FFFFFFF, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF),
    "int32": st.sampled_from([-(2**31), -129, -128, -1, 0, 127, 128, 2**31 - 1]),
    "sint32": st.integers(-(2**31), 2**31 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "enum": st.sampled_from([-(2**31), -1, 0, 1, 2, 3, 5, 8, 11, 12, 39, 99, 2**31 - 1]),
    "bool": st.booleans(),
    "fixed32": _U32,
    "sfixed32": st.sampled_from([-(2**31), -1, 0, 900_000_000, 1_800_000_001, 2**31 - 1]),
    "float": st.sampled_from([0.0, -0.0, 1e38, -1e38, float("inf"), float("nan"), 869.525, 1e-40]),
    "bytes": st.binary(max_size=40) | st.sampled_from([b"", b"\xff" * 32, bytes(32), ATTACKER_KEY.public]),
}


def _message(table: Any, depth: int = 3) -> st.SearchStrategy[bytes]:
    """Encodings of a message in which every field may be there, absent, doubled or absurd."""
    fields: list[Any] = list(protobuf.fields(table))

    def field(entry: Any) -> st.SearchStrategy[bytes]:
        kind = entry[2].rstrip("?|").removesuffix("[]")
        if kind == "message":
            inner = _message(entry[3], depth - 1) if depth else st.just(b"")
            return inner.map(lambda data: protobuf.encode(((entry[0], "f", "bytes?"),), {"f": data[:900]}))
        return _SCALARS[kind].map(lambda value: protobuf.encode(((entry[0], "f", kind + "?"),), {"f": value}))

    one = st.deferred(lambda: st.sampled_from(fields).flatmap(field)) if fields else st.just(b"")
    return st.lists(one, max_size=5).map(lambda parts: b"".join(parts)[:900])


_PAYLOADS = st.one_of(
    st.binary(max_size=233),
    _message(messages.USER),
    _message(messages.POSITION),
    _message(messages.ROUTING),
    _message(messages.ROUTE_DISCOVERY),
    _message(messages.TELEMETRY),
    _message(messages.NEIGHBOR_INFO),
    _message(messages_admin.ADMIN_MESSAGE),
)


def _data(port: int, payload: bytes, rest: bytes) -> bytes:
    return protobuf.encode(messages.DATA, {"portnum": port, "payload": payload[:220]}) + rest


_DATA = st.builds(_data, _PORTS, _PAYLOADS, _message(messages.DATA, 0))


@st.composite
def _frames(draw: Any) -> bytes:
    """Frames of the attacker under one of our keys, under a wrong one, cut, stretched or plain noise."""
    how = draw(st.sampled_from(["channel", "channel", "pki", "wrong", "noise"]))
    if how == "noise":
        return draw(st.binary(max_size=300))
    sender = draw(st.sampled_from([ATTACKER, ATTACKER, OWN]) | _U32.filter(lambda n: 0 < n < BROADCAST))
    packet_id = draw(st.integers(1, 6) | _U32)
    data = draw(_DATA)[: 227 if how == "pki" else 239]
    header_hash = draw(st.integers(0, 255))
    if how == "pki":
        payload = direct.seal(_SHARED, packet_id, sender, draw(_U32), data or b"\x08")
        header_hash = 0
    else:
        secret = MeshConfig(OWN, b"", b"", CHANNELS).secrets()[draw(st.integers(0, 1))]
        assert secret is not None
        payload = crypt(secret.key, packet_id, sender, data)
        header_hash = secret.hash if how == "channel" else header_hash
    made = Packet(
        draw(_NUMBERS),
        sender,
        packet_id,
        payload,
        draw(st.integers(0, 7)),
        draw(st.integers(0, 7)),
        header_hash,
    )
    made.want_ack = draw(st.booleans())
    made.via_mqtt = draw(st.booleans())
    made.next_hop = draw(st.integers(0, 255))
    made.relay_node = draw(st.integers(0, 255))
    frame = packet.encode(made)
    return frame[: draw(st.integers(0, 255))] if draw(st.integers(0, 9)) == 0 else frame


def _client_packet(to: int, data: bytes, rest: bytes) -> bytes:
    packet_bytes = protobuf.encode(((2, "to", "fixed32"),), {"to": to})
    packet_bytes += protobuf.encode(((4, "decoded", "bytes|"),), {"decoded": data[:230]}) + rest[:200]
    return stream.frame(protobuf.encode(((1, "packet", "bytes|"),), {"packet": packet_bytes})[:512])


_TO_RADIO = st.one_of(
    _message(messages.TO_RADIO).map(lambda data: stream.frame(data[:512])),
    st.builds(_client_packet, _NUMBERS, _DATA, _message(messages.MESH_PACKET, 0)),
    st.binary(max_size=64),
    st.just(stream.frame(b"\x18\x07")),  # want_config_id
)


_STEPS = st.one_of(
    st.tuples(st.just("frame"), _frames()),
    st.tuples(st.just("frame"), _frames()),
    st.tuples(st.just("client"), _TO_RADIO),
    st.tuples(st.just("time"), st.sampled_from([1, 100, 5000, 60_000, 3_600_000, 86_400_000])),
    st.tuples(st.just("busy"), st.booleans()),
)


class Target:
    """A node and its client API, driven as the node program does it."""

    def __init__(self) -> None:
        rand = random.Random(1).randrange
        config = MeshConfig(
            OWN, b"Punt", b"PNT", CHANNELS, public_key=OWN_KEY.public, private_key=bytes([5]) * 32
        )
        self.node = MeshNode(config, rand)
        self.api = ClientApi(self.node, DeviceInfo(device_id=bytes(16)), rand)
        self.now = 1000
        self.sent: list[bytes] = []
        self.meet(ATTACKER, ATTACKER_KEY.public)

    def meet(self, num: int, public: bytes) -> None:
        self.node.nodes.heard(num, 5.0, 0, 0, self.now)
        self.node.nodes.update_user(num, {"long_name": b"A", "short_name": b"A", "public_key": public})

    def do(self, kind: str, value: Any) -> None:
        if kind == "frame":
            self.node.receive_frame(value, -100, 3.25, self.now)
        elif kind == "client":
            self.api.receive_bytes(value, self.now)
        elif kind == "time":
            self.now += value
        self.pump(kind == "busy" and value)

    def pump(self, is_busy: bool = False) -> None:
        for _ in range(400):
            event = self.node.next_event(self.now)
            if event is None:
                break
            if isinstance(event, Transmit):
                self.sent.append(event.frame)
                if is_busy:
                    self.node.channel_busy(self.now)
                    break
                self.now += event.airtime_ms
                self.node.transmitted(self.now)
            else:
                self.api.receive_event(event, self.now)
        else:
            raise AssertionError("the node never becomes quiet")
        while self.api.next_event(self.now) is not None:
            pass
        while self.api.next_bytes(512):
            pass

    def check(self) -> None:
        assert len(self.node.nodes) <= MAX_NODES and self.node.free_places() >= 0
        assert len(self.node._events) <= node_module.MAX_EVENTS
        assert len(self.node.counters) < 120 and all(
            isinstance(cause, str) and count >= 0 for cause, count in self.node.counters.items()
        )
        assert QUEUE_SIZE == 16 and MAX_PENDING == 16
        for frame in self.sent:
            header = packet.decode(frame)
            assert header.hop_limit <= header.hop_start or header.hop_start == 0
        assert objects_in(self.node) + objects_in(self.api) < MAX_OBJECTS


def objects_in(root: object) -> int:
    """How many objects hang on one, each counted once: it grows when something leaks."""
    seen: set[int] = set()
    stack: list[object] = [root]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, (int, float, str, type(None), type)) or callable(item):
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            stack += list(item.keys()) + list(item.values())
        elif isinstance(item, (list, tuple, set, frozenset)):
            stack += list(item)
        else:
            stack += [getattr(item, name, None) for name in getattr(item, "__slots__", ())]
            stack += list(getattr(item, "__dict__", {}).values())
    return len(seen)


@settings(max_examples=400, deadline=None)
@given(st.lists(_STEPS, min_size=1, max_size=25))
def test_whatever_comes_nothing_raises_and_everything_stays_bounded(steps):
    target = Target()
    for kind, value in steps:
        target.do(kind, value)
    target.check()


@settings(max_examples=60, deadline=None)
@given(st.lists(_frames(), min_size=5, max_size=30), st.randoms(use_true_random=False))
def test_replayed_reordered_and_repeated_frames_change_nothing_twice(frames, order):
    target = Target()
    for frame in frames:
        target.do("frame", frame)
    again = frames * 2
    order.shuffle(again)
    told = []
    for frame in again:
        target.node.receive_frame(frame, -100, 3.25, target.now)
        for _ in range(400):
            event = target.node.next_event(target.now)
            if event is None:
                break
            if isinstance(event, Transmit):
                target.now += event.airtime_ms
                target.node.transmitted(target.now)
            elif isinstance(event, Received):
                told.append(event)
    assert told == []  # a packet is told once, however often it is heard
    target.check()


def test_five_thousand_strangers_leave_a_node_as_large_as_a_thousand():
    rand = random.Random(3)
    secret = MeshConfig(OWN, b"", b"", CHANNELS).secrets()[0]
    assert secret is not None
    target = Target()
    sizes = []
    for count in range(1, 5001):
        sender = rand.randrange(0x1000, 0xF0000000)
        user = {"long_name": b"%d" % count, "short_name": b"x", "public_key": rand.randbytes(32)}
        payload = protobuf.encode(messages.USER, user)
        port = rand.choice([1, 3, 4, 4, 4, 67, 70, 71, 256])
        data = {"portnum": port, "payload": payload, "bitfield": 0, "want_response": rand.random() < 0.3}
        to = rand.choice([BROADCAST, BROADCAST, OWN, sender ^ 1])
        packet_id = rand.randrange(1, 0xFFFFFFFF)
        cipher = crypt(secret.key, packet_id, sender, protobuf.encode(messages.DATA, data))
        header = Packet(to, sender, packet_id, cipher, rand.randrange(8), 7, secret.hash, rand.random() < 0.5)
        target.do("frame", packet.encode(header))
        target.now += 2000
        if count % 1000 == 0:
            sizes.append(objects_in(target.node) + objects_in(target.api))
    target.check()
    assert max(sizes) < MAX_OBJECTS and max(sizes) - min(sizes) < _SLACK, sizes
