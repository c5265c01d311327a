"""The power fails between any two steps of keeping settings: the old ones are there as a whole, or the new
ones.
"""

import os

from test_flash import Folder

from baken.device import flash
from baken.device.flash import FlashStore
from baken.mesh import preferences
from baken.mesh.config import MeshConfig
from baken.mesh.preferences import Preferences
from baken.wire import protobuf
from baken.wire.messages import CHANNEL, USER

_BASE = MeshConfig(0x1000, b"Basis", b"B")


class PowerCut(BaseException):
    pass


class Cutter:
    """A flash that stops at its n-th step: in place of `open` and `os` in the module under test."""

    def __init__(self, cut_at):
        self.steps = 0
        self._cut_at = cut_at

    def step(self):
        self.steps += 1
        if self.steps == self._cut_at:
            raise PowerCut

    def open(self, name, mode="r"):
        if mode == "rb":
            return open(name, mode)
        self.step()
        return _CutFile(open(name, mode), self)

    def rename(self, old, new):
        self.step()
        os.rename(old, new)
        self.step()

    def remove(self, name):
        self.step()
        os.remove(name)
        self.step()

    def listdir(self, path):
        return os.listdir(path)

    def mkdir(self, path):
        os.mkdir(path)

    def stat(self, path):
        return os.stat(path)

    def statvfs(self, path):
        return os.statvfs(path)

    def __enter__(self):
        setattr(flash, "open", self.open)  # a module's own name comes before the built-in one
        setattr(flash, "os", self)
        return self

    def __exit__(self, *_):
        delattr(flash, "open")
        setattr(flash, "os", os)


class _CutFile:
    """A file of which each block of 64 bytes may be the last."""

    def __init__(self, file, cutter):
        self._file = file
        self._cutter = cutter

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, data):
        for at in range(0, len(data), 64):
            self._cutter.step()
            self._file.write(data[at : at + 64])
        self._cutter.step()
        return len(data)


def _change(settings, number):
    """Owner and channels together, which must not part; more than one block of the flash."""
    name = b"Naam %d" % number
    changes = {preferences.OWNER: protobuf.encode(USER, {"long_name": name, "short_name": b"N%d" % number})}
    for index in range(1, 8):
        channel = {"index": index, "settings": {"name": name, "psk": bytes([number]) * 32}, "role": 2}
        changes[preferences.CHANNELS + index] = protobuf.encode(CHANNEL, channel)
    settings.begin()
    for key in sorted(changes):
        settings.change({key: changes[key]})
    settings.commit()


def test_a_power_cut_at_any_step_leaves_the_old_settings_or_the_new_ones_whole():
    with Folder() as path:
        settings = Preferences(_BASE, FlashStore(path))
        _change(settings, 1)
        old = settings.mesh_config()
        cut_at = 0
        outcomes = []
        while True:
            cut_at += 1
            settings = Preferences(_BASE, FlashStore(path))
            assert settings.mesh_config() == old and settings.damaged == 0
            with Cutter(cut_at):
                try:
                    _change(settings, 1 + cut_at % 200)
                    was_cut = False
                except PowerCut:
                    was_cut = True
            new = settings.mesh_config()
            store = FlashStore(path)
            after = Preferences(_BASE, store)
            assert after.damaged == store.damaged == 0
            kept = after.mesh_config()
            assert kept == old or kept == new, cut_at
            assert kept.long_name[5:] == kept.channels[7].name[5:]
            outcomes.append(kept == new)
            old = kept
            if not was_cut:
                break
        assert outcomes.count(False) > 8 and outcomes[-1] and outcomes[-2]  # the last: nothing was cut
