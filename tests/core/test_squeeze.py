"""Squeezed texts: what comes back, what is bounded, and what a bulletin chooses."""

from _small_region import LONG_TEXT, bulletin_parts, cause_of, random_source, sign_bulletin

from baken.noticeboard.notice import Notice
from baken.wire import bulletin, content, squeeze
from baken.wire.packing import split_text
from baken.wire.records import decode_header

_DUTCH = (
    "Er is geen water in de wijk. Haal om 14:30 drinkwater bij de school. Neem flessen mee.",
    "GEVAAR: rook. Sluit ramen en deuren!",
    'Eén koffie kost 2,50 euro, zei zij; "twee" niet & 10% minder/meer + een ïë.',
    "x",
    "A",
    " ",
    "...",
    "Zuurstof is er nog voor 36 uur.\nVolgend bericht 07:00. ",
)


def test_every_text_comes_back_as_it_was():
    for text in _DUTCH + ("Кип'ятіть воду.", "اغلِ الماء", "Suyu kaynatın.", "\x00\xff|~^_{}"):
        data = text.encode()
        assert squeeze.expand(squeeze.squeeze(data), 600) == data


def test_any_bytes_come_back_as_they_were():
    rand = random_source(7)
    for size in range(1, 60):
        data = bytes([rand(256) for _ in range(size)])
        assert squeeze.expand(squeeze.squeeze(data), size) == data


def test_dutch_takes_less_than_half():
    text = _DUTCH[0].encode()
    assert len(squeeze.squeeze(text)) * 2 < len(text)


def test_both_runtimes_make_the_same_bytes():
    assert squeeze.squeeze(_DUTCH[0].encode()).hex() == ("a795d28d0a1b042ab4e983b1a883f8abf0858e30")


def test_what_expands_beyond_the_limit_is_refused():
    data = squeeze.squeeze(b"e" * 200)
    assert len(squeeze.expand(data, 200)) == 200
    assert cause_of(squeeze.expand, data, 199) == "squeeze-long"
    assert cause_of(squeeze.expand, b"", 600) == "squeeze-empty"
    assert cause_of(squeeze.squeeze, b"") == "squeeze-text"


def test_garbage_expands_within_the_limit_or_is_refused():
    rand = random_source(11)
    causes = set()
    for _ in range(150):
        data = bytes([rand(256) for _ in range(1 + rand(40))])
        try:
            assert len(squeeze.expand(data, 80)) <= 80
        except squeeze.RemoteProtocolError as error:
            causes.add(error.cause)
    assert causes <= {"squeeze-long"}


def test_a_bulletin_is_squeezed_only_where_that_is_shorter():
    (dutch,) = bulletin_parts(1, _DUTCH[0].encode())
    part = bulletin.decode_part(dutch)
    assert part.encoding == b"squeezed" and len(part.content) * 2 < len(_DUTCH[0])
    assert part.text == _DUTCH[0].encode()
    (other,) = bulletin_parts(2, "Кип'ятіть воду.".encode())
    part = bulletin.decode_part(other)
    assert part.encoding == b"utf-8" and part.text == part.content == "Кип'ятіть воду.".encode()


def test_a_long_squeezed_text_is_cut_in_parts_that_can_each_be_read():
    text = b" ".join([line.encode() for line in _DUTCH[:3]]) * 4
    parts = bulletin_parts(3, text)
    assert len(parts) < len(split_text(text, 150))
    pieces = [bulletin.decode_part(raw) for raw in parts]
    assert [piece.encoding for piece in pieces] == [b"squeezed"] * len(parts)
    assert b"".join([piece.text for piece in pieces]) == text
    assert all([len(piece.content) <= 150 and piece.text.decode() for piece in pieces])


def test_a_text_in_parts_is_never_cut_inside_a_letter_nor_grows():
    for text in (LONG_TEXT, "één ïdee ".encode() * 60, b"zqj" * 300, b"a" * 1200):
        parts = bulletin_parts(4, text)
        assert len(parts) <= len(split_text(text, 150))
        pieces = [bulletin.decode_part(raw).text for raw in parts]
        assert b"".join(pieces) == text
        for piece in pieces:
            assert piece[0] & 0xC0 != 0x80


def test_a_signed_part_that_cannot_be_read_says_so_and_raises_nothing():
    made = bulletin.Bulletin(1, 5, 1799751600, 1799755200, b"T.")
    (raw,) = sign_bulletin(made)
    assert bulletin.decode_part(raw).encoding == b"utf-8"
    # Encoding 1 in the CAP word, and data that has no end within the bound.
    endless = b"\0\0"
    broken = raw[:10] + bytes((raw[10] | 1,)) + raw[11:17] + endless + raw[-64:]
    notice = Notice(broken, {decode_header(broken).record_id: broken}.get)
    notice.add(notice.meta)
    assert notice.text == content.UNREADABLE
    assert cause_of(content.unpack, b"squeezed", endless) == "squeeze-long"
