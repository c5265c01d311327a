"""Module `board` of the virtual board: connects to the ether and sets the drivers up, as on any board.

Environment:
    BAKEN_ETHER           host:port of the ether (needed)
    BAKEN_NODE            code of this board's place in the region, as OV06 (needed)
    BAKEN_FLASH           folder that stands for the board's flash (needed)
    BAKEN_SERIAL          "nonblocking": standard input and output are the serial port, and do not block;
                          otherwise the port is not connected
    BAKEN_CLOCK           "unset": the calendar clock is unknown until it is set
    BAKEN_CLOCK_OFFSET_S  seconds that the calendar clock is ahead (negative: behind)
    BAKEN_BATTERY_PERCENT charge at the start, 0..100 (default 100)
    BAKEN_IMAGES          files, joined by ":", that stand for the part of the flash with the code

From the import on, asyncio runs in virtual time. The process ends with status 2 when the environment is wrong
and with status 3 when the ether goes away or refuses it; either way one line on standard error says why.
"""

import os
import sys

_images = os.getenv("BAKEN_IMAGES")
if _images:
    import mapping  # pyright: ignore[reportMissingImports] - lies beside this file, on the board's path

    mapping.mount(_images.split(":"))
    del sys.modules["mapping"], mapping

from baken_hardware.virtual.board import drivers, lockstep  # noqa: E402 - they lie in an image

NAME = "virtual"
WIDTH = 250
HEIGHT = 122


def _setting(name, default=None):
    value = os.getenv(name)
    if value is None or value == "":
        if default is None:
            sys.stderr.write("virtual board stops: %s is not set\n" % name)
            raise SystemExit(2)
        return default
    return value


def _number(name, default):
    value = _setting(name, default)
    try:
        return int(value)
    except ValueError:
        sys.stderr.write("virtual board stops: %s is %s, not a whole number\n" % (name, value))
        raise SystemExit(2)


def log(text):
    """A line for whoever tests: to standard error, which the launcher keeps."""
    sys.stderr.write(text + "\n")


FLASH = _setting("BAKEN_FLASH")
_lockstep = lockstep.Lockstep(_setting("BAKEN_ETHER"), _setting("BAKEN_NODE"), WIDTH, HEIGHT)
lockstep.install(_lockstep)

radio = drivers.Radio(_lockstep)
display = drivers.Display(_lockstep, WIDTH, HEIGHT)
button = drivers.Button(_lockstep)
clock = drivers.Clock(
    _lockstep, is_set=_setting("BAKEN_CLOCK", "set") != "unset", offset_s=_number("BAKEN_CLOCK_OFFSET_S", "0")
)
serial = drivers.Serial(_lockstep, attached=_setting("BAKEN_SERIAL", "none") == "nonblocking")
battery = drivers.Battery(_lockstep, _number("BAKEN_BATTERY_PERCENT", "100"))
random_bytes = drivers.Entropy(_lockstep.seed).random_bytes
