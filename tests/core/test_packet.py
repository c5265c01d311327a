"""The 16-byte header of a frame on the air."""

from _vectors import Random, cause_of, from_hex

from baken.wire import packet
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.packet import BROADCAST, Packet


def _packet(**changes):
    fields = {"to": BROADCAST, "sender": 0x12345678, "id": 0x0BADCAFE, "payload": b"x"}
    fields.update(changes)
    return Packet(**fields)


def test_a_known_frame_is_read_field_by_field_and_written_back():
    frame = from_hex("ffffffff78563412fecaad0b63080078ef1895cc9bd6f095abb611")
    heard = packet.decode(frame)
    payload = frame[16:]
    assert heard == Packet(BROADCAST, 0x12345678, 0x0BADCAFE, payload, 3, 3, channel_hash=8, relay_node=0x78)
    assert packet.encode(heard) == frame


def test_every_flag_has_its_own_bits():
    assert packet.encode(_packet(hop_limit=0, hop_start=0))[12] == 0x00
    assert packet.encode(_packet(hop_limit=7, hop_start=0))[12] == 0x07
    assert packet.encode(_packet(hop_limit=0, hop_start=7))[12] == 0xE0
    assert packet.encode(_packet(hop_limit=0, hop_start=0, want_ack=True))[12] == 0x08
    assert packet.encode(_packet(hop_limit=0, hop_start=0, via_mqtt=True))[12] == 0x10


def test_every_header_survives_the_way_out_and_back():
    rand = Random(3)
    for _ in range(200):
        sent = Packet(
            int.from_bytes(rand.bytes(4), "big"),
            1 + rand.below(0xFFFFFFFE),
            int.from_bytes(rand.bytes(4), "big"),
            rand.bytes(rand.below(240)),
            rand.below(8),
            rand.below(8),
            rand.below(256),
            bool(rand.below(2)),
            bool(rand.below(2)),
            rand.below(256),
            rand.below(256),
        )
        assert packet.decode(packet.encode(sent)) == sent


def test_any_16_to_255_bytes_with_a_sender_are_a_packet_that_encodes_to_the_same_bytes():
    rand = Random(4)
    for length in (16, 17, 100, 254, 255):
        frame = rand.bytes(length)
        assert packet.encode(packet.decode(frame)) == frame
        assert packet.encode(packet.decode(bytearray(frame))) == frame


def test_frames_that_are_too_short_or_too_long_are_refused():
    for length in (0, 1, 15, 256, 300):
        assert cause_of(RemoteProtocolError, packet.decode, b"\x01" * length) == "packet-size"


def test_a_frame_from_nobody_or_everybody_is_refused():
    frame = bytearray(packet.encode(_packet()))
    for sender in (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff"):
        frame[4:8] = sender
        assert cause_of(RemoteProtocolError, packet.decode, bytes(frame)) == "packet-from"


def test_a_field_that_does_not_fit_is_refused_before_it_is_cut_off():
    for changes in (
        {"to": 2**32},
        {"to": -1},
        {"sender": 2**32 - 1},
        {"id": 2**32},
        {"hop_limit": 8},
        {"hop_start": 8},
        {"hop_limit": -1},
        {"channel_hash": 256},
        {"next_hop": 256},
        {"relay_node": -1},
    ):
        assert cause_of(LocalProtocolError, packet.encode, _packet(**changes)) == "packet-range", changes
    assert cause_of(LocalProtocolError, packet.encode, _packet(sender=0)) == "packet-from"
    assert cause_of(LocalProtocolError, packet.encode, _packet(payload=bytes(240))) == "packet-size"
    assert len(packet.encode(_packet(payload=bytes(239)))) == 255


def test_hops_are_counted_only_where_the_header_tells_them():
    assert _packet(hop_limit=3, hop_start=3).hops_away() == 0
    assert _packet(hop_limit=1, hop_start=3).hops_away() == 2
    assert _packet(hop_limit=0, hop_start=0).hops_away() is None
    assert _packet(hop_limit=4, hop_start=3).hops_away() is None


def test_a_relayed_copy_differs_only_where_relays_write():
    heard = _packet(to=5, want_ack=True, via_mqtt=True, channel_hash=9, hop_limit=3, hop_start=5, next_hop=7)
    copy = heard.relayed(2, 0x41)
    before, after = packet.encode(heard), packet.encode(copy)
    assert [i for i in range(len(before)) if before[i] != after[i]] == [12, 14, 15]
    assert (copy.hop_limit, copy.next_hop, copy.relay_node) == (2, 0, 0x41)
    assert copy.hop_start == 5 and copy.want_ack and copy.via_mqtt
    assert heard.hop_limit == 3


def test_the_byte_that_names_a_node_is_never_0():
    assert packet.low_byte(0x12345678) == 0x78
    assert packet.low_byte(0x12345600) == 0xFF
    assert packet.low_byte(0x123456FF) == 0xFF


def test_records_are_equal_by_value_and_show_their_fields():
    assert _packet() == _packet()
    assert _packet() != _packet(id=1)
    assert _packet() != (BROADCAST, 0x12345678)
    assert "sender=305419896" in repr(_packet())
