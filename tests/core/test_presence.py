"""What a node tells of itself: when it starts, in time, when it is asked, and when it keeps quiet."""

from _ether import Ether, everyone, make_node

from baken.mesh.config import Channel, Place
from baken.mesh.events import Transmit
from baken.mesh.presence import MAX_ANSWERED, MAX_ASKED, MAX_UNKNOWN
from baken.mesh.reports import truncated
from baken.mesh.secrets import read_data
from baken.wire import packet, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.messages import (
    DATA,
    NEIGHBOR_INFO,
    NEIGHBORINFO_APP,
    NODEINFO_APP,
    POSITION,
    POSITION_APP,
    ROLE_CLIENT_HIDDEN,
    ROLE_ROUTER,
    TELEMETRY,
    TELEMETRY_APP,
    TEXT_MESSAGE_APP,
    USER,
)

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000
_PLACE = Place(521_234_567, 51_234_567, 12)
_EXACT = Channel(position_precision=32)
_PRIVATE_CHANNEL = Channel(b"Werk", bytes(range(32)))


def _alone(for_ms, **settings):
    """One node on an empty ether for a time; gives the ether."""
    ether = Ether([make_node(0x1000, **settings)], {})
    ether.run(for_ms)
    return ether


def _sent(ether, portnum, key=DEFAULT_KEY, position=0):
    """(time, payload) of each packet of a port that a node sent."""
    found = []
    for time, sender, frame in ether.frames:
        header = packet.decode(frame)
        if sender != position or header.sender != ether.nodes[position].config.node_num:
            continue
        data = read_data(crypt(key, header.id, header.sender, header.payload))
        if data is not None and data["portnum"] == portnum:  # another channel's key gives noise
            found.append((time, data.get("payload", b"")))
    return found


def _gaps(times):
    return [second - first for first, second in zip(times, times[1:])]


def _ask(ether, portnum, payload=b"", channel=0):
    """Node 0 asks node 1; gives the answers it got so far."""
    number = ether.nodes[1].config.node_num
    ether.nodes[0].send(portnum, payload, ether.now, to=number, channel=channel, want_response=True)
    ether.run(8000)
    return [r for r in ether.heard(0, portnum) if r.data.get("request_id") and r.sender == number]


def _question_from(node, number, packet_id, portnum, now, payload=b""):
    fields = {"portnum": portnum, "payload": payload, "want_response": True, "bitfield": 2}
    sealed = crypt(DEFAULT_KEY, packet_id, number, protobuf.encode(DATA, fields))
    header = packet.Packet(node.config.node_num, number, packet_id, sealed, 3, 3, 8)
    node.receive_frame(packet.encode(header), -90, 3, now)


# In time


def test_nothing_but_the_name_is_told_unless_the_owner_wants_it():
    ether = _alone(26 * _HOUR_MS, place=_PLACE)
    names = _sent(ether, NODEINFO_APP)
    assert len(names) == len(ether.frames) == 9


def test_the_name_is_told_no_more_than_once_an_hour_whatever_is_configured():
    times = [time for time, _ in _sent(_alone(10 * _HOUR_MS, node_info_s=60), NODEINFO_APP)]
    assert len(times) in (8, 9, 10)
    assert min(_gaps(times)) >= _HOUR_MS


def test_nodes_that_were_switched_on_together_do_not_go_on_together():
    turns = [[], [], []]
    for number in range(0x1000, 0x1000 + 60):
        times = [time for time, _ in _sent(_alone(24 * _HOUR_MS, seed=number * 7919), NODEINFO_APP)]
        for turn in range(3):
            turns[turn].append(times[3 * turn])
    spans = [max(times) - min(times) for times in turns]
    assert spans[0] < _MINUTE_MS  # a node that starts is expected to say who it is
    assert spans[1] > _HOUR_MS and spans[2] > spans[1]
    busiest = 0
    for begin in turns[2]:
        busiest = max(busiest, len([time for time in turns[2] if begin <= time < begin + 5 * _MINUTE_MS]))
    assert busiest <= 12  # of 60


def test_telemetry_and_position_go_out_at_their_own_pace_behind_the_name():
    ether = Ether(
        [make_node(0x1000, telemetry_s=1800, position_s=3600, place=_PLACE, channels=(_EXACT,))], {}
    )
    ether.nodes[0].presence.unix_s = 1_800_000_000
    ether.nodes[0].presence.battery_percent = 87
    ether.nodes[0].presence.voltage = 3.75
    ether.run(10 * _HOUR_MS)
    metrics = _sent(ether, TELEMETRY_APP)
    places = _sent(ether, POSITION_APP)
    assert 16 <= len(metrics) <= 20 and 8 <= len(places) <= 10
    assert min(_gaps([time for time, _ in metrics])) >= 30 * _MINUTE_MS
    told = protobuf.decode(TELEMETRY, metrics[3][1])
    assert told["time"] == 1_800_000_000
    assert told["device_metrics"]["battery_level"] == 87
    assert told["device_metrics"]["voltage"] == 3.75
    assert abs(told["device_metrics"]["uptime_seconds"] - metrics[3][0] // 1000) < 10
    assert protobuf.decode(POSITION, places[0][1]) == {
        "latitude_i": 521_234_567,
        "longitude_i": 51_234_567,
        "altitude": 12,
        "time": 1_800_000_000,
        "location_source": 1,
        "precision_bits": 32,
    }


def test_what_the_owner_does_not_know_is_left_out():
    ether = _alone(_HOUR_MS, telemetry_s=1800, position_s=1800, place=_PLACE, channels=(_EXACT,))
    metrics = protobuf.decode(TELEMETRY, _sent(ether, TELEMETRY_APP)[0][1])
    assert "time" not in metrics
    assert sorted(metrics["device_metrics"]) == ["air_util_tx", "channel_utilization", "uptime_seconds"]
    assert "time" not in protobuf.decode(POSITION, _sent(ether, POSITION_APP)[0][1])


def test_a_hidden_node_says_nothing_by_itself_and_answers():
    hidden = make_node(
        0x1001, role=ROLE_CLIENT_HIDDEN, telemetry_s=600, position_s=600, place=_PLACE, channels=(_EXACT,)
    )
    ether = Ether([make_node(0x1000, channels=(_EXACT,)), hidden], everyone(2))
    ether.run(4 * _HOUR_MS)
    assert [f for f in ether.sent(1) if f[4:8] == b"\x01\x10\x00\x00" and f[:4] == b"\xff\xff\xff\xff"] == []
    assert len(_ask(ether, POSITION_APP)) == 1


def test_a_router_tells_its_state_every_twelve_hours_only():
    ether = _alone(
        37 * _HOUR_MS, role=ROLE_ROUTER, telemetry_s=600, position_s=600, place=_PLACE, channels=(_EXACT,)
    )
    for port in (TELEMETRY_APP, POSITION_APP):
        times = [time for time, _ in _sent(ether, port)]
        assert len(times) in (3, 4) and min(_gaps(times)) >= 12 * _HOUR_MS


def test_among_many_nodes_everything_is_told_less_often():
    node = make_node(0x1000)
    node.next_event(0)
    for i in range(80):
        node.nodes.heard(0x5000 + i, 0, 0, 0, 0)
    node.announce(0)
    # 1 + (80 - 40) * 2**11 / (250 * 100) = 4.2768 times three hours
    least = 3 * _HOUR_MS * 42_768 // 10_000
    assert 0 <= node.presence.deadline() - least <= least // 4 + 1000


def test_on_a_busy_channel_only_the_name_is_told_and_the_rest_waits():
    ether = Ether([make_node(0x1000, telemetry_s=600)], {})
    node = ether.nodes[0]
    for _ in range(20):
        ether.run(10_000)
        node.utilisation.spend(3000, ether.now)
    assert len(_sent(ether, NODEINFO_APP)) == 1
    assert _sent(ether, TELEMETRY_APP) == []
    ether.run(3 * _MINUTE_MS)
    assert len(_sent(ether, TELEMETRY_APP)) == 1


def test_half_of_the_airtime_is_kept_for_messages():
    ether = Ether([make_node(0x1000), make_node(0x1001, telemetry_s=600)], everyone(2))
    ether.run(1000)
    ether.nodes[1].budget.spend(180_000, ether.now)
    ether.run(30 * _MINUTE_MS)
    assert _sent(ether, TELEMETRY_APP, position=1) == []
    assert _ask(ether, TELEMETRY_APP) == []
    assert ether.nodes[1].counters["answer-withheld"] == 1
    ether.run(31 * _MINUTE_MS)
    assert len(_sent(ether, TELEMETRY_APP, position=1)) > 0


def test_other_settings_hold_at_once():
    ether = Ether([make_node(0x1000, node_info_s=86_400)], {})
    ether.run(2 * _MINUTE_MS)
    changed = make_node(0x1000, node_info_s=3600, telemetry_s=600).config
    ether.nodes[0].configure(changed, ether.now)
    ether.run(80 * _MINUTE_MS)
    assert len(_sent(ether, NODEINFO_APP)) == 2
    told = len(_sent(ether, TELEMETRY_APP))
    assert 7 <= told <= 8
    ether.nodes[0].configure(make_node(0x1000, node_info_s=3600).config, ether.now)
    ether.run(30 * _MINUTE_MS)
    assert len(_sent(ether, TELEMETRY_APP)) == told


# Where we are


def test_a_place_is_told_as_the_middle_of_its_cell():
    assert truncated(521_234_567, 32) == 521_234_567
    for bits in range(1, 32):
        cell = 1 << (32 - bits)
        for coordinate in (0, 1, -1, 521_234_567, -521_234_567, 1_800_000_000, -1_800_000_000):
            told = truncated(coordinate, bits)
            assert (told - cell // 2) % cell == 0
            assert told - cell // 2 <= coordinate < told + cell // 2 or cell == 1
    assert truncated(521_234_567, 13) == 994 * 524_288 + 262_144
    assert truncated(-1, 13) == -262_144


def test_each_channel_gets_the_place_as_exactly_as_it_may_and_the_height_only_exactly():
    channels = (
        Channel(),
        Channel(b"Grof", b"\x02", position_precision=13),
        Channel(b"Fijn", b"\x03", position_precision=32),
    )
    nodes = [make_node(0x1000, channels=channels), make_node(0x1001, channels=channels, place=_PLACE)]
    ether = Ether(nodes, everyone(2))
    ether.run(1000)
    assert _ask(ether, POSITION_APP, channel=0) == []
    coarse = protobuf.decode(POSITION, _ask(ether, POSITION_APP, channel=1)[0].payload)
    assert coarse["precision_bits"] == 13 and "altitude" not in coarse
    assert coarse["latitude_i"] == truncated(_PLACE.latitude_i, 13)
    ether.run(3 * _MINUTE_MS)
    fine = protobuf.decode(POSITION, _ask(ether, POSITION_APP, channel=2)[-1].payload)
    assert (fine["latitude_i"], fine["altitude"]) == (521_234_567, 12)


def test_the_place_goes_out_on_the_first_channel_that_may_have_it():
    channels = (Channel(), Channel(b"Fijn", bytes(range(16)), position_precision=32))
    ether = _alone(_HOUR_MS, channels=channels, place=_PLACE, position_s=1800)
    assert len(_sent(ether, POSITION_APP, key=bytes(range(16)))) == 2


def test_a_place_is_told_to_the_same_node_every_three_minutes_at_most():
    ether = Ether(
        [make_node(0x1000, channels=(_EXACT,)), make_node(0x1001, channels=(_EXACT,), place=_PLACE)],
        everyone(2),
    )
    ether.run(1000)
    counts = []
    for _ in range(30):
        counts.append(len(_ask(ether, POSITION_APP)))
    assert counts[0] == 1 and counts[20] == 1 and counts[-1] == 2


def test_a_position_with_a_time_in_it_does_not_set_a_clock():
    node = make_node(0x1000)
    node.next_event(0)
    position = {"latitude_i": 1, "longitude_i": 1, "time": 1_900_000_000, "location_source": 2}
    fields = {"portnum": POSITION_APP, "payload": protobuf.encode(POSITION, position), "bitfield": 0}
    sealed = crypt(DEFAULT_KEY, 5, 0x2000, protobuf.encode(DATA, fields))
    node.receive_frame(packet.encode(packet.Packet(0xFFFFFFFF, 0x2000, 5, sealed, 3, 3, 8)), -90, 3, 1000)
    names = []
    while (event := node.next_event(1000)) is not None:
        names.append(event.__class__.__name__)
    assert names == ["Received", "NodeSeen"]
    assert node.presence.unix_s is None


# Answers


def test_telemetry_is_answered_with_what_was_asked_for():
    ether = Ether([make_node(0x1000), make_node(0x1001)], everyone(2))
    ether.nodes[1].presence.battery_percent = 250
    ether.run(1000)
    metrics = protobuf.decode(TELEMETRY, _ask(ether, TELEMETRY_APP)[0].payload)
    assert metrics["device_metrics"]["battery_level"] == 101
    ether.run(3 * _MINUTE_MS)
    question = protobuf.encode(TELEMETRY, {"local_stats": {}})
    stats = protobuf.decode(TELEMETRY, _ask(ether, TELEMETRY_APP, question)[-1].payload)["local_stats"]
    assert stats["num_total_nodes"] == 2 and stats["num_online_nodes"] == 2
    assert stats["num_packets_tx"] > 0 and stats["num_packets_rx"] > 0
    ether.run(3 * _MINUTE_MS)
    assert len(_ask(ether, TELEMETRY_APP, protobuf.encode(TELEMETRY, {"environment_metrics": b""}))) == 2
    assert len(_ask(ether, TELEMETRY_APP, b"\xff\xff")) == 2
    assert ether.nodes[1].counters["bad-telemetry"] == 1


def test_the_neighbours_are_those_heard_without_a_relay_and_ten_at_most():
    ether = Ether([make_node(0x1000), make_node(0x1001)], everyone(2, -7.5))
    ether.run(1000)
    for i in range(14):
        ether.nodes[1].nodes.heard(0x5000 + i, 5, 0, 0, ether.now)
        ether.nodes[1].nodes.heard(0x6000 + i, 5, 1, 0, ether.now)
    ether.run(2000)
    told = protobuf.decode(NEIGHBOR_INFO, _ask(ether, NEIGHBORINFO_APP)[0].payload)
    assert (told["node_id"], told["last_sent_by_id"]) == (0x1001, 0x1001)
    numbers = [neighbor["node_id"] for neighbor in told["neighbors"]]
    assert len(numbers) == 10 and numbers[0] == 0x1000
    assert told["neighbors"][0]["snr"] == -7.5
    assert [number for number in numbers if number >= 0x6000] == []


def test_neighbours_are_broadcast_on_a_private_channel_only_and_every_four_hours_at_most():
    settings = {"neighbor_info_s": 600, "neighbor_info_on_air": True}
    assert _sent(_alone(10 * _HOUR_MS, **settings), NEIGHBORINFO_APP) == []
    settings["channels"] = (_PRIVATE_CHANNEL,)
    times = [
        time for time, _ in _sent(_alone(10 * _HOUR_MS, **settings), NEIGHBORINFO_APP, _PRIVATE_CHANNEL.psk)
    ]
    assert len(times) == 3 and min(_gaps(times)) >= 4 * _HOUR_MS
    settings["neighbor_info_on_air"] = False
    assert _sent(_alone(10 * _HOUR_MS, **settings), NEIGHBORINFO_APP, _PRIVATE_CHANNEL.psk) == []


# Who is that?


def test_a_node_that_told_no_name_is_asked_and_both_know_each_other_then():
    nodes = [make_node(0x1000), make_node(0x1001)]
    ether = Ether(nodes, {})
    ether.run(2 * _MINUTE_MS)  # neither hears the other's first announcement
    ether.links = everyone(2)
    nodes[1].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.run(8 * _MINUTE_MS)
    assert nodes[0].nodes.has_user(0x1001) is False
    ether.run(4 * _MINUTE_MS)
    assert nodes[0].nodes.has_user(0x1001) and nodes[1].nodes.has_user(0x1000)
    questions = [r for r in ether.heard(1, NODEINFO_APP) if r.data.get("want_response")]
    assert len(questions) == 1


def test_a_node_that_announces_itself_in_time_is_not_asked():
    ether = Ether([make_node(0x1000), make_node(0x1001)], everyone(2))
    ether.run(1000)
    ether.nodes[1].send(TEXT_MESSAGE_APP, b"hoi", ether.now)
    ether.run(_HOUR_MS)
    assert [r for r in ether.heard(1, NODEINFO_APP) if r.data.get("want_response")] == []


def test_however_many_strangers_come_one_is_asked_in_ten_minutes():
    node = make_node(0x1000)
    node.next_event(0)
    now = 0
    asked = 0
    for i in range(720):
        now += 10_000
        fields = {"portnum": TEXT_MESSAGE_APP, "payload": b"hoi", "bitfield": 0}
        stranger = 0x5000 + i % 30
        sealed = crypt(DEFAULT_KEY, i + 1, stranger, protobuf.encode(DATA, fields))
        header = packet.Packet(0xFFFFFFFF, stranger, i + 1, sealed, 0, 3, 8)
        node.receive_frame(packet.encode(header), -90, 3, now)
        while (event := node.next_event(now)) is not None:
            if isinstance(event, Transmit):
                node.transmitted(now)
                header = packet.decode(event.frame)
                asked += header.to != 0xFFFFFFFF
    assert 9 <= asked <= 12  # in two hours
    assert len(node.presence._unknown) <= MAX_UNKNOWN and len(node.presence._asked) <= MAX_ASKED


def test_whoever_asks_under_many_names_cannot_use_up_our_airtime_or_memory():
    node = make_node(0x1000, place=_PLACE, channels=(_EXACT,))
    node.next_event(0)
    now = 0
    for i in range(3000):
        now += 1500
        port = (NODEINFO_APP, POSITION_APP, TELEMETRY_APP, NEIGHBORINFO_APP)[i % 4]
        payload = protobuf.encode(USER, {"long_name": b"x"}) if port == NODEINFO_APP else b""
        _question_from(node, 0x5000 + i, i + 1, port, now, payload)
        while (event := node.next_event(now)) is not None:
            if isinstance(event, Transmit):
                node.transmitted(now)
        assert len(node.presence._answered) <= MAX_ANSWERED
        # What the queue held when the half was reached may still go.
        assert node.budget.spent_ms(now) < node.budget.limit_ms * 6 // 10
    assert node.counters["answer-withheld"] > 100
