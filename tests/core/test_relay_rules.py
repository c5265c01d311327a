"""Who relays what, when: roles, rebroadcast modes, favourites, free hops, and the memory behind it."""

from _ether import Ether, everyone, line, make_node, seeded

from baken.mesh.config import Channel
from baken.mesh.events import Transmit
from baken.mesh.flood import HISTORY_SIZE, Contention
from baken.mesh.nodedb import FAVORITE
from baken.mesh.queue import QUEUE_SIZE, packet_key
from baken.wire import modem, packet, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.messages import (
    DATA,
    NODEINFO_APP,
    PRIVATE_APP,
    RANGE_TEST_APP,
    REBROADCAST_ALL,
    REBROADCAST_ALL_SKIP_DECODING,
    REBROADCAST_CORE_PORTNUMS_ONLY,
    REBROADCAST_KNOWN_ONLY,
    REBROADCAST_LOCAL_ONLY,
    REBROADCAST_NONE,
    ROLE_CLIENT,
    ROLE_CLIENT_BASE,
    ROLE_CLIENT_HIDDEN,
    ROLE_REPEATER,
    ROLE_ROUTER,
    ROLE_ROUTER_CLIENT,
    ROLE_ROUTER_LATE,
    ROLE_SENSOR,
    TEXT_MESSAGE_APP,
    USER,
)

_STRANGER = 0x3000
_FRIEND = 0x4000


def _frame(portnum, sender=_STRANGER, to=0xFFFFFFFF, id=77, **header):
    data = protobuf.encode(DATA, {"portnum": portnum, "payload": b"x", "bitfield": 0})
    return packet.encode(
        packet.Packet(to, sender, id, crypt(DEFAULT_KEY, id, sender, data), 3, 3, 8, **header)
    )


def _opaque(id=77, hop_limit=3, relay_node=0):
    return packet.encode(
        packet.Packet(0xFFFFFFFF, _STRANGER, id, b"opaque", hop_limit, 3, 99, relay_node=relay_node)
    )


def _knows(node, num, role=ROLE_CLIENT, mark=0):
    node.nodes.heard(num, 0, 0, 0, 0)
    node.nodes.update_user(num, {"long_name": b"Known", "short_name": b"K", "role": role})
    node.nodes.set_mark(num, mark, True)


def _relays(frame, known=None, **settings):
    """Whether a node with these settings queues a copy of a frame."""
    node = make_node(0x1001, **settings)
    if known:
        _knows(node, known)
    node.receive_frame(frame, -90, 0, 1000)
    return node.access.queue.free < QUEUE_SIZE


def test_each_rebroadcast_mode_lets_through_what_its_name_says():
    text = _frame(TEXT_MESSAGE_APP)
    # mode, own record, text of a stranger, of a known node, a port that is not in the core, an opaque frame
    table = (
        (REBROADCAST_ALL, 1, 1, 1, 1, 1),
        (REBROADCAST_ALL_SKIP_DECODING, 1, 1, 1, 1, 1),
        (REBROADCAST_LOCAL_ONLY, 1, 1, 1, 1, 0),
        (REBROADCAST_KNOWN_ONLY, 0, 0, 1, 0, 0),
        (REBROADCAST_NONE, 0, 0, 0, 0, 0),
        (REBROADCAST_CORE_PORTNUMS_ONLY, 1, 1, 1, 0, 1),
    )
    for mode, record, stranger, known, foreign, opaque in table:
        found = (
            _relays(_frame(PRIVATE_APP), rebroadcast_mode=mode),
            _relays(text, rebroadcast_mode=mode),
            _relays(text, known=_STRANGER, rebroadcast_mode=mode),
            _relays(_frame(RANGE_TEST_APP), rebroadcast_mode=mode),
            _relays(_opaque(), rebroadcast_mode=mode),
        )
        assert [int(relayed) for relayed in found] == [record, stranger, known, foreign, opaque], mode


def test_the_core_ports_are_those_of_firmware_2_7_4_and_our_records():
    core = [
        port
        for port in range(1, 300)
        if _relays(_frame(port), rebroadcast_mode=REBROADCAST_CORE_PORTNUMS_ONLY)
    ]
    assert core == [1, 3, 4, 5, 6, 7, 8, 11, 12, 35, 65, 67, 70, 256]


def test_a_node_that_introduces_itself_is_known_from_then_on():
    user = protobuf.encode(USER, {"long_name": b"Nieuw", "short_name": b"N"})
    data = protobuf.encode(DATA, {"portnum": NODEINFO_APP, "payload": user, "bitfield": 0})
    header = packet.Packet(0xFFFFFFFF, _STRANGER, 9, crypt(DEFAULT_KEY, 9, _STRANGER, data), 3, 3, 8)
    node = make_node(0x1001, rebroadcast_mode=REBROADCAST_KNOWN_ONLY)
    node.receive_frame(packet.encode(header), -90, 0, 1000)
    node.receive_frame(_frame(TEXT_MESSAGE_APP), -90, 0, 1000)
    assert node.access.queue.free == QUEUE_SIZE - 2


def test_a_hidden_client_relays_what_it_can_read():
    assert _relays(_frame(RANGE_TEST_APP), role=ROLE_CLIENT_HIDDEN)
    assert not _relays(_opaque(), role=ROLE_CLIENT_HIDDEN)
    assert not _relays(_frame(TEXT_MESSAGE_APP), role=ROLE_CLIENT_HIDDEN, rebroadcast_mode=REBROADCAST_NONE)


def test_records_are_not_sent_on_where_relaying_is_off():
    sender = make_node(0x1000)
    ether = Ether([sender, make_node(0x1001, rebroadcast_mode=REBROADCAST_NONE)], everyone(2))
    ether.run(1000)
    sender.send(PRIVATE_APP, b"record", ether.now)
    ether.run(5000)
    assert not ether.nodes[1].relay_again(ether.heard(1)[0], 2, 3, ether.now)
    assert ether.sent(1) == []


def _timing(role, sender=_STRANGER, to=0xFFFFFFFF, favourite=None, copies=1):
    """After each of other nodes' copies: until when ours holds back (0: not at all), None when it is gone."""
    node = make_node(0x1001, role=role)
    if favourite:
        _knows(node, favourite, mark=FAVORITE)
    node.receive_frame(_frame(TEXT_MESSAGE_APP, sender, to), -90, 0, 1000)
    moments = []
    for copy in range(copies):
        again = bytearray(_frame(TEXT_MESSAGE_APP, sender, to))
        again[12] = 3 << 5 | 2
        again[15] = 0x55 + copy
        node.receive_frame(bytes(again), -90, 0, 1100 + 100 * copy)
        waiting = node.access.queue.find(packet_key(sender, 77))
        moments.append(None if waiting is None else waiting.not_before)
    return moments


def test_ordinary_roles_give_way_to_a_faster_copy():
    for role in (
        ROLE_CLIENT,
        ROLE_SENSOR,
        ROLE_CLIENT_HIDDEN,
        ROLE_ROUTER_CLIENT,
        ROLE_REPEATER,
        ROLE_CLIENT_BASE,
    ):
        assert _timing(role) == [None], role
        node = make_node(0x1001, role=role)
        assert node.access.contention.relay_ms(0) >= 16 * 28, role


def test_a_router_never_gives_way_and_a_late_one_steps_back_once():
    assert _timing(ROLE_ROUTER, copies=2) == [0, 0]
    late_ms = (16 + 64) * 28
    assert _timing(ROLE_ROUTER_LATE, copies=2) == [1100 + late_ms, 1100 + late_ms]


def test_a_base_station_carries_its_favourites_packets_after_all_others():
    late_ms = (16 + 64) * 28
    for sender, to in ((_FRIEND, 0xFFFFFFFF), (_STRANGER, _FRIEND)):
        moments = _timing(ROLE_CLIENT_BASE, sender, to, favourite=_FRIEND)
        assert moments == [1100 + late_ms]
    assert _timing(ROLE_CLIENT_BASE, favourite=_FRIEND) == [None]
    assert make_node(1001, role=ROLE_CLIENT_BASE).access.contention.relay_ms(0) >= 16 * 28  # not early


def test_another_frame_goes_first_while_one_holds_back():
    node = make_node(0x1001, role=ROLE_ROUTER_LATE)
    node.next_event(0)
    node.receive_frame(_opaque(1), -90, 10, 1000)
    node.receive_frame(_opaque(1, 2, relay_node=0x55), -90, 10, 1100)
    urgent = 0
    order = []
    for now in range(1100, 30_000, 4):
        if now == 6000:
            urgent = node.send(TEXT_MESSAGE_APP, b"dringend", now)
        event = node.next_event(now)
        if isinstance(event, Transmit):
            order.append((event.packet_id, now))
            node.transmitted(now)
    assert [packet_id for packet_id, _ in order] == [urgent, 1]
    assert order[0][1] <= 6000 + 7 * 28 + 4
    assert 0 <= order[1][1] - (1100 + (16 + 256) * 28) <= 7 * 28 + 4


def _hop_limit_of_relay(role, hops_away, marks, neighbour_role=ROLE_ROUTER):
    node = make_node(0x1001, role=role)
    _knows(node, 0x2055, neighbour_role, marks)
    node.receive_frame(_opaque(1, 3 - hops_away, relay_node=0x55), -90, 0, 1000)
    return node.access.queue.find(packet_key(_STRANGER, 1)).frame[12] & 7


def test_a_hop_between_routers_that_are_favourites_costs_nothing_but_the_first_always_does():
    for role in (ROLE_ROUTER, ROLE_ROUTER_LATE, ROLE_CLIENT_BASE):
        assert _hop_limit_of_relay(role, 1, FAVORITE) == 2
        assert _hop_limit_of_relay(role, 0, FAVORITE) == 2  # from the origin itself
        assert _hop_limit_of_relay(role, 1, 0) == 1
        assert _hop_limit_of_relay(role, 1, FAVORITE, ROLE_CLIENT) == 1
    assert _hop_limit_of_relay(ROLE_CLIENT, 1, FAVORITE) == 1


def test_free_hops_carry_a_packet_over_a_ridge_of_routers():
    nodes = [make_node(0x1010)] + [make_node(0x1011 + i, role=ROLE_ROUTER) for i in range(5)]
    for position in range(1, 6):
        for neighbour in (position - 1, position + 1):
            if 1 <= neighbour <= 5:
                _knows(nodes[position], 0x1010 + neighbour, ROLE_ROUTER, FAVORITE)
    ether = Ether(nodes, line(6))
    ether.run(1000)
    nodes[0].send(TEXT_MESSAGE_APP, b"hoi", ether.now, hop_limit=2)
    ether.run(20_000)
    assert [len(ether.heard(position)) for position in range(6)] == [0, 1, 1, 1, 1, 1]
    assert [len(ether.sent(position)) for position in range(6)] == [1] * 6


def test_an_opaque_frame_that_comes_back_and_back_is_relayed_once():
    """Some development builds of firmware 2.8 relay what they cannot read as often as they hear it."""
    node = make_node(0x1001)
    node.next_event(0)
    relayed = 0
    now = 1000
    for hop_limit, relay in ((3, 0x00), (2, 0x21), (2, 0x22), (1, 0x21), (1, 0x22), (0, 0x21), (0, 0x22)):
        node.receive_frame(_opaque(5, hop_limit, relay), -90, 0, now)
        for _ in range(400):
            now += 20
            event = node.next_event(now)
            if isinstance(event, Transmit):
                relayed += event.frame[4:8] != b"\x01\x10\x00\x00"  # our own announcement
                node.transmitted(now)
    assert relayed == 1
    assert node.counters["duplicate"] == 6


def test_a_channel_that_only_some_can_read_is_carried_by_all():
    secret = (Channel(b"Geheim", bytes(range(32))),)
    nodes = [make_node(0x1000 + i, channels=secret if i in (0, 3) else None) for i in range(4)]
    ether = Ether(nodes, line(4))
    ether.run(1000)
    nodes[0].send(PRIVATE_APP, b"record", ether.now)
    ether.run(20_000)
    assert [len(ether.sent(position)) for position in range(3)] == [1, 1, 1]
    assert ether.heard(3)[0].payload == b"record"


def test_the_memory_outlasts_the_slowest_copy():
    """Between the first copy and one over seven of the slowest relays, the channel cannot carry more packets
    than the history holds; the shortest packet is an acknowledgement of 36 bytes.
    """
    for preset in modem.presets():
        made = preset.modem
        slot_ms = Contention(made, ROLE_CLIENT, seeded(1)).slot_ms
        slowest_ms = 7 * ((16 + (1 << 8)) * slot_ms + made.airtime_ms(255))
        share = 100 if made.bandwidth_hz <= 250_000 else 50
        assert slowest_ms * share // 100 // made.airtime_ms(36) <= HISTORY_SIZE, preset.name
    fastest = modem.preset(modem.SHORT_FAST).modem
    assert 7 * (272 * 8 + fastest.airtime_ms(255)) // fastest.airtime_ms(36) == 387  # as History says
    node = make_node(0x1001)
    node.next_event(0)
    node.receive_frame(_opaque(1), -90, 0, 1000)
    for id in range(2, HISTORY_SIZE + 1):
        node.receive_frame(_opaque(id), -90, 0, 1000)
    node.receive_frame(_opaque(1, 1), -90, 0, 2000)
    assert node.counters["duplicate"] == 1


def _insisting(*copies):
    """Relays of a node that insists on a packet it has from node 05; `copies` are heard after the first."""
    node = make_node(0x1001)
    ether = Ether([node], {})
    ether.run(1000)
    node.receive_frame(_opaque(relay_node=5), -90, 0, ether.now)
    ether.run(0)
    assert node.insist(_STRANGER, 77, 5)
    while not ether.frames:
        ether.run(500)
    ether.run(3000)
    for frame in copies:
        node.receive_frame(frame, -90, 0, ether.now)
    ether.run(100_000)
    return _of_stranger(ether)


def _of_stranger(ether):
    """What was sent of the stranger's packet: the node introduces itself too."""
    return [frame for _, _, frame in ether.frames if frame[4:12] == packet_key(_STRANGER, 77)]


def test_a_relay_that_is_insisted_on_is_sent_until_another_than_its_source_has_it():
    frames = _insisting()
    assert len(frames) == 6 and len(set(frames)) == 1
    assert len(_insisting(_opaque(relay_node=5))) == 6, "its source repeats itself: that proves nothing"
    assert len(_insisting(_opaque(hop_limit=1, relay_node=9))) == 1


def test_who_does_not_insist_any_more_still_relays_once():
    for is_sent in (False, True):
        node = make_node(0x1001)
        ether = Ether([node], {})
        ether.run(1000)
        node.receive_frame(_opaque(relay_node=5), -90, 0, ether.now)
        ether.run(0)
        node.insist(_STRANGER, 77, 5)
        if is_sent:
            ether.run(10_000)
        node.desist(_STRANGER, 77)
        sent = len(_of_stranger(ether))
        ether.run(100_000)
        assert len(_of_stranger(ether)) == max(1, sent)
    assert not node.insist(_STRANGER, 78, 5), "nothing waits"
