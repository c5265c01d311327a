"""Bulletins, statuses, digests and the trust list as bytes."""

from _small_region import (
    AREAS,
    NOON_S,
    POINT_KEYS,
    REGION_KEY,
    ROOT,
    STRANGER_KEY,
    TRUST,
    bulletin_parts,
    cause_of,
    make_bulletin,
    random_source,
    sign_bulletin,
    status_record,
)

from baken.crypto.signing import verify
from baken.wire import bulletin, digest, records, status, trust
from baken.wire.errors import RemoteProtocolError


def test_a_bulletin_comes_back_as_it_was_sent():
    sent = make_bulletin(
        9,
        b"Kook kraanwater 3 minuten.",
        areas=(1, 2),
        references=((1, 4), (2, 0xABCDEF)),
        status=b"Exercise",
        msg_type=b"Update",
        scope=b"Restricted",
        category=b"Health",
        response_type=b"Execute",
        urgency=b"Immediate",
        severity=b"Severe",
        certainty=b"Likely",
        event=b"WATER",
        language=b"uk",
    )
    (raw,) = sign_bulletin(sent)
    assert bulletin.decode_part(raw) == sent


def test_a_text_of_150_bytes_fits_one_frame():
    (raw,) = bulletin_parts(1, "ї".encode() * 75)
    assert len(raw) == records.MAX_PAYLOAD


def test_a_long_text_is_cut_after_a_space_and_joins_to_the_same_bytes():
    text = "Стан на 22:00. Світла немає, ремонт 2-3 дні. ".encode() * 5
    parts = bulletin_parts(2, text)
    assert len(parts) == 3
    pieces = [bulletin.decode_part(raw).text for raw in parts]
    assert b"".join(pieces) == text
    assert all([piece.endswith(b" ") for piece in pieces])


def test_a_letter_of_several_bytes_is_never_cut():
    text = "ї".encode() * 140
    for raw in bulletin_parts(3, text):
        bulletin.decode_part(raw).text.decode()


def test_the_limits_are_named():
    assert cause_of(bulletin_parts, 1, "ї".encode() * 650) == "bulletin-parts"
    assert cause_of(bulletin_parts, 1, b"") == "bulletin-text"
    assert cause_of(sign_bulletin, make_bulletin(1, valid_s=299)) == "bulletin-validity"
    assert cause_of(sign_bulletin, make_bulletin(1, valid_s=4096 * 300)) == "bulletin-validity"
    assert cause_of(sign_bulletin, make_bulletin(0)) == "range"
    assert cause_of(sign_bulletin, make_bulletin(1, severity=b"Huge")) == "cap-code"
    assert cause_of(status_record, 1, 1, b"x" * 147) == "status-text"


def test_the_signature_covers_the_region_and_every_byte():
    (raw,) = bulletin_parts(1)
    signed = records.signed_bytes(raw, TRUST.tag)
    assert verify(REGION_KEY.public, signed, records.signature_of(raw))
    other_region = records.signed_bytes(raw, records.region_tag(b"\x05" * 32))
    assert not verify(REGION_KEY.public, other_region, records.signature_of(raw))
    for at in range(0, len(raw) - records.SIGNATURE_SIZE, 5):
        changed = bytearray(raw)
        changed[at] ^= 1
        assert not verify(
            REGION_KEY.public, records.signed_bytes(changed, TRUST.tag), records.signature_of(raw)
        )


def test_a_status_comes_back_as_it_was_sent():
    seen = (status.Seen(1, 12, 0x80000FFF, 0x7), status.Seen(2, 3, 5, 1))
    raw = status_record(
        2, 77, "Tolk Oekraïens gevraagd.".encode(), people=88, volunteers=6, power_hours=22, seen=seen
    )
    got = status.decode(raw)
    assert (got.origin, got.seq, got.people, got.volunteers, got.power_hours) == (2, 77, 88, 6, 22)
    assert got.seen == seen and got.time_s == NOON_S and got.state == b"OPEN"
    first = got.seen[0]
    assert got.seen_of(1) is first and first.has_received(12) and not first.has_received(0)
    assert first.has_read(11)
    assert not first.has_read(13) and not first.has_received(12 - 32)
    assert got.seen_of(9) is None
    again = status.encode(got, TRUST.tag, POINT_KEYS[1].sign)
    assert again == raw


def test_a_draft_carries_condition_and_text():
    draft = status.Status(0, 0, 0, b"BEPERKT", b"Ramen dicht.", needs=(b"PER", b"ZUU"))
    draft.people = 22
    draft.priority = b"I"
    draft.exercise = True
    assert status.decode_draft(status.encode_draft(draft)) == draft
    draft.text = b"x" * 95
    assert cause_of(status.encode_draft, draft) == "status-text"
    assert cause_of(status.decode_draft, b"\x1a" + bytes(9)) == "draft"
    assert cause_of(status.decode_draft, b"\x1a\x07" + bytes(9)) == "status-state"


def test_a_point_signs_with_the_edwards_form_of_its_meshtastic_key():
    raw = status_record(1, 1)
    point = TRUST.points[1]
    assert verify(point.signing_public, records.signed_bytes(raw, TRUST.tag), records.signature_of(raw))


def test_a_digest_comes_back_as_it_was_sent():
    held = {1: {5, 6, 8, 60}, 2: set(), 3: {1, 64, 65, 66, 900}}
    sent = digest.Digest(0xFEDCBA98, held, {(1, 7): 0b101}, {2: 77, 3: 0xFFFFFF})
    assert digest.decode_digest(digest.encode_digest(sent)) == sent


def test_a_digest_of_one_authority_is_short():
    held = {1: {10, 9, 8, 7, 4}}
    assert len(digest.encode_digest(digest.Digest(0, held, {}, {1: 500}))) <= 17


def test_the_largest_digest_fits_a_frame():
    held = {}
    partial = {}
    for authority in range(1, 20):
        held[authority] = set(range(900, 964))
        partial[(authority, 999)] = 3
    raw = digest.encode_digest(digest.Digest(0, held, partial))
    assert len(raw) <= records.MAX_PAYLOAD
    digest.decode_digest(raw)


def test_a_tally_of_256_points_comes_back_in_pages():
    entries = [(3, point, point * 7) for point in range(1, 257)] + [(4, 9, seq) for seq in range(1, 65)]
    pages = [digest.decode_tally(raw) for raw in digest.encode_tally(entries)]
    got = pages[0].entries
    for page in pages[1:]:
        assert page.entries[0] == got[-1]  # so that nothing lies between two pages
        got = got + page.entries[1:]
    assert got == entries and [page.page for page in pages] == list(range(8))
    assert digest.encode_tally([]) == [bytes((0x19, 0))]


def test_a_tally_that_is_not_sorted_or_ends_in_a_group_is_refused():
    (raw,) = digest.encode_tally([(3, 1, 7), (3, 2, 7)])
    swapped = raw[:4] + raw[9:14] + raw[4:9]
    for bad in (swapped, raw[:-1], raw + b"\x04", raw[:1] + b"\x10" + raw[2:]):
        assert cause_of(digest.decode_tally, bad) in ("tally-order", "tally-size", "tally-page")


def test_a_trust_list_comes_back_as_it_was_signed():
    raw = trust.encode(TRUST, ROOT.sign)
    got = trust.decode(raw, ROOT.public)
    assert got.areas == AREAS and got.region == b"Merenland" and got.serial == 7
    assert got.authorities[2].name == b"Gemeente Oosterveen" and got.tag == TRUST.tag
    assert got.points[4].area is None and got.point_by_code(b"PZ02") == got.points[3]
    assert got.point_by_code(b"XX99") is None


def test_a_trust_list_is_read_piece_by_piece_and_a_point_that_is_damaged_later_is_nobody():
    points = [trust.Point(n, b"X%d" % n, b"Naam van %d" % n, None, n, bytes([n]) * 32) for n in range(1, 41)]
    made = trust.TrustList(1, ROOT.public, b"r", AREAS, TRUST.authorities.values(), points)
    raw = bytearray(trust.encode(made, ROOT.sign))
    asked = []

    def fetch(at, size):
        asked.append(size)
        return bytes(raw[at : at + size])

    got = trust.read(fetch, len(raw), ROOT.public)
    assert got == made and max(asked) <= 300
    raw[raw.index(b"Naam van 7")] ^= 1
    assert 7 in got.points and got.points.get(7) is None and got.points.get(8) == points[7]
    raw[-1000:] = b""
    assert got.points.get(40) is None and got.points.get(99) is None


def test_a_trust_list_that_names_a_point_twice_is_refused():
    body = trust.encode(TRUST, ROOT.sign)[: -records.SIGNATURE_SIZE]
    twice = body.replace(b"\x00\x02\x01\x00\x00\x10\x01", b"\x00\x01\x01\x00\x00\x10\x01")
    assert twice != body
    raw = twice + ROOT.sign(b"baken-trust-1" + twice)
    assert cause_of(trust.decode, raw, ROOT.public) == "trust-number"


def test_a_trust_list_with_a_changed_byte_or_another_root_is_refused():
    raw = trust.encode(TRUST, ROOT.sign)
    for at in (0, 5, 41, 60, len(raw) - 1):
        changed = bytearray(raw)
        changed[at] ^= 1
        assert cause_of(trust.decode, bytes(changed), ROOT.public) is not None
    assert cause_of(trust.decode, raw, STRANGER_KEY.public) == "trust-root"
    assert cause_of(trust.decode, raw[:-1], ROOT.public) == "trust-signature"
    for wrong in (trust.Authority(0, bytes(32), b"x"),), ():
        points = [] if wrong else [trust.Point(1, b"X1", b"x", 3, 9, bytes(32))]
        made = trust.TrustList(1, ROOT.public, b"r", AREAS, wrong, points)
        assert cause_of(trust.decode, trust.encode(made, ROOT.sign)) in ("trust-number", "trust-area")
    forged = trust.encode(TRUST, STRANGER_KEY.sign)
    assert cause_of(trust.decode, forged) == "trust-signature"


def test_garbage_of_every_length_is_refused_and_nothing_else():
    rand = random_source(5)
    decoders = (
        bulletin.decode_part,
        status.decode,
        records.decode_header,
        digest.decode_digest,
        digest.decode_tally,
        status.decode_draft,
        trust.decode,
    )
    for size in range(0, 260, 3):
        data = bytearray([rand(256) for _ in range(size)])
        for first in (0x11, 0x13, 0x18, 0x19, 0x1A, 0x00):
            if data:
                data[0] = first
            for decode in decoders:
                try:
                    decode(bytes(data))
                except RemoteProtocolError:
                    pass
