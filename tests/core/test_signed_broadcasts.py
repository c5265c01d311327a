"""Signed broadcasts: recorded ones verify, ours verify elsewhere, and what each policy refuses."""

from _ether import Ether, everyone, make_node, seeded
from _vectors import from_hex, rows

from baken.compat import crc32
from baken.crypto.ed25519 import edwards_public, x25519_public
from baken.crypto.signing import PointKey, verify
from baken.mesh.config import MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.mesh.nodedb import SIGNS
from baken.mesh.signatures import signed_bytes
from baken.wire import packet, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.messages import (
    DATA,
    NODEINFO_APP,
    POSITION_APP,
    PRIVATE_APP,
    SIGNATURES_BALANCED,
    SIGNATURES_STRICT,
    TEXT_MESSAGE_APP,
    USER,
)

_PRIVATE = b"\x05" * 32
_KEY = PointKey(_PRIVATE)
_NUMBER = crc32(_KEY.public)
_BROADCAST = 0xFFFFFFFF


def _frame(packet_id, portnum, payload, key=_KEY, sender=_NUMBER, to=_BROADCAST, signature=None):
    """A frame under the default key; `signature` None: made with `key`, else as given."""
    fields = {"portnum": portnum, "payload": payload, "bitfield": 0}
    if signature is None:
        signature = key.sign(signed_bytes(sender, packet_id, portnum, payload))
    fields["xeddsa_signature"] = signature
    encoded = protobuf.encode(DATA, fields)
    sealed = crypt(DEFAULT_KEY, packet_id, sender, encoded)
    return packet.encode(packet.Packet(to, sender, packet_id, sealed, 3, 3, 8))


def _listening(**settings):
    node = make_node(0x1000, **settings)
    node.next_event(0)
    return node


def _hear(node, frame, now=1000):
    """What a node receives: (payload, signed) of each."""
    node.receive_frame(frame, -90, 3, now)
    heard = []
    while (event := node.next_event(now)) is not None:
        if isinstance(event, Transmit):
            node.transmitted(now)
        elif isinstance(event, Received):
            heard.append((event.payload, event.signed))
    return heard


def _user(public=None):
    return protobuf.encode(
        USER, {"long_name": b"Kerk", "public_key": _KEY.public if public is None else public}
    )


def test_recorded_signatures_of_the_real_firmware_verify_by_themselves_and_in_a_node():
    public_of = {}
    for number, _, public in rows("meshtastic_frames.txt", "node"):
        public_of[int(number, 16)] = from_hex(public)
    signed = 0
    node = MeshNode(MeshConfig(0x1000, b"", b"", signature_policy=SIGNATURES_BALANCED), seeded(1))
    heard = 0
    for number, public in public_of.items():
        node.nodes.put_contact(number, {"public_key": public})
    seen = []
    for kind, _, _, raw, data in [r for r in rows("meshtastic_frames.txt", "frame") if r[0] == "channel"]:
        fields = protobuf.decode(DATA, from_hex(data))
        header = packet.decode(from_hex(raw))
        if "xeddsa_signature" not in fields or from_hex(raw)[4:12] in seen or header.channel_hash != 8:
            continue
        seen.append(from_hex(raw)[4:12])
        message = signed_bytes(header.sender, header.id, fields["portnum"], fields["payload"])
        edwards = edwards_public(public_of[header.sender])
        assert verify(edwards, message, fields["xeddsa_signature"])
        signed += 1
        heard += len([1 for _, is_signed in _hear(node, from_hex(raw), signed * 3000) if is_signed])
        assert node.nodes.has(header.sender, SIGNS)
    assert signed == heard > 5


def test_a_signed_broadcast_of_ours_is_genuine_to_a_node_that_knows_our_key():
    config = {"private_key": _PRIVATE, "public_key": _KEY.public, "sign_broadcasts": True}
    nodes = [make_node(_NUMBER, **config), make_node(0x1001)]
    ether = Ether(nodes, everyone(2))
    ether.run(70_000)
    nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    nodes[0].send(POSITION_APP, b"", ether.now, to=0x1001)
    ether.run(20_000)
    introduction = ether.heard(1, NODEINFO_APP)[0]
    text = ether.heard(1, TEXT_MESSAGE_APP)[0]
    position = ether.heard(1, POSITION_APP)[0]
    assert (introduction.signed, text.signed, position.signed) == (True, True, False)
    assert "xeddsa_signature" not in position.data  # of one node only broadcasts are signed
    assert nodes[1].nodes.has(_NUMBER, SIGNS)
    signature = text.data["xeddsa_signature"]
    assert verify(_KEY.signing_public, signed_bytes(_NUMBER, text.packet_id, 1, b"hoi"), signature)


def test_what_does_not_fit_with_its_signature_goes_without():
    config = {"private_key": _PRIVATE, "public_key": _KEY.public, "sign_broadcasts": True}
    nodes = [make_node(_NUMBER, **config), make_node(0x1001)]
    ether = Ether(nodes, everyone(2))
    ether.run(1000)
    nodes[0].send(TEXT_MESSAGE_APP, b"x" * 166, ether.now)
    nodes[0].send(TEXT_MESSAGE_APP, b"x" * 167, ether.now)
    ether.run(20_000)
    assert ["xeddsa_signature" in r.data for r in ether.heard(1, TEXT_MESSAGE_APP)] == [True, False]
    assert len(ether.sent(0)[0]) == 255


def test_a_node_that_makes_its_number_of_its_key_introduces_itself_and_nobody_else_can():
    node = _listening()
    other = PointKey(b"\x06" * 32)
    assert _hear(node, _frame(1, NODEINFO_APP, _user(other.public), key=other)) == []
    assert _hear(node, _frame(2, NODEINFO_APP, _user(), key=other)) == []
    assert _hear(node, _frame(3, NODEINFO_APP, b"\xff\xff")) == []
    assert node.counters["bad-signature"] == 3
    assert node.nodes.get(_NUMBER) is None
    assert _hear(node, _frame(4, NODEINFO_APP, _user())) == [(_user(), True)]
    assert node.nodes.public_key(_NUMBER) == _KEY.public and node.nodes.has(_NUMBER, SIGNS)


def test_a_false_signature_is_dropped_counted_and_not_relayed():
    node = _listening()
    _hear(node, _frame(1, NODEINFO_APP, _user()))
    for now in range(1000, 20_000, 100):  # its relay
        if isinstance(node.next_event(now), Transmit):
            node.transmitted(now)
    relayed = node.counters.get("relayed", 0)
    genuine = _frame(2, TEXT_MESSAGE_APP, b"waar")
    true_signature = _KEY.sign(signed_bytes(_NUMBER, 3, TEXT_MESSAGE_APP, b"waar"))
    for packet_id, signature in ((3, true_signature[:63] + b"\x00"), (4, true_signature), (5, bytes(64))):
        assert _hear(node, _frame(packet_id, TEXT_MESSAGE_APP, b"waar", signature=signature), 21_000) == []
    for packet_id, size in ((6, 63), (7, 65), (8, 1)):
        assert _hear(node, _frame(packet_id, PRIVATE_APP, b"", signature=bytes(size)), 22_000) == []
    again = _frame(5, TEXT_MESSAGE_APP, b"waar", signature=bytes(64))
    assert _hear(node, again, 22_500) == []  # its origin repeats it
    assert node.counters["bad-signature"] == 6
    assert node.free_places() == 16 and node.counters.get("relayed", 0) == relayed
    assert _hear(node, genuine, 23_000) == [(b"waar", True)]


def test_a_stranger_cannot_say_unsigned_what_a_signing_node_would_sign_under_balanced():
    heard = {}
    for policy in (0, SIGNATURES_BALANCED, SIGNATURES_STRICT):
        node = _listening(signature_policy=policy)
        heard[policy] = []
        for packet_id, payload, signature in (
            (1, b"before", b""),
            (2, _user(), None),
            (3, b"short", b""),
            (4, b"x" * 220, b""),
            (5, b"signed", None),
        ):
            port = NODEINFO_APP if packet_id == 2 else TEXT_MESSAGE_APP
            if _hear(node, _frame(packet_id, port, payload, signature=signature), packet_id * 3000):
                heard[policy].append(packet_id)
    assert heard == {0: [1, 2, 3, 4, 5], SIGNATURES_BALANCED: [1, 2, 4, 5], SIGNATURES_STRICT: [2, 5]}


def test_signed_words_of_an_unknown_node_pass_as_unsigned_ones_unless_the_policy_is_strict():
    node = _listening()
    assert _hear(node, _frame(1, TEXT_MESSAGE_APP, b"hoi")) == [(b"hoi", False)]
    strict = _listening(signature_policy=SIGNATURES_STRICT)
    assert _hear(strict, _frame(1, TEXT_MESSAGE_APP, b"hoi")) == []
    assert strict.counters["unsigned"] == 1


def test_only_sealed_messages_pass_a_strict_node_unsigned():
    private = b"\x07" * 32
    public = x25519_public(private)
    node = make_node(0x1001, private_key=private, public_key=public, signature_policy=SIGNATURES_STRICT)
    sender = make_node(_NUMBER, private_key=_PRIVATE, public_key=_KEY.public)
    node.nodes.put_contact(_NUMBER, {"public_key": _KEY.public})
    sender.nodes.put_contact(0x1001, {"public_key": public})
    ether = Ether([sender, node], everyone(2))
    ether.run(1000)
    sender.send(PRIVATE_APP, b"sealed", ether.now, to=0x1001)
    sender.send(PRIVATE_APP, b"open", ether.now, to=0x1001, pki=False)
    ether.run(20_000)
    assert [r.payload for r in ether.heard(1)] == [b"sealed"]
