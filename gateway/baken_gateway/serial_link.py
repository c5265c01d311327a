"""Opening the serial port of a radio so that nobody else gets it and nothing resets."""

from __future__ import annotations

import termios

import serial

BAUD = 115200


def open_port(port: str) -> serial.Serial:
    """The port, locked for us; closing it leaves its modem lines alone, so that no board resets.

    VMIN 1 makes reading nothing an error of its own, else it would look like a port that has gone.
    """
    opened = serial.Serial(port, BAUD, timeout=0, exclusive=True)
    attributes = termios.tcgetattr(opened.fileno())
    attributes[2] &= ~termios.HUPCL
    attributes[6][termios.VMIN] = 1
    termios.tcsetattr(opened.fileno(), termios.TCSANOW, attributes)
    return opened
