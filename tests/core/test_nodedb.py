"""The database of heard nodes: filled from the air, bounded, least useful forgotten first, kept on flash."""

from _ether import Ether, everyone, make_node

from baken.compat import crc32
from baken.mesh.nodedb import (
    FAVORITE,
    IGNORED,
    KEY_CONFLICT,
    KEY_VERIFIED,
    MAX_NODES,
    MUTED,
    NEVER_S,
    SIGNS,
    VIA_MQTT,
    NodeDatabase,
)
from baken.mesh.nodedump import dump, load
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


# Who is forgotten, and what is kept over a restart


def _full():
    """A hundred nodes; the older half has names."""
    nodes = NodeDatabase()
    for i in range(MAX_NODES):
        nodes.heard(0x5000 + i, 0, 0, 0, i * 1000)
        if i < MAX_NODES // 2:
            nodes.update_user(0x5000 + i, {"long_name": b"node", "public_key": bytes([i + 1] * 32)})
    return nodes


def test_who_never_told_a_name_is_forgotten_before_who_did():
    nodes = _full()
    for i in range(MAX_NODES // 2 + 1):
        nodes.heard(0x9000 + i, 0, 0, 0, 500_000 + i * 1000)
    assert nodes.get(0x5000) is not None
    assert [i for i in range(MAX_NODES) if nodes.get(0x5000 + i)] == list(range(50))
    assert nodes.get(0x9000) is None  # itself the oldest without a name by now
    assert nodes.forgotten == 51


def test_what_the_owner_marked_is_never_forgotten_for_a_stranger():
    nodes = _full()
    for i, mark in enumerate((FAVORITE, IGNORED, MUTED, KEY_VERIFIED)):
        assert nodes.set_mark(0x5000 + 50 + i, mark, True)
    nodes.set_mark(0x5036, KEY_CONFLICT | SIGNS | VIA_MQTT, True)  # marks of our own make do not protect
    for i in range(300):
        nodes.heard(0x9000 + i, 0, 0, 0, 1_000_000 + i * 1000)
        nodes.update_user(0x9000 + i, {"long_name": b"flood"})
    assert [i for i in range(MAX_NODES) if nodes.get(0x5000 + i)] == [50, 51, 52, 53]
    assert len(nodes) == MAX_NODES


def test_where_the_owner_has_marked_everybody_a_stranger_is_not_kept():
    nodes = _full()
    for i in range(MAX_NODES):
        nodes.set_mark(0x5000 + i, FAVORITE, True)
    assert not nodes.heard(0x9000, 0, 0, 0, 500_000)
    assert nodes.get(0x9000) is None
    assert not nodes.put_contact(0x9000, {"long_name": b"x"})
    assert (len(nodes), nodes.forgotten) == (MAX_NODES, 0)
    assert nodes.get(0x5000) is not None and nodes.heard(0x5000, 0, 0, 0, 1) is False


def test_a_contact_that_breaks_the_bounds_is_not_entered():
    nodes = NodeDatabase()
    for user in ({"long_name": b"x" * 40}, {"public_key": b"k" * 31}, {"short_name": b"12345"}):
        assert not nodes.put_contact(0x2000, user)
    assert len(nodes) == 0
    assert nodes.put_contact(0x2000, {"public_key": b"k" * 32}, verified=True)
    known = nodes.get(0x2000)
    assert (known.heard_s, known.hops_away, known.marks) == (NEVER_S, None, KEY_VERIFIED)
    assert nodes.online(0) == 0


def _reader(data):
    """A read(n) over these bytes."""
    at = [0]

    def read(size):
        chunk = data[at[0] : at[0] + size]
        at[0] += len(chunk)
        return chunk

    return read


def _restored(data, now, unix_s):
    nodes = NodeDatabase()
    damaged = load(nodes, _reader(data), now, unix_s)
    return nodes, damaged


def _kept():
    nodes = NodeDatabase()
    nodes.heard(0x2000, -7.25, 2, 1, 50_000)
    user = {"long_name": b"Kerk", "short_name": b"K", "hw_model": 255, "role": 2, "public_key": b"k" * 32}
    nodes.update_user(0x2000, dict(user, is_unmessagable=True))
    nodes.set_mark(0x2000, FAVORITE, True)
    nodes.set_next_hop(0x2000, 7)
    nodes.heard(0xFFFFFFF0, 5, None, 0, 90_000)
    nodes.put_contact(0x3000, {"public_key": b"q" * 32}, verified=True)
    return nodes


def test_a_database_comes_back_as_it_was_and_the_time_off_counts():
    nodes = _kept()
    chunks = list(dump(nodes, 100_000, 1_800_000_000))
    assert [len(chunk) for chunk in chunks] == [8, 100, 100, 100]
    again, damaged = _restored(b"".join(chunks), 5000, 1_800_003_600)
    assert damaged == 0 and len(again) == 3
    for num, age_s in ((0x2000, 50 + 3600), (0xFFFFFFF0, 10 + 3600)):
        was = nodes.get(num)
        now = again.get(num)
        assert now.heard_s == 5 - age_s
        assert (now.user, now.snr_db, now.hops_away) == (was.user, was.snr_db, was.hops_away)
        assert (now.channel, now.marks) == (was.channel, was.marks)
    assert again.get(0x3000).heard_s == NEVER_S and again.has(0x3000, KEY_VERIFIED)
    assert again.next_hop(0x2000) == 0 and again.public_key(0x2000) == b"k" * 32
    assert again.online(5000) == 2
    assert b"".join(dump(again, 5000, 1_800_003_600))[8:12] == b"\x00\x20\x00\x00"


def test_without_a_clock_ages_count_on_from_what_they_were():
    nodes = _kept()
    for saved_s, restored_s in (
        (None, None),
        (None, 1_800_000_000),
        (1_800_000_000, None),
        (1_800_000_000, 1),
    ):
        again, _ = _restored(b"".join(dump(nodes, 100_000, saved_s)), 0, restored_s)
        assert again.get(0x2000).heard_s == -50


def test_a_damaged_block_costs_itself_only():
    data = b"".join(dump(_kept(), 100_000, 1_800_000_000))
    for at in range(8, len(data)):
        bad = bytearray(data)
        bad[at] ^= 0x10
        again, damaged = _restored(bytes(bad), 0, None)
        assert (len(again), damaged) == (2, 1)
    for at in range(8):
        bad = bytearray(data)
        bad[at] ^= 0x10
        again, damaged = _restored(bytes(bad), 0, None)
        assert len(again) == 0 and damaged > 0
    for size in range(len(data)):
        again, damaged = _restored(data[:size], 0, None)
        whole = (size - 8) // 100 if size >= 8 else 0
        assert len(again) == whole
        assert damaged == (0 if size == 0 or (size >= 8 and (size - 8) % 100 == 0) else 1)


def test_a_file_with_a_good_checksum_and_impossible_rows_enters_nothing_that_breaks_a_node():
    nodes = _kept()
    head, block = list(dump(nodes, 0, 1_800_000_000))[:2]
    for at, value in ((0, 0), (12, 9), (16, 40), (56, 5)):
        bad = bytearray(block[:96])
        if at == 0:
            bad[:4] = b"\x03\x00\x00\x00"
        else:
            bad[at] = value
        again, damaged = _restored(head + bad + crc32(head + bad).to_bytes(4, "little"), 0, None)
        assert (len(again), damaged) == (0, 1)
    again, damaged = _restored(head + block * 150, 0, None)
    assert (len(again), damaged) == (1, 99)
    full = _full()
    assert load(full, _reader(head + block), 0, None) == 1 and len(full) == MAX_NODES


def test_only_what_is_worth_it_counts_as_a_change():
    nodes = NodeDatabase()
    counts = []

    def note():
        counts.append((nodes.changes, nodes.urgent_changes))

    nodes.heard(0x2000, 0, 0, 0, 0)
    note()
    nodes.heard(0x2000, 5, 1, 0, 9000)
    nodes.set_mark(0x2000, VIA_MQTT, True)
    note()
    nodes.update_user(0x2000, {"public_key": b"k" * 32})
    note()
    nodes.update_user(0x2000, {"public_key": b"k" * 32})
    nodes.update_user(0x2000, {"public_key": b"q" * 32})
    note()
    nodes.set_mark(0x2000, FAVORITE, True)
    nodes.set_mark(0x2000, FAVORITE, True)
    note()
    nodes.remove(0x2000)
    note()
    assert counts == [(1, 0), (1, 0), (2, 1), (2, 1), (2, 2), (2, 3)]
