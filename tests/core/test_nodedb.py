"""The database of heard nodes: filled from the air, bounded, oldest forgotten first."""

from _ether import Ether, everyone, make_node

from baken.mesh.nodedb import MAX_NODES
from baken.wire import packet, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.messages import DATA, NODEINFO_APP, TEXT_MESSAGE_APP, USER

_LONGFAST_HASH = 0x08


def _frame(sender, packet_id, portnum, payload, hop_limit=3, hop_start=3):
    data = protobuf.encode(DATA, {"portnum": portnum, "payload": payload, "bitfield": 0})
    sealed = crypt(DEFAULT_KEY, packet_id, sender, data)
    header = packet.Packet(0xFFFFFFFF, sender, packet_id, sealed, hop_limit, hop_start, _LONGFAST_HASH)
    return packet.encode(header)


def _user(**fields):
    return protobuf.encode(USER, fields)


def _listening(number=0x1000):
    node = make_node(number)
    node.next_event(0)
    return node


def _drain(node, now):
    events = []
    while (event := node.next_event(now)) is not None:
        if event.__class__.__name__ == "Transmit":
            node.transmitted(now)
        else:
            events.append(event)
    return events


def test_nodes_learn_each_others_names_from_the_first_announcement():
    key = bytes(range(32))
    nodes = [make_node(0x1000, public_key=key), make_node(0x1001, is_unmessagable=True)]
    ether = Ether(nodes, everyone(2, -7.25))
    ether.run(70_000)
    known = nodes[1].nodes.get(0x1000)
    assert known.user == {
        "long_name": b"Node 4096",
        "short_name": b"N0",
        "hw_model": 255,
        "role": 0,
        "public_key": key,
    }
    assert known.snr_db == -7.25
    assert known.hops_away == 0
    assert nodes[0].nodes.get(0x1001).user["is_unmessagable"] is True
    assert [event.num for event in ether.told(1, "NodeSeen")] == [0x1000]
    assert nodes[1].nodes.get(0x9999) is None


def test_a_node_is_seen_when_it_is_new_and_when_its_name_changes_only():
    node = _listening()
    seen = []
    for packet_id, portnum, payload in (
        (1, TEXT_MESSAGE_APP, b"hoi"),
        (2, TEXT_MESSAGE_APP, b"hoi"),
        (3, NODEINFO_APP, _user(long_name=b"Wijkcentrum", short_name=b"WC")),
        (4, NODEINFO_APP, _user(long_name=b"Wijkcentrum", short_name=b"WC")),
        (5, NODEINFO_APP, _user(long_name=b"Gymzaal", short_name=b"GZ")),
    ):
        node.receive_frame(_frame(0x2000, packet_id, portnum, payload), -90, 3, packet_id * 1000)
        names = [event.__class__.__name__ for event in _drain(node, packet_id * 1000)]
        seen.append("NodeSeen" in names)
    assert seen == [True, False, True, False, True]
    assert node.nodes.get(0x2000).user["long_name"] == b"Gymzaal"


def test_the_distance_of_a_relayed_packet_is_kept_and_its_snr_is_not():
    node = _listening()
    node.receive_frame(_frame(0x2000, 1, TEXT_MESSAGE_APP, b"a"), -90, 5.5, 0)
    node.receive_frame(_frame(0x2000, 2, TEXT_MESSAGE_APP, b"b", hop_limit=1), -90, -19, 9000)
    known = node.nodes.get(0x2000)
    assert (known.hops_away, known.snr_db, known.heard_s) == (2, 5.5, 9)


def test_of_nodes_that_are_equally_known_the_one_heard_longest_ago_is_forgotten_first():
    node = _listening()
    for i in range(MAX_NODES):
        node.nodes.heard(0x5000 + i, 0, 0, 0, i * 1000)
        node.nodes.update_user(0x5000 + i, {"long_name": b"node"})
    node.nodes.heard(0x5000, 0, 0, 0, 500_000)
    node.nodes.heard(0x9000, -3, None, 0, 600_000)
    assert len(node.nodes) == MAX_NODES
    assert node.nodes.get(0x5001) is None
    assert node.nodes.get(0x5000) is not None
    newcomer = node.nodes.get(0x9000)
    assert (newcomer.user, newcomer.hops_away) == (None, None)  # nothing is left of the one that went
    assert node.nodes.forgotten == 1
    assert len([known.num for known in node.nodes]) == MAX_NODES


def test_names_that_are_too_long_and_users_that_are_no_message_are_counted_and_ignored():
    node = _listening()
    bad = (
        _user(long_name=b"x" * 40),
        _user(short_name=b"12345"),
        _user(public_key=b"k" * 31),
        b"\x0a\xff",
        b"\xff" * 20,
    )
    for packet_id, payload in enumerate(bad):
        node.receive_frame(_frame(0x2000, packet_id + 1, NODEINFO_APP, payload), -90, 3, packet_id)
        _drain(node, packet_id)
    assert node.counters["bad-user"] == len(bad)
    assert node.nodes.get(0x2000).user is None
    longest = _user(long_name=b"x" * 39, short_name=b"1234", public_key=b"k" * 32)
    node.receive_frame(_frame(0x2000, 99, NODEINFO_APP, longest), -90, 3, 10)
    assert node.nodes.get(0x2000).user["long_name"] == b"x" * 39


def test_the_first_key_of_a_node_stays():
    node = _listening()
    for packet_id, key in ((1, b"a" * 32), (2, b"b" * 32), (3, b"")):
        user = _user(long_name=b"name %d" % packet_id, public_key=key)
        node.receive_frame(_frame(0x2000, packet_id, NODEINFO_APP, user), -90, 3, packet_id)
        _drain(node, packet_id)
    user = node.nodes.get(0x2000).user
    assert user["public_key"] == b"a" * 32
    assert user["long_name"] == b"name 1"  # whoever has another key does not rename it either


def test_a_number_whose_bytes_stand_across_two_rows_is_not_found():
    node = _listening()
    node.nodes.heard(0x44332211, 0, 0, 0, 0)
    node.nodes.heard(0x88776655, 0, 0, 0, 0)
    assert node.nodes.get(0x66554433) is None
    assert node.nodes.get(0x88776655).num == 0x88776655
