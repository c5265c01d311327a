"""Whole MeshNodes: frames of the real firmware, acknowledgements, announcements, loss, garbage, memory."""

import gc

from _ether import Ether, everyone, line, make_node, seeded
from _vectors import from_hex, rows

from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received, Transmit, Undecryptable
from baken.mesh.node import MAX_EVENTS, MeshNode
from baken.mesh.nodedb import IGNORED, MAX_NODES
from baken.mesh.queue import QUEUE_SIZE
from baken.wire import channel as wire_channel
from baken.wire import modem, packet, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import (
    DATA,
    ERROR_MAX_RETRANSMIT,
    ERROR_NO_CHANNEL,
    ERROR_NO_INTERFACE,
    ERROR_NO_RESPONSE,
    ERROR_PKI_UNKNOWN_PUBKEY,
    NODEINFO_APP,
    POSITION_APP,
    PRIVATE_APP,
    ROLE_CLIENT_MUTE,
    ROLE_ROUTER,
    ROUTING_APP,
    TELEMETRY_APP,
    TEXT_MESSAGE_APP,
    TRACEROUTE_APP,
    USER,
    WAYPOINT_APP,
)

_HOUR_MS = 3_600_000


def _pair(loss_percent=0, **settings):
    ether = Ether([make_node(0x1000, **settings), make_node(0x1001, **settings)], everyone(2), loss_percent)
    ether.run(1000)
    return ether


def _data_of(frame):
    header = packet.decode(frame)
    return protobuf.decode(DATA, crypt(DEFAULT_KEY, header.id, header.sender, header.payload))


def _refusal(call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except LocalProtocolError as error:
        return str(error)
    raise AssertionError("nothing was refused")


# Frames of the real firmware


def test_every_recorded_frame_of_the_real_firmware_is_understood():
    (_, psk, _, _) = [row for row in rows("meshtastic_frames.txt", "channel") if row[0] == "Noodnet"][0]
    config = MeshConfig(0x1000, b"Baken", b"BKN", channels=(Channel(), Channel(b"Noodnet", from_hex(psk))))
    node = MeshNode(config, seeded(1))
    now = 0
    seen = {}
    for kind, key, _, raw, data in [
        row for row in rows("meshtastic_frames.txt", "frame") if row[0] == "channel"
    ]:
        frame = from_hex(raw)
        now += 3000
        node.receive_frame(frame, -80, 7, now)
        received = [event for event in _drain(node, now) if isinstance(event, Received)]
        if frame[4:12] in seen:
            assert received == []  # the same packet from another relay
            continue
        seen[frame[4:12]] = True
        assert len(received) == 1
        assert protobuf.encode(DATA, received[0].data) == from_hex(data)
        assert received[0].channel == (0 if from_hex(key) == DEFAULT_KEY else 1)
        assert received[0].hops_away is not None
    assert len(seen) > 40
    assert node.counters["received"] == len(seen)
    assert sorted([known.user["short_name"] for known in node.nodes if known.user]) == [
        b"V1",
        b"V1",
        b"V2",
        b"V2",
        b"V3",
        b"V3",
    ]
    for known in node.nodes:
        assert known.user is None or len(known.user["public_key"]) == 32


def test_recorded_messages_under_keys_we_do_not_have_are_passed_on_untouched():
    sent = 0
    for row in [row[1:] for row in rows("meshtastic_frames.txt", "frame") if row[0] == "pki"]:
        frame = from_hex(row[3])
        node = MeshNode(MeshConfig(0x1000, b"Baken", b"BKN"), seeded(1))
        node.next_event(0)
        node.receive_frame(frame, -80, 7, 1000)
        assert node.counters["undecryptable"] == 1
        for now in range(1000, 9000, 50):
            event = node.next_event(now)
            if isinstance(event, Transmit):
                node.transmitted(now)
                assert event.frame[16:] == frame[16:]
                assert event.frame[12] == frame[12] - 1
                sent += 1
    assert sent > 0


# Sending and acknowledging


def test_a_message_may_be_239_bytes_encoded_and_not_one_more():
    ether = _pair()
    ether.nodes[0].send(PRIVATE_APP, bytes(231), ether.now)
    ether.run(8000)
    assert len(ether.heard(1)[0].payload) == 231
    assert len(ether.frames[0][2]) == 255
    assert "240 bytes, limit 239" in _refusal(ether.nodes[0].send, PRIVATE_APP, bytes(232), ether.now)
    assert "5000 bytes, limit 239" in _refusal(ether.nodes[0].send, PRIVATE_APP, bytes(5000), ether.now)


def test_what_cannot_be_sent_is_refused_with_value_and_limit():
    node = make_node(0x1000)
    assert "512" in _refusal(node.send, 512, b"", 0)
    assert "channel is 1, limit 0" in _refusal(node.send, PRIVATE_APP, b"", 0, channel=1)
    assert "8 of 8, limit 7" in _refusal(node.send, PRIVATE_APP, b"", 0, hop_limit=8)
    assert "3 of 2" in _refusal(node.send, PRIVATE_APP, b"", 0, hop_limit=3, hop_start=2)
    assert "not another node" in _refusal(node.send, PRIVATE_APP, b"", 0, to=0x1000)
    assert "no frame was handed out" in _refusal(node.transmitted, 0)
    assert "40" in _refusal(MeshConfig, 0x1000, b"x" * 40, b"")
    assert "3, allowed 4" in _refusal(MeshConfig, 3, b"", b"")


def test_every_message_carries_the_bitfield_and_how_far_it_may_go():
    ether = _pair()
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"served", ether.now, hop_limit=0, hop_start=2)
    ether.run(9000)
    first, second = ether.sent(0)
    assert _data_of(first) == {"portnum": 1, "payload": b"hoi", "bitfield": 0}
    assert (first[12], second[12]) == (3 << 5 | 3, 2 << 5)
    assert ether.heard(1)[1].hops_away == 2


def test_packet_ids_do_not_come_back_while_anyone_may_remember_them():
    ids = []
    node = make_node(0x1000)
    for i in range(600):
        ids.append(node.send(TEXT_MESSAGE_APP, b"hoi", i))
        node.cancel(ids[-1])
    assert len(set(ids)) == 600
    assert min(ids) > 0
    stuck = MeshNode(MeshConfig(0x1000, b"", b""), lambda limit: 0)  # a generator that has died
    assert len(set([stuck.send(TEXT_MESSAGE_APP, b"hoi", i) for i in range(200)])) == 200


def test_a_packet_that_waits_can_be_taken_back():
    ether = _pair()
    packet_id = ether.nodes[0].send(PRIVATE_APP, b"served", ether.now, want_ack=True)
    assert ether.nodes[0].cancel(packet_id)
    assert not ether.nodes[0].cancel(packet_id)
    ether.run(20_000)
    assert ether.frames == []


def test_a_broadcast_is_acknowledged_by_its_first_relay():
    ether = _pair()
    packet_id = ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now, want_ack=True)
    ether.run(20_000)
    assert [(event.packet_id, event.by) for event in ether.told(0, "Acknowledged")] == [(packet_id, 0x1000)]
    assert len(ether.sent(0)) == 1
    assert ether.sent(0)[0][12] & 0x08 == 0  # want_ack of a broadcast does not go on the air


def test_many_relays_are_one_acknowledgement():
    ether = Ether(
        [make_node(0x1000)] + [make_node(0x1001 + i, role=ROLE_ROUTER) for i in range(3)], everyone(4)
    )
    ether.run(1000)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.run(20_000)
    assert len(ether.frames) == 4
    assert len(ether.told(0, "Acknowledged")) == 1


def test_the_wait_for_an_acknowledgement_grows_by_what_else_is_on_the_air():
    ether = Ether([make_node(0x1000)], {})
    ether.run(1000)
    node = ether.nodes[0]
    node.send(TEXT_MESSAGE_APP, b"hoi", ether.now, want_ack=True)
    ether.run(3000)
    planned = node.deadline()
    other = packet.encode(packet.Packet(0xFFFFFFFF, 0x3000, 77, bytes(200), 0, 3, 99))
    node.receive_frame(other, -90, 0, ether.now)
    assert isinstance(node.next_event(ether.now), Undecryptable)
    assert node.deadline() - planned == node.modem.airtime_ms(216)


def test_a_broadcast_that_nobody_relays_is_sent_three_times_and_given_up():
    ether = Ether([make_node(0x1000)], {})
    ether.run(1000)
    packet_id = ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now, want_ack=True)
    ether.run(28_000)
    times = [time for time, _, _ in ether.frames]
    assert len(times) == 3
    assert len(set([frame for _, _, frame in ether.frames])) == 1
    airtime_ms = ether.nodes[0].modem.airtime_ms(len(ether.frames[0][2]))
    for first, second in zip(times, times[1:]):
        wait_ms = second - first - airtime_ms
        assert 0 <= wait_ms - (2 * airtime_ms + (8 + 16 + 32) * 28 + 4500) <= 7 * 28
    given_up = ether.told(0, "GaveUp")
    assert [(event.packet_id, event.error) for event in given_up] == [(packet_id, ERROR_MAX_RETRANSMIT)]


def test_a_direct_message_is_acknowledged_as_the_real_firmware_does_it():
    ether = _pair()
    packet_id = ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1001, want_ack=True)
    ether.run(10_000)
    answer = ether.sent(1)[0]
    header = packet.decode(answer)
    assert (header.to, header.hop_limit, header.hop_start, header.want_ack) == (0x1000, 2, 2, False)
    clear = crypt(DEFAULT_KEY, header.id, header.sender, header.payload)
    assert clear == b"\x08\x05\x12\x02\x18\x00\x35" + packet_id.to_bytes(4, "little") + b"\x48\x00"
    assert [(event.packet_id, event.by) for event in ether.told(0, "Acknowledged")] == [(packet_id, 0x1001)]
    assert len(ether.sent(0)) == 1


def test_the_acknowledgement_of_a_text_is_acknowledged_itself_without_hops():
    ether = _pair()
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now, to=0x1001, want_ack=True)
    ether.run(30_000)
    headers = [packet.decode(frame) for _, _, frame in ether.frames]
    forms = [(h.sender, h.hop_limit, h.hop_start, h.want_ack) for h in headers]
    assert forms[:3] == [(0x1000, 3, 3, True), (0x1001, 2, 2, True), (0x1000, 0, 0, False)]


def test_an_acknowledgement_that_got_lost_is_given_again():
    ether = _pair()
    ether.links = {(0, 1): 0}  # the way back is deaf
    packet_id = ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1001, want_ack=True)
    ether.run(5000)
    ether.links = everyone(2)
    ether.run(10_000)
    assert len(ether.sent(0)) == 2
    assert len(ether.heard(1)) == 1
    answers = [packet.decode(frame) for frame in ether.sent(1)]
    assert [(h.hop_limit, h.hop_start) for h in answers] == [(2, 2), (0, 0)]
    assert ether.told(0, "Acknowledged")[0].packet_id == packet_id


def test_a_sealed_message_of_a_node_whose_key_we_lack_is_refused_once():
    ether = _pair(private_key=bytes([7]) * 32)
    header = packet.Packet(0x1001, 0x1000, 77, b"\xff" * 20, 3, 3, 0, want_ack=True)
    for _ in range(3):
        ether.nodes[1].receive_frame(packet.encode(header), -90, 3, ether.now)
        ether.run(3000)
    assert len(ether.sent(1)) == 1
    assert [event.error for event in ether.told(0, "GaveUp")] == [ERROR_PKI_UNKNOWN_PUBKEY]


def test_what_cannot_be_read_and_does_not_ask_for_an_answer_gets_none():
    for channel_hash in (0, 0x55):
        ether = _pair()
        header = packet.Packet(0x1001, 0x1000, 77, b"\xff" * 20, 3, 3, channel_hash)
        ether.nodes[1].receive_frame(packet.encode(header), -90, 3, ether.now)
        ether.run(3000)
        assert ether.frames == []


def test_a_question_that_nobody_here_answers_is_refused_but_not_a_question_to_everybody():
    for to, refusals in ((0x1001, [ERROR_NO_RESPONSE]), (0xFFFFFFFF, [])):
        ether = _pair()
        ether.nodes[0].send(WAYPOINT_APP, b"", ether.now, to=to, want_response=True)
        ether.run(5000)
        assert [event.error for event in ether.told(0, "GaveUp")] == refusals
    ether = _pair()
    ether.nodes[0].send(TELEMETRY_APP, b"", ether.now, to=0x1001, want_response=True)
    ether.run(5000)
    assert ether.told(0, "GaveUp") == []


def test_a_node_whose_transmitter_is_off_hears_sends_nothing_and_says_so():
    ether = Ether([make_node(0x1000), make_node(0x1001, tx_enabled=False)], everyone(2))
    ether.run(1000)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    packet_id = ether.nodes[1].send(TEXT_MESSAGE_APP, b"hoi", ether.now, want_ack=True)
    ether.run(40_000)
    assert len(ether.heard(1)) == 1
    assert ether.sent(1) == []
    given_up = ether.told(1, "GaveUp")
    assert (given_up[0].packet_id, given_up[0].error) == (packet_id, ERROR_NO_INTERFACE)
    assert ether.nodes[1].counters["tx-disabled"] >= 2


def test_a_node_without_a_region_is_deaf_and_dumb_until_it_gets_one():
    ether = Ether([make_node(0x1000), make_node(0x1001, region=0)], everyone(2))
    ether.run(1000)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.nodes[1].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.run(5000)
    assert (ether.heard(1), ether.sent(1), ether.heard(0)) == ([], [], [])
    assert ether.nodes[1].counters["region-unset"] == 1
    ether.nodes[1].configure(make_node(0x1001).config, ether.now)
    ether.nodes[1].send(TEXT_MESSAGE_APP, b"nu wel", ether.now)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"nu wel", ether.now)
    ether.run(10_000)
    assert len(ether.heard(0)) == len(ether.heard(1)) == 1


def test_switching_the_transmitter_off_empties_the_queue():
    node = make_node(0x1000)
    node.next_event(0)
    ids = [node.send(TEXT_MESSAGE_APP, b"hoi", 1000) for _ in range(3)]
    node.configure(make_node(0x1000, tx_enabled=False).config, 1000)
    events = []
    for now in range(1000, 3000, 10):
        events += _drain(node, now)
    assert [(event.packet_id, event.error) for event in events] == [(i, ERROR_NO_INTERFACE) for i in ids]
    assert node.free_places() == QUEUE_SIZE


def test_another_role_number_and_modem_take_effect_at_once():
    ether = Ether([make_node(0x1000), make_node(0x1001)], everyone(2))
    ether.run(1000)
    changed = MeshConfig(0x2002, b"Node", b"N", role=ROLE_CLIENT_MUTE, preset=modem.MEDIUM_FAST)
    ether.nodes[1].configure(changed, ether.now)
    assert ether.nodes[1].modem == changed.modem()
    assert ether.nodes[1].access.contention.slot_ms == 12
    opaque = packet.Packet(0xFFFFFFFF, 0x1000, 9, b"opaque", channel_hash=99)
    ether.nodes[1].receive_frame(packet.encode(opaque), -90, 3, ether.now)
    ether.nodes[1].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.run(5000)
    sent = [packet.decode(frame) for frame in ether.sent(1)]
    assert [(header.sender, header.relay_node) for header in sent] == [(0x2002, 0x02)]


def test_nodes_that_are_ignored_by_setting_or_by_their_owner_are_not_heard_nor_relayed():
    ether = Ether([make_node(0x1000), make_node(0x1001, ignore_incoming=(0x1000,))], everyone(2))
    ether.run(1000)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.run(5000)
    assert (ether.heard(1), ether.sent(1)) == ([], [])
    assert ether.nodes[1].counters["ignored"] == 1
    ether.nodes[1].configure(make_node(0x1001).config, ether.now)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.run(5000)
    assert len(ether.heard(1)) == 1
    ether.nodes[1].nodes.set_mark(0x1000, IGNORED, True)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.run(5000)
    assert len(ether.heard(1)) == 1
    assert ether.nodes[1].counters["ignored"] == 2


def test_an_answer_over_relays_gets_enough_hops_to_come_back():
    ether = Ether([make_node(0x1000 + i) for i in range(4)], line(4))
    ether.run(1000)
    ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1003, want_ack=True)
    ether.run(25_000)
    assert packet.decode(ether.sent(3)[0]).hop_start == 3  # two relays + 2, but no more than is configured
    assert [event.by for event in ether.told(0, "Acknowledged")] == [0x1000, 0x1003]


def test_an_addressee_without_our_channel_says_so():
    ether = Ether([make_node(0x1000), make_node(0x1001, channels=(Channel(),))], everyone(2))
    ether.run(1000)
    header = packet.Packet(0x1001, 0x1000, 77, b"\xff" * 20, 3, 3, 0x55, want_ack=True)
    ether.nodes[1].receive_frame(packet.encode(header), -90, 3, ether.now)
    ether.run(5000)
    answer = ether.heard(0)[0]
    assert (answer.portnum, answer.data["request_id"]) == (ROUTING_APP, 77)
    assert answer.payload == bytes([0x18, ERROR_NO_CHANNEL])
    assert [(event.packet_id, event.error) for event in ether.told(0, "GaveUp")] == [(77, ERROR_NO_CHANNEL)]


def test_who_overhears_the_answer_does_not_relay_the_question_any_more():
    node = make_node(0x1005)
    node.next_event(0)
    asker = make_node(0x1000)
    answerer = make_node(0x1001)
    packet_id = asker.send(POSITION_APP, b"", 0, to=0x1001)
    answerer.send(ROUTING_APP, b"\x18\x00", 0, to=0x1000, hop_limit=0, request_id=packet_id)
    for other, at in ((asker, 1000), (answerer, 1300)):
        node.receive_frame(_next_frame(other), -90, 0, at)
    assert node.counters["relay-cancelled"] == 1
    assert node.free_places() == QUEUE_SIZE


def test_channels_are_told_apart_by_their_keys():
    secret = Channel(b"Regio", bytes(range(32)))
    public = Channel()
    nodes = [make_node(0x1000, channels=(public, secret)), make_node(0x1001, channels=(secret, public))]
    ether = Ether(nodes, everyone(2))
    ether.run(1000)
    nodes[0].send(PRIVATE_APP, b"geheim", ether.now, channel=1)
    nodes[0].send(PRIVATE_APP, b"open", ether.now, channel=0)
    ether.run(9000)
    heard = sorted([(received.channel, received.payload) for received in ether.heard(1)])
    assert heard == [(0, b"geheim"), (1, b"open")]


def test_eight_channels_work_side_by_side_though_their_hashes_collide():
    names = (b"Regio", b"Noord", b"Zuid", b"Oost", b"West", b"Brug", b"Dijk", b"Haven")
    channels = []
    for at in range(len(names)):
        key = bytes(range(16 * at, 16 * at + 15 if at % 2 else 16 * at + 31))  # AES-128 and AES-256 in turns
        last = wire_channel.channel_hash(names[at], key) ^ 0x5A  # makes every hash 0x5a
        channels.append(Channel(names[at], key + bytes((last,))))
    assert {wire_channel.channel_hash(channel.name, channel.psk) for channel in channels} == {0x5A}
    nodes = [make_node(0x1000, channels=tuple(channels)), make_node(0x1001, channels=tuple(channels[::-1]))]
    ether = Ether(nodes, everyone(2))
    ether.run(1000)
    for at in range(len(names)):
        nodes[0].send(PRIVATE_APP, names[at], ether.now, channel=at)
        ether.run(4000)
    assert {frame[13] for _, position, frame in ether.frames if position == 0} == {0x5A}
    heard = [(received.channel, received.payload) for received in ether.heard(1, PRIVATE_APP)]
    assert heard == [(7 - at, names[at]) for at in range(len(names))]
    assert "is 9, allowed 1 to 8" in _refusal(MeshConfig, 4, b"A", b"A", channels + [Channel(b"Negende")])


# Announcing itself


def test_a_node_announces_itself_after_half_a_minute_and_every_three_hours():
    ether = Ether([make_node(0x1000)], {})
    ether.run(30_900)
    assert ether.frames == []
    ether.run(30 * _HOUR_MS)
    times = [time for time, _, _ in ether.frames]
    assert len(times) in (9, 10)
    assert times[0] < 62_000
    for first, second in zip(times, times[1:]):
        assert 3 * _HOUR_MS <= second - first <= 3 * _HOUR_MS * 5 // 4 + 1000
    user = protobuf.decode(USER, _data_of(ether.frames[0][2])["payload"])
    assert (user["id"], user["short_name"], user["hw_model"]) == (b"!00001000", b"N0", 255)


def test_announcements_asked_for_are_a_minute_apart():
    ether = _pair()
    assert ether.nodes[0].announce(ether.now)
    assert not ether.nodes[0].announce(ether.now + 59_999)
    assert ether.nodes[0].announce(ether.now + 60_000)


def test_a_request_for_our_name_is_answered_once_in_twelve_hours():
    ether = _pair()
    own = protobuf.encode(USER, ether.nodes[0].config.user())
    asked = 0
    for _ in range(2):
        asked = ether.nodes[0].send(NODEINFO_APP, own, ether.now, to=0x1001, want_response=True)
        ether.run(5000)
    assert len(ether.sent(0)) == 2
    assert len(ether.heard(0, NODEINFO_APP)) == 1
    assert _data_of(ether.sent(0)[0])["bitfield"] == 2
    answer = ether.heard(0, NODEINFO_APP)[0]
    assert answer.data["request_id"] != asked
    assert protobuf.decode(USER, answer.payload)["long_name"] == b"Node 4097"
    ether.run(12 * _HOUR_MS)
    ether.nodes[0].send(NODEINFO_APP, own, ether.now, to=0x1001, want_response=True)
    ether.run(5000)
    answers = [r for r in ether.heard(0, NODEINFO_APP) if r.data.get("request_id")]
    assert len(answers) == 2


def test_a_request_for_our_name_is_not_answered_while_the_channel_is_crowded():
    ether = _pair()
    own = protobuf.encode(USER, ether.nodes[0].config.user())
    ether.nodes[1].utilisation.spend(25_000, ether.now)
    ether.nodes[0].send(NODEINFO_APP, own, ether.now, to=0x1001, want_response=True)
    ether.run(5000)
    assert ether.sent(1) == []


# Loss, garbage, memory


def test_a_flood_survives_loss_because_there_are_many_ways():
    """Twenty nodes, each hears those within two places; a third of all receptions fail."""
    count = 20
    links = {}
    for a in range(count):
        for b in range(count):
            if 0 < abs(a - b) <= 3:
                links[(a, b)] = 4 - 6 * abs(a - b)
    delivered = 0
    for seed in range(1, 6):
        nodes = [make_node(0x1000 + i, seed=1000 * seed + i, hop_limit=7) for i in range(count)]
        ether = Ether(nodes, links, loss_percent=30, seed=seed)
        ether.run(1000)
        nodes[count // 2].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
        ether.run(25_000)
        heard = [len(ether.heard(position)) for position in range(count)]
        assert max(heard) == 1
        delivered += sum(heard)
    assert delivered >= 5 * (count - 1) * 85 // 100, delivered


def test_two_nodes_that_send_at_the_same_time_take_turns():
    nodes = [make_node(0x1000 + i, role=1) for i in range(4)]
    ether = Ether(nodes, everyone(4))
    ether.run(1000)
    for node in nodes:
        node.send(PRIVATE_APP, bytes(150), ether.now)
    ether.run(25_000)
    times = sorted([(time, time + nodes[0].modem.airtime_ms(len(frame))) for time, _, frame in ether.frames])
    assert len(times) == 4
    overlaps = sum([1 for first, second in zip(times, times[1:]) if second[0] < first[1]])
    assert overlaps <= 1  # only two that drew the same slot at the start may collide


def test_garbage_of_every_length_is_counted_and_nothing_else():
    node = make_node(0x1000)
    rand = seeded(3)
    now = 0
    frames = 0
    for length in list(range(0, 300)) * 3:
        now += 500
        frame = bytes([rand(256) for _ in range(length)])
        node.receive_frame(frame, -120, -15, now)
        frames += 1
        _drain(node, now)
    causes = ("packet-size", "packet-from", "via-mqtt", "hop-start", "undecryptable", "received", "duplicate")
    assert sum([node.counters.get(cause, 0) for cause in causes]) == frames
    assert node.counters["packet-size"] == 3 * (16 + 300 - 256)
    assert node.counters["undecryptable"] > 200


def test_garbage_under_our_own_key_is_counted_and_nothing_else():
    """Whoever has the channel's key can make us read anything."""
    node = make_node(0x1000)
    rand = seeded(4)
    for i in range(600):
        data = bytes([rand(256) for _ in range(rand(100))])
        if i % 3:
            portnum = (ROUTING_APP, NODEINFO_APP, 0, 511, 512, TRACEROUTE_APP)[rand(6)]
            fields = {"portnum": portnum, "payload": data, "want_response": True, "request_id": i}
            data = protobuf.encode(DATA, fields)
        sender = 0x2000 + rand(5)
        to = (0x1000, 0xFFFFFFFF, 0x3000)[rand(3)]
        sealed = crypt(DEFAULT_KEY, i + 1, sender, data)
        bytes_of_hops = (0, rand(256))[rand(2)], rand(256)
        header = packet.Packet(to, sender, i + 1, sealed, rand(4), 3, 8, True, False, *bytes_of_hops)
        node.receive_frame(packet.encode(header), -90, 5, i * 2000)
        _drain(node, i * 2000)
    assert node.counters["bad-user"] > 0
    assert node.counters["bad-routing"] > 0
    assert node.counters["bad-route"] > 0
    assert node.counters["received"] + node.counters["undecryptable"] == 600


def test_memory_stays_bounded_under_ten_thousand_frames_from_five_hundred_nodes():
    node = make_node(0x1000)
    rand = seeded(9)
    now = 0
    first = 0
    for i in range(10_000):
        now += rand(300)
        sender = 0x5000 + rand(500)
        packet_id = 1 + rand(1 << 30)
        data = b"\x08\x01\x12\x05hallo\x48\x00" if i % 2 else b"\xff" * 20
        payload = crypt(DEFAULT_KEY, packet_id, sender, data)
        header = packet.Packet(0xFFFFFFFF, sender, packet_id, payload, 3, 3, 8)
        node.receive_frame(packet.encode(header), -100, rand(30) - 20, now)
        if i % 40 == 0:  # a caller that is late
            _drain(node, now)
        if i == 2000:
            first = _allocated()
    assert len(node.nodes) == MAX_NODES
    assert len(node.access.queue) <= QUEUE_SIZE
    assert node.counters["queue-full"] > 1000
    assert node.counters["events-dropped"] > 0
    assert 0 < len(_drain(node, now)) <= MAX_EVENTS
    assert _allocated() <= first + 6000


def _allocated():
    gc.collect()
    mem_alloc = getattr(gc, "mem_alloc", None)  # MicroPython's
    return mem_alloc() if mem_alloc else 0


def _drain(node, now):
    """What a node tells now; what it wants to send is sent in no time."""
    events = []
    while (event := node.next_event(now)) is not None:
        if isinstance(event, Transmit):
            node.transmitted(now)
        else:
            events.append(event)
    return events


def _next_frame(node):
    """The frame a node has queued."""
    for now in range(0, 25_000, 20):
        event = node.next_event(now)
        if isinstance(event, Transmit):
            node.transmitted(now)
            return event.frame
    raise AssertionError("nothing was sent")
