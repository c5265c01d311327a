"""The table-driven codec: the wire format's rules, its limits, and bytes a peer should not have sent."""

from _vectors import Random, cause_of, from_hex

from baken.wire import messages, protobuf
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.messages import DATA, FROM_RADIO, MESH_PACKET, POSITION, ROUTE_DISCOVERY, ROUTING, USER
from baken.wire.messages_admin import ADMIN_MESSAGE

_LEAF = ((1, "number", "uint32"),)
_ALL = (
    (1, "u", "uint32"),
    (2, "i", "int32"),
    (3, "s", "sint32"),
    (4, "w", "uint64"),
    (5, "b", "bool"),
    (6, "e", "enum"),
    (7, "f", "fixed32"),
    (8, "g", "sfixed32"),
    (9, "r", "float"),
    (10, "y", "bytes"),
    (11, "m", "message", _LEAF),
    (12, "u2", "uint32?"),
    (13, "y2", "bytes?"),
    (14, "first", "uint32|"),
    (15, "second", "message|", _LEAF),
    (16, "us", "uint32[]"),
    (17, "ss", "sint32[]"),
    (18, "fs", "fixed32[]"),
    (19, "gs", "sfixed32[]"),
    (20, "rs", "float[]"),
    (21, "bs", "bool[]"),
    (22, "ys", "bytes[]"),
    (23, "ms", "message[]", _LEAF),
    (536870911, "last", "uint32"),
)


def _deep():
    return _RECURSIVE


_RECURSIVE = ((1, "inner", "message", _deep), (2, "number", "uint32"))


def _refused(table, text):
    return cause_of(RemoteProtocolError, protobuf.decode, table, from_hex(text))


def test_a_text_message_is_the_known_bytes():
    values = {"portnum": messages.TEXT_MESSAGE_APP, "payload": b"Hello", "bitfield": 0}
    assert protobuf.encode(DATA, values) == from_hex("0801120548656c6c6f4800")
    assert protobuf.decode(DATA, from_hex("0801120548656c6c6f4800")) == values


def test_an_acknowledgement_keeps_its_explicit_zero():
    assert protobuf.encode(ROUTING, {"error_reason": 0}) == b"\x18\x00"
    assert protobuf.decode(ROUTING, b"\x18\x00") == {"error_reason": 0}


def test_a_zero_is_written_only_where_its_presence_says_something():
    zeros = {
        "u": 0,
        "i": 0,
        "s": 0,
        "w": 0,
        "b": False,
        "e": 0,
        "f": 0,
        "g": 0,
        "r": 0.0,
        "y": b"",
        "us": [],
        "ms": [],
        "last": 0,
    }
    assert protobuf.encode(_ALL, zeros) == b""
    assert protobuf.encode(_ALL, {"u2": 0, "y2": b"", "first": 0}) == from_hex("60006a007000")
    assert protobuf.encode(_ALL, {"m": {}, "second": {}}) == from_hex("5a007a00")
    assert protobuf.encode(_ALL, {"r": -0.0}) == from_hex("4d00000080")


def test_every_kind_of_number_survives_at_its_limits():
    limits = {
        "u": (1, 127, 128, 0xFFFFFFFF),
        "i": (1, -1, 0x7FFFFFFF, -0x80000000),
        "s": (1, -1, 63, -64, 64, 0x7FFFFFFF, -0x80000000),
        "w": (1, 2**32, 2**63, 2**64 - 1),
        "e": (1, 511, -1, 0x7FFFFFFF),
        "f": (1, 0xFFFFFFFF),
        "g": (1, -1, 0x7FFFFFFF, -0x80000000),
        "r": (1.5, -0.25, 2.0**100, 0.1015625),
        "last": (1, 0xFFFFFFFF),
    }
    for name in limits:
        for value in limits[name]:
            data = protobuf.encode(_ALL, {name: value})
            assert protobuf.decode(_ALL, data) == {name: value}, (name, value)


def test_negative_numbers_take_the_ten_bytes_that_protobuf_wants():
    assert protobuf.encode(_ALL, {"i": -1}) == from_hex("10ffffffffffffffffff01")
    assert protobuf.encode(_ALL, {"s": -1}) == from_hex("1801")
    assert protobuf.encode(_ALL, {"s": -0x80000000}) == from_hex("18ffffffff0f")


def test_numbers_out_of_range_are_refused_before_they_are_cut_off():
    for name, value in (
        ("u", -1),
        ("u", 2**32),
        ("i", 2**31),
        ("i", -(2**31) - 1),
        ("w", 2**64),
        ("f", 2**32),
        ("g", 2**31),
        ("r", 1e39),
        ("b", 2),
        ("us", [1, 2**32]),
        ("fs", [-1]),
    ):
        assert cause_of(LocalProtocolError, protobuf.encode, _ALL, {name: value}) == "protobuf-range", name


def test_fields_are_written_in_tag_order_whatever_the_order_of_the_dict():
    values = {"last": 1, "ys": [b"a", b""], "e": 2, "u": 3, "y": b"z"}
    expected = from_hex("0803" + "3002" + "52017a" + "b2010161" + "b20100" + "f8ffffff0f01")
    assert protobuf.encode(_ALL, values) == expected
    assert protobuf.encode(_ALL, {name: values[name] for name in ("y", "u", "e", "ys", "last")}) == expected


def test_lists_are_written_packed_and_read_either_way():
    values = {"us": [1, 300], "ss": [-1, 1], "fs": [1, 2], "gs": [-1], "rs": [0.5], "bs": [True, False]}
    data = protobuf.encode(_ALL, values)
    varints = "82010301ac02" + "8a01020102"
    fixed = "9201080100000002000000" + "9a0104ffffffff" + "a201040000003f"
    assert data == from_hex(varints + fixed + "aa01020100")
    assert protobuf.decode(_ALL, data) == values
    unpacked = from_hex("8001018001ac02" + "880101880102" + "95010100000095010200000082010105")
    assert protobuf.decode(_ALL, unpacked) == {"us": [1, 300, 5], "ss": [-1, 1], "fs": [1, 2]}


def test_a_route_is_read_as_the_firmware_writes_it():
    values = {"route": [0x12345678], "snr_towards": [-128, 20]}
    data = protobuf.encode(ROUTE_DISCOVERY, values)
    assert data == from_hex("0a0478563412" + "120b80ffffffffffffffff0114")
    assert protobuf.decode(ROUTE_DISCOVERY, data) == values


def test_repeated_messages_and_bytes_keep_their_order():
    values = {"ys": [b"", b"x", b"x"], "ms": [{"number": 2}, {}, {"number": 1}]}
    assert protobuf.decode(_ALL, protobuf.encode(_ALL, values)) == values


def test_the_last_of_several_values_wins():
    assert protobuf.decode(_ALL, from_hex("0801" + "0802" + "520161" + "520162")) == {"u": 2, "y": b"b"}


def test_the_last_member_of_a_oneof_drives_out_the_others():
    assert protobuf.decode(_ALL, from_hex("70017a020803")) == {"second": {"number": 3}}
    assert protobuf.decode(_ALL, from_hex("7a0208037001")) == {"first": 1}
    both = from_hex("22020801" + "2a0161")
    assert protobuf.decode(MESH_PACKET, both) == {"encrypted": b"a"}


def test_two_members_of_a_oneof_cannot_be_sent():
    values = {"decoded": {"portnum": 1}, "encrypted": b"x"}
    assert cause_of(LocalProtocolError, protobuf.encode, MESH_PACKET, values) == "protobuf-oneof"


def test_unknown_fields_of_every_wire_type_are_skipped():
    unknown = "f80601" + "f906" + "00" * 8 + "fa060161" + "fd0600000000"
    assert protobuf.decode(_LEAF, from_hex("0805" + unknown)) == {"number": 5}
    assert protobuf.decode(_LEAF, from_hex(unknown + "0805")) == {"number": 5}


def test_a_known_field_with_another_wire_type_is_skipped():
    assert protobuf.decode(_LEAF, from_hex("0d01000000")) == {}
    assert protobuf.decode(_LEAF, from_hex("0a0105")) == {}
    assert protobuf.decode(_ALL, from_hex("5001" + "3801" + "0803")) == {"u": 3}
    assert protobuf.decode(_ALL, from_hex("b00105" + "b80105" + "850105000000" + "900105")) == {}


def test_a_field_that_is_in_no_table_cannot_be_sent():
    assert cause_of(LocalProtocolError, protobuf.encode, DATA, {"port": 1}) == "protobuf-name"
    inner = {"decoded": {"x": 1}}
    assert cause_of(LocalProtocolError, protobuf.encode, MESH_PACKET, inner) == "protobuf-name"


def test_every_cut_of_a_message_is_refused_or_ends_between_fields():
    values = {"u": 300, "w": 2**63, "f": 7, "y": b"abc", "m": {"number": 300}, "us": [1, 300], "fs": [9]}
    values["last"] = 1
    data = protobuf.encode(_ALL, values)
    whole = 0
    for end in range(len(data)):
        try:
            protobuf.decode(_ALL, data[:end])
            whole += 1
        except RemoteProtocolError as error:
            assert error.cause == "protobuf-truncated"
    assert whole == 8  # before each of the eight fields


def test_a_message_cut_off_inside_its_parent_is_refused():
    assert _refused(_ALL, "5a0108") == "protobuf-truncated"
    assert _refused(_ALL, "82010180") == "protobuf-truncated"
    assert _refused(_ALL, "920103010000") == "protobuf-truncated"


def test_groups_and_reserved_wire_types_are_refused():
    assert _refused(_LEAF, "0b0c") == "protobuf-group"
    assert _refused(_LEAF, "7b") == "protobuf-group"
    assert _refused(_LEAF, "0c") == "protobuf-group"
    assert _refused(_LEAF, "0e") == "protobuf-wire-type"
    assert _refused(_LEAF, "0f") == "protobuf-wire-type"


def test_tags_outside_their_range_are_refused():
    assert _refused(_LEAF, "0001") == "protobuf-tag"
    assert _refused(_LEAF, "808080801001") == "protobuf-tag"


def test_a_varint_has_at_most_ten_bytes_and_64_bits():
    assert protobuf.decode(_ALL, from_hex("20ffffffffffffffffff01")) == {"w": 2**64 - 1}
    assert protobuf.decode(_ALL, from_hex("20ffffffffffffffffff7f")) == {"w": 2**64 - 1}
    assert protobuf.decode(_LEAF, from_hex("0885808080808080808000")) == {"number": 5}
    assert _refused(_LEAF, "08ffffffffffffffffffff01") == "protobuf-varint"
    assert protobuf.decode(_LEAF, from_hex("08818080808001")) == {"number": 1}


def test_any_non_zero_varint_is_true():
    assert protobuf.decode(_ALL, from_hex("288002")) == {"b": True}
    assert protobuf.decode(_ALL, from_hex("2800")) == {"b": False}


def test_length_depth_and_number_of_fields_are_bounded():
    assert cause_of(RemoteProtocolError, protobuf.decode, _LEAF, bytes(1025)) == "protobuf-long"
    assert protobuf.decode(_LEAF, b"\x08\x01" * 256) == {"number": 1}
    assert cause_of(RemoteProtocolError, protobuf.decode, _LEAF, b"\x08\x01" * 257) == "protobuf-fields"
    data = b""
    for _ in range(protobuf.MAX_DEPTH - 1):
        data = b"\x0a" + bytes((len(data),)) + data
    protobuf.decode(_RECURSIVE, data)
    data = b"\x0a" + bytes((len(data),)) + data
    assert cause_of(RemoteProtocolError, protobuf.decode, _RECURSIVE, data) == "protobuf-deep"
    values = {}
    for _ in range(protobuf.MAX_DEPTH):
        values = {"inner": values}
    assert cause_of(LocalProtocolError, protobuf.encode, _RECURSIVE, values) == "protobuf-deep"
    assert cause_of(LocalProtocolError, protobuf.encode, DATA, {"payload": bytes(1022)}) == "protobuf-long"
    assert len(protobuf.encode(DATA, {"payload": bytes(1021)})) == 1024


def test_text_stays_bytes_whatever_it_holds():
    name = b"\xed\xa0\x80\xc0\x80\xff"
    assert protobuf.decode(USER, protobuf.encode(USER, {"long_name": name})) == {"long_name": name}


def test_any_kind_of_buffer_is_read_and_gives_bytes():
    data = protobuf.encode(DATA, {"portnum": 1, "payload": b"abc"})
    for buffer in (data, bytearray(data), memoryview(data)):
        assert protobuf.decode(DATA, buffer) == {"portnum": 1, "payload": b"abc"}


def test_a_position_keeps_signs_and_absent_fields():
    values = {"latitude_i": -520000000, "longitude_i": 43000000, "altitude": -3, "altitude_hae": -45}
    assert protobuf.decode(POSITION, protobuf.encode(POSITION, values)) == values


def test_a_compact_table_is_the_same_table():
    written = protobuf.compact("1 number uint32, 3 leaf message|, 4 names bytes[]", {"leaf": _LEAF})
    plain = protobuf.fields(written)
    assert plain == ((1, "number", "uint32"), (3, "leaf", "message|", _LEAF), (4, "names", "bytes[]"))
    assert protobuf.fields(plain) == protobuf.fields(lambda: written) == plain
    assert protobuf.fields(protobuf.compact("1 number uint32")) == ((1, "number", "uint32"),)
    assert protobuf.fields(protobuf.compact("")) == ()
    values = {"number": 7, "leaf": {"number": 0}, "names": [b"x", b""]}
    assert protobuf.encode(written, values) == protobuf.encode(plain, values)
    assert protobuf.decode(written, from_hex("0807" + "1a00" + "220178" + "2200")) == {
        "number": 7,
        "leaf": {},
        "names": [b"x", b""],
    }


def test_settings_load_when_they_are_met():
    values = {"config": {"lora": {"use_preset": True, "region": 3, "ignore_incoming": [1, 2]}}}
    data = protobuf.encode(FROM_RADIO, values)
    assert data == from_hex("2a0b" + "3209" + "0801" + "3803" + "ba06020102")
    assert protobuf.decode(FROM_RADIO, data) == values


def test_an_administrative_request_is_one_member_and_the_passkey():
    values = {"get_config_request": 8, "session_passkey": bytes(range(8))}
    data = protobuf.encode(ADMIN_MESSAGE, values)
    assert data == from_hex("2808aa06080001020304050607")
    assert protobuf.decode(ADMIN_MESSAGE, data) == values


def test_garbage_gives_fields_or_a_refusal_and_nothing_else():
    rand = Random(5)
    refused = 0
    for _ in range(400):
        data = rand.bytes(rand.below(60))
        try:
            values = protobuf.decode(FROM_RADIO, data)
        except RemoteProtocolError:
            refused += 1
            continue
        assert protobuf.decode(FROM_RADIO, protobuf.encode(FROM_RADIO, values)) == values
    assert 100 < refused < 400
