"""`baken-bench report` and `emergency`: a person at a support point tells the crisis room how it is, or calls
for help, with a laptop on the node's port.

The node completes, numbers and signs what it is handed, seals a call for help, and sends it out: the laptop
needs no key.
"""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import serial
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from baken.wire import report, status, stream
from baken.wire.errors import LocalProtocolError
from baken.wire.status import NEEDS, PRIORITIES, STATES, Status

ANSWER_TIMEOUT_S = 15.0
_WAKE = b"\xc3" * 32
_WITHOUT_NODES = 69420  # the special want_config_id that leaves out the other nodes


class ReportError(Exception):
    """The node on the port did not take the report; the text names the port and the cause."""


def send(port: str | Path, draft: Status) -> int:
    """Hand `draft` to the node on `port`; the node's number once it has confirmed. ReportError otherwise."""
    return _hand_over(port, status.encode_draft(draft))


def send_emergency(port: str | Path, text: str, priority: bytes = b"F", exercise: bool = False) -> int:
    """Hand the node on `port` an emergency report, as `send` does a status."""
    return _hand_over(port, report.encode_draft(text.encode(), priority, exercise))


def _hand_over(port: str | Path, payload: bytes) -> int:
    packet_id = secrets.randbelow(0xFFFFFFFE) + 1
    try:
        with serial.Serial(str(port), 115200, timeout=0.05, exclusive=True) as link:
            answers = _Answers(link, port)
            link.write(_WAKE + _framed(mesh_pb2.ToRadio(want_config_id=_WITHOUT_NODES)))
            node_num = answers.wait(lambda answer: answer.my_info.my_node_num, "say who it is")
            packet = mesh_pb2.MeshPacket(to=node_num, id=packet_id, want_ack=True)
            packet.decoded.portnum = portnums_pb2.PortNum.PRIVATE_APP
            packet.decoded.payload = payload
            link.write(_framed(mesh_pb2.ToRadio(packet=packet)))
            answers.wait(lambda answer: answer.queueStatus.mesh_packet_id == packet_id, "take the report")
            link.write(_framed(mesh_pb2.ToRadio(disconnect=True)))
            link.flush()
            return node_num
    except (serial.SerialException, OSError) as error:
        raise ReportError(f"{port}: {error}") from error


class _Answers:
    """What the node says, message by message."""

    def __init__(self, link: serial.Serial, port: str | Path) -> None:
        self._link = link
        self._port = port
        self._deframer = stream.Deframer()
        self._payloads: list[bytes] = []

    def wait(self, wanted: Callable[[mesh_pb2.FromRadio], int], what: str) -> int:
        """The first true thing that `wanted` finds in a message."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while time.monotonic() < deadline:
            self._payloads += self._deframer.receive(self._link.read(512))
            while self._payloads:
                answer = mesh_pb2.FromRadio()
                answer.ParseFromString(self._payloads.pop(0))
                found = wanted(answer)
                if found:
                    return found
        raise ReportError(f"{self._port}: the node did not {what} within {ANSWER_TIMEOUT_S:.0f} s")


def _framed(message: mesh_pb2.ToRadio) -> bytes:
    return stream.frame(message.SerializeToString())


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `report` and `emergency` to `baken-bench`."""
    parser = commands.add_parser(
        "report",
        help="report a support point's condition through its node",
        description="Hands the node on PORT a report; the node numbers and signs it and tells the crisis "
        "room. Tell numbers, never names or addresses: everybody with the channel's key can read it.",
        epilog="Example: baken-bench report /dev/ttyUSB0 --state OPEN --people 31 --need MED "
        "--text 'Ambulance ter plaatse.'",
    )
    parser.add_argument("port", metavar="PORT", help="serial port of the node")
    parser.add_argument("--state", required=True, choices=_words(STATES))
    parser.add_argument("--priority", default="R", choices=_words(PRIORITIES), help="Routine to Flash (R)")
    parser.add_argument("--people", type=int, default=0, metavar="N", help="people at the point, 0 to 65535")
    parser.add_argument("--volunteers", type=int, default=0, metavar="N", help="0 to 255")
    parser.add_argument(
        "--power-hours", type=int, metavar="N", help="hours of power left, 0 to 254 (default: unknown)"
    )
    parser.add_argument("--water-l", type=int, default=0, metavar="N", help="litres of water, 0 to 65535")
    parser.add_argument("--need", action="append", default=[], choices=_words(NEEDS), help="may be repeated")
    parser.add_argument("--text", default="", help=f"at most {status.text_capacity(status.MAX_SEEN)} bytes")
    parser.add_argument("--exercise", action="store_true", help="marks the report as part of an exercise")
    parser.set_defaults(run=_run)
    parser = commands.add_parser(
        "emergency",
        help="send an emergency report (noodmelding) through a support point's node",
        description="Hands the node on PORT an emergency report. The node seals it to the crisis room, so "
        "that nobody else can read it, and repeats it until somebody there has acknowledged it; its display "
        "shows the acknowledgement and the answer.",
        epilog="Example: baken-bench emergency /dev/ttyUSB0 'MED 1 persoon pijn op de borst, hoofdingang.'",
    )
    parser.add_argument("port", metavar="PORT", help="serial port of the node")
    parser.add_argument("text", metavar="TEXT", help=f"what is needed, at most {report.MAX_TEXT} bytes")
    parser.add_argument("--priority", default="F", choices=_words(PRIORITIES), help="Routine to Flash (F)")
    parser.add_argument("--exercise", action="store_true", help="marks the report as part of an exercise")
    parser.set_defaults(run=_run_emergency)


def _run_emergency(arguments: argparse.Namespace) -> int:
    try:
        node_num = send_emergency(
            arguments.port, arguments.text, arguments.priority.encode(), arguments.exercise
        )
    except LocalProtocolError as error:
        raise ReportError(str(error)) from error
    print(f"node !{node_num:08x} has taken the emergency report and sends it until it is acknowledged")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    draft = Status(0, 0, 0, arguments.state.encode(), arguments.text.encode())
    draft.needs = tuple(need.encode() for need in arguments.need)
    draft.priority = arguments.priority.encode()
    draft.people = arguments.people
    draft.volunteers = arguments.volunteers
    draft.power_hours = arguments.power_hours
    draft.water_l = arguments.water_l
    draft.exercise = arguments.exercise
    try:
        node_num = send(arguments.port, draft)
    except LocalProtocolError as error:
        raise ReportError(str(error)) from error
    print(f"node !{node_num:08x} has taken the report and sends it")
    return 0


def _words(words: tuple[bytes, ...]) -> list[str]:
    return [word.decode() for word in words]
