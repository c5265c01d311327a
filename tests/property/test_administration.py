"""The client API and administration under orders nobody would think of: nothing raises, nothing grows, and
what is kept can be loaded and read by the reference's own classes.
"""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from meshtastic.protobuf import mesh_pb2

from baken.mesh.client_api import MAX_EVENTS, MAX_PACKETS, MAX_REPLIES, ClientApi, DeviceInfo
from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received
from baken.mesh.node import MeshNode
from baken.mesh.preferences import MAX_SIZE, Preferences
from baken.noticeboard.memory import MemoryStore
from baken.wire import protobuf, stream
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import ADMIN_APP, TO_RADIO
from baken.wire.messages_admin import ADMIN_MESSAGE
from baken.wire.messages_config import CONFIG, MODULE_CONFIG
from baken.wire.packet import Packet

_OWN = 0x1000
_OTHER = 0x1001
_KEY = bytes(range(32))
_SEEDS = st.integers(0, 0xFFFFFFFF)
_TEXTS = (b"", b"admin", b"msh", "Zuid ✓".encode(), b"\xff", _KEY, bytes(16), b"x" * 12, b"y" * 300)
_NUMBERS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 77, 125, 250, 3600, 86_401, _OTHER, 520_000_000, 0x7FFFFFFF)


def _value(scalar: str, table: Any, rand: random.Random) -> Any:
    if scalar == "message":
        return _values(table, rand)
    if scalar == "bytes":
        return rand.choice(_TEXTS) if rand.random() < 0.8 else rand.randbytes(rand.randrange(40))
    if scalar == "bool":
        return rand.random() < 0.5
    if scalar == "float":
        return rand.choice((0.0, -0.0, 0.5, 869.5, 2400.0, 3e38, float("nan"), float("inf")))
    if scalar in ("int32", "sint32", "enum", "sfixed32") and rand.random() < 0.1:
        return rand.randrange(-0x80000000, 0)
    return rand.choice(_NUMBERS)


def _values(table: Any, rand: random.Random) -> dict[str, Any]:
    """A message that this table can encode; of a oneof it has one member."""
    fields: Any = protobuf.fields(table)
    if fields and rand.random() < 0.5:  # often only a few are set
        fields = rand.sample(fields, min(3, len(fields)))
    members = [field for field in fields if field[2].endswith("|")]
    chosen = rand.choice(members) if members else None
    values: dict[str, Any] = {}
    for field in fields:
        if field in members and field is not chosen:
            continue
        scalar = field[2].rstrip("?|[]")
        inner = field[3] if len(field) > 3 else None
        if field[2].endswith("[]"):
            values[field[1]] = [_value(scalar, inner, rand) for _ in range(rand.randrange(5))]
        else:
            values[field[1]] = _value(scalar, inner, rand)
    return values


def _encoded(table: Any, rand: random.Random) -> bytes:
    while True:
        try:
            return protobuf.encode(table, _values(table, rand))
        except LocalProtocolError as error:
            assert error.cause in ("protobuf-long", "protobuf-range"), error


def _order(rand: random.Random) -> bytes:
    """An AdminMessage, half of them settings; some are noise."""
    if rand.random() < 0.1:
        return rand.randbytes(rand.randrange(60))
    if rand.random() < 0.5:
        name, table = rand.choice((("set_config", CONFIG), ("set_module_config", MODULE_CONFIG)))
        tag = 34 if name == "set_config" else 35
        return protobuf.encode(((tag, name, "bytes|"),), {name: _encoded(table, rand)})
    return _encoded(ADMIN_MESSAGE, rand)


def _check(api: ClientApi, store: MemoryStore, base: MeshConfig) -> None:
    """Everything that must hold whatever was ordered."""
    now = 10_000_000
    while api.next_event(now) is not None:
        pass
    kept = store.get("preferences") or b""
    assert len(kept) <= MAX_SIZE
    again = Preferences(base, store)
    assert again.damaged == 0
    if not api.preferences.editing:
        assert again.mesh_config() == api.preferences.mesh_config()
    api.receive_bytes(stream.frame(protobuf.encode(TO_RADIO, {"want_config_id": 5})), now)
    last = None
    while data := api.next_bytes(4096):
        for payload in stream.Deframer().receive(data):
            last = mesh_pb2.FromRadio.FromString(payload)  # refuses text that is not UTF-8
    assert last is not None


def _api() -> tuple[ClientApi, MemoryStore, MeshConfig]:
    channels = (Channel(b"Regio", _KEY), Channel(b"admin", bytes(16)))
    base = MeshConfig(
        _OWN, b"Steunpunt", b"SP", channels, public_key=_KEY, admin_channel_enabled=True, admin_keys=(_KEY,)
    )
    store = MemoryStore()
    rand = random.Random(3).randrange
    node = MeshNode(base, rand)
    return ClientApi(node, DeviceInfo(), rand, Preferences(base, store)), store, base


@settings(max_examples=150, deadline=None)
@given(seed=_SEEDS)
def test_whatever_a_client_orders_nothing_raises_and_the_settings_can_be_loaded(seed: int):
    api, store, base = _api()
    rand = random.Random(seed)
    for packet_id in range(1, 1 + rand.randrange(1, 25)):
        data = {"portnum": ADMIN_APP, "payload": _order(rand)[:450]}
        packet = {"to": _OWN, "id": packet_id, "decoded": data}
        api.receive_bytes(stream.frame(protobuf.encode(TO_RADIO, {"packet": packet})), packet_id)
        while api.next_event(packet_id) is not None:
            pass
        api.next_bytes(100_000)
    _check(api, store, base)


@settings(max_examples=150, deadline=None)
@given(seed=_SEEDS)
def test_whatever_comes_by_radio_nothing_raises_and_the_settings_can_be_loaded(seed: int):
    api, store, base = _api()
    rand = random.Random(seed)
    api.node.nodes.put_contact(_OTHER, {"public_key": _KEY}, False)
    now = 1000
    for packet_id in range(1, 1 + rand.randrange(1, 25)):
        now += 7000
        payload = _order(rand)[:220]
        if rand.random() < 0.8:
            passkey = api.administration()._session_passkey(now)
            payload += protobuf.encode(((101, "session_passkey", "bytes"),), {"session_passkey": passkey})
        pki = rand.random() < 0.5
        header = Packet(_OWN, _OTHER, packet_id, b"", 3, 3, 0, True)
        data = {"portnum": ADMIN_APP, "payload": payload, "bitfield": 0}
        channel = 0 if pki else rand.randrange(3)
        api.receive_event(Received(header, channel, data, -90, 5.0, b"", pki=pki), now)
        while api.next_event(now + 6000) is not None:
            pass
    _check(api, store, base)


@settings(max_examples=200, deadline=None)
@given(seed=_SEEDS)
def test_whatever_a_client_says_the_queues_keep_their_bounds(seed: int):
    api, store, base = _api()
    rand = random.Random(seed)
    listens = rand.random() < 0.5
    for now in range(rand.randrange(1, 120)):
        data = rand.randbytes(rand.randrange(80))
        if rand.random() < 0.8:
            data = stream.frame(_encoded(TO_RADIO, rand)[:512] if rand.random() < 0.9 else data)
        api.receive_bytes(data, now)
        if listens:
            api.next_bytes(64)
    assert len(api._replies) <= MAX_REPLIES and len(api._packets) <= MAX_PACKETS
    assert len(api._events) <= MAX_EVENTS and len(api.administration().events) <= MAX_EVENTS
    assert len(api.administration().notices) <= 1 and len(api.counters) < 60
    api.receive_bytes(bytes(600), 1000)  # whatever length was promised is over
    _check(api, store, base)
