"""What is played, when: the exercise's messages for the nodes on stage, and what goes wrong meanwhile.

Pure: a plan is a list of steps at virtual times, made from the scenario; the director carries it out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from baken_hardware.demo import scenario
from baken_hardware.demo.scenario import Bulletin, Letter, Report

# The crisis room's gateway, two towers and a point in every direction; PZ02 is three hops away.
NODES = ("VR00", "RL1", "RL4", "OV06", "DH04", "MW01", "ZL01", "PZ01", "PZ02", "RM05")
LINK_SEED = 2  # of the buildings between them, see `baken_hardware.virtual.propagation`
PRESET = "MEDIUM_FAST"
HOP_LIMIT = 3
LAST_HOUR = 34.0
ALL_HOURS = 72.0

SILENT_POINT = "RM05"
READERS = ("OV06", "PZ02", "DH04")  # where somebody stands at the display
READING_S = 55
BEAT_HOURS = 4


@dataclass(frozen=True)
class Send:
    """The crisis room sends a bulletin with the console."""

    at_s: int
    bulletin: Bulletin


@dataclass(frozen=True)
class Tell:
    """The people at a point report over the cable of their node."""

    at_s: int
    report: Report


@dataclass(frozen=True)
class Call:
    """The people at a point call for help over the cable of their node."""

    at_s: int
    letter: Letter


@dataclass(frozen=True)
class Answer:
    """The crisis room answers a call for help, or writes to a point; somebody there reads and confirms it."""

    at_s: int
    letter: Letter


@dataclass(frozen=True)
class Beat:
    """The crisis room sends a heartbeat."""

    at_s: int


@dataclass(frozen=True)
class Confirm:
    """A volunteer reads a bulletin from the display and confirms it with the button."""

    at_s: int
    code: str
    bulletin: Bulletin


@dataclass(frozen=True)
class Forge:
    """Somebody with the channel's key puts a false bulletin on the air near every node, and on MQTT."""

    at_s: int
    bulletin: Bulletin


@dataclass(frozen=True)
class SwitchOff:
    """The battery of a node is empty."""

    at_s: int
    code: str


@dataclass(frozen=True)
class SwitchOn:
    """It has a new one."""

    at_s: int
    code: str


@dataclass(frozen=True)
class Outage:
    """The power of the data centre fails: the broker is gone."""

    at_s: int


@dataclass(frozen=True)
class Restore:
    """The broker is back."""

    at_s: int


Step = Send | Tell | Call | Answer | Beat | Confirm | Forge | SwitchOff | SwitchOn | Outage | Restore


def hours_s(hours: float) -> int:
    """Unix seconds of a time in the exercise, in hours since its start."""
    return scenario.unix_s(scenario.START) + round(hours * 3600)


def stations(which: str) -> tuple[str, ...]:
    """Codes of the stations that `which` names: `all`, or codes separated by commas. ArgumentTypeError says
    what is wrong.
    """
    known = scenario.load_stations()
    if which == "all":
        return known
    codes = tuple(dict.fromkeys(which.upper().split(",")))
    strangers = [code for code in codes if code not in known]
    if strangers:
        raise argparse.ArgumentTypeError(f"the exercise has no station {', '.join(strangers)}")
    if scenario.CRISIS_ROOM not in codes:
        raise argparse.ArgumentTypeError(f"{scenario.CRISIS_ROOM}, the crisis room, must be among them")
    areas = scenario.load_areas()
    if len({areas[code] for code in codes if code in areas}) < 2:
        raise argparse.ArgumentTypeError(
            "stations of two municipalities at least, as OV06 and DH04: "
            "a bulletin for one has to leave the other out"
        )
    return codes


def make(codes: tuple[str, ...], last_hour: float) -> list[Step]:
    """Steps in order of time, up to `last_hour`; messages of points that are not on stage are left out."""
    steps: list[Step] = [
        Forge(bulletin.sent_s, bulletin) if bulletin.is_forged else Send(bulletin.sent_s, bulletin)
        for bulletin in scenario.load_bulletins()
    ]
    for step in list(steps):
        if isinstance(step, Send) and step.bulletin.event == "ALARM":
            confirming = [code for code in READERS if code in codes and step.bulletin.is_for(code[:2])]
            steps += [Confirm(step.at_s + READING_S, code, step.bulletin) for code in confirming]
    off = (hours_s(22 + 20 / 60), hours_s(24 + 40 / 60))
    for report in scenario.load_reports():
        is_off = report.code == SILENT_POINT and off[0] <= report.sent_s < off[1]
        if report.code in codes and not is_off:
            steps.append(Tell(report.sent_s, report))
    for letter in scenario.load_letters():
        if letter.code in codes:
            steps.append((Answer if letter.is_answer else Call)(letter.sent_s, letter))
    steps += [Beat(hours_s(hour)) for hour in range(1, round(ALL_HOURS), BEAT_HOURS)]
    if SILENT_POINT in codes:
        steps += [SwitchOff(off[0], SILENT_POINT), SwitchOn(off[1], SILENT_POINT)]
    steps += [Outage(hours_s(27.5)), Restore(hours_s(28.5))]
    return sorted((step for step in steps if step.at_s <= hours_s(last_hour)), key=lambda step: step.at_s)
