"""Traceroute over several nodes: the way there, the way back, strangers in between, and lists without end."""

from _ether import Ether, line, make_node
from _vectors import from_hex, rows

from baken.mesh.config import Channel
from baken.mesh.queue import QUEUE_SIZE
from baken.mesh.traceroute import MAX_ROUTE, UNKNOWN_NODE, UNKNOWN_SNR, extend
from baken.wire import packet, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import DATA, ROUTE_DISCOVERY, TRACEROUTE_APP


def _trace(ether, destination, **settings):
    """The route of a traceroute from node 0, as its client gets it."""
    packet_id = ether.nodes[0].send(
        TRACEROUTE_APP, b"", ether.now, to=destination, want_response=True, **settings
    )
    ether.run(40_000)
    answers = [r for r in ether.heard(0, TRACEROUTE_APP) if r.data.get("request_id") == packet_id]
    assert len(answers) == 1
    assert (answers[0].sender, answers[0].to) == (destination, 0x1010)
    assert answers[0].data["payload"] == answers[0].payload
    return protobuf.decode(ROUTE_DISCOVERY, answers[0].payload)


def _quiet_line(nodes):
    """Nodes in a row that have announced themselves; the SNR of each link tells its number and direction."""
    links = {}
    for a in range(len(nodes) - 1):
        links[(a, a + 1)] = a + 1.25
        links[(a + 1, a)] = -a - 2.5
    ether = Ether(nodes, links)
    ether.run(80_000)
    return ether


def test_a_route_names_every_relay_and_how_well_each_heard_the_last():
    ether = _quiet_line([make_node(0x1010 + i) for i in range(4)])
    route = _trace(ether, 0x1013)
    assert route == {
        "route": [0x1011, 0x1012],
        "snr_towards": [5, 9, 13],
        "route_back": [0x1012, 0x1011],
        "snr_back": [-18, -14, -10],
    }


def test_a_neighbour_has_a_route_without_relays():
    ether = _quiet_line([make_node(0x1010), make_node(0x1011)])
    assert _trace(ether, 0x1011) == {"snr_towards": [5], "snr_back": [-10]}


def test_relays_that_cannot_read_the_packet_are_counted_as_unknown():
    nodes = [make_node(0x1010 + i) for i in range(4)]
    nodes[1] = make_node(0x1011, channels=(Channel(b"Anders", bytes(range(32))),))
    ether = _quiet_line(nodes)
    route = _trace(ether, 0x1013)
    assert route["route"] == [UNKNOWN_NODE, 0x1012]
    assert route["snr_towards"] == [UNKNOWN_SNR, 9, 13]
    assert route["route_back"] == [0x1012, UNKNOWN_NODE]
    assert route["snr_back"] == [-18, UNKNOWN_SNR, -10]


def test_the_answer_is_acknowledged_and_nothing_else_is_sent_for_it():
    ether = _quiet_line([make_node(0x1010), make_node(0x1011)])
    since = ether.now
    _trace(ether, 0x1011, want_ack=True)
    headers = [packet.decode(frame) for time, _, frame in ether.frames if time >= since]
    forms = [(h.sender, h.want_ack, h.hop_limit, h.hop_start) for h in headers]
    assert forms == [(0x1010, True, 3, 3), (0x1011, True, 2, 2), (0x1010, False, 0, 0)]


def test_the_longest_way_fits_the_lists():
    count = 9
    nodes = [make_node(0x1010 + i, hop_limit=7) for i in range(count)]
    ether = Ether(nodes, line(count))
    ether.run(80_000)
    route = _trace(ether, 0x1010 + count - 1)
    assert route["route"] == [0x1010 + i for i in range(1, count - 1)]
    assert len(route["snr_towards"]) == MAX_ROUTE
    assert route["route_back"] == route["route"][::-1]


def _data(route, **fields):
    fields["portnum"] = TRACEROUTE_APP
    fields["bitfield"] = 0
    fields["payload"] = protobuf.encode(ROUTE_DISCOVERY, route)
    return fields


def _header(to=0x1001, hop_limit=3, data=None, id=77):
    clear = protobuf.encode(DATA, data or _data({}))
    return packet.Packet(to, 0x3000, id, crypt(DEFAULT_KEY, id, 0x3000, clear), hop_limit, 7, 8)


def test_lists_stop_at_eight_and_snr_at_a_byte():
    full = _data({"route": list(range(1, 9)), "snr_towards": [4] * 8})
    assert protobuf.decode(ROUTE_DISCOVERY, extend(_header(), full, 0x1001, 3)) == protobuf.decode(
        ROUTE_DISCOVERY, full["payload"]
    )
    for snr_db, quarters in ((31.75, 127), (32, 127), (-32, -127), (-0.25, -1)):
        made = protobuf.decode(ROUTE_DISCOVERY, extend(_header(hop_limit=7), _data({}), None, snr_db))
        assert made == {"snr_towards": [quarters]}


def test_a_list_of_nine_is_counted_not_answered_and_passed_on_as_it_came():
    for name in ("route", "snr_towards", "route_back", "snr_back"):
        data = _data({name: [1] * 9}, want_response=True)
        try:
            extend(_header(), data, 0x1001, 3)
            raise AssertionError(name)
        except RemoteProtocolError as error:
            assert error.cause == "bad-route"
        node = make_node(0x1001)
        node.receive_frame(packet.encode(_header(data=data)), -90, 0, 1000)
        assert node.counters["bad-route"] == 1
        assert node.access.queue.free == QUEUE_SIZE
        passing = packet.encode(_header(0x2000, data=data))
        node.receive_frame(packet.encode(_header(0x2000, data=data, id=78)), -90, 0, 1000)
        waiting = node.access.queue.front(1000)
        assert waiting is not None
        assert len(waiting.frame) == len(passing)
        assert waiting.frame[16:] == packet.encode(_header(0x2000, data=data, id=78))[16:]


def test_a_route_that_would_not_fit_the_frame_is_passed_on_as_it_came():
    route = {"route": [9] * 8, "snr_towards": [-1] * 8, "route_back": [9] * 7, "snr_back": [-1] * 7}
    too_long = _data(route, request_id=5)
    node = make_node(0x1001)
    frame = packet.encode(_header(0x2000, data=too_long))
    node.receive_frame(frame, -90, -5, 1000)
    waiting = node.access.queue.front(1000)
    assert waiting is not None
    assert waiting.frame[16:] == frame[16:]


def test_garbage_for_a_route_harms_nobody():
    node = make_node(0x1001)
    for to, id in ((0x1001, 1), (0x2000, 2), (0xFFFFFFFF, 3)):
        data = {"portnum": TRACEROUTE_APP, "payload": b"\xff\xff\xff", "bitfield": 0, "want_response": True}
        node.receive_frame(packet.encode(_header(to, data=data, id=id)), -90, 0, 1000)
    assert node.counters["bad-route"] == 1
    assert node.counters["received"] == 3
    assert node.access.queue.free == QUEUE_SIZE - 2


def _recorded():
    """(header, fields, raw frame, channels) of each traceroute frame recorded from the real firmware."""
    channels = [
        (from_hex(key), Channel(name.encode(), from_hex(psk)))
        for name, psk, key, _ in rows("meshtastic_frames.txt", "channel")
    ]
    for row in rows("meshtastic_frames.txt", "frame"):
        if row[0] == "channel":
            raw, fields = from_hex(row[3]), protobuf.decode(DATA, from_hex(row[4]))
            if fields["portnum"] == TRACEROUTE_APP:
                channel_of = [channel for key, channel in channels if key == from_hex(row[1])]
                yield packet.decode(raw), fields, raw, channel_of


def test_our_relay_puts_the_same_bytes_on_the_air_as_the_recorded_one():
    count = 0
    first = {}
    for header, fields, raw, channels in _recorded():
        if header.hop_limit == header.hop_start:
            first[(header.sender, header.id)] = raw
            continue
        route = protobuf.decode(ROUTE_DISCOVERY, fields["payload"])
        side = ("route_back", "snr_back") if fields.get("request_id") else ("route", "snr_towards")
        node = make_node(route[side[0]][-1], channels=channels)
        node.receive_frame(first[(header.sender, header.id)], -80, route[side[1]][-1] / 4, 1000)
        waiting = node.access.queue.front(1000)
        assert waiting is not None
        assert waiting.frame == raw
        count += 1
    assert count == 4


def test_our_answer_is_that_of_the_recorded_addressee():
    count = 0
    asked = {}
    for header, fields, raw, channels in _recorded():
        if fields.get("want_response"):
            asked[header.id] = raw  # the last copy: the one that reached the addressee
        elif header.hop_limit == header.hop_start:
            route = protobuf.decode(ROUTE_DISCOVERY, fields["payload"])
            node = make_node(header.sender, channels=channels)
            node.receive_frame(asked[fields["request_id"]], -80, route["snr_towards"][-1] / 4, 1000)
            waiting = node.access.queue.front(1000)
            assert waiting is not None
            ours = packet.decode(waiting.frame)
            key = node._opener.secrets[0].key
            theirs = crypt(key, header.id, header.sender, header.payload)
            assert crypt(key, ours.id, ours.sender, ours.payload) == theirs
            ours.id, ours.payload = header.id, header.payload
            assert ours == header
            count += 1
    assert count == 4
