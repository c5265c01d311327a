"""Channel keys, hashes and encryption; direct messages between key pairs."""

from _vectors import cause_of, from_hex, rows

from baken.wire import channel, direct, packet
from baken.wire.channel import DEFAULT_KEY
from baken.wire.errors import LocalProtocolError, RemoteProtocolError

_DATA = from_hex("0801120548656c6c6f4800")


def test_keys_of_every_length_expand_as_the_firmware_does():
    assert channel.expand_key(b"") == b""
    assert channel.expand_key(b"\x00") == b""
    assert channel.expand_key(b"\x01") == DEFAULT_KEY
    assert channel.expand_key(b"\x02") == DEFAULT_KEY[:15] + b"\x02"
    assert channel.expand_key(b"\x0a") == DEFAULT_KEY[:15] + b"\x0a"
    assert channel.expand_key(b"\xff") == DEFAULT_KEY[:15] + b"\xff"
    for length in range(2, 33):
        psk = bytes(range(1, length + 1))
        key = channel.expand_key(psk)
        assert len(key) == (16 if length <= 16 else 32)
        assert key[:length] == psk and not any(key[length:])
    assert cause_of(LocalProtocolError, channel.expand_key, bytes(33)) == "channel-key"


def test_a_secondary_channel_without_a_key_uses_the_primary_ones():
    assert channel.expand_key(b"", DEFAULT_KEY) == DEFAULT_KEY
    assert channel.expand_key(b"\x00", DEFAULT_KEY) == b""


def test_the_default_key_is_the_public_one():
    assert len(DEFAULT_KEY) == 16
    assert channel.channel_hash(b"", DEFAULT_KEY) == 0x02


def test_the_hash_of_the_default_channel_is_known_for_every_preset():
    for name, value in (
        (b"ShortTurbo", 0x0E),
        (b"ShortFast", 0x70),
        (b"ShortSlow", 0x77),
        (b"MediumFast", 0x1F),
        (b"MediumSlow", 0x18),
        (b"LongTurbo", 0x76),
        (b"LongFast", 0x08),
        (b"LongMod", 0x6E),
        (b"LongSlow", 0x0F),
        (b"Custom", 0x31),
    ):
        assert channel.channel_hash(channel.effective_name(b"", name), DEFAULT_KEY) == value, name


def test_the_configured_name_counts_where_there_is_one():
    assert channel.effective_name(b"Noodnet", b"LongFast") == b"Noodnet"
    assert channel.effective_name(b"", b"LongFast") == b"LongFast"


def test_the_hash_of_an_open_channel_is_that_of_its_name():
    assert channel.channel_hash(b"ab", b"") == ord("a") ^ ord("b")
    assert channel.channel_hash(b"", b"") == 0


def test_recorded_channels_have_the_key_and_hash_of_the_recording():
    for name, psk, key, value in rows("meshtastic_frames.txt", "channel"):
        assert channel.expand_key(from_hex(psk)) == from_hex(key)
        assert channel.channel_hash(name.encode(), from_hex(key)) == int(value, 16)


def test_a_packet_is_encrypted_to_the_known_bytes():
    sealed = channel.crypt(DEFAULT_KEY, 0x0BADCAFE, 0x12345678, _DATA)
    assert sealed == from_hex("ef1895cc9bd6f095abb611")
    assert channel.crypt(DEFAULT_KEY, 0x0BADCAFE, 0x12345678, sealed) == _DATA
    sealed = channel.crypt(bytes(range(32)), 0x0BADCAFE, 0x12345678, _DATA)
    assert sealed == from_hex("48af2ceaf2f2a5fb34ed3b")


def test_an_open_channel_sends_in_clear():
    assert channel.crypt(b"", 1, 2, bytearray(_DATA)) == _DATA


def test_an_id_that_is_not_of_32_bits_is_refused():
    assert cause_of(LocalProtocolError, channel.crypt, DEFAULT_KEY, 2**32, 1, b"x") == "packet-range"
    assert cause_of(LocalProtocolError, channel.crypt, DEFAULT_KEY, 1, -1, b"x") == "packet-range"


def test_a_direct_message_is_sealed_to_the_known_bytes():
    public_b = from_hex("ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59")
    key = direct.shared_key(b"\x01" * 32, public_b)
    assert key == from_hex("6defcae708a9595ae58d716ac650df5a0ee3d8b329e6d54d03571c87a96fda5f")
    payload = direct.seal(key, 0x0BADCAFE, 0x12345678, 0x11223344, _DATA)
    assert payload == from_hex("6d408ad8c08496e41625e0f3900d3dfdb97abc44332211")
    assert len(payload) == len(_DATA) + direct.OVERHEAD
    assert direct.open(key, 0x0BADCAFE, 0x12345678, payload) == _DATA


def test_a_direct_message_is_refused_after_any_change():
    key = bytes(range(32))
    payload = direct.seal(key, 7, 8, 9, _DATA)
    for place in range(len(payload)):
        changed = bytearray(payload)
        changed[place] ^= 1
        assert cause_of(RemoteProtocolError, direct.open, key, 7, 8, bytes(changed)) == "direct-tag"
    assert cause_of(RemoteProtocolError, direct.open, key, 6, 8, payload) == "direct-tag"
    assert cause_of(RemoteProtocolError, direct.open, key, 7, 9, payload) == "direct-tag"
    assert cause_of(RemoteProtocolError, direct.open, bytes(32), 7, 8, payload) == "direct-tag"


def test_direct_messages_of_impossible_size_are_refused():
    for length in range(13):
        assert cause_of(RemoteProtocolError, direct.open, bytes(32), 1, 2, bytes(length)) == "direct-short"
    assert cause_of(LocalProtocolError, direct.seal, bytes(32), 1, 2, 3, bytes(228)) == "direct-size"
    largest = packet.Packet(1, 2, 3, direct.seal(bytes(32), 3, 2, 9, bytes(227)))
    assert len(packet.encode(largest)) == packet.MAX_FRAME


def test_public_keys_that_give_no_secret_are_refused():
    for public in (bytes(32), b"\x01" + bytes(31), bytes(31), b""):
        assert cause_of(RemoteProtocolError, direct.shared_key, b"\x55" * 32, public) == "direct-key"
