"""The node database on flash: written seldom, at once where it matters, and whole or not at all."""

import os

from test_flash import Folder, write

from baken.device import nodefile
from baken.device.nodefile import NodeFile
from baken.mesh.nodedb import FAVORITE, NodeDatabase

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000


def _file(path):
    return NodeFile(path, NodeDatabase())


def _nodes(kept):
    return kept._nodes


def test_what_was_known_is_known_after_a_restart():
    with Folder() as path:
        kept = _file(path)
        kept.load(0, None)  # the first start
        _nodes(kept).heard(0x2000, -3, 0, 0, 1000)
        _nodes(kept).update_user(0x2000, {"long_name": b"Kerk", "public_key": b"k" * 32})
        assert kept.save(2000, 1_800_000_000)
        assert kept.deadline() is None
        again = _file(path)
        again.load(0, 1_800_000_060)
        assert _nodes(again).public_key(0x2000) == b"k" * 32
        assert _nodes(again).get(0x2000).heard_s == -61
        assert again.deadline() is None and (again.damaged, again.full) == (0, 0)
        assert os.listdir(path) == ["nodes.bin"]


def test_it_is_written_two_hours_after_a_change_and_ten_minutes_apart_where_it_matters():
    with Folder() as path:
        kept = _file(path)
        nodes = _nodes(kept)
        nodes.heard(0x2000, 0, 0, 0, 0)
        assert not kept.save(2 * _HOUR_MS - 1, None)
        assert kept.save(2 * _HOUR_MS, None)
        now = 2 * _HOUR_MS
        nodes.heard(0x2000, 0, 0, 0, now)
        assert kept.deadline() is None  # that it was heard again is no reason
        nodes.set_mark(0x2000, FAVORITE, True)
        assert not kept.save(now + 10 * _MINUTE_MS - 1, None)
        assert kept.save(now + 10 * _MINUTE_MS, None)


def test_whoever_invents_nodes_all_day_wears_the_flash_no_more_than_once_in_ten_minutes():
    with Folder() as path:
        kept = _file(path)
        writes = 0
        for minute in range(24 * 60):
            now = minute * _MINUTE_MS
            _nodes(kept).heard(0x5000 + minute, 0, 0, 0, now)
            _nodes(kept).update_user(0x5000 + minute, {"public_key": minute.to_bytes(32, "big")})
            writes += kept.save(now, None)
        assert writes == 144
        assert os.stat(path + "/nodes.bin")[6] == 8 + 100 * 100


def test_garbage_in_the_file_does_not_stop_the_node():
    with Folder() as path:
        for data in (b"", b"x", b"BKN1\x00\x00\x00\x00" + b"\xff" * 5000, bytes(range(256)) * 100):
            write(path + "/nodes.bin", data)
            kept = _file(path)
            kept.load(0, None)
            assert len(_nodes(kept)) == 0
            assert (kept.damaged > 0) == (data != b"")


def test_without_room_the_old_file_stays_and_it_is_tried_again():
    with Folder() as path:
        kept = _file(path)
        _nodes(kept).put_contact(0x2000, {"long_name": b"oud"})
        assert kept.save(0, None)
        _nodes(kept).put_contact(0x3000, {"long_name": b"nieuw"})
        setattr(nodefile, "open", _full_flash)  # a module's own name comes before the built-in one
        try:
            assert not kept.save(_HOUR_MS, None)
        finally:
            delattr(nodefile, "open")
        assert kept.full == 1 and os.listdir(path) == ["nodes.bin"]
        again = _file(path)
        again.load(0, None)
        assert [node.num for node in _nodes(again)] == [0x2000]
        assert not kept.save(_HOUR_MS + 1000, None)
        assert kept.save(_HOUR_MS + 10 * _MINUTE_MS, None)


def _full_flash(name, mode="r"):
    return _Full(open(name, mode))


class _Full:
    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, data):
        self._file.write(data[:3])
        raise OSError(28)
