"""Next-hop routing between several nodes: learned from answers, used, repeated, given up for the flood."""

from _ether import Ether, everyone, line, make_node

from baken.mesh.flood import History
from baken.mesh.queue import packet_key
from baken.mesh.reliable import MAX_PENDING, MAX_RELAYS
from baken.wire import packet
from baken.wire.messages import (
    ERROR_MAX_RETRANSMIT,
    POSITION_APP,
    PRIVATE_APP,
    ROLE_CLIENT_MUTE,
    ROUTING_APP,
    TEXT_MESSAGE_APP,
)


def _line_that_knows(count=4):
    """A line of nodes 0x1010, 0x1011, ... whose ends have talked with each other."""
    ether = Ether([make_node(0x1010 + i) for i in range(count)], line(count))
    ether.run(80_000)  # all have announced themselves
    for a, b in ((0, count - 1), (count - 1, 0)):
        ether.nodes[a].send(POSITION_APP, b"", ether.now, to=0x1010 + b, want_ack=True)
        ether.run(25_000)
    assert 0x1010 + count - 1 in [event.by for event in ether.told(0, "Acknowledged")]
    return ether


def _frames_of(ether, packet_id, since=0):
    """(position, next hop, hop limit) of each time a packet went on the air."""
    found = []
    for time, position, frame in ether.frames:
        header = packet.decode(frame)
        if header.id == packet_id and time >= since:
            found.append((position, header.next_hop, header.hop_limit))
    return found


def test_an_answer_teaches_every_node_on_the_way_its_next_hop():
    ether = _line_that_knows()
    ways = [[node.nodes.next_hop(0x1010 + to) for to in range(4)] for node in ether.nodes]
    assert ways[0][3] == 0x11
    assert ways[1][3] == 0x12
    assert ways[2][3] == 0  # 1 may have reached 3 without it: the last hop is flooded
    assert ways[3][0] == 0x12
    assert ways[2][0] == 0x11
    assert ways[1][0] == 0
    assert ways[0][2] == ways[1][2] == 0  # nobody has asked that one


def test_a_known_way_is_walked_by_the_nodes_on_it_only():
    ether = _line_that_knows()
    bystander = make_node(0x1099)
    ether.nodes.append(bystander)
    ether.events.append([])
    for position in range(4):
        ether.links[(position, 4)] = ether.links[(4, position)] = -10
    packet_id = ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1013, want_ack=True)
    ether.run(25_000)
    assert _frames_of(ether, packet_id) == [(0, 0x11, 3), (1, 0x12, 2), (2, 0, 1)]
    assert (packet_id, 0x1013) in [(event.packet_id, event.by) for event in ether.told(0, "Acknowledged")]


def test_the_addressee_of_a_directed_packet_stops_its_last_relay_without_being_asked():
    ether = _line_that_knows()
    ether.nodes[2].nodes.set_next_hop(0x1013, 0x13)
    since = ether.now
    packet_id = ether.nodes[0].send(PRIVATE_APP, b"hoi", ether.now, to=0x1013)
    ether.run(60_000)
    assert _frames_of(ether, packet_id) == [(0, 0x11, 3), (1, 0x12, 2), (2, 0x13, 1)]
    answers = [
        packet.decode(frame) for time, position, frame in ether.frames if position == 3 and time > since
    ]
    assert [(a.to, a.hop_limit, a.hop_start, a.want_ack) for a in answers] == [(0x1010, 0, 0, False)]
    assert len(ether.heard(3)) >= 1
    assert ether.told(0, "GaveUp") == []


def test_a_relay_whose_next_hop_is_gone_asks_everybody_and_forgets_the_way():
    ether = _line_that_knows()
    del ether.links[(1, 2)]
    packet_id = ether.nodes[0].send(PRIVATE_APP, b"hoi", ether.now, to=0x1013)
    ether.run(60_000)
    assert _frames_of(ether, packet_id) == [(0, 0x11, 3), (1, 0x12, 2), (1, 0, 2)]
    assert ether.nodes[1].nodes.next_hop(0x1013) == 0
    assert ether.nodes[0].nodes.next_hop(0x1013) == 0x11  # its own neighbour did what it was asked to


def test_who_was_passed_over_relays_after_all_when_the_relay_falls_back_to_the_flood():
    # 0 - 1 - 2 - 4, and 1 - 3 - 4: the learned way is over 2, which fails.
    links = {}
    for a, b in ((0, 1), (1, 2), (2, 4)):
        links[(a, b)] = links[(b, a)] = 0
    ether = Ether([make_node(0x1010 + i) for i in range(5)], links)
    ether.run(1000)
    ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1014, want_ack=True)
    ether.run(25_000)
    assert ether.nodes[1].nodes.next_hop(0x1014) == 0x12
    for a, b in ((1, 3), (3, 4)):
        links[(a, b)] = links[(b, a)] = 0
    for a, b in ((1, 2), (2, 4)):
        del links[(a, b)], links[(b, a)]
    packet_id = ether.nodes[0].send(PRIVATE_APP, b"hoi", ether.now, to=0x1014)
    ether.run(60_000)
    assert _frames_of(ether, packet_id) == [(0, 0x11, 3), (1, 0x12, 2), (1, 0, 2), (3, 0, 1)]
    assert [received.payload for received in ether.heard(4, PRIVATE_APP)] == [b"hoi"]


def test_our_own_last_attempt_asks_everybody_and_forgets_the_way():
    ether = _line_that_knows()
    ether.links.clear()
    packet_id = ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1013, want_ack=True)
    ether.run(60_000)
    assert _frames_of(ether, packet_id) == [(0, 0x11, 3), (0, 0x11, 3), (0, 0, 3)]
    assert ether.nodes[0].nodes.next_hop(0x1013) == 0
    assert [(e.packet_id, e.error) for e in ether.told(0, "GaveUp")] == [(packet_id, ERROR_MAX_RETRANSMIT)]


def test_an_own_directed_packet_that_wants_no_acknowledgement_is_sent_twice_and_quietly_given_up():
    ether = _line_that_knows()
    ether.links.clear()
    packet_id = ether.nodes[0].send(PRIVATE_APP, b"hoi", ether.now, to=0x1013)
    ether.run(60_000)
    assert _frames_of(ether, packet_id) == [(0, 0x11, 3), (0, 0, 3)]
    assert ether.told(0, "GaveUp") == []


def test_a_byte_that_two_known_nodes_share_names_nobody():
    ether = _line_that_knows()
    ether.nodes[0].nodes.heard(0x5511, 0, 0, 0, ether.now)
    packet_id = ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1013, want_ack=True)
    ether.run(25_000)
    assert _frames_of(ether, packet_id)[0] == (0, 0, 3)
    ether.nodes[0].nodes.remove(0x5511)
    packet_id = ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1013, want_ack=True)
    ether.run(25_000)
    assert _frames_of(ether, packet_id)[0] == (0, 0x11, 3)


def test_a_packet_is_not_sent_back_to_the_relay_it_came_from():
    node = make_node(0x1001)
    node.next_event(0)
    node.nodes.heard(0x2000, 0, 1, 0, 0)
    node.nodes.set_next_hop(0x2000, 0x44)
    for relay, next_hop in ((0x44, 0), (0x45, 0x44)):
        header = packet.Packet(0x2000, 0x3000, relay, b"opaque", 2, 3, 99, relay_node=relay)
        node.receive_frame(packet.encode(header), -90, 0, 1000)
        assert node.access.queue.find(packet_key(0x3000, relay)).next_hop == next_hop


def test_the_addressee_does_not_relay_its_own_packet_when_a_relay_falls_back_to_the_flood():
    for to, relays in ((0x1001, 0), (0x2000, 1)):
        node = make_node(0x1001)
        for next_hop in (0x77, 0):
            header = packet.Packet(to, 0x3000, 9, b"opaque", 2, 3, 99, next_hop=next_hop, relay_node=0x45)
            node.receive_frame(packet.encode(header), -90, 0, 1000)
        assert len(node.access.queue) == relays


def test_only_answers_to_what_we_carried_teach_a_way():
    asked = packet_key(0x1000, 77)
    for carried, relayers, hops, relay, learned in (
        (True, (0x22,), 1, 0x22, 0x22),  # it relayed the question too
        (True, (0x22,), 1, 0x23, 0),  # that one did not
        (True, (), 0, 0x44, 0x44),  # a neighbour whom only we reached
        (True, (0x22,), 0, 0x44, 0),  # or perhaps the other one did
        (False, (0x22,), 1, 0x22, 0),  # we had no part in it
    ):
        node = make_node(0x1001)
        at = node._history.remember(asked, 3)
        if carried:
            node._history.set_relayed(at)
        for low_byte in relayers:
            node._history.add_relayer(at, low_byte)
        node.nodes.heard(0x2044, 0, hops, 0, 0)
        answer = packet.Packet(0x1000, 0x2044, 5, b"", 3 - hops, 3, relay_node=relay)
        node._routes.learn(answer, {"request_id": 77}, hops)
        assert node.nodes.next_hop(0x2044) == learned, (carried, relayers, hops, relay)


def test_a_threaded_reply_teaches_a_way_as_an_acknowledgement_does():
    ether = Ether([make_node(0x1010), make_node(0x1011)], everyone(2))
    ether.run(1000)
    asked = ether.nodes[0].send(PRIVATE_APP, b"vraag", ether.now, to=0x1011)
    ether.run(5000)
    ether.nodes[1].send(PRIVATE_APP, b"antwoord", ether.now, to=0x1010, reply_id=asked)
    ether.run(5000)
    assert ether.nodes[0].nodes.next_hop(0x1011) == 0x11


def _hear_opaque(node, sender):
    header = packet.Packet(0x2000, sender, 7, b"opaque", 2, 3, 99, relay_node=0x45)
    node.receive_frame(packet.encode(header), -90, 0, 1000)


def test_two_neighbours_who_know_the_way_do_not_acknowledge_each_other_for_ever():
    ether = Ether([make_node(0x1010), make_node(0x1011)], everyone(2))
    ether.run(80_000)
    for _ in range(3):
        for sender in (0, 1):
            before = len(ether.frames)
            packet_id = ether.nodes[sender].send(
                TEXT_MESSAGE_APP, b"hoi", ether.now, to=0x1011 - sender, want_ack=True
            )
            ether.run(60_000)
            headers = [packet.decode(frame) for _, _, frame in ether.frames[before:]]
            assert [(h.hop_start, h.want_ack) for h in headers] == [(3, True), (2, True), (0, False)]
            assert headers[0].id == packet_id
    assert ether.nodes[0].nodes.next_hop(0x1011) == 0x11
    assert ether.nodes[1].nodes.next_hop(0x1010) == 0x10


def test_others_packets_leave_room_for_our_own_to_be_repeated():
    node = make_node(0x1001)
    node.next_event(0)
    node.nodes.heard(0x2000, 0, 1, 0, 0)
    node.nodes.set_next_hop(0x2000, 0x44)
    for i in range(MAX_PENDING):
        _hear_opaque(node, 0x3000 + i)
    watched = [i for i in range(MAX_PENDING) if node._retries.waiting(packet_key(0x3000 + i, 7))]
    assert len(watched) == MAX_RELAYS
    for _ in range(4):
        own = node.send(TEXT_MESSAGE_APP, b"hoi", 1000, want_ack=True)
        assert node._retries.waiting(packet_key(0x1001, own))
    for _ in range(12):
        node.send(TEXT_MESSAGE_APP, b"hoi", 1000)
    # What had to go from the full queue is not waited for either.
    evicted = [i for i in watched if not node.access.queue.find(packet_key(0x3000 + i, 7))]
    assert evicted
    _hear_opaque(node, 0x4000)
    assert not [i for i in evicted if node._retries.waiting(packet_key(0x3000 + i, 7))]


def test_a_mute_node_uses_a_way_for_its_own_packets_only():
    nodes = [make_node(0x1010, role=ROLE_CLIENT_MUTE), make_node(0x1011), make_node(0x1012)]
    ether = Ether(nodes, line(3))
    ether.run(1000)
    ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1012, want_ack=True)
    ether.run(25_000)
    assert ether.nodes[0].nodes.next_hop(0x1012) == 0x11
    packet_id = ether.nodes[0].send(POSITION_APP, b"", ether.now, to=0x1012, want_ack=True)
    ether.run(25_000)
    assert _frames_of(ether, packet_id) == [(0, 0x11, 3), (1, 0x12, 2)]
    answers = [r for r in ether.heard(0) if r.portnum == ROUTING_APP]
    assert answers[-1].data["request_id"] == packet_id


def test_the_history_notes_four_relayers_and_no_stranger():
    history = History()
    at = history.remember(b"ABCDEFGH", 3, 0x12)
    assert history.next_hop(at) == 0x12
    assert not history.is_sole(at)
    history.set_relayed(at)
    assert history.is_sole(at)
    for low_byte in (5, 6, 5, 7, 8, 9):
        history.add_relayer(at, low_byte)
    assert [history.has_relayer(at, low_byte) for low_byte in (5, 6, 7, 8, 9, 0)] == [True] * 4 + [False] * 2
    assert not history.is_sole(at)
    other = history.remember(b"IJKLMNOP", 3)
    assert not history.has_relayer(other, 5)
    assert not history.is_relayed(other)
