"""The node program on a flash that stops at its n-th step (BAKEN_CUT_AT).

The node writes `cut <n> <step>` and waits for its power to be taken away.

Steps are what a power cut can fall between: opening a file to write or to append, each half of its bytes,
closing it, renaming it, removing one. Only records and values count, not the room set aside for them.
"""

import os
import time

import board

from baken.device import app, flash

CUT_AT = int(os.getenv("BAKEN_CUT_AT") or 0)
steps = 0


def step(name):
    global steps
    steps += 1
    if steps == CUT_AT:
        board.log("cut %d %s" % (steps, name))
        while True:
            time.sleep(1)


class CutFile:
    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        step("closed")

    def write(self, data):
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        step("half")
        self._file.write(data[half:])
        self._file.flush()
        step("written")
        return len(data)


class CutOs:
    listdir = os.listdir
    mkdir = os.mkdir
    stat = os.stat
    statvfs = os.statvfs

    @staticmethod
    def rename(old, new):
        step("rename")
        os.rename(old, new)
        step("renamed")

    @staticmethod
    def remove(name):
        step("remove")
        os.remove(name)
        step("removed")


def cut_open(name, mode="r"):
    if mode == "rb" or name.endswith("/reserve"):
        return open(name, mode)
    step("open")
    return CutFile(open(name, mode))


flash.os = CutOs
setattr(flash, "open", cut_open)
app.run(board)
