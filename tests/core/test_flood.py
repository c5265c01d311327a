"""Managed flooding between several nodes: contention windows, cancelling, hop limits, roles, the queue."""

from _ether import Ether, everyone, line, make_node, seeded

from baken.mesh.config import Channel
from baken.mesh.events import Transmit
from baken.mesh.flood import HISTORY_SIZE, Contention, History, own_window, relay_window
from baken.mesh.queue import QUEUE_SIZE, Queued, TransmitQueue
from baken.wire import modem, packet
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import (
    PRIORITY_ACK,
    PRIORITY_BACKGROUND,
    PRIORITY_DEFAULT,
    PRIORITY_HIGH,
    PRIVATE_APP,
    ROLE_CLIENT_MUTE,
    ROLE_ROUTER,
    ROLE_ROUTER_LATE,
    TEXT_MESSAGE_APP,
)

_SLOTS_MS = (
    (modem.SHORT_TURBO, 8),
    (modem.SHORT_FAST, 8),
    (modem.SHORT_SLOW, 10),
    (modem.MEDIUM_FAST, 12),
    (modem.MEDIUM_SLOW, 17),
    (modem.LONG_TURBO, 17),
    (modem.LONG_FAST, 28),
    (modem.LONG_MODERATE, 48),
    (modem.LONG_SLOW, 89),
)

# preset, end of the routers' window at CW 3 and 8, start and end of the clients' at CW 3, end at CW 8
_WINDOWS_MS = (
    (modem.LONG_FAST, 140, 420, 448, 644, 7588),
    (modem.MEDIUM_SLOW, 85, 255, 272, 391, 4607),
    (modem.MEDIUM_FAST, 60, 180, 192, 276, 3252),
    (modem.SHORT_SLOW, 50, 150, 160, 230, 2710),
    (modem.SHORT_FAST, 40, 120, 128, 184, 2168),
    (modem.LONG_MODERATE, 240, 720, 768, 1104, 13008),
    (modem.LONG_SLOW, 445, 1335, 1424, 2047, 24119),
)


def _lowest(_):
    return 0


def _highest(limit):
    return limit - 1


def _contention(preset, role, rand):
    return Contention(modem.preset(preset).modem, role, rand)


def test_the_slot_time_follows_from_the_symbol_time():
    for preset, slot_ms in _SLOTS_MS:
        assert _contention(preset, 0, _lowest).slot_ms == slot_ms, preset


def test_the_window_of_a_relay_grows_with_the_snr_in_truncating_arithmetic():
    table = ((-20, 3), (-14, 4), (-8, 5), (-2, 6), (4, 7), (10, 8), (-9, 4), (9.75, 7), (-20.75, 3))
    for snr_db, window in table:
        assert relay_window(snr_db) == window, snr_db
    assert relay_window(-26) == 2  # not clamped below, -1.0 towards zero
    assert relay_window(-25) == 3  # -0.83 is 0
    assert relay_window(1000) == relay_window(32)  # no chip reports more, and 2 ** 173 slots is for ever


def test_the_window_of_an_own_packet_grows_with_the_load_of_the_channel():
    assert [own_window(percent) for percent in (0, 19, 20, 40, 60, 80, 99, 100)] == [3, 3, 4, 5, 6, 7, 7, 8]
    assert _contention(modem.LONG_FAST, 0, _highest).own_ms(0) == 196
    assert _contention(modem.LONG_SLOW, 0, _highest).own_ms(0) == 623


def test_routers_go_first_and_clients_start_after_the_last_of_them():
    for preset, router_3, router_8, start, client_3, client_8 in _WINDOWS_MS:
        assert _contention(preset, ROLE_ROUTER, _lowest).relay_ms(0) == 0
        assert _contention(preset, ROLE_ROUTER, _highest).relay_ms(-20) == router_3
        assert _contention(preset, ROLE_ROUTER, _highest).relay_ms(10) == router_8
        assert _contention(preset, 0, _lowest).relay_ms(10) == start
        assert _contention(preset, 0, _highest).relay_ms(-20) == client_3
        assert _contention(preset, 0, _highest).relay_ms(10) == client_8
        assert router_8 < start


def test_the_wait_for_an_acknowledgement_is_meshtastics():
    for preset, waits_s in ((modem.LONG_FAST, (71, 75, 104)), (modem.SHORT_FAST, (50, 51, 54))):
        made = modem.preset(preset).modem
        contention = _contention(preset, 0, _lowest)
        for length, tenths_s in zip((36, 66, 255), waits_s):
            assert (contention.retry_ms(made.airtime_ms(length), 0) + 50) // 100 == tenths_s, (preset, length)


def test_a_packet_reaches_the_end_of_a_line_of_five():
    ether = Ether([make_node(0x1000 + i) for i in range(5)], line(5))
    ether.run(1000)
    packet_id = ether.nodes[0].send(TEXT_MESSAGE_APP, b"hallo", ether.now, hop_limit=4)
    ether.run(20_000)
    for position in range(1, 5):
        received = ether.heard(position)
        assert [(r.packet_id, r.payload) for r in received] == [(packet_id, b"hallo")], position
        assert received[0].hops_away == position - 1
        assert received[0].relay_node == packet.low_byte(0x1000 + position - 1)


def test_a_packet_stops_where_its_hops_end():
    ether = Ether([make_node(0x1000 + i) for i in range(6)], line(6))
    ether.run(1000)
    ether.nodes[0].send(PRIVATE_APP, b"\x11 record", ether.now, hop_limit=2)
    ether.run(20_000)
    assert [len(ether.heard(position)) for position in range(6)] == [0, 1, 1, 1, 0, 0]
    ether.nodes[0].send(PRIVATE_APP, b"\x11 record", ether.now, hop_limit=0)
    ether.run(5000)
    assert [len(ether.heard(position)) for position in range(6)] == [0, 2, 1, 1, 0, 0]


def test_a_relay_keeps_the_frame_but_for_hops_next_hop_and_relay_node():
    ether = Ether([make_node(0x1000), make_node(0x1100)], everyone(2))
    ether.run(1000)
    ether.nodes[0].send(TEXT_MESSAGE_APP, b"hallo", ether.now)
    ether.run(10_000)
    first = ether.sent(0)[0]
    relayed = ether.sent(1)[0]
    assert (first[12], relayed[12]) == (3 << 5 | 3, 3 << 5 | 2)
    assert relayed[:12] == first[:12]
    assert relayed[13:15] == first[13:15]
    assert (first[15], relayed[15]) == (0xFF, 0xFF)  # low byte 0 is written as 0xFF
    assert relayed[16:] == first[16:]


def test_hearing_another_relay_cancels_our_own():
    for seed in range(1, 9):
        nodes = [make_node(0x1000 + i, seed=seed * 100 + i) for i in range(6)]
        ether = Ether(nodes, everyone(6))
        ether.run(1000)
        nodes[0].send(TEXT_MESSAGE_APP, b"hallo", ether.now)
        ether.run(20_000)
        relays = len(ether.frames) - 1
        cancelled = sum([node.counters.get("relay-cancelled", 0) for node in nodes])
        assert relays + cancelled == 5
        assert relays <= 3, (seed, relays)  # without cancelling it would always be 5
        assert all([len(ether.heard(position)) == 1 for position in range(1, 6)])


def test_a_router_relays_early_and_does_not_cancel():
    for seed in range(1, 9):
        nodes = [make_node(0x1000 + i, seed=seed * 100 + i) for i in range(3)]
        nodes.append(make_node(0x2001, seed=seed, role=ROLE_ROUTER))
        nodes.append(make_node(0x2002, seed=seed + 50, role=ROLE_ROUTER))
        links = everyone(5, -10)
        ether = Ether(nodes, links)
        ether.run(1000)
        nodes[0].send(TEXT_MESSAGE_APP, b"hallo", ether.now)
        ether.run(20_000)
        senders = [position for _, position, _ in ether.frames]
        assert sorted(senders[1:3]) == [3, 4], (seed, senders)
        assert "relay-cancelled" not in nodes[3].counters
        assert "relay-cancelled" not in nodes[4].counters


def test_a_late_router_waits_when_it_hears_a_copy_and_then_sends_its_own():
    for seed in range(1, 5):
        nodes = [make_node(0x1000), make_node(0x1001, role=ROLE_ROUTER)]
        nodes.append(make_node(0x1002, seed, role=ROLE_ROUTER_LATE))
        ether = Ether(nodes, everyone(3))
        ether.run(1000)
        nodes[0].send(TEXT_MESSAGE_APP, b"hallo", ether.now)
        ether.run(30_000)
        assert [position for _, position, _ in ether.frames] == [0, 1, 2]
        airtime_ms = nodes[0].modem.airtime_ms(len(ether.frames[1][2]))
        heard_at = ether.frames[1][0] + airtime_ms
        assert ether.frames[2][0] >= heard_at + (16 + 64) * 28


def test_a_mute_client_hears_but_does_not_relay():
    nodes = [make_node(0x1000), make_node(0x1001, role=ROLE_CLIENT_MUTE), make_node(0x1002)]
    ether = Ether(nodes, line(3))
    ether.run(1000)
    nodes[0].send(TEXT_MESSAGE_APP, b"hallo", ether.now)
    ether.run(10_000)
    assert [len(ether.heard(position)) for position in range(3)] == [0, 1, 0]


def test_a_frame_nobody_here_can_read_is_relayed_once_each():
    nodes = [make_node(0x1000 + i) for i in range(4)]
    nodes[0] = make_node(0x1000, channels=(Channel(b"Geheim", bytes(range(32))),))
    nodes[3] = make_node(0x1003, channels=(Channel(b"Geheim", bytes(range(32))),))
    ether = Ether(nodes, line(4))
    ether.run(1000)
    nodes[0].send(TEXT_MESSAGE_APP, b"hallo", ether.now, hop_limit=7)
    ether.run(30_000)
    assert [len(ether.sent(position)) for position in range(4)] == [1, 1, 1, 1]
    assert [len(ether.heard(position)) for position in range(4)] == [0, 0, 0, 1]
    assert nodes[1].counters["undecryptable"] == 1
    assert nodes[2].counters["undecryptable"] == 1


def test_the_origin_that_repeats_itself_is_relayed_again():
    nodes = [make_node(0x1000), make_node(0x1001), make_node(0x1002)]
    ether = Ether(nodes, line(3))
    ether.run(1000)
    nodes[0].send(TEXT_MESSAGE_APP, b"hallo", ether.now)
    ether.run(10_000)
    nodes[1].receive_frame(ether.sent(0)[0], -100, 0, ether.now)
    ether.run(10_000)
    assert len(ether.sent(1)) == 2
    assert len(ether.heard(1)) == 1  # it is still the same packet
    nodes[1].receive_frame(ether.sent(1)[0], -100, 0, ether.now)  # a relay's copy is no repetition
    ether.run(10_000)
    assert len(ether.sent(1)) == 2


def test_a_copy_with_more_hops_takes_the_place_of_the_one_that_waits():
    node = make_node(0x1001)
    node.next_event(0)
    origin = make_node(0x1000)
    origin.send(TEXT_MESSAGE_APP, b"hallo", 0, hop_limit=2, hop_start=5)
    frame = _sole_frame(origin)
    better = bytearray(frame)
    better[12] = 5 << 5 | 4
    node.receive_frame(frame, -100, 0, 1000)
    node.receive_frame(bytes(better), -100, 0, 1100)
    relayed = packet.decode(_sole_frame(node, after=1100))
    assert relayed.hop_limit == 3
    assert node.access.queue.free == QUEUE_SIZE


def test_a_packet_for_one_next_hop_is_relayed_by_that_node_only():
    frame = bytearray(packet.encode(packet.Packet(0x2000, 0x3000, 77, b"opaque", channel_hash=99)))
    for next_hop, relays in ((0x01, 1), (0x02, 0), (0, 1)):
        node = make_node(0x1001)
        node.next_event(0)
        frame[14] = next_hop
        node.receive_frame(bytes(frame), -100, 0, 1000)
        assert bool(_sole_frame(node, after=1000)) == bool(relays), next_hop
    frame[12] = 3  # hop_start 0: an old firmware's padding byte
    frame[14] = 0x02
    node = make_node(0x1001)
    node.next_event(0)
    node.receive_frame(bytes(frame), -100, 0, 1000)
    assert _sole_frame(node, after=1000)


def test_a_relay_leaves_no_next_hop_and_asks_nobody_to_acknowledge_a_broadcast():
    for to, want_ack in ((0xFFFFFFFF, False), (0x2000, True)):
        header = packet.Packet(
            to, 0x3000, 77, b"opaque", channel_hash=99, want_ack=True, next_hop=0x01, relay_node=5
        )
        node = make_node(0x1001)
        node.next_event(0)
        node.receive_frame(packet.encode(header), -100, 0, 1000)
        relayed = packet.decode(_sole_frame(node, after=1000))
        assert (relayed.next_hop, relayed.relay_node, relayed.want_ack) == (0, 0x01, want_ack)


def test_what_is_not_to_be_relayed_is_not():
    silent = (
        ("undecryptable", packet.Packet(0xFFFFFFFF, 0x3000, 0, b"opaque", channel_hash=99)),
        ("via-mqtt", packet.Packet(0xFFFFFFFF, 0x3000, 77, b"opaque", channel_hash=99, via_mqtt=True)),
        ("hop-start", packet.Packet(0xFFFFFFFF, 0x3000, 77, b"opaque", 4, 3, 99)),
        ("undecryptable", packet.Packet(0xFFFFFFFF, 0x3000, 77, b"opaque", 0, 3, 99)),
        ("undecryptable", packet.Packet(0x1001, 0x3000, 77, b"opaque", 3, 3, 99)),
        ("own-unknown", packet.Packet(0xFFFFFFFF, 0x1001, 77, b"opaque", 3, 3, 99)),
    )
    for cause, header in silent:
        node = make_node(0x1001)
        node.next_event(0)
        node.receive_frame(packet.encode(header), -100, 0, 1000)
        assert node.counters == {cause: 1}
        assert not _sole_frame(node, after=1000), header
    open_to_mqtt = make_node(0x1001, ignore_mqtt=False)
    open_to_mqtt.next_event(0)
    open_to_mqtt.receive_frame(packet.encode(silent[1][1]), -100, 0, 1000)
    assert packet.decode(_sole_frame(open_to_mqtt, after=1000)).via_mqtt


def test_a_packet_that_turned_out_to_be_false_is_not_relayed():
    ether = Ether([make_node(0x1000), make_node(0x1001)], everyone(2))
    ether.run(1000)
    packet_id = ether.nodes[0].send(PRIVATE_APP, b"forged", ether.now)
    ether.nodes[0].send(PRIVATE_APP, b"true", ether.now)
    while not ether.heard(1):
        ether.run(20)
    assert ether.nodes[1].drop_relay(0x1000, packet_id)
    assert not ether.nodes[1].drop_relay(0x1000, packet_id)
    ether.run(20_000)
    assert [packet.decode(frame).id == packet_id for frame in ether.sent(1)] == [False]
    assert ether.nodes[1].counters["relay-dropped"] == 1


def test_a_relay_that_is_held_back_waits_lets_others_pass_and_any_copy_cancels_it():
    for somebody_else_relays in (False, True):
        ether = Ether([make_node(0x1000), make_node(0x1001), make_node(0x1002)], everyone(3))
        ether.run(1000)
        packet_id = ether.nodes[0].send(PRIVATE_APP, b"record", ether.now)
        while not ether.heard(1):
            ether.run(20)
        until = ether.now + 30_000
        assert ether.nodes[1].hold_relay(0x1000, packet_id, until, ether.now)
        assert not ether.nodes[1].hold_relay(0x1000, packet_id + 1, until, ether.now)
        if not somebody_else_relays:
            assert ether.nodes[2].drop_relay(0x1000, packet_id)
        ether.nodes[1].send(TEXT_MESSAGE_APP, b"passes", ether.now)
        ether.run(60_000)
        said = [(began, packet.decode(frame)) for began, sender, frame in ether.frames if sender == 1]
        assert [True for began, one in said if one.sender == 0x1001 and began < until]
        relayed = [began for began, one in said if one.id == packet_id]
        assert relayed == [] if somebody_else_relays else relayed[0] >= until


def test_a_frame_that_the_radio_has_is_not_queued_again_nor_given_up():
    ether = Ether([make_node(0x1000), make_node(0x1001)], everyone(2))
    ether.run(1000)
    ether.nodes[0].send(PRIVATE_APP, b"record", ether.now)
    ether.run(600)
    received = ether.heard(1)[0]
    node = ether.nodes[1]
    now = ether.now
    while not isinstance(event := node.next_event(now), Transmit):
        now += 20
    assert not node.relay_again(received, 6, 7, now)
    for _ in range(QUEUE_SIZE + 3):
        node.send(TEXT_MESSAGE_APP, b"more urgent", now)
    node.transmitted(now + event.airtime_ms)
    assert node.counters["relayed"] == 1
    assert node.access.queue.free == 1
    assert node.counters["queue-full"] == 4


def test_a_busy_channel_means_another_wait():
    node = make_node(0x1000)
    node.next_event(0)
    node.send(PRIVATE_APP, b"record", 1000)
    waits = []
    now = 1000
    while len(waits) < 30:
        event = node.next_event(now)
        if isinstance(event, Transmit):
            node.channel_busy(now)
            waits.append(node.deadline() - now)
        now = max(now, node.deadline())
    assert sorted(set(waits)) == [28 * slots for slots in range(8)]


def test_a_fresh_hop_limit_carries_a_packet_beyond_seven_hops_under_its_own_name():
    count = 12
    nodes = [make_node(0x1000 + i) for i in range(count)]
    ether = Ether(nodes, line(count))
    ether.run(1000)
    packet_id = nodes[0].send(PRIVATE_APP, b"\x11 record", ether.now, hop_limit=7)
    for _ in range(200):
        before = [len(ether.heard(position)) for position in range(count)]
        ether.run(500)
        for position in range(count):
            for received in ether.heard(position)[before[position] :]:
                if received.hop_limit == 0:
                    assert nodes[position].relay_again(received, 6, 7, ether.now)
    for position in range(1, count):
        received = ether.heard(position)
        assert [(r.sender, r.packet_id) for r in received] == [(0x1000, packet_id)], position
    refreshed = [frame for _, position, frame in ether.frames if position == 8]
    assert refreshed[0][12] == 7 << 5 | 6
    try:
        nodes[1].relay_again(ether.heard(1)[0], 7, 7, ether.now)
        raise AssertionError("7 of 7 looks like the origin")
    except LocalProtocolError as error:
        assert "7 of 7" in str(error)


def test_the_history_forgets_the_oldest_first_and_nothing_else():
    history = History()
    keys = [bytes([i >> 8, i & 0xFF, 1, 2, 3, 4, 5, 6]) for i in range(HISTORY_SIZE + 10)]
    for key in keys:
        assert history.find(key) < 0
        history.remember(key, 3)
    assert HISTORY_SIZE >= 200
    assert [history.find(key) >= 0 for key in keys] == [False] * 10 + [True] * HISTORY_SIZE


def test_the_history_is_not_fooled_by_bytes_across_two_entries():
    history = History()
    history.remember(b"ABCDEFGH", 3)
    history.remember(b"IJKLMNOP", 3)
    assert history.find(b"EFGHIJKL") < 0
    history.remember(b"EFGHIJKL", 3)
    assert history.find(b"EFGHIJKL") == 2


def _queued(priority, own=False, not_before=0, mark=0):
    header = packet.Packet(0xFFFFFFFF, 0x1000 + mark, 1 + mark, b"")
    return Queued(packet.encode(header), 1 + mark, priority, None if own else 0, not_before)


def test_the_queue_sends_the_most_urgent_first_and_others_before_our_own():
    queue = TransmitQueue()
    waiting = _queued(PRIORITY_ACK, not_before=5000, mark=1)
    own = _queued(PRIORITY_HIGH, own=True, mark=2)
    relay = _queued(PRIORITY_HIGH, mark=3)
    later = _queued(PRIORITY_HIGH, mark=4)
    routine = _queued(PRIORITY_BACKGROUND, mark=5)
    for item in (waiting, routine, own, relay, later):
        assert queue.put(item) is None
    order = []
    for now in (0, 0, 0, 0, 0):
        order.append(queue.front(now))
        queue.remove(order[-1])
    assert [item.packet_id for item in order] == [4, 5, 3, 6, 2]
    queue.put(waiting)
    queue.put(routine)
    assert queue.front(5000) is waiting


def test_a_full_queue_gives_up_its_least_urgent_frame_for_a_more_urgent_one_only():
    queue = TransmitQueue()
    items = [_queued(PRIORITY_DEFAULT, mark=i) for i in range(QUEUE_SIZE)]
    for item in items:
        queue.put(item)
    same = _queued(PRIORITY_DEFAULT, mark=20)
    assert queue.put(same) is same
    urgent = _queued(PRIORITY_HIGH, mark=21)
    assert queue.put(urgent) is items[-1]
    assert queue.put(_queued(PRIORITY_ACK, mark=22), keep=items[-2]) is items[-3]
    assert len(queue) == QUEUE_SIZE
    assert queue.front(0).packet_id == 23


def _sole_frame(node, after=0):
    """The frame a node wants to send before its first announcement; b"" where there is none."""
    now = after
    while now < after + 25_000:
        while (event := node.next_event(now)) is not None:
            if isinstance(event, Transmit):
                node.transmitted(now + event.airtime_ms)
                return event.frame
        now += 50
    return b""


def test_seeded_numbers_are_the_same_on_both_runtimes():
    rand = seeded(5)
    assert [rand(1000) for _ in range(5)] == [352, 811, 140, 634, 48]
