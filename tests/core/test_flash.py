"""The store on a node's flash: whole files or none, damage that costs only what is damaged, and no room."""

import os

from _small_region import bulletin_parts, status_record

from baken.device import flash
from baken.device.flash import FlashStore
from baken.noticeboard.store import MAX_VALUE, next_number, raise_number
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
        return _LimitedFile(file, self) if mode != "rb" else file


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


def size_of(path):
    return os.stat(path)[6]


def keep(store, *raws):
    """Put these and make them last."""
    for raw in raws:
        store.put(raw)
    store.commit()


def test_what_was_put_and_set_is_there_after_a_restart():
    with Folder() as path:
        store = FlashStore(path + "/board", 1)
        raws = bulletin_parts(1) + [status_record(1, 4)]
        keep(store, *raws)
        store.set("read", b"")
        store.set("status", b"\x00\x01")
        again = FlashStore(path + "/board", 1)
        assert stored(again) == sorted(raws)
        assert again.get("read") == b"" and again.get("status") == b"\x00\x01" and again.get("other") is None
        again.remove((STATUS, 1, 4, 0))
        again.remove((STATUS, 1, 99, 0))
        again.commit()
        assert stored(FlashStore(path + "/board")) == bulletin_parts(1)
        assert store.full == again.full == again.damaged == 0


def test_of_two_records_under_one_number_the_later_counts():
    with Folder() as path:
        store = FlashStore(path, 1)
        keep(store, status_record(1, 4))
        keep(store, status_record(1, 4, b"Anders."))
        assert stored(store) == stored(FlashStore(path)) == [status_record(1, 4, b"Anders.")]
        store.remove((STATUS, 1, 4, 0))
        store.commit()
        assert stored(FlashStore(path)) == [] == sorted(flash.read_log(path))


def test_halves_of_files_go_at_the_start():
    with Folder() as path:
        FlashStore(path)
        write(path + "/~log", bulletin_parts(1)[0][:100])
        write(path + "/values/~status", b"\x00")
        write(path + "/reserve", bytes(100))
        store = FlashStore(path)
        assert stored(store) == [] and store.get("status") is None
        assert sorted(os.listdir(path)) == ["reserve", "values"] and os.listdir(path + "/values") == []
        assert size_of(path + "/reserve") == 16384


def test_what_others_say_again_waits_for_what_cannot_wait_and_goes_in_the_same_append():
    with Folder() as path:
        store = FlashStore(path, 1)
        keep(store, status_record(2, 4))
        store.remove((STATUS, 2, 4, 0))
        keep(store, status_record(2, 5))
        assert stored(store) == [status_record(2, 5)] and "log" not in os.listdir(path)
        keep(store, status_record(1, 1))  # our own
        assert stored(FlashStore(path)) == [status_record(1, 1), status_record(2, 5)]
        size = size_of(path + "/log")
        keep(store, status_record(3, 9))
        assert size_of(path + "/log") == size
        store.save()
        assert stored(FlashStore(path))[2] == status_record(3, 9)


def test_no_more_wait_than_the_bound_says():
    with Folder() as path:
        store = FlashStore(path, 1)
        for seq in range(1, flash.MAX_WAITING + 1):
            assert "log" not in os.listdir(path)
            keep(store, status_record(3, seq))
        assert len(stored(FlashStore(path))) == flash.MAX_WAITING


def test_a_batch_is_there_as_a_whole_or_not_at_all():
    with Folder() as path:
        store = FlashStore(path)
        (first,) = bulletin_parts(1)
        keep(store, first)
        size = size_of(path + "/log")
        store.remove((BULLETIN, 1, 1, 0))
        keep(store, *bulletin_parts(2))
        with open(path + "/log", "rb") as file:
            log = file.read()
        for end in range(size, len(log) + 1):
            write(path + "/log", log[:end])
            after = FlashStore(path)
            assert stored(after) == ([first] if end < len(log) else bulletin_parts(2)), end
            assert after.damaged == (size < end < len(log))
            held = stored(after)
            after.commit()  # what was torn is written anew, so what follows is found
            keep(after, *bulletin_parts(3))
            again = FlashStore(path)
            assert stored(again) == sorted(held + bulletin_parts(3)) and again.damaged == 0


def test_damage_in_the_log_costs_what_is_damaged_and_goes_at_the_start():
    with Folder() as path:
        store = FlashStore(path)
        raws = [bulletin_parts(seq)[0] for seq in range(1, 5)]
        for raw in raws:
            keep(store, raw)
        with open(path + "/log", "rb") as file:
            log = file.read()
        each = len(log) // 4
        edited = log[each : each + 40] + b"\x00" + log[each + 41 : 2 * each]
        for junk in (edited, b"", bytes(9000), b"\xb7\x42"):
            write(path + "/log", log[:each] + junk + log[2 * each :])
            damaged = FlashStore(path)
            held = stored(damaged)
            assert held == sorted([raws[0]] + raws[2:]) and damaged.damaged == (junk != b"")
            damaged.commit()
            again = FlashStore(path)
            assert stored(again) == held and again.damaged == 0


def test_a_record_is_fetched_from_where_it_lies_also_after_the_log_was_written_anew():
    with Folder() as path:
        store = FlashStore(path, 1)
        raws = {}
        made = status_record(1, 5)
        for origin in range(1, 80):  # more than a block of the index; the store checks no signature
            raws[(STATUS, origin, 5, 0)] = made[:1] + origin.to_bytes(2, "big") + made[3:]
        keep(store, *raws.values())
        store.save()
        assert not store._waiting
        for number, record_id in enumerate(sorted(raws)):
            if number % 3 == 0:
                store.remove(record_id)
                del raws[record_id]
        keep(store, *bulletin_parts(1, b"Lang. " * 60))  # in parts
        for restarts in (False, True):
            again = FlashStore(path) if restarts else store
            ids = sorted(again.ids())
            assert [one for one in ids if one[0] == STATUS] == sorted(raws) and len(ids) > len(raws) + 1
            assert all([again.fetch(one) == raws[one] for one in raws])
            assert again.fetch((STATUS, 2, 4, 0)) is None and again.fetch((STATUS, 1, 5, 0)) is None
            again._is_behind = True  # as after damage
            again.commit()
            assert all([again.fetch(one) == raws[one] for one in raws]) and again.lost == []


def test_what_the_flash_gives_back_wrongly_is_lost_and_said_not_passed_on():
    with Folder() as path:
        store = FlashStore(path, 1)
        keep(store, bulletin_parts(1)[0])
        size = size_of(path + "/log")
        keep(store, bulletin_parts(2)[0])
        with open(path + "/log", "rb") as file:
            log = file.read()
        write(path + "/log", log[: size + 30] + bytes((log[size + 30] ^ 1,)) + log[size + 31 :])
        assert store.fetch((BULLETIN, 1, 2, 0)) is None and store.damaged == 1
        assert store.lost == [(BULLETIN, 1, 2, 0)] and stored(store) == bulletin_parts(1)
        keep(store, bulletin_parts(2)[0])  # a neighbour has brought it again
        again = FlashStore(path)
        assert stored(again) == sorted(bulletin_parts(1) + bulletin_parts(2)) and again.damaged == 0


def test_the_log_is_written_anew_when_twice_as_long_as_what_lives_in_it():
    with Folder() as path:
        store = FlashStore(path, 1)
        keep(store, *bulletin_parts(1))
        longest = 0
        for seq in range(1, 700):
            if seq > 1:
                store.remove((STATUS, 1, seq - 1, 0))
            keep(store, status_record(1, seq))
            longest = max(longest, size_of(path + "/log"))
        assert flash.LEAST_LOG < longest < flash.LEAST_LOG + 512
        assert stored(FlashStore(path)) == sorted(bulletin_parts(1) + [status_record(1, 699)])


def test_a_damaged_value_is_absent_and_counted():
    with Folder() as path:
        store = FlashStore(path)
        store.set("status", (7).to_bytes(4, "big"))
        for junk in (b"", b"\x00", b"\x00\x00\x00\x08\x00\x00\x00\x00", bytes(5000)):
            write(path + "/values/status", junk)
            assert store.get("status") is None
        assert store.damaged == 4
        assert next_number(store, "status") == 1


def test_a_value_too_long_to_come_back_is_refused_and_the_old_one_stays():
    with Folder() as path:
        store = FlashStore(path)
        store.set("reports", b"r" * MAX_VALUE)
        try:
            store.set("reports", b"R" * (MAX_VALUE + 1))
            raise AssertionError("it was taken")
        except OSError as error:
            assert "reports is 4097 bytes, limit 4096" in str(error)
        assert store.get("reports") == FlashStore(path).get("reports") == b"r" * MAX_VALUE


def test_a_record_without_room_is_kept_in_memory_and_written_when_there_is_room():
    with Folder() as path:
        store = FlashStore(path)
        raws = [bulletin_parts(seq)[0] for seq in (1, 2, 3)]
        with Room(len(raws[0]) + 20) as room:
            for raw in raws:
                keep(store, raw)
            assert store.full >= 2 and stored(FlashStore(path)) == [raws[0]]
            assert stored(store) == sorted(raws)
            room.left = 1000
            keep(store, bulletin_parts(4)[0])
        again = FlashStore(path)
        assert stored(again) == stored(store) == sorted(raws + bulletin_parts(4)) and again.damaged == 0


def test_memory_stays_bounded_while_the_flash_takes_nothing_and_nothing_that_is_held_is_lost():
    with Folder() as path:
        store = FlashStore(path, 1)
        held = bulletin_parts(1)
        keep(store, *held)
        with Room(0) as room:
            for seq in range(1, 400):
                if seq > 1:
                    store.remove((STATUS, 1, seq - 1, 0))
                held[1:] = [status_record(1, seq)]
                store.put(held[1])
                store.commit()
                assert len(store._waiting) <= flash.MAX_UNSAVED + 1
            assert stored(FlashStore(path)) == bulletin_parts(1)
            room.left = 4000
            held.append(status_record(2, 1))
            store.put(held[2])
            store.commit()
        assert stored(FlashStore(path)) == sorted(held)


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
