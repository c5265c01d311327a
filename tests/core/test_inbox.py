"""The node's text messages: who stays when there are too many, what text becomes, and a flash that fails."""

import os

from test_flash import Folder, write

from baken.device import inbox as device_inbox
from baken.device.inbox import Inbox, cleaned
from baken.mesh import inbox
from baken.mesh.inbox import ALERT, FROM_US, MAX_MESSAGES, MAX_TEXT, RESERVED, TO_US, Message, decode, encode
from baken.wire.errors import LocalProtocolError
from baken.wire.packet import BROADCAST

OWN = 0x4D656401
OTHER = 0x12345678


def _message(number, text=b"Hallo", flags=0, to=BROADCAST, sender=OTHER):
    return Message(sender, number, to, 1_800_000_000 + number, flags, 0, b"OV06", b"Baken", text)


def _direct(number):
    return _message(number, flags=TO_US, to=OWN)


def _ids(box):
    return [message.packet_id for message in box.newest()]


class _Cut(Exception):
    """The power fails. Not an OSError: nothing in the module under test may catch it."""


class _Fuse:
    """Stands for a flash whose power fails at its `at`-th step, or that has no room from then on (`full`)."""

    def __init__(self, at, full=False):
        self.at = at
        self.full = full
        self.count = 0

    def __enter__(self):
        setattr(device_inbox, "open", self._open)
        device_inbox.os = self
        return self

    def __exit__(self, *_):
        delattr(device_inbox, "open")
        device_inbox.os = os

    def step(self):
        self.count += 1
        if self.full and self.at and self.count >= self.at:
            raise OSError(28)
        if not self.full and self.count == self.at:
            raise _Cut()

    def _open(self, name, mode="r"):
        if "r" in mode:
            return open(name, mode)
        self.step()
        return _FusedFile(open(name, mode), self)

    def rename(self, old, new):
        self.step()
        os.rename(old, new)
        self.step()

    def remove(self, name):
        self.step()
        os.remove(name)
        self.step()

    def stat(self, name):
        return os.stat(name)


class _FusedFile:
    def __init__(self, file, fuse):
        self._file = file
        self._fuse = fuse

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self._file.close()
        if kind is None:
            self._fuse.step()

    def write(self, data):
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        self._fuse.step()
        self._file.write(data[half:])
        self._file.flush()
        self._fuse.step()


def test_an_entry_is_what_the_documented_bytes_say_and_reads_back():
    message = Message(OTHER, 7, OWN, None, ALERT | TO_US, 1, b"", b"", b"Hoi")
    entry = encode(message)
    assert entry[:4] == b"\xb7T\x00\x17" and len(entry) == 4 + 0x17 + 4
    assert decode(entry + b"more") == message and decode(entry).unix_s is None
    full = _message(1, b"x" * MAX_TEXT)
    full.channel_name = b"y" * 11
    assert len(encode(full)) == inbox.MAX_ENTRY and decode(encode(full)) == full


def test_a_value_out_of_bounds_is_refused_by_name_and_limit():
    for field, value in (("text", b"x" * 238), ("short_name", b"12345"), ("packet_id", 1 << 32), ("to", -1)):
        message = _message(1)
        setattr(message, field, value)
        try:
            encode(message)
        except LocalProtocolError as error:
            assert "limit" in str(error)
        else:
            raise AssertionError(field)


def test_no_cut_or_changed_entry_is_taken_for_a_message():
    entry = encode(_message(1))
    for size in range(len(entry)):
        assert decode(entry[:size]) is None
    for at in range(len(entry)):
        changed = bytearray(entry)
        changed[at] ^= 0x41
        assert decode(bytes(changed)) is None, at


def test_messages_are_there_after_a_restart_newest_first_and_none_twice():
    with Folder() as path:
        box = Inbox(path)
        assert not len(box) and os.listdir(path) == []
        assert box.keep(_message(1)) and box.keep(_message(2)) and box.keep(_message(1, sender=OWN))
        assert not box.keep(_message(1, b"Anders"))
        again = Inbox(path)
        assert list(again.newest()) == list(box.newest())
        assert [(one.sender, one.packet_id) for one in again.newest()] == [(OWN, 1), (OTHER, 2), (OTHER, 1)]
        assert not again.keep(_message(2)) and again.damaged == 0


def test_chatter_cannot_push_out_what_is_for_this_point_nor_the_other_way_round():
    with Folder() as path:
        box = Inbox(path)
        for number in range(5):
            box.keep(_direct(number))
        for number in range(100, 300):
            box.keep(_message(number))
        assert len(box) == MAX_MESSAGES
        assert _ids(box)[-5:] == [4, 3, 2, 1, 0] and _ids(box)[:27] == list(range(299, 272, -1))
        for number in range(1000, 1100):
            box.keep(_message(number, flags=ALERT))
        assert len(box) == MAX_MESSAGES and len([one for one in _ids(box) if one < 1000]) == 32 - RESERVED
        assert _ids(box)[:RESERVED] == list(range(1099, 1099 - RESERVED, -1))
        assert _ids(Inbox(path)) == _ids(box)


def test_the_file_stays_bounded_and_most_messages_cost_one_append():
    with Folder() as path:
        box = Inbox(path)
        with _Fuse(0) as fuse:
            for number in range(1000):
                box.keep(_message(number, b"x" * MAX_TEXT))
        assert os.stat(path + "/texts")[6] <= 64 * inbox.MAX_ENTRY
        assert fuse.count <= 1000 * 4 + 32 * (4 + 2 * MAX_MESSAGES)
        assert len(Inbox(path)) == MAX_MESSAGES


def test_a_power_cut_at_any_step_loses_nothing_that_was_kept_before():
    step = 0
    cuts = 0
    while True:
        step += 1
        with Folder() as path:
            box = Inbox(path)
            for number in range(62):  # so that the file is soon written anew
                box.keep(_message(number))
            kept = 61
            try:
                with _Fuse(step):
                    for number in range(62, 66):
                        box.keep(_message(number))
                        kept = number
            except _Cut:
                cuts += 1
            else:
                break
            again = Inbox(path)
            assert _ids(again)[0] in (kept, kept + 1), (step, _ids(again))
            assert _ids(again) == list(range(_ids(again)[0], _ids(again)[0] - len(again), -1))
            assert len(again) == MAX_MESSAGES and sorted(os.listdir(path)) == ["texts"]
            assert again.keep(_direct(900)) and _ids(Inbox(path))[0] == 900
    assert cuts > 60


def test_what_is_damaged_is_skipped_and_the_rest_is_read():
    entries = [encode(_message(number)) for number in range(4)]
    for at in (0, 3, 10, len(entries[0]) - 1):
        with Folder() as path:
            data = bytearray(b"".join(entries))
            data[len(entries[0]) + at] ^= 0xFF
            write(path + "/texts", b"\xb7\xb7T" + data + entries[0][:9])
            box = Inbox(path)
            assert _ids(box) == [3, 2, 0] and box.damaged
            clean = Inbox(path)
            assert _ids(clean) == [3, 2, 0] and clean.damaged == 0  # it was written anew


def test_a_file_of_garbage_is_an_empty_inbox_that_works():
    for garbage in (b"\xb7T" * 30000, bytes(40000), b"x", b"\xb7T\xff\xff"):
        with Folder() as path:
            write(path + "/texts", garbage)
            box = Inbox(path)
            assert len(box) == 0 and box.damaged
            assert box.keep(_message(1)) and _ids(Inbox(path)) == [1]


def test_damage_while_it_runs_costs_that_message_only():
    with Folder() as path:
        box = Inbox(path)
        for number in range(3):
            box.keep(_message(number))
        with open(path + "/texts", "rb") as file:
            data = bytearray(file.read())
        data[len(data) // 2] ^= 1
        write(path + "/texts", data)
        assert _ids(box) == [2, 0]
        for number in range(10, 80):
            box.keep(_direct(number))
        assert _ids(box)[:16] == list(range(79, 63, -1)) and _ids(box)[-2:] == [2, 0]


def test_without_room_texts_are_shown_from_memory_and_saved_when_there_is_room():
    with Folder() as path:
        box = Inbox(path)
        box.keep(_message(1))
        for start in (1, 2, 3):
            with _Fuse(start, full=True):
                for number in range(start * 100, start * 100 + 20):
                    assert box.keep(_message(number))
                assert _ids(box)[:8] == list(range(start * 100 + 19, start * 100 + 11, -1))
            assert box.full >= 20
        box.keep(_message(999))
        assert _ids(Inbox(path)) == _ids(box) and _ids(box)[-1] == 1 and 319 in _ids(box)


def test_control_characters_bad_utf8_and_length_do_no_harm():
    assert cleaned(b"a\x00b\x1b[2Jc\x7f\xc2\x85d\n", 99) == b"a b [2Jc  d"
    assert cleaned(b"een\ntwee\r\n", 99) == b"een\ntwee"
    assert cleaned(b"\xff\xfe\xc0\x80ok\xed\xa0\x80", 99) == b"\xef\xbf\xbdok\xef\xbf\xbd"
    assert cleaned("\u202egnoF\u2066 \ufeffx".encode(), 99) == b"gnoF x"
    euros = "€".encode() * 200
    assert cleaned(euros, MAX_TEXT) == "€".encode() * 79
    assert cleaned(b"\xff" * 500, 4) == b"\xef\xbf\xbd" and cleaned(b" \x01 ", 9) == b""
    assert len(cleaned(b"\xffa" * 300, MAX_TEXT)) <= MAX_TEXT


def test_our_own_text_is_kept_as_ours():
    assert not (_message(1).direct) and _direct(1).direct
    shelf = inbox.Shelf()
    for number in range(40):
        shelf.add(_message(number, flags=FROM_US, to=OWN), number)
    assert len(shelf) == MAX_MESSAGES and shelf.places[0] == 8 and shelf.has(OTHER, 39)
