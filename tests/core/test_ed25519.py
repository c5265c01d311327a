"""Signatures against RFC 8032, against the recorded frames, and against every kind of forgery."""

from _vectors import Random, from_hex, is_refused, rows

from baken.crypto import ed25519, signing
from baken.crypto.comb import COMB
from baken.crypto.sha512 import sha512
from baken.crypto.signing import AuthorityKey, PointKey
from baken.wire import channel, packet, protobuf
from baken.wire.messages import DATA

_L = 2**252 + 27742317777372353535851937790883648493
_P = 2**255 - 19


def test_keys_and_signatures_match_rfc_8032():
    for row in rows("crypto.txt", "ed25519"):
        seed, public, message, signature = [from_hex(column) for column in row]
        assert ed25519.public_key(seed) == public
        assert ed25519.sign(seed, message) == signature
        assert ed25519.verify(public, message, signature)
        assert signing.verify(public, message, signature)
        assert AuthorityKey(seed).public == public
        assert AuthorityKey(seed).sign(message) == signature


def test_a_changed_bit_anywhere_makes_a_signature_worthless():
    seed = bytes(range(32))
    public = ed25519.public_key(seed)
    message = b"Kook kraanwater drie minuten."
    signature = ed25519.sign(seed, message)
    rand = Random(1)
    for verify in (ed25519.verify, signing.verify):
        assert verify(public, message, signature)
        for _ in range(12):
            place = rand.below(64)
            forged = bytearray(signature)
            forged[place] ^= 1 << rand.below(8)
            assert not verify(public, message, bytes(forged))
            text = bytearray(message)
            text[rand.below(len(message))] ^= 1 << rand.below(8)
            assert not verify(public, bytes(text), signature)
        assert not verify(ed25519.public_key(bytes(32)), message, signature)


def test_a_signature_with_s_beyond_the_group_order_is_refused():
    seed = bytes(range(32))
    public = ed25519.public_key(seed)
    signature = ed25519.sign(seed, b"x")
    s = int.from_bytes(signature[32:], "little")
    raised = signature[:32] + (s + _L).to_bytes(32, "little")
    assert not ed25519.verify(public, b"x", raised)
    assert not signing.verify(public, b"x", raised)


def test_bytes_of_a_wrong_length_are_refused_and_not_raised():
    seed = bytes(32)
    public = ed25519.public_key(seed)
    signature = ed25519.sign(seed, b"")
    for verify in (ed25519.verify, signing.verify):
        for length in (0, 1, 31, 33, 64):
            assert not verify(bytes(length), b"", signature)
        for length in (0, 1, 32, 63, 65):
            assert not verify(public, b"", bytes(length))


def test_public_keys_of_small_order_are_refused():
    # [L]Q has an order of 1, 2, 4 or 8 for any point Q; with such a key R = identity, s = 0 is a valid
    # equation for one message in eight or more.
    small = []
    for y in range(2, 60):
        point = ed25519._decompress(y.to_bytes(32, "little"))
        if point is None:
            continue
        public = ed25519._encode(ed25519._multiply_both(0, _L, point[0], point[1]))
        if public not in small:
            small.append(public)
    assert len(small) == 8
    for public in small:
        for sign_bit in (0, 0x80):
            public = public[:31] + bytes((public[31] & 0x7F | sign_bit,))
            assert not ed25519.is_acceptable(public)
            for number in range(16):
                assert not ed25519.verify(public, bytes((number,)), b"\x01" + bytes(63))
                assert not signing.verify(public, bytes((number,)), b"\x01" + bytes(63))


def test_keys_with_a_part_of_small_order_get_the_same_verdict_from_every_verifier():
    # A + T with T of order 8: the equation without cofactor holds only where the challenge is a multiple of
    # the order. Verifiers that multiply by 8 would accept all of these, and replicas would disagree.
    eighth = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
    x, y = ed25519._decompress(eighth.to_bytes(32, "little")) or (0, 0)
    scalar = 0x1234567890ABCDEF**4 % _L
    public = ed25519._encode(ed25519._multiply_both(scalar, 1, x, y))
    accepted = 0
    for number in range(24):
        message = bytes((number,))
        first = ed25519._encode(ed25519._multiply_base(1000 + number))
        challenge = int.from_bytes(sha512(first + public + message), "little") % _L
        s = (1000 + number + challenge * scalar) % _L
        signature = first + s.to_bytes(32, "little")
        expected = challenge % 8 == 0
        assert ed25519.verify(public, message, signature) is expected
        assert signing.verify(public, message, signature) is expected
        accepted += expected
    assert 0 < accepted < 12


def test_a_message_in_pieces_has_the_verdict_of_the_whole():
    key = signing.AuthorityKey(bytes([5]) * 32)
    message = bytes(range(256)) * 3
    signature = key.sign(message)
    for verify in (ed25519.verify_pieces, signing.verify_pieces):
        assert verify(key.public, iter([message[:1], message[1:300], message[300:]]), signature)
        assert not verify(key.public, iter([message[:300], message[301:]]), signature)
        assert not verify(key.public, iter([]), signature)


def test_public_keys_that_are_not_canonical_are_refused():
    for y in range(_P, 2**255):
        public = y.to_bytes(32, "little")
        assert not ed25519.is_acceptable(public)
        assert not signing.verify(public, b"", b"\x01" + bytes(63))


def test_a_public_key_that_is_no_point_is_refused():
    refused = 0
    for y in range(2, 40):
        if ed25519._decompress(y.to_bytes(32, "little")) is None:
            refused += 1
            assert not ed25519.verify(y.to_bytes(32, "little"), b"", bytes(64))
            assert not signing.verify(y.to_bytes(32, "little"), b"", bytes(64))
    assert 10 < refused < 30


def test_multiples_of_the_base_point_obey_the_group_law():
    def encoded(scalar):
        return ed25519._encode(ed25519._multiply_base(scalar % _L))

    assert encoded(0) == b"\x01" + bytes(31)
    assert encoded(1).hex() == "58" + "66" * 31
    rand = Random(2)
    for _ in range(8):
        a = int.from_bytes(rand.bytes(32), "little") % _L
        b = int.from_bytes(rand.bytes(32), "little") % _L
        x, y = ed25519._decompress(encoded(b)) or (0, 0)
        # [a]B + [1]([b]B) and [0]B + [a]([b]B), through the path that verify takes.
        assert ed25519._encode(ed25519._multiply_both(a, 1, x, y)) == encoded(a + b)
        assert ed25519._encode(ed25519._multiply_both(0, a, x, y)) == encoded(a * b)
    for edge in (1, 2, _L - 1, _L - 2, 2**252, 2**252 - 1, (_L - 1) // 2):
        x, y = ed25519._decompress(encoded(1)) or (0, 0)
        assert ed25519._encode(ed25519._multiply_both(0, edge, x, y)) == encoded(edge)
        assert ed25519._encode(ed25519._multiply_both(_L - 1, edge, x, y)) == encoded(edge - 1)


def test_curve25519_keys_agree_with_the_recorded_nodes():
    for _, private, public in rows("meshtastic_frames.txt", "node"):
        assert ed25519.x25519_public(from_hex(private)) == from_hex(public)
        assert PointKey(from_hex(private)).public == from_hex(public)


def test_a_signature_by_a_curve25519_key_verifies_as_plain_ed25519():
    # Keys whose Edwards point has sign bit 0 and 1: half of all keys need the negated scalar.
    signs = []
    for number in range(1, 7):
        private = bytes((number,)) * 32
        scalar = ed25519._clamp(private) % _L
        signs.append(ed25519._encode_multiple(scalar)[31] >> 7)
        key = PointKey(private)
        assert key.signing_public[31] & 0x80 == 0
        assert key.signing_public == ed25519.edwards_public(key.public)
        signature = key.sign(b"status")
        assert signature == ed25519.sign_x25519(private, b"status")
        assert ed25519.verify(key.signing_public, b"status", signature)
        assert signing.verify(key.signing_public, b"status", signature)
        assert not signing.verify(key.signing_public, b"Status", signature)
    assert 0 in signs and 1 in signs


def test_recorded_signatures_of_the_stock_firmware_verify():
    nodes = rows("meshtastic_frames.txt", "node")
    publics = {int(number, 16): from_hex(public) for number, _, public in nodes}
    checked = 0
    for row in rows("meshtastic_frames.txt", "frame"):
        if row[0] != "channel":
            continue
        heard = packet.decode(from_hex(row[3]))
        data = protobuf.decode(DATA, channel.crypt(from_hex(row[1]), heard.id, heard.sender, heard.payload))
        signature = data.get("xeddsa_signature")
        if signature is None:
            continue
        numbers = [part.to_bytes(4, "little") for part in (heard.sender, heard.id, data["portnum"])]
        signed = b"".join(numbers) + data["payload"]
        public = ed25519.edwards_public(publics[heard.sender])
        assert signing.verify(public, signed, signature)
        if checked < 4:
            assert ed25519.verify(public, signed, signature)
            assert not ed25519.verify(public, signed + b"\x00", signature)
        checked += 1
    assert checked > 20


def test_keys_of_a_wrong_length_are_refused_at_once():
    for call in (ed25519.public_key, ed25519.x25519_public, ed25519.edwards_public, AuthorityKey, PointKey):
        for length in (0, 31, 33, 64):
            assert is_refused(ValueError, call, bytes(length))


def test_the_stored_multiples_of_the_base_point_are_what_they_claim():
    # Affine arithmetic straight from RFC 8032, 5.1.
    d = -121665 * pow(121666, _P - 2, _P) % _P

    def add(one, other):
        product = d * one[0] * other[0] * one[1] * other[1] % _P
        x = (one[0] * other[1] + one[1] * other[0]) * pow(1 + product, _P - 2, _P) % _P
        y = (one[1] * other[1] + one[0] * other[0]) * pow(1 - product + _P, _P - 2, _P) % _P
        return x, y

    base_y = 4 * pow(5, _P - 2, _P) % _P
    base_x = 0x216936D3CD6E53FEC0A4E231FDD6DC5C692CC7609525A7B2C9562D608F25D51A
    assert (base_y * base_y - base_x * base_x - 1 - d * base_x * base_x * base_y * base_y) % _P == 0
    teeth = [(base_x, base_y)]
    for _ in range(4):
        tooth = teeth[-1]
        for _ in range(51):
            tooth = add(tooth, tooth)
        teeth.append(tooth)
    stored = b""
    for index in range(16):
        point = teeth[4]
        for bit in range(4):
            x, y = teeth[bit]
            point = add(point, (x if index >> bit & 1 else _P - x, y))
        x, y = point
        for number in (y + x, y - x, 2 * d * x * y):
            stored += (number % _P).to_bytes(32, "little")
    assert stored == COMB
