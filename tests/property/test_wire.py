"""The wire and crypto layers against independent implementations, and under bytes nobody would think of."""

import hashlib
import math
import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from meshtastic.protobuf import admin_pb2, channel_pb2, config_pb2, mesh_pb2, module_config_pb2, telemetry_pb2

from baken.crypto import ed25519, signing
from baken.crypto.ccm import ccm_open, ccm_seal
from baken.crypto.ctr import aes_ctr
from baken.crypto.sha512 import sha512_pure
from baken.crypto.x25519 import x25519
from baken.wire import channel, messages, messages_admin, messages_config, packet, protobuf, stream
from baken.wire.errors import RemoteProtocolError

_KEYS = st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32)
_SECRETS = st.binary(min_size=32, max_size=32)

# Our tables and the reference's classes for the same messages.
_PAIRS = {
    "Data": (messages.DATA, mesh_pb2.Data),
    "MeshPacket": (messages.MESH_PACKET, mesh_pb2.MeshPacket),
    "User": (messages.USER, mesh_pb2.User),
    "Position": (messages.POSITION, mesh_pb2.Position),
    "Routing": (messages.ROUTING, mesh_pb2.Routing),
    "RouteDiscovery": (messages.ROUTE_DISCOVERY, mesh_pb2.RouteDiscovery),
    "NeighborInfo": (messages.NEIGHBOR_INFO, mesh_pb2.NeighborInfo),
    "Telemetry": (messages.TELEMETRY, telemetry_pb2.Telemetry),
    "ToRadio": (messages.TO_RADIO, mesh_pb2.ToRadio),
    "FromRadio": (messages.FROM_RADIO, mesh_pb2.FromRadio),
    "MyNodeInfo": (messages.MY_NODE_INFO, mesh_pb2.MyNodeInfo),
    "NodeInfo": (messages.NODE_INFO, mesh_pb2.NodeInfo),
    "DeviceMetadata": (messages.DEVICE_METADATA, mesh_pb2.DeviceMetadata),
    "Channel": (messages.CHANNEL, channel_pb2.Channel),
    "QueueStatus": (messages.QUEUE_STATUS, mesh_pb2.QueueStatus),
    "ClientNotification": (messages.CLIENT_NOTIFICATION, mesh_pb2.ClientNotification),
    "LogRecord": (messages.LOG_RECORD, mesh_pb2.LogRecord),
    "Config": (messages_config.CONFIG, config_pb2.Config),
    "ModuleConfig": (messages_config.MODULE_CONFIG, module_config_pb2.ModuleConfig),
    "AdminMessage": (messages_admin.ADMIN_MESSAGE, admin_pb2.AdminMessage),
}

_TYPES = {
    "uint32": FieldDescriptor.TYPE_UINT32,
    "int32": FieldDescriptor.TYPE_INT32,
    "sint32": FieldDescriptor.TYPE_SINT32,
    "uint64": FieldDescriptor.TYPE_UINT64,
    "bool": FieldDescriptor.TYPE_BOOL,
    "enum": FieldDescriptor.TYPE_ENUM,
    "fixed32": FieldDescriptor.TYPE_FIXED32,
    "sfixed32": FieldDescriptor.TYPE_SFIXED32,
    "float": FieldDescriptor.TYPE_FLOAT,
}


def _float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uint32": st.integers(0, 2**32 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "sint32": st.integers(-(2**31), 2**31 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "bool": st.booleans(),
    "enum": st.integers(0, 300),
    "fixed32": st.integers(0, 2**32 - 1),
    "sfixed32": st.integers(-(2**31), 2**31 - 1),
    "float": st.floats(width=32, allow_nan=False).map(_float32),
    "bytes": st.text(max_size=12).map(str.encode),  # valid as string and as bytes
}


def _split(kind: str) -> tuple[str, str]:
    for mark in ("?", "|", "[]"):
        if kind.endswith(mark):
            return kind[: -len(mark)], mark
    return kind, ""


def _messages(table: Any, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Dicts that fit a table, leaving out what the reference may not know."""

    def assemble(values: dict[str, Any]) -> dict[str, Any]:
        members = [name for name in values if name in exclusive]
        return {name: value for name, value in values.items() if name not in members[1:]}

    optional: dict[str, st.SearchStrategy[Any]] = {}
    exclusive: set[str] = set()
    for field in protobuf.fields(table):
        scalar, mark = _split(field[2])
        if scalar == "message":
            if depth == 3:
                continue
            values = st.deferred(lambda inner=field[3]: _messages(inner, depth + 1))
        else:
            values = _VALUES[scalar]
        if mark == "[]":
            values = st.lists(values, min_size=1, max_size=4)
        elif mark == "|":
            exclusive.add(field[1])
        optional[field[1]] = values
    if not optional:
        return st.just({})
    chosen = st.lists(st.sampled_from(sorted(optional)), max_size=5, unique=True)
    drawn = chosen.flatmap(lambda names: st.fixed_dictionaries({name: optional[name] for name in names}))
    return drawn.map(assemble)


def _known(table: Any, values: dict[str, Any], descriptor: Descriptor | None) -> dict[str, Any]:
    """The part of the values that the reference has as the same kind of field (it may be older)."""
    assert descriptor is not None
    known = {}
    for field in protobuf.fields(table):
        name = field[1]
        reference = descriptor.fields_by_name.get(name)
        if name not in values or reference is None:
            continue
        value = values[name]
        if field[2].startswith("message"):
            inner = reference.message_type
            if field[2].endswith("[]"):
                value = [_known(field[3], item, inner) for item in value]
            else:
                value = _known(field[3], value, inner)
        elif reference.type == FieldDescriptor.TYPE_MESSAGE:
            continue  # bytes that we do not look into
        known[name] = value
    return known


def _fill(message: Any, table: Any, values: dict[str, Any]) -> None:
    for field in protobuf.fields(table):
        name = field[1]
        if name not in values:
            continue
        value = values[name]
        reference = message.DESCRIPTOR.fields_by_name[name]
        if reference.type == FieldDescriptor.TYPE_MESSAGE:
            if field[2].endswith("[]"):
                for item in value:
                    _fill(getattr(message, name).add(), field[3], item)
            else:
                getattr(message, name).SetInParent()
                _fill(getattr(message, name), field[3], value)
        elif field[2].endswith("[]"):
            getattr(message, name).extend(_native(reference, item) for item in value)
        else:
            setattr(message, name, _native(reference, value))


def _native(reference: FieldDescriptor, value: Any) -> Any:
    return value.decode() if reference.type == FieldDescriptor.TYPE_STRING else value


# ---------------------------------------------------------------------------- protobuf


@pytest.mark.parametrize("name", _PAIRS)
def test_every_table_agrees_with_the_published_definition(name: str):
    seen: set[str] = set()
    compared = 0

    def compare(table: Any, descriptor: Descriptor) -> None:
        nonlocal compared
        seen.add(descriptor.full_name)
        tags = [field[0] for field in protobuf.fields(table)]
        assert tags == sorted(set(tags))
        for field in protobuf.fields(table):
            reference = descriptor.fields_by_number.get(field[0])
            if reference is None:
                continue  # newer than the installed definitions
            compared += 1
            scalar, mark = _split(field[2])
            assert reference.name == field[1]
            assert reference.is_repeated == (mark == "[]"), field
            oneof = reference.containing_oneof
            synthetic = oneof is not None and len(oneof.fields) == 1 and oneof.name == "_" + reference.name
            assert (oneof is not None and not synthetic) == (mark == "|"), field
            if scalar == "message":
                assert reference.type == FieldDescriptor.TYPE_MESSAGE
                inner = reference.message_type
                if inner is not None and inner.full_name not in seen:
                    compare(field[3], inner)
            elif scalar == "bytes":
                assert reference.type in (
                    FieldDescriptor.TYPE_BYTES,
                    FieldDescriptor.TYPE_STRING,
                    FieldDescriptor.TYPE_MESSAGE,
                )
            else:
                assert reference.type == _TYPES[scalar], field
                assert reference.has_presence == (mark in ("?", "|")), field

    table, reference = _PAIRS[name]
    compare(table, reference.DESCRIPTOR)
    assert compared >= 3


@pytest.mark.parametrize("name", _PAIRS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_messages_are_the_reference_s_bytes_and_come_back(name: str, data: st.DataObject):
    table, reference = _PAIRS[name]
    values = _known(table, data.draw(_messages(table)), reference.DESCRIPTOR)
    message = reference()
    _fill(message, table, values)
    encoded = protobuf.encode(table, values)
    assert encoded == message.SerializeToString(deterministic=True)
    again = protobuf.decode(table, encoded)
    assert protobuf.encode(table, again) == encoded


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=80), name=st.sampled_from(sorted(_PAIRS)))
def test_any_bytes_decode_or_are_refused_and_what_decodes_is_stable(data: bytes, name: str):
    table, _ = _PAIRS[name]
    try:
        values = protobuf.decode(table, data)
    except RemoteProtocolError as error:
        assert error.cause.startswith("protobuf-")
        return
    encoded = protobuf.encode(table, values)
    assert protobuf.encode(table, protobuf.decode(table, encoded)) == encoded


@settings(max_examples=400, deadline=None)
@given(data=st.binary(max_size=60))
def test_what_we_refuse_or_read_of_data_the_reference_does_too(data: bytes):
    reference = mesh_pb2.Data()
    try:
        reference.ParseFromString(data)
    except DecodeError:
        reference = None
    try:
        values = protobuf.decode(messages.DATA, data)
    except RemoteProtocolError as error:
        # The reference also reads groups, and numbers of more than ten bytes it refuses as we do.
        assert reference is None or error.cause == "protobuf-group"
        return
    assert reference is not None
    assert values.get("portnum", 0) == reference.portnum
    assert values.get("payload", b"") == reference.payload
    assert values.get("want_response", False) == reference.want_response
    assert values.get("request_id", 0) == reference.request_id
    assert values.get("bitfield") == (reference.bitfield if reference.HasField("bitfield") else None)


# ---------------------------------------------------------------------------- packet, channel, stream


@given(frame=st.binary(max_size=300))
def test_any_bytes_are_a_packet_or_are_refused(frame: bytes):
    try:
        heard = packet.decode(frame)
    except RemoteProtocolError as error:
        assert error.cause in ("packet-size", "packet-from")
        return
    assert packet.encode(heard) == frame


@given(
    psk=st.binary(max_size=32),
    packet_id=st.integers(0, 2**32 - 1),
    sender=st.integers(0, 2**32 - 1),
    data=st.binary(max_size=240),
)
def test_channel_encryption_is_aes_in_counter_mode(psk: bytes, packet_id: int, sender: int, data: bytes):
    key = channel.expand_key(psk)
    sealed = channel.crypt(key, packet_id, sender, data)
    assert channel.crypt(key, packet_id, sender, sealed) == data
    if key:
        block = struct.pack("<QII", packet_id, sender, 0)
        assert sealed == Cipher(algorithms.AES(key), modes.CTR(block)).encryptor().update(data)


@st.composite
def _line(draw: st.DrawFn) -> bytes:
    pieces = draw(
        st.lists(
            st.one_of(
                st.binary(max_size=20).map(stream.frame),
                st.binary(max_size=6),
                st.sampled_from([b"\x94", b"\x94\x94\xc3", b"\x94\xc3\x02\x01", b"\x94\xc3\xff", b"log\n"]),
            ),
            max_size=12,
        )
    )
    return b"".join(pieces)


@given(data=_line(), cuts=st.lists(st.integers(0, 300), max_size=20))
def test_any_split_of_the_bytes_gives_the_same_frames_and_lines(data: bytes, cuts: list[int]):
    def run(pieces: list[bytes]) -> tuple[list[bytes], list[bytes], int]:
        deframer = stream.Deframer(6)
        payloads = [payload for piece in pieces for payload in deframer.receive(piece)]
        return payloads, deframer.take_lines(), deframer.bad_starts

    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    whole = run([data])
    assert run([data[a:b] for a, b in zip(places, places[1:], strict=False)]) == whole
    assert run([data[i : i + 1] for i in range(len(data))]) == whole


@given(payloads=st.lists(st.binary(max_size=512), max_size=5), noise=st.text("abc \n\xe9", max_size=30))
def test_frames_survive_text_between_them(payloads: list[bytes], noise: str):
    deframer = stream.Deframer()
    data = b"".join(noise.encode() + stream.frame(payload) for payload in payloads)
    assert deframer.receive(data) == payloads


# ---------------------------------------------------------------------------- crypto


@given(key=_KEYS, block=st.binary(min_size=16, max_size=16), data=st.binary(max_size=300))
def test_counter_mode_agrees_with_the_library_until_its_counter_wraps(key: bytes, block: bytes, data: bytes):
    block = block[:12] + bytes((block[12] & 0x7F,)) + block[13:]
    assert aes_ctr(key, block, data) == Cipher(algorithms.AES(key), modes.CTR(block)).encryptor().update(data)


@given(
    key=_KEYS,
    nonce=st.binary(min_size=13, max_size=13),
    data=st.binary(max_size=250),
    associated=st.binary(max_size=40),
    tag_size=st.sampled_from([4, 8, 16]),
)
def test_ccm_agrees_with_the_library(key: bytes, nonce: bytes, data: bytes, associated: bytes, tag_size: int):
    sealed = ccm_seal(key, nonce, data, associated, tag_size)
    assert sealed == AESCCM(key, tag_length=tag_size).encrypt(nonce, data, associated)
    assert ccm_open(key, nonce, sealed, associated, tag_size) == data


@given(data=st.binary(max_size=600))
def test_the_pure_sha512_agrees_with_hashlib(data: bytes):
    assert sha512_pure(data) == hashlib.sha512(data).digest()


@settings(max_examples=40, deadline=None)
@given(seed=_SECRETS, message=st.binary(max_size=300))
def test_ed25519_makes_the_library_s_keys_and_signatures(seed: bytes, message: bytes):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes_raw()
    assert ed25519.public_key(seed) == public
    assert ed25519.sign(seed, message) == key.sign(message)
    assert ed25519.verify(public, message, key.sign(message))


@settings(max_examples=60, deadline=None)
@given(
    seed=_SECRETS,
    message=st.binary(max_size=40),
    place=st.integers(0, 95),
    bit=st.integers(0, 7),
)
def test_both_verifiers_give_the_same_verdict_on_damaged_signatures(
    seed: bytes, message: bytes, place: int, bit: int
):
    key = signing.AuthorityKey(seed)
    damaged = bytearray(key.public + key.sign(message))
    damaged[place] ^= 1 << bit
    public, signature = bytes(damaged[:32]), bytes(damaged[32:])
    assert ed25519.verify(public, message, signature) is False
    assert signing.verify(public, message, signature) is False


@settings(max_examples=100, deadline=None)
@given(public=st.binary(max_size=40), message=st.binary(max_size=8), signature=st.binary(max_size=70))
def test_verifying_any_bytes_raises_nothing(public: bytes, message: bytes, signature: bytes):
    assert ed25519.verify(public, message, signature) is False
    assert signing.verify(public, message, signature) is False


@settings(max_examples=30, deadline=None)
@given(private=_SECRETS, other=_SECRETS, message=st.binary(max_size=60))
def test_curve25519_keys_agree_with_the_library_and_sign(private: bytes, other: bytes, message: bytes):
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    theirs = X25519PrivateKey.from_private_bytes(other).public_key().public_bytes_raw()
    key = signing.PointKey(private)
    assert key.public == public
    library = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(theirs))
    assert x25519(private, theirs) == library
    assert signing.verify(key.signing_public, message, key.sign(message))
    assert ed25519.verify(key.signing_public, message, key.sign(message))


def test_the_float_limit_is_the_largest_float():
    largest = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
    table = ((1, "value", "float"),)
    assert protobuf.decode(table, protobuf.encode(table, {"value": largest})) == {"value": largest}
    assert math.isinf(protobuf.decode(table, protobuf.encode(table, {"value": math.inf}))["value"])
