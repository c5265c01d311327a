"""Ciphers and hashes against published vectors."""

from _vectors import Random, from_hex, is_refused, rows

from baken.compat import aes_ecb, crc32, sha256
from baken.crypto.ccm import ccm_open, ccm_seal
from baken.crypto.ctr import aes_ctr
from baken.crypto.ed25519 import x25519_public
from baken.crypto.sha512 import sha512, sha512_of, sha512_of_pure, sha512_pure
from baken.crypto.x25519 import x25519


def test_aes_blocks_match_nist():
    for key, plain, cipher in rows("crypto.txt", "ecb"):
        assert aes_ecb(from_hex(key)).encrypt(from_hex(plain)) == from_hex(cipher)


def test_one_cipher_object_encrypts_the_same_block_the_same_way_again():
    cipher = aes_ecb(bytes(16))
    assert cipher.encrypt(bytes(16)) == cipher.encrypt(bytearray(16)) == cipher.encrypt(bytes(32))[16:]


def test_counter_mode_matches_nist():
    for key, counter, plain, cipher in rows("crypto.txt", "ctr"):
        assert aes_ctr(from_hex(key), from_hex(counter), from_hex(plain)) == from_hex(cipher)
        assert aes_ctr(from_hex(key), from_hex(counter), from_hex(cipher)) == from_hex(plain)


def test_counter_mode_of_any_length_is_a_prefix_of_the_longer_one():
    key, counter, plain, cipher = [from_hex(column) for column in rows("crypto.txt", "ctr")[1]]
    for length in range(len(plain) + 1):
        assert aes_ctr(key, counter, plain[:length]) == cipher[:length]


def test_the_counter_wraps_within_its_last_four_bytes():
    key = bytes(range(16))
    head = bytes(range(12))
    first = aes_ecb(key).encrypt(head + b"\xff\xff\xff\xff")
    second = aes_ecb(key).encrypt(head + b"\x00\x00\x00\x00")
    assert aes_ctr(key, head + b"\xff\xff\xff\xff", bytes(32)) == first + second


def test_a_counter_block_of_another_length_is_refused():
    assert is_refused(ValueError, aes_ctr, bytes(16), bytes(15), b"x")


def test_ccm_matches_rfc_3610():
    for row in rows("crypto.txt", "ccm"):
        key, nonce, associated, plain, sealed = [from_hex(column) for column in row]
        assert ccm_seal(key, nonce, plain, associated) == sealed
        assert ccm_open(key, nonce, sealed, associated) == plain


def test_ccm_notices_every_changed_byte():
    key, nonce, associated, plain, sealed = [from_hex(column) for column in rows("crypto.txt", "ccm")[0]]
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 0x10
        assert ccm_open(key, nonce, bytes(changed), associated) is None
    assert ccm_open(key, nonce, sealed, b"") is None
    assert ccm_open(key, nonce[:12] + b"\x00", sealed, associated) is None
    assert ccm_open(key, nonce, sealed[:7], associated) is None


def test_ccm_seals_the_empty_message():
    sealed = ccm_seal(bytes(32), bytes(13), b"")
    assert len(sealed) == 8
    assert ccm_open(bytes(32), bytes(13), sealed) == b""


def test_sha512_matches_fips_180():
    for message, digest in rows("crypto.txt", "sha512"):
        assert sha512_pure(from_hex(message)) == from_hex(digest)
        assert sha512(from_hex(message)) == from_hex(digest)


def test_sha512_pads_around_the_end_of_a_block():
    # The runtime's own SHA-512 where it has one; elsewhere this checks that lengths do not collide.
    digests = []
    for length in (0, 1, 110, 111, 112, 113, 127, 128, 129, 239, 240, 255, 256):
        digest = sha512_pure(bytes(length))
        assert digest == sha512(bytes(length))
        assert digest not in digests
        digests.append(digest)


def test_sha512_does_not_depend_on_the_kind_of_buffer():
    data = Random(7).bytes(200)
    assert sha512_pure(bytearray(data)) == sha512_pure(data) == sha512_pure(memoryview(data))


def test_sha512_of_pieces_is_that_of_the_whole():
    data = Random(8).bytes(700)
    whole = sha512_pure(data)
    for size in (1, 100, 128, 129, 256, 700):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert sha512_of_pure(iter(pieces)) == sha512_of(iter(pieces)) == whole


def test_x25519_matches_rfc_7748():
    for scalar, u, result in rows("crypto.txt", "x25519"):
        assert x25519(from_hex(scalar), from_hex(u)) == from_hex(result)


def test_x25519_of_the_base_point_matches_rfc_7748():
    base = b"\x09" + bytes(31)
    assert x25519(base, base) == from_hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")


def test_both_sides_of_x25519_find_the_same_secret():
    rand = Random(8)
    for _ in range(3):
        one, other = rand.bytes(32), rand.bytes(32)
        assert x25519(one, x25519_public(other)) == x25519(other, x25519_public(one))


def test_x25519_of_a_point_of_small_order_is_all_zero():
    assert x25519(b"\x55" * 32, bytes(32)) == bytes(32)
    assert x25519(b"\x55" * 32, b"\x01" + bytes(31)) == bytes(32)


def test_sha256_and_crc32_match_their_standards():
    assert sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert crc32(b"123456789") == 0xCBF43926
    assert crc32(b"") == 0
