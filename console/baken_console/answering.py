"""`baken-console reports`, `answer`, `heartbeat` and `publish`: emergency reports, signs of life, and records
that somebody else has signed, for scripts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from baken.noticeboard.replica import REFUSED
from baken.wire.answer import MAX_TEXT
from baken.wire.heartbeat import DEFAULT_PERIOD_MIN
from baken.wire.records import MAX_PAYLOAD
from baken_console.feed import Feed
from baken_console.ledger import LedgerError
from baken_console.mail import VALID_S, MailError, ReportRow
from baken_console.moments import Calendar, MomentError, parse_duration
from baken_console.place import Place
from baken_gateway.store import StoreError

OK = 0
FAILED = 1
WRONG = 2
UNCONFIRMED = 4
DEFAULT_WAIT_S = 10.0

_REPORTS_EPILOG = """\
With --key the reports for that authority are opened; all others are shown as sealed. What waits comes first.

exit codes
  0  printed      1  something needed is missing      4  printed, but the broker was out of reach
"""
_ANSWER_EPILOG = """\
An answer acknowledges the report: the point's display says that it was received, and shows the text. Without
a TEXT it only acknowledges. Nothing acknowledges by itself: do it when a person has seen the report.
The text is sealed, only that point can read it. With a POINT alone it is a message to that point that
belongs to no report.

exit codes
  0  the broker has it (or no --broker: it is kept here)
  1  something needed is missing      2  the answer has an error; nothing was made
  4  made and kept, not confirmed by the broker within --wait seconds

examples
  baken-console answer ... OV06/3 "Ambulance onderweg, circa 12 min."
  baken-console answer ... OV06/3
  baken-console answer ... PZ03 "Watertank komt 13:00."
"""
_PUBLISH_EPILOG = """\
For what `baken-bench region revoke`, `add` and `rollover` write. A record that is not rightly signed, or is
over, is refused here already.

exit codes: those of answer
"""


def add_commands(
    commands: Any, common: argparse.ArgumentParser, formatter: type[argparse.HelpFormatter]
) -> None:
    """Add the four to the command line."""

    def add(name: str, help: str, epilog: str, run: Callable[..., int]) -> argparse.ArgumentParser:
        parser = commands.add_parser(
            name,
            parents=[common],
            help=help,
            description=help[:1].upper() + help[1:] + ".",
            epilog=epilog,
            formatter_class=formatter,
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=DEFAULT_WAIT_S,
            metavar="N",
            help="seconds to wait for the broker (10)",
        )
        parser.set_defaults(run=run)
        return parser

    listed = add("reports", "print the emergency reports", _REPORTS_EPILOG, run_reports)
    listed.add_argument("--json", action="store_true", help="one JSON list; times are ISO 8601 with zone")
    answer = add("answer", "answer or acknowledge an emergency report", _ANSWER_EPILOG, run_answer)
    answer.add_argument(
        "report", metavar="POINT/NUMBER", help="which one: OV06/3; or a point: OV06 (then with a TEXT)"
    )
    answer.add_argument("text", nargs="?", default="", metavar="TEXT", help=f"at most {MAX_TEXT} bytes")
    answer.add_argument(
        "--valid", metavar="TIME", help="how long the point shows it: 30m, 6h or 6u, 2d (24h)"
    )
    answer.add_argument(
        "--exercise", action="store_true", help="marks a message to a point (an answer: as its report)"
    )
    beat = add(
        "heartbeat",
        "send one heartbeat now, for a timer where no screen is open",
        "exit codes: those of answer",
        run_heartbeat,
    )
    beat.add_argument(
        "--period",
        type=int,
        default=DEFAULT_PERIOD_MIN,
        metavar="MIN",
        help="minutes until the next is to be expected, 1 to 255 (60)",
    )
    publish = add("publish", "publish records that are signed already", _PUBLISH_EPILOG, run_publish)
    publish.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one record each")


def run_reports(arguments: argparse.Namespace, place: Place) -> int:
    """Print them; 0, 1 or 4 as the help says."""
    try:
        synced = asyncio.run(_up_to_date(arguments, place))
        now_s = place.clock.unix_s()
        place.desk.absorb(now_s)
        rows = place.desk.mail.reports()
    except (LedgerError, StoreError) as error:
        return _fail(str(error), FAILED)
    calendar = Calendar(place.desk.region.timezone, "en")
    if arguments.json:
        print(json.dumps([report_fields(row, calendar) for row in rows], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_line(row, calendar, now_s) for row in rows) or "no emergency reports")
    return UNCONFIRMED if place.is_joined and not synced else OK


def report_fields(row: ReportRow, calendar: Calendar) -> dict[str, Any]:
    """One report for JSON; a text that is sealed is null."""
    return {
        "id": row.ref,
        "point": row.code,
        "number": row.key[1],
        "sent": calendar.iso(row.sent_s),
        "to": row.to,
        "priority": row.priority,
        "exercise": row.exercise,
        "text": row.text,
        "received": calendar.iso(row.received_s) if row.received_s is not None else None,
        "answers": [
            {"id": f"{one.authority}/{one.number}", "sent": calendar.iso(one.time_s), "text": one.text}
            for one in row.answers
        ],
    }


def run_answer(arguments: argparse.Namespace, place: Place) -> int:
    """Answer one report, or write to a point."""

    def make(now_s: int) -> list[bytes]:
        place.desk.absorb(now_s)
        valid_s = parse_duration(arguments.valid) if arguments.valid else VALID_S
        point, ref = place.desk.mail.addressee(arguments.report)
        return [place.desk.mail.answer(point, ref, arguments.text, now_s, valid_s, arguments.exercise)]

    return _publish(arguments, place, make, arguments.report)


def run_heartbeat(arguments: argparse.Namespace, place: Place) -> int:
    """Send one heartbeat."""

    def make(now_s: int) -> list[bytes]:
        place.desk.absorb(now_s)
        return [place.desk.beat(now_s, arguments.period)]

    return _publish(arguments, place, make, "heartbeat")


def run_publish(arguments: argparse.Namespace, place: Place) -> int:
    """Publish records from files."""

    def make(now_s: int) -> list[bytes]:
        made = []
        for path in arguments.files:
            with path.open("rb") as file:
                raw = file.read(MAX_PAYLOAD + 1)
            outcome = place.desk.replica.receive_record(raw, now_s)
            if outcome.state == REFUSED:
                raise MailError(f"{path} is refused: {outcome.cause}")
            made.append(raw)
        return made

    return _publish(arguments, place, make, ", ".join(path.name for path in arguments.files))


def _publish(
    arguments: argparse.Namespace, place: Place, make: Callable[[int], list[bytes]], name: str
) -> int:
    try:
        confirmed = asyncio.run(_make_and_wait(arguments, place, make))
        place.desk.absorb(place.clock.unix_s())
    except (LedgerError, StoreError) as error:
        return _fail(str(error), FAILED)
    except (MailError, MomentError) as error:
        return _fail(str(error), WRONG)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}", FAILED)
    told = {
        None: "kept here, no --broker or --port given",
        True: "at the broker" if place.broker else "the radio has it",
        False: "kept here, not confirmed yet",
    }[confirmed]
    print(f"{name}  {told}")
    return UNCONFIRMED if confirmed is False and arguments.wait > 0 else OK


async def _make_and_wait(
    arguments: argparse.Namespace, place: Place, make: Callable[[int], list[bytes]]
) -> bool | None:
    if not place.is_joined:
        make(place.clock.unix_s())
        return None
    feed = Feed(place.desk, place.store, place.broker, place.clock, "s", lambda: None, place.port)
    async with feed.running():
        # What the broker holds tells which numbers are used, and brings the report that is answered.
        await feed.reached(lambda: feed.is_ready, arguments.wait)
        made = make(place.clock.unix_s())
        for raw in made:
            feed.publish(raw)
        confirmed = await feed.reached(lambda: all(feed.has(raw) for raw in made), arguments.wait)
        if not confirmed and feed.problem:
            print(f"baken-console: {feed.name}: {feed.problem}", file=sys.stderr)
    return confirmed


async def _up_to_date(arguments: argparse.Namespace, place: Place) -> bool:
    if not place.is_joined:
        return False
    feed = Feed(place.desk, place.store, place.broker, place.clock, "l", lambda: None, place.port)
    async with feed.running():
        synced = await feed.reached(lambda: feed.is_ready, arguments.wait) and feed.synced
        if not synced:
            print(f"baken-console: {feed.name}: {feed.problem or 'no answer yet'}", file=sys.stderr)
    return synced


def _line(row: ReportRow, calendar: Calendar, now_s: int) -> str:
    state = "WAITS" if row.waits else "answered" if row.answered else "received"
    mark = "EXERCISE " if row.exercise else ""
    text = row.text if row.text is not None else f"(sealed for authority {row.to})"
    lines = [f"{row.ref}  {row.priority}  {calendar.brief(row.sent_s, now_s)}  {state}  {mark}{text}"]
    for one in row.answers:
        said = "received" if one.text == "" else "(sealed)" if one.text is None else one.text
        lines.append(f"    {calendar.brief(one.time_s, now_s)}  {said}")
    return "\n".join(lines)


def _fail(message: str, code: int) -> int:
    print(f"baken-console: {message}", file=sys.stderr)
    return code
