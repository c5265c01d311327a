"""Messages between two key pairs: who can read them, what happens without a key, whose key is believed."""

from _ether import Ether, everyone, line, make_node, seeded
from _vectors import from_hex, rows

from baken.crypto.ed25519 import x25519_public
from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.mesh.nodedb import KEY_CONFLICT, KEY_VERIFIED
from baken.mesh.secrets import MAX_SHARED, Keyring
from baken.wire import packet, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import (
    DATA,
    ERROR_NO_CHANNEL,
    ERROR_PKI_UNKNOWN_PUBKEY,
    NODEINFO_APP,
    POSITION_APP,
    PRIVATE_APP,
    ROUTING,
    ROUTING_APP,
    TEXT_MESSAGE_APP,
    TRACEROUTE_APP,
    USER,
)

_A = 0x12345678
_B = 0x9ABCDEF0
_PRIVATE_A = b"\x01" * 32
_PRIVATE_B = b"\x02" * 32
_PUBLIC = {}


def _public(private):
    if private not in _PUBLIC:
        _PUBLIC[private] = x25519_public(private)
    return _PUBLIC[private]


def _keyed(number, private, **settings):
    return make_node(number, private_key=private, public_key=_public(private), **settings)


def _know(node, number, private):
    node.nodes.put_contact(number, {"long_name": b"known", "public_key": _public(private)})


def _pair(**settings):
    """Two nodes that know each other's keys, on one ether."""
    nodes = [_keyed(_A, _PRIVATE_A, **settings), _keyed(_B, _PRIVATE_B, **settings)]
    _know(nodes[0], _B, _PRIVATE_B)
    _know(nodes[1], _A, _PRIVATE_A)
    ether = Ether(nodes, everyone(2))
    ether.run(1000)
    return ether


def _refusal(call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except LocalProtocolError as error:
        return error.cause, str(error)
    raise AssertionError("nothing was refused")


def _drain(node, now):
    events = []
    while (event := node.next_event(now)) is not None:
        if isinstance(event, Transmit):
            node.transmitted(now)
        else:
            events.append(event)
    return events


def _channel_frame(sender, to, packet_id, fields, want_ack=False, key=DEFAULT_KEY):
    encoded = protobuf.encode(DATA, fields)
    payload = crypt(key, packet_id, sender, encoded)
    return packet.encode(packet.Packet(to, sender, packet_id, payload, 3, 3, 8, want_ack))


def _announcement(sender, packet_id, **user):
    payload = protobuf.encode(USER, user)
    fields = {"portnum": NODEINFO_APP, "payload": payload, "bitfield": 0}
    return _channel_frame(sender, 0xFFFFFFFF, packet_id, fields)


# What is on the air


def test_the_published_example_leaves_the_node_byte_for_byte_and_is_read_by_the_other():
    config = MeshConfig(_A, b"A", b"A", private_key=_PRIVATE_A, public_key=_public(_PRIVATE_A))
    sender = MeshNode(config, lambda limit: 0x11223344 % limit)
    _know(sender, _B, _PRIVATE_B)
    sender.send(TEXT_MESSAGE_APP, b"Hello", 0, to=_B, want_ack=True, packet_id=0x0BADCAFE)
    frame = _next_frame(sender)
    assert frame.hex() == ("f0debc9a78563412fecaad0b6b0000786d408ad8c08496e41625e0f3900d3dfdb97abc44332211")
    receiver = _keyed(_B, _PRIVATE_B, channels=(Channel(b"Elders", bytes(range(32))),))
    _know(receiver, _A, _PRIVATE_A)
    receiver.next_event(0)
    receiver.receive_frame(frame, -90, 3, 1000)
    received = [event for event in _drain(receiver, 1000) if isinstance(event, Received)]
    assert [(r.payload, r.pki, r.signed, r.channel) for r in received] == [(b"Hello", True, False, 0)]


def test_recorded_direct_messages_of_the_real_firmware_are_received():
    count = 0
    private_of = {}
    for number, private, public in rows("meshtastic_frames.txt", "node"):
        private_of[private] = int(number, 16)
    for row in [row for row in rows("meshtastic_frames.txt", "frame") if row[0] == "pki"]:
        private = from_hex(row[1])
        header = packet.decode(from_hex(row[4]))
        assert private_of[row[1]] == header.to
        config = MeshConfig(header.to, b"", b"", private_key=private, public_key=x25519_public(private))
        node = MeshNode(config, seeded(1))
        node.nodes.put_contact(header.sender, {"public_key": from_hex(row[2])})
        node.receive_frame(from_hex(row[4]), -80, 7, 1000)
        received = [event for event in _drain(node, 1000) if isinstance(event, Received)]
        assert len(received) == 1 and received[0].pki
        assert protobuf.encode(DATA, received[0].data) == from_hex(row[5])
        count += 1
    assert count == 9


def test_a_direct_text_is_sealed_delivered_and_acknowledged_on_the_primary_channel():
    ether = _pair(channels=(Channel(b"Werk", bytes(32), role=2), Channel(role=1)))
    packet_id = ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now, to=_B, want_ack=True, channel=0)
    ether.run(20_000)
    sent = packet.decode(ether.sent(0)[0])
    assert sent.channel_hash == 0
    received = ether.heard(1, TEXT_MESSAGE_APP)[0]
    assert (received.payload, received.pki, received.channel) == (b"hoi", True, 1)
    answer = packet.decode(ether.sent(1)[0])
    assert answer.channel_hash == 8  # the default channel, which is the primary one here
    assert [(event.packet_id, event.by) for event in ether.told(0, "Acknowledged")] == [(packet_id, _B)]


def test_a_relay_passes_a_direct_message_on_and_cannot_read_it():
    nodes = [_keyed(_A, _PRIVATE_A), _keyed(0x5000, b"\x03" * 32), _keyed(_B, _PRIVATE_B)]
    _know(nodes[0], _B, _PRIVATE_B)
    _know(nodes[2], _A, _PRIVATE_A)
    ether = Ether(nodes, line(3))
    ether.run(1000)
    packet_id = nodes[0].send(PRIVATE_APP, b"geheim", ether.now, to=_B, want_ack=True)
    ether.run(25_000)
    assert [r.payload for r in ether.heard(2)] == [b"geheim"]
    assert [r.portnum for r in ether.heard(1)] == [ROUTING_APP]  # only the acknowledgement
    assert (packet_id, _B) in [(event.packet_id, event.by) for event in ether.told(0, "Acknowledged")]


# When it is used


def test_what_relays_and_strangers_must_read_is_not_sealed_and_the_rest_is():
    ether = _pair()
    node = ether.nodes[0]
    hashes = {}
    for port in (TRACEROUTE_APP, NODEINFO_APP, ROUTING_APP, POSITION_APP, PRIVATE_APP, TEXT_MESSAGE_APP):
        node.send(port, b"", ether.now, to=_B)
        hashes[port] = packet.decode(_next_frame(node)).channel_hash
    assert [port for port in sorted(hashes) if hashes[port] == 0] == [TEXT_MESSAGE_APP, PRIVATE_APP]
    node.send(PRIVATE_APP, b"", ether.now, to=_B, pki=False)
    assert packet.decode(_next_frame(node)).channel_hash == 8
    cause, message = _refusal(node.send, POSITION_APP, b"", ether.now, to=_B, pki=True)
    assert cause == "pki-failed" and "port 3" in message
    assert _refusal(node.send, PRIVATE_APP, b"", ether.now, pki=True)[0] == "pki-failed"


def test_licensed_operators_and_machine_channels_do_not_seal():
    plain = Channel(b"Serial", bytes(16))
    for settings in ({"is_licensed": True}, {"channels": (plain,)}):
        node = _keyed(_A, _PRIVATE_A, **settings)
        _know(node, _B, _PRIVATE_B)
        node.send(TEXT_MESSAGE_APP, b"hoi", 0, to=_B)
        assert packet.decode(_next_frame(node)).channel_hash != 0


def test_a_direct_text_without_a_key_is_refused_and_not_sent_in_the_clear():
    node = _keyed(_A, _PRIVATE_A)
    cause, message = _refusal(node.send, TEXT_MESSAGE_APP, b"hoi", 0, to=_B)
    assert cause == "no-key" and "9abcdef0" in message
    assert _refusal(node.send, PRIVATE_APP, b"hoi", 0, to=_B, pki=True)[0] == "no-key"
    node.send(PRIVATE_APP, b"hoi", 0, to=_B)  # what is no text may go on the channel
    assert packet.decode(_next_frame(node)).channel_hash == 8
    without = make_node(_A)
    assert _refusal(without.send, PRIVATE_APP, b"", 0, to=_B, pki=True)[0] == "pki-failed"


def test_a_sealed_message_may_be_227_bytes_encoded_and_not_one_more():
    ether = _pair()
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"x" * 220, ether.now, to=_B)
    ether.run(8000)
    assert len(ether.frames[0][2]) == 255
    assert ether.heard(1)[0].payload == b"x" * 220
    cause, message = _refusal(ether.nodes[0].send, TEXT_MESSAGE_APP, b"x" * 221, ether.now, to=_B)
    assert cause == "too-large" and message == "message is 228 bytes, limit 227"
    assert len(ether.frames) == 1


def test_a_key_of_small_order_is_as_good_as_none():
    node = _keyed(_A, _PRIVATE_A)
    node.nodes.put_contact(_B, {"public_key": bytes(32)})
    assert _refusal(node.send, TEXT_MESSAGE_APP, b"hoi", 0, to=_B)[0] == "no-key"
    header = packet.Packet(_A, _B, 77, bytes(30), 3, 3, 0, True)
    node.next_event(0)
    node.receive_frame(packet.encode(header), -90, 3, 1000)
    assert node.counters["undecryptable"] == 1


# What is not believed


def test_a_direct_text_under_a_channels_key_is_refused_counted_and_the_sender_is_told():
    node = _keyed(_B, _PRIVATE_B)
    node.next_event(0)
    text = {"portnum": TEXT_MESSAGE_APP, "payload": b"vals", "bitfield": 0}
    node.receive_frame(_channel_frame(_A, _B, 77, text, want_ack=True), -90, 3, 1000)
    assert _drain(node, 1000) == []
    assert node.counters["legacy-dm"] == 1
    answer = packet.decode(_next_frame(node, 1000))
    data = protobuf.decode(DATA, crypt(DEFAULT_KEY, answer.id, answer.sender, answer.payload))
    assert protobuf.decode(ROUTING, data["payload"]) == {"error_reason": ERROR_NO_CHANNEL}
    position = {"portnum": POSITION_APP, "payload": b"", "bitfield": 0}
    node.receive_frame(_channel_frame(_A, _B, 78, position), -90, 3, 2000)
    assert node.counters["received"] == 1


def test_a_changed_bit_or_another_sender_is_not_believed():
    sender = _keyed(_A, _PRIVATE_A)
    _know(sender, _B, _PRIVATE_B)
    sender.send(TEXT_MESSAGE_APP, b"hoi", 0, to=_B)
    frame = _next_frame(sender)
    payloads = []
    for at in (4, 8, 16, len(frame) - 13, len(frame) - 12, len(frame) - 1, None):
        receiver = _keyed(_B, _PRIVATE_B)
        receiver.next_event(0)
        _know(receiver, _A, _PRIVATE_A)
        _know(receiver, _A ^ 1, b"\x03" * 32)
        false = bytearray(frame)
        if at is not None:
            false[at] ^= 1
        receiver.receive_frame(bytes(false), -90, 3, 1000)
        payloads += [e.payload for e in _drain(receiver, 1000) if isinstance(e, Received)]
        assert receiver.counters.get("undecryptable", 0) == (0 if at is None else 1)
    assert payloads == [b"hoi"]


def test_who_cannot_open_a_message_says_so_gets_the_key_and_reads_the_next_one():
    nodes = [_keyed(_A, _PRIVATE_A), _keyed(_B, _PRIVATE_B)]
    _know(nodes[0], _B, _PRIVATE_B)
    ether = Ether(nodes, everyone(2))
    ether.run(1000)
    packet_id = nodes[0].send(TEXT_MESSAGE_APP, b"een", ether.now, to=_B, want_ack=True)
    ether.run(15_000)
    assert nodes[1].counters["no-key"] == 1
    gave_up = [(event.packet_id, event.error) for event in ether.told(0, "GaveUp")]
    assert gave_up == [(packet_id, ERROR_PKI_UNKNOWN_PUBKEY)]
    introduction = ether.heard(1, NODEINFO_APP)[0]
    assert introduction.to == _B
    assert nodes[1].nodes.public_key(_A) == _public(_PRIVATE_A)
    nodes[0].send(TEXT_MESSAGE_APP, b"twee", ether.now, to=_B, want_ack=True)
    ether.run(10_000)
    assert [r.payload for r in ether.heard(1, TEXT_MESSAGE_APP)] == [b"twee"]


def test_our_key_is_given_at_most_once_a_minute_and_not_for_packets_that_are_not_ours():
    node = _keyed(_A, _PRIVATE_A)
    node.next_event(0)
    _know(node, _B, _PRIVATE_B)
    lacking = protobuf.encode(ROUTING, {"error_reason": ERROR_PKI_UNKNOWN_PUBKEY})
    fields = {"portnum": ROUTING_APP, "payload": lacking, "request_id": 4711, "bitfield": 0}
    node.receive_frame(_channel_frame(_B, _A, 1, fields), -90, 3, 1000)
    assert node.free_places() == 16
    fields["request_id"] = node.send(TEXT_MESSAGE_APP, b"hoi", 1000, to=_B)
    _next_frame(node, 1000)
    free = []
    for packet_id, now in ((2, 20_000), (3, 21_000), (4, 80_000)):
        node.receive_frame(_channel_frame(_B, _A, packet_id, fields), -90, 3, now)
        free.append(node.free_places())
    assert free == [15, 15, 14]


# Whose key it is


def test_another_key_or_none_does_not_take_the_place_of_the_first_and_is_told_once():
    node = _keyed(_A, _PRIVATE_A)
    node.next_event(0)
    told = []
    for packet_id, key in enumerate((b"a" * 32, b"b" * 32, b"", b"b" * 32, b"a" * 32)):
        user = {"long_name": b"name %d" % packet_id, "public_key": key}
        node.receive_frame(_announcement(_B, packet_id + 1, **user), -90, 3, packet_id)
        events = _drain(node, packet_id)
        told += [(packet_id, e.num, e.own_key) for e in events if e.__class__.__name__ == "KeyConflict"]
    assert told == [(1, _B, False)]
    assert node.counters["key-conflict"] == 3
    assert node.nodes.public_key(_B) == b"a" * 32
    assert node.nodes.get(_B).user["long_name"] == b"name 4"
    assert node.nodes.has(_B, KEY_CONFLICT)
    node.nodes.put_contact(_B, {"public_key": b"b" * 32}, verified=True)
    assert node.nodes.public_key(_B) == b"b" * 32
    assert node.nodes.has(_B, KEY_VERIFIED) and not node.nodes.has(_B, KEY_CONFLICT)


def test_our_own_key_in_another_mouth_is_told_and_not_taken():
    node = _keyed(_A, _PRIVATE_A)
    node.next_event(0)
    told = []
    for packet_id in range(3):
        frame = _announcement(_B, packet_id + 1, public_key=_public(_PRIVATE_A))
        node.receive_frame(frame, -90, 3, packet_id * 1000)
        for event in _drain(node, packet_id * 1000):
            if event.__class__.__name__ == "KeyConflict":
                told.append((event.num, event.own_key))
    assert told == [(_B, True)]
    assert node.counters["own-key"] == 3
    assert node.nodes.public_key(_B) == b""


def test_the_name_of_an_operator_under_other_rules_is_ignored():
    node = _keyed(_A, _PRIVATE_A)
    node.next_event(0)
    node.receive_frame(_announcement(_B, 1, long_name=b"PA0XYZ", is_licensed=True), -90, 3, 0)
    _drain(node, 0)
    assert node.nodes.get(_B).user is None
    assert node.counters["licensed-differs"] == 1


def test_shared_keys_are_kept_for_the_last_eight_peers():
    ring = Keyring(_PRIVATE_A)
    publics = [x25519_public(bytes([n + 1] * 32)) for n in range(MAX_SHARED + 2)]
    first = ring.shared(publics[0])
    assert first == Keyring(b"\x01" * 32).shared(publics[0]) and len(first) == 32
    for public in publics[1:]:
        ring.shared(public)
        assert ring.shared(publics[0]) == first  # what is used stays
    assert len(ring._keys) == len(ring._publics) == MAX_SHARED
    assert publics[0] in ring._publics and publics[1] not in ring._publics
    ring.configure(_PRIVATE_B)
    assert ring.shared(publics[0]) != first


def _next_frame(node, start=0):
    """The frame a node has queued."""
    for now in range(start, start + 25_000, 20):
        event = node.next_event(now)
        if isinstance(event, Transmit):
            node.transmitted(now)
            return event.frame
    raise AssertionError("nothing was sent")
