"""The store on a node's flash: whole files or none, damage that costs only what is damaged, and no room."""

import os

from _small_region import bulletin_parts, status_record

from baken.device import flash
from baken.device.flash import FlashStore
from baken.noticeboard.store import next_number, raise_number
from baken.wire.records import BULLETIN, STATUS


class Folder:
    """An empty folder, removed at the end with all that is in it."""

    _count = 0

    def __enter__(self):
        Folder._count += 1
        # Both runtimes can make a folder, neither the same one at the same time as another run.
        for number in range(1000):
            self.path = "/tmp/baken-flash-%d-%d" % (Folder._count, number)
            try:
                os.mkdir(self.path)
                return self.path
            except OSError:
                pass
        raise OSError("no free name for a test folder")

    def __exit__(self, *_):
        _remove_tree(self.path)


def _remove_tree(path):
    try:
        names = os.listdir(path)
    except OSError:
        os.remove(path)
        return
    for name in names:
        _remove_tree(path + "/" + name)
    os.rmdir(path)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


class Room:
    """Stands for a flash with `left` bytes: in place of `open` in the module under test."""

    def __init__(self, left):
        self.left = left

    def __enter__(self):
        setattr(flash, "open", self.open)  # a module's own name comes before the built-in one
        return self

    def __exit__(self, *_):
        delattr(flash, "open")

    def open(self, name, mode="r"):
        file = open(name, mode)
        return _LimitedFile(file, self) if "w" in mode else file


class _LimitedFile:
    def __init__(self, file, room):
        self._file = file
        self._room = room

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, data):
        fits = data[: self._room.left]
        self._room.left -= len(fits)
        self._file.write(fits)
        if len(fits) < len(data):
            raise OSError(28)
        return len(data)


def stored(store):
    return sorted(store.load())


def test_what_was_put_and_set_is_there_after_a_restart():
    with Folder() as path:
        store = FlashStore(path + "/board")
        raws = bulletin_parts(1) + [status_record(1, 4)]
        for raw in raws:
            store.put(raw)
        store.set("read", b"")
        store.set("status", b"\x00\x01")
        again = FlashStore(path + "/board")
        assert stored(again) == sorted(raws)
        assert again.get("read") == b"" and again.get("status") == b"\x00\x01" and again.get("other") is None
        again.remove((STATUS, 1, 4, 0))
        again.remove((STATUS, 1, 99, 0))
        assert stored(FlashStore(path + "/board")) == bulletin_parts(1)
        assert store.full == again.full == again.damaged == 0


def test_the_same_record_again_and_another_under_its_number_leave_one_file():
    with Folder() as path:
        store = FlashStore(path)
        store.put(status_record(1, 4))
        store.put(status_record(1, 4, b"Anders."))
        assert stored(store) == [status_record(1, 4, b"Anders.")]
        assert os.listdir(path + "/records") == ["3-1-4-0"]


def test_halves_of_files_go_at_the_start():
    with Folder() as path:
        FlashStore(path)
        write(path + "/records/~1-1-1-0", bulletin_parts(1)[0][:100])
        write(path + "/values/~status", b"\x00")
        write(path + "/reserve", bytes(100))
        store = FlashStore(path)
        assert stored(store) == [] and store.get("status") is None
        assert os.listdir(path + "/records") == os.listdir(path + "/values") == []
        assert os.stat(path + "/reserve")[6] == 16384


def test_a_damaged_value_is_absent_and_counted():
    with Folder() as path:
        store = FlashStore(path)
        store.set("status", (7).to_bytes(4, "big"))
        for junk in (b"", b"\x00", b"\x00\x00\x00\x08\x00\x00\x00\x00", bytes(5000)):
            write(path + "/values/status", junk)
            assert store.get("status") is None
        assert store.damaged == 4
        assert next_number(store, "status") == 1


def test_a_file_that_is_no_record_or_has_another_name_goes():
    with Folder() as path:
        store = FlashStore(path)
        (good,) = bulletin_parts(1)
        store.put(good)
        write(path + "/records/1-1-7-0", good)
        write(path + "/records/1-1-8-0", b"short")
        write(path + "/records/readme.txt", bytes(4000))
        assert stored(store) == [good] and store.damaged == 3
        assert os.listdir(path + "/records") == ["1-1-1-0"]
        assert stored(store) == [good] and store.damaged == 3


def test_a_record_without_room_is_kept_in_memory_and_written_when_another_goes():
    with Folder() as path:
        store = FlashStore(path)
        raws = [bulletin_parts(seq)[0] for seq in (1, 2, 3)]
        with Room(len(raws[0]) + 10) as room:
            for raw in raws:
                store.put(raw)
            assert store.full == 2 and os.listdir(path + "/records") == ["1-1-1-0"]
            store.remove((BULLETIN, 1, 2, 0))  # nothing to free: it never was on flash
            assert os.listdir(path + "/records") == ["1-1-1-0"]
            room.left = 10 + len(raws[2])
            store.remove((BULLETIN, 1, 1, 0))
            assert os.listdir(path + "/records") == ["1-1-3-0"]
            room.left = 1000
            store.put(raws[0])
        assert stored(store) == sorted([raws[0], raws[2]]) and store.full == 2


def test_a_number_is_written_into_the_room_set_aside_or_not_given_at_all():
    with Folder() as path:
        with Room(16384 + 8) as room:
            store = FlashStore(path)
            assert next_number(store, "status") == 1 and store.full == 0
            # Full but for the reserve: removing it gives room, the next is smaller by what was written.
            freed = flash.os.remove

            class FreeingOs:
                listdir, mkdir, rename, stat = os.listdir, os.mkdir, os.rename, os.stat

                @staticmethod
                def remove(name):
                    size = os.stat(name)[6]
                    freed(name)
                    room.left += size

            real, flash.os = flash.os, FreeingOs
            try:
                assert [next_number(store, "status") for _ in range(3)] == [2, 3, 4] and store.full == 3
                assert os.stat(path + "/reserve")[6] < 16384
                raise_number(store, "status", 50)
                assert next_number(store, "status") == 51
            finally:
                flash.os = real
            os.remove(path + "/reserve")
            room.left = 3
            refused = 0
            for _ in range(2):
                try:
                    next_number(store, "status")
                except OSError:
                    refused += 1
            assert refused == 2
        assert os.listdir(path + "/values") == ["status"]
        assert next_number(FlashStore(path), "status") == 52


def test_a_folder_that_cannot_be_made_says_so():
    with Folder() as path:
        write(path + "/board", b"")
        try:
            FlashStore(path + "/board")
            raised = False
        except OSError:
            raised = True
        assert raised
