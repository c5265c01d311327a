"""A MeshNode under bytes nobody would think of: sealed, signed, asked, and read back from flash."""

import struct
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st
from meshtastic.protobuf import mesh_pb2, telemetry_pb2

from baken.compat import crc32
from baken.crypto.signing import PointKey
from baken.mesh import nodedump
from baken.mesh.config import Channel, MeshConfig, Place
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MAX_EVENTS, MeshNode
from baken.mesh.nodedb import MAX_NODES, NodeDatabase
from baken.mesh.queue import QUEUE_SIZE
from baken.mesh.reports import truncated
from baken.mesh.signatures import signed_bytes
from baken.wire import direct, packet, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.messages import DATA
from baken.wire.packet import Packet

_OWN = PointKey(b"\x11" * 32)
_PEER = PointKey(b"\x12" * 32)
_SHARED = direct.shared_key(b"\x11" * 32, _PEER.public)
_OWN_NUM = 0x1000
_PEER_NUM = crc32(_PEER.public)
_BROADCAST = 0xFFFFFFFF
_PORTS = st.sampled_from([0, 1, 3, 4, 5, 6, 67, 70, 71, 256, 511, 512, 2**31 - 1]) | st.integers(0, 600)


def _node(**changes: Any) -> MeshNode:
    config = MeshConfig(
        _OWN_NUM,
        b"Own",
        b"O",
        (Channel(position_precision=13),),
        private_key=b"\x11" * 32,
        public_key=_OWN.public,
        place=Place(520_000_000, 50_000_000, 5),
        **changes,
    )
    node = MeshNode(config, lambda limit: 4711 % limit)
    node.next_event(0)
    node.nodes.put_contact(_PEER_NUM, {"public_key": _PEER.public})
    return node


def _drain(node: MeshNode, now: int) -> list[Any]:
    """What the node tells within ten seconds; what it sends must be a frame."""
    told: list[Any] = []
    for moment in range(now, now + 10_000, 250):
        while (event := node.next_event(moment)) is not None:
            if isinstance(event, Transmit):
                packet.decode(event.frame)
                node.transmitted(moment)
            else:
                told.append(event)
    return told


def _hear(node: MeshNode, frames: list[bytes]) -> list[Any]:
    told: list[Any] = []
    for index, frame in enumerate(frames):
        node.receive_frame(frame, -90, 3, 1000 + index * 20_000)
        told += _drain(node, 1000 + index * 20_000)
    assert len(told) <= len(frames) * MAX_EVENTS
    assert len(node.nodes) <= MAX_NODES and node.free_places() <= QUEUE_SIZE
    return told


_SENDERS = st.sampled_from([_PEER_NUM, 0x2000, 0x2001])
_TARGETS = st.sampled_from([_OWN_NUM, _BROADCAST, 0x3000])


@st.composite
def _channel_frames(draw: Any) -> bytes:
    """A frame under the channel's key with any Data, often a message of the right kind with absurd values."""
    sender = draw(_SENDERS)
    packet_id = draw(st.integers(0, 2**32 - 1))
    portnum = draw(_PORTS)
    payload = draw(st.binary(max_size=150) | _absurd_payloads())
    fields: dict[str, Any] = {"portnum": portnum, "payload": payload}
    for name, values in (
        ("want_response", st.booleans()),
        ("request_id", st.integers(0, 2**32 - 1)),
        ("bitfield", st.integers(0, 2**32 - 1)),
        ("xeddsa_signature", st.binary(max_size=66) | st.binary(min_size=64, max_size=64)),
    ):
        if draw(st.booleans()):
            fields[name] = draw(values)
    encoded = protobuf.encode(DATA, fields)[:239]
    hops = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    sealed = crypt(DEFAULT_KEY, packet_id, sender, encoded)
    header = Packet(draw(_TARGETS), sender, packet_id, sealed, *hops, 8, draw(st.booleans()))
    return packet.encode(header)


@st.composite
def _absurd_payloads(draw: Any) -> bytes:
    """User, Position, Telemetry and NeighborInfo by the reference's classes, with any value that fits."""
    number = st.integers(0, 2**32 - 1)
    signed = st.integers(-(2**31), 2**31 - 1)
    kind = draw(st.sampled_from(["user", "position", "telemetry", "routing"]))
    if kind == "user":
        message = mesh_pb2.User(
            id=draw(st.text(max_size=12)),
            long_name=draw(st.text(max_size=45)),
            short_name=draw(st.text(max_size=6)),
            public_key=draw(
                st.sampled_from([b"", _PEER.public, _OWN.public, bytes(32)]) | st.binary(max_size=33)
            ),
            is_licensed=draw(st.booleans()),
        )
        return message.SerializeToString()
    if kind == "position":
        message = mesh_pb2.Position(latitude_i=draw(signed), longitude_i=draw(signed), time=draw(number))
        return message.SerializeToString()
    if kind == "routing":
        return b"\x18" + bytes([draw(st.integers(0, 127))])
    telemetry = telemetry_pb2.Telemetry(time=draw(number))
    if draw(st.booleans()):
        telemetry.local_stats.uptime_seconds = draw(number)
    else:
        telemetry.device_metrics.voltage = draw(st.floats(width=32))
    return telemetry.SerializeToString()


@settings(max_examples=150, deadline=None)
@given(st.lists(_channel_frames(), max_size=6), st.integers(0, 2))
def test_whatever_a_holder_of_the_channels_key_says_is_told_counted_or_answered(
    frames: list[bytes], policy: int
):
    node = _node(signature_policy=policy)
    told = _hear(node, frames)
    assert node.nodes.public_key(_PEER_NUM) == _PEER.public
    for event in told:
        if isinstance(event, Received) and event.signed:
            message = signed_bytes(event.sender, event.packet_id, event.portnum, event.payload)
            assert event.data["xeddsa_signature"] == _PEER.sign(message)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=239), st.integers(0, 2**32 - 1), _SENDERS, st.booleans())
def test_no_bytes_open_as_a_direct_message_without_the_shared_key(
    payload: bytes, packet_id: int, sender: int, want_ack: bool
):
    node = _node()
    frame = packet.encode(Packet(_OWN_NUM, sender, packet_id, payload, 3, 3, 0, want_ack))
    assert [event for event in _hear(node, [frame]) if isinstance(event, Received)] == []
    assert node.counters.get("undecryptable", 0) + node.counters.get("no-key", 0) == 1


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=220), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_whatever_a_friend_has_sealed_is_read_as_the_reference_reads_it(
    data: bytes, packet_id: int, extra: int
):
    nonce = struct.pack("<IIIB", packet_id, extra, _PEER_NUM, 0)
    sealed = AESCCM(_SHARED, tag_length=8).encrypt(nonce, data, None) + struct.pack("<I", extra)
    node = _node()
    frame = packet.encode(Packet(_OWN_NUM, _PEER_NUM, packet_id, sealed, 3, 3, 0, True))
    received = [event for event in _hear(node, [frame]) if isinstance(event, Received)]
    assert all(event.pki for event in received)
    assert len(received) + node.counters.get("undecryptable", 0) == 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_what_we_seal_the_reference_opens(text: bytes, packet_id: int, extra: int):
    node = _node()
    node._sealer._rand = lambda limit: extra % limit
    packet_id = packet_id or 1
    node.send(1, text, 0, to=_PEER_NUM, packet_id=packet_id)
    frames = []
    for now in range(0, 10_000, 20):
        event = node.next_event(now)
        if isinstance(event, Transmit):
            node.transmitted(now)
            frames.append(event.frame)
    sealed = frames[0][16:]
    nonce = struct.pack("<IIIB", packet_id, extra, _OWN_NUM, 0)
    assert sealed[-4:] == struct.pack("<I", extra)
    clear = AESCCM(_SHARED, tag_length=8).decrypt(nonce, sealed[:-4], None)
    assert mesh_pb2.Data.FromString(clear).payload == text


def _load(data: bytes) -> NodeDatabase:
    nodes = NodeDatabase()
    at = 0

    def read(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    nodedump.load(nodes, read, 1000, None)
    return nodes


def _with_checksums(head: bytes, blocks: list[bytes]) -> bytes:
    return head + b"".join(block + struct.pack("<I", crc32(head + block)) for block in blocks)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=400)
    | st.binary(max_size=400).map(lambda tail: b"BKN1" + tail)
    | st.lists(st.binary(min_size=96, max_size=96), max_size=4).map(
        lambda b: _with_checksums(b"BKN1\0\0\0\0", b)
    )
)
def test_whatever_stands_in_the_file_a_node_works_with_it(data: bytes):
    nodes = _load(data)
    assert len(nodes) <= MAX_NODES
    for known in nodes:
        assert known.user is None or len(known.user["long_name"]) <= 39
    nodes.heard(0x2000, 3, 0, 0, 5000)
    nodes.online(5000)
    again = b"".join(nodedump.dump(nodes, 5000, None))
    assert len(_load(again)) == len(nodes)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(1, 32))
def test_a_truncated_place_fits_its_field_and_stays_in_its_cell(coordinate: int, bits: int):
    told = truncated(coordinate, bits)
    assert -(2**31) <= told <= 2**31 - 1
    assert abs(told - coordinate) <= 1 << (31 - bits) if bits < 32 else told == coordinate
