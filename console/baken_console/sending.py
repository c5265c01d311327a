"""`baken-console send`: one bulletin from the command line, checked by the same rules as the form on the
screen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

from baken.wire import cap
from baken.wire.errors import ProtocolError
from baken_console import phrasing
from baken_console.desk import Desk, DeskError, Made
from baken_console.draft import DEFAULTS, ERROR, WARNING, Draft, draft_update, parse_areas, parse_references
from baken_console.feed import Feed
from baken_console.ledger import LedgerError
from baken_console.moments import Calendar, MomentError, parse_duration
from baken_console.place import Place
from baken_console.words import Words
from baken_gateway.region import RegionError
from baken_gateway.store import StoreError

OK = 0
FAILED = 1
WRONG = 2
WARNED = 3
UNCONFIRMED = 4
DEFAULT_WAIT_S = 10.0

_EPILOG = """\
Say --exercise or --actual with every bulletin. There is no default, because there is no safe one: an exercise
sent as actual frightens people, an actual warning marked OEFENING is ignored by them.

The bulletin is signed and kept in the data folder before it is published. When the broker does not confirm it
in time, nothing is lost: it goes with the next send or list, or when the screen is open (exit code 4).

exit codes
  0  the broker has it (or --wait 0, or no --broker: it is kept here)
  1  something needed is missing: region, key, data folder, number range
  2  the bulletin has an error; nothing was made
  3  a warning, such as text that looks like personal data; nothing was made (--anyway makes it after all)
  4  made and kept, not confirmed by the broker within --wait seconds

examples
  baken-console send ... --exercise --event ALARM --area DH --valid 3h --text "Ga naar binnen."
  baken-console send ... --exercise --update 1/12 --text "Blijf nog binnen. Volgend bericht 23:00."
  baken-console send ... --exercise --cancel 1/12 --text "INGETROKKEN: rookalarm. U mag ramen weer openen."
  baken-console send ... --exercise --event INTERN --restricted --valid 6h --text - < rooster.txt
  baken-console send ... --exercise --event WATER --phrase "36 OV 3min" --phrase "11 15:00"
  baken-console send ... --exercise --event WATER --text "..." --dry-run      only tells what it would cost
"""


def add_command(
    commands: Any, common: argparse.ArgumentParser, formatter: type[argparse.HelpFormatter]
) -> None:
    """Add `send` to the command line."""
    parser = commands.add_parser(
        "send",
        parents=[common],
        help="make and publish one bulletin",
        description="Make, sign, keep and publish one bulletin. Prints its number, bytes, parts and airtime.",
        epilog=_EPILOG,
        formatter_class=formatter,
    )
    real = parser.add_mutually_exclusive_group(required=True)
    real.add_argument("--exercise", action="store_true", help="every display marks it OEFENING")
    real.add_argument("--actual", action="store_true", help="a real bulletin")
    about = parser.add_mutually_exclusive_group()
    about.add_argument("--update", metavar="REF", help="replaces these bulletins: 1/12 or 1/12,1/13")
    about.add_argument("--cancel", metavar="REF", help="withdraws these bulletins")
    parser.add_argument(
        "--event", type=str.upper, choices=list(DEFAULTS), metavar="KIND", help=f"one of {' '.join(DEFAULTS)}"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="what people are to read; - takes it from standard input")
    what.add_argument(
        "--phrase",
        action="append",
        metavar="'N PARAMETER...'",
        help="a phrase of the phrasebook, see baken-console phrases; again for a second one",
    )
    parser.add_argument(
        "--area", metavar="CODES", help="OV,DH or ALL (the default, unless --update or --cancel)"
    )
    parser.add_argument("--valid", metavar="TIME", help="30m, 6h or 6u, 2d; each kind has its own default")
    for option, words in (
        ("severity", cap.SEVERITY),
        ("urgency", cap.URGENCY),
        ("certainty", cap.CERTAINTY),
        ("response", cap.RESPONSE_TYPE),
        ("category", cap.CATEGORY),
    ):
        parser.add_argument(
            f"--{option}", choices=[word.decode() for word in words], help="default: what fits the kind"
        )
    parser.add_argument(
        "--language", choices=[word.decode() for word in cap.LANGUAGE], default="nl", help="of the text (nl)"
    )
    parser.add_argument("--restricted", action="store_true", help="for staff only, never on a public display")
    parser.add_argument(
        "--sent", metavar="ISO", help="sending time of an exercise bulletin, 2027-01-12T07:15"
    )
    add_sending_options(parser)
    parser.set_defaults(run=run)


def add_sending_options(parser: argparse.ArgumentParser) -> None:
    """How to send, whatever the bulletin is made of."""
    parser.add_argument(
        "--wait", type=float, default=DEFAULT_WAIT_S, metavar="N", help="seconds to wait for the broker (10)"
    )
    parser.add_argument(
        "--anyway", action="store_true", help="send in spite of warnings, such as text like personal data"
    )
    parser.add_argument(
        "--first", action="store_true", help="this key has never sent anything: begin at number 1"
    )
    parser.add_argument("--dry-run", action="store_true", help="check and forecast only")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")


def run(arguments: argparse.Namespace, place: Place) -> int:
    """Send one bulletin; see the module's exit codes."""
    if place.desk.key is None and not arguments.dry_run:
        return _fail("no key: say --key FILE, the private key of an authority", FAILED)
    if arguments.actual and place.clock.is_exercise:
        return _fail("--actual with an exercise's clock: a real bulletin needs the real time", WRONG)
    try:
        return asyncio.run(_send(arguments, place))
    except (DeskError, LedgerError, StoreError) as error:
        return _fail(str(error), FAILED)
    except (RegionError, ProtocolError, MomentError, ValueError) as error:
        return _fail(str(error), WRONG)


async def _send(arguments: argparse.Namespace, place: Place) -> int:
    # What does not depend on the broker is refused before it is asked.
    draft_from(arguments, place.desk, place.clock.unix_s())
    if not place.is_joined:
        made, code = _make(arguments, place)
        return code if made is None else _tell(arguments, place, made, None)
    feed = Feed(place.desk, place.store, place.broker, place.clock, "s", lambda: None, place.port)
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + arguments.wait
    async with feed.running():
        await feed.reached(lambda: feed.is_ready, arguments.wait)
        made, code = _make(arguments, place)
        if made is None:
            return code
        feed.wake()
        confirmed = await feed.reached(
            lambda: feed.is_sent(made.key), max(deadline_s - loop.time(), min(arguments.wait, 1.0))
        )
        if not confirmed and feed.problem:
            print(f"baken-console: {feed.name}: {feed.problem}", file=sys.stderr)
    return _tell(arguments, place, made, confirmed)


def _make(arguments: argparse.Namespace, place: Place) -> tuple[Made | None, int]:
    desk, now_s = place.desk, place.clock.unix_s()
    desk.absorb(now_s)
    draft = draft_from(arguments, desk, now_s)
    words = Words("en")
    findings = desk.check(draft, now_s)
    for finding in findings:
        label = words(f"finding-{finding.level}")
        print(f"baken-console: {label}: {words.finding(finding)}", file=sys.stderr)
    if any(finding.level == ERROR for finding in findings):
        return None, WRONG
    if any(finding.level == WARNING for finding in findings) and not arguments.anyway:
        print(
            "baken-console: nothing sent; change what the warning names, or say --anyway",
            file=sys.stderr,
        )
        return None, WARNED
    if arguments.dry_run:
        cost = desk.cost(draft, now_s)
        print(json.dumps(cost_fields(cost), indent=2) if arguments.json else _cost_text(cost))
        return None, OK
    if not desk.numbers_known() and not arguments.first:
        where = f"broker {place.broker} is out of reach" if place.broker else "there is no --broker"
        if place.port and not place.broker:
            where = f"no Baken node on {place.port} has told them"
        print(
            f"baken-console: this data folder has never sent with this key and {where}, so the numbers in "
            "use are unknown; connect once, or say --first if this key has never sent anything",
            file=sys.stderr,
        )
        return None, FAILED
    return desk.make(draft, now_s), OK


def draft_from(arguments: argparse.Namespace, desk: Desk, now_s: int) -> Draft:
    """The draft that the options describe, or the one that the command has made already; an error names the
    option's value and what is allowed.
    """
    if getattr(arguments, "draft", None) is not None:
        return arguments.draft
    reference_text = arguments.update or arguments.cancel
    references = parse_references(reference_text) if reference_text else ()
    draft = Draft()
    if references:
        row = next((row for row in desk.board(now_s).bulletins if row.key == references[0]), None)
        if row is not None:
            draft = draft_update(draft, row, cancel=bool(arguments.cancel))
    default_event = "INTREKKING" if arguments.cancel else "UPDATE" if arguments.update else None
    event = arguments.event or (draft.event if draft.references else default_event)
    if event is None:
        raise ValueError(f"no --event: say which kind it is, one of {' '.join(DEFAULTS)}")
    if arguments.event or not draft.references:
        draft = draft.for_event(event)
    changes: dict[str, Any] = {
        "status": "Exercise" if arguments.exercise else "Actual",
        "msg_type": "Cancel" if arguments.cancel else "Update" if arguments.update else "Alert",
        "references": references,
        "language": arguments.language,
    }
    if arguments.phrase:
        content = phrasing.encode(arguments.phrase, desk.region)
        changes.update(phrases=content, language="nl", text=phrasing.in_dutch(content, desk.region))
    else:
        changes["text"] = read_text(arguments)
    for option, name in (
        ("severity", "severity"),
        ("urgency", "urgency"),
        ("certainty", "certainty"),
        ("response", "response_type"),
        ("category", "category"),
    ):
        if getattr(arguments, option):
            changes[name] = getattr(arguments, option)
    if arguments.area is not None:
        changes["areas"] = parse_areas(arguments.area, desk.region)
    if arguments.valid is not None:
        changes["valid_s"] = parse_duration(arguments.valid)
    if arguments.restricted:
        changes["scope"] = "Restricted"
    if arguments.sent is not None:
        changes["sent_s"] = Calendar(desk.region.timezone).parse(arguments.sent)
    return replace(draft, **changes)


def read_text(arguments: argparse.Namespace) -> str:
    """The text of the bulletin, read once from standard input when it is -."""
    if arguments.text == "-":
        arguments.text = sys.stdin.read()
    return arguments.text


def cost_fields(cost: Any) -> dict[str, Any]:
    """A Cost for JSON; the last two are estimates."""
    return {
        "text_bytes": cost.text_bytes,
        "text_limit": cost.text_limit,
        "record_bytes": cost.record_bytes,
        "parts": cost.parts,
        "airtime_ms": cost.airtime_ms,
        "estimated_transmissions": cost.region_transmissions,
        "estimated_airtime_ms": cost.region_airtime_ms,
    }


def _tell(arguments: argparse.Namespace, place: Place, made: Made, confirmed: bool | None) -> int:
    state = {None: "kept", True: "confirmed", False: "waiting"}[confirmed]
    joined = " + ".join(
        [f"broker {place.broker}" if place.broker else "", f"radio {place.port}" if place.port else ""]
    ).strip(" +")
    if arguments.json:
        print(json.dumps({"id": made.ref, "state": state, **cost_fields(made.cost)}, indent=2))
    else:
        told = {
            "kept": "kept here, no --broker or --port given",
            "confirmed": f"{joined} has it",
            "waiting": f"kept here, {joined} has not confirmed it yet",
        }[state]
        print(f"{made.ref}  {_cost_text(made.cost)}  {told}")
    return UNCONFIRMED if confirmed is False and arguments.wait > 0 else OK


def _cost_text(cost: Any) -> str:
    parts = "1 part" if cost.parts == 1 else f"{cost.parts} parts"
    return (
        f"{cost.text_bytes} bytes of text, {cost.record_bytes} with signature, {parts}, "
        f"{cost.airtime_ms / 1000:.2f} s airtime (estimate for the region: "
        f"{cost.region_transmissions} transmissions, {cost.region_airtime_ms / 1000:.0f} s)"
    )


def _fail(message: str, code: int) -> int:
    print(f"baken-console: {message}", file=sys.stderr)
    return code
