"""`baken-console export` and `import`: bulletins to and from CAP 1.2 files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baken_console import sending
from baken_console.draft import DEFAULTS, Draft, parse_areas, parse_references
from baken_console.moments import parse_duration
from baken_console.place import Place
from baken_gateway.cap_xml import MAX_BYTES, Alert, CapError, export, parse
from baken_gateway.region import Region, RegionError

OK = 0
FAILED = 1
WRONG = 2

_IMPORT_EPILOG = """\
Shows what the message says and what a bulletin cannot carry, then asks; --yes sends without a question.
Nothing is sent where no area of the message is known here, or where it has expired: say --area or --valid.
The bulletin is sent now, by the authority of --key, and expires when the message does. Whoever made the
message is not checked: that is for whoever sends it on.

exit codes: those of send; 2 also for a file that is no CAP 1.2 message, and for an answer that is not yes
"""


def add_commands(
    commands: Any, common: argparse.ArgumentParser, formatter: type[argparse.HelpFormatter]
) -> None:
    """Add `export` and `import` to the command line."""
    out = commands.add_parser(
        "export",
        parents=[common],
        help="write a bulletin as a CAP 1.2 message",
        description="Write one bulletin that is here as a CAP 1.2 message (XML).",
        formatter_class=formatter,
    )
    out.add_argument("reference", metavar="REF", help="the bulletin: 1/12")
    out.add_argument("--out", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    out.set_defaults(run=run_export)
    into = commands.add_parser(
        "import",
        parents=[common],
        help="send a CAP 1.2 message as a bulletin",
        description="Read a CAP 1.2 message (XML), show it, and send it as a bulletin.",
        epilog=_IMPORT_EPILOG,
        formatter_class=formatter,
    )
    into.add_argument("file", type=Path, metavar="FILE", help="the message")
    into.add_argument("--yes", action="store_true", help="send without asking")
    into.add_argument(
        "--event", type=str.upper, choices=list(DEFAULTS), metavar="KIND", help="in place of its own"
    )
    into.add_argument("--area", metavar="CODES", help="OV,DH or ALL, in place of its own")
    into.add_argument("--valid", metavar="TIME", help="30m, 6h or 6u, 2d, in place of its own")
    sending.add_sending_options(into)
    into.set_defaults(run=run_import)


def run_export(arguments: argparse.Namespace, place: Place) -> int:
    """Write one bulletin; 1 when it is not here or not whole."""
    desk = place.desk
    desk.absorb(place.clock.unix_s())
    try:
        (key,) = parse_references(arguments.reference)
    except ValueError as error:
        return _fail(str(error), WRONG)
    notices = desk.notices()
    if key not in notices:
        return _fail(f"bulletin {arguments.reference} is not here", FAILED)
    try:
        xml = export(notices[key], desk.region, {one: notice.meta.sent_s for one, notice in notices.items()})
    except CapError as error:
        return _fail(str(error), FAILED)
    try:
        if arguments.out is None:
            sys.stdout.write(xml.decode())
        else:
            arguments.out.write_bytes(xml)
    except OSError as error:
        return _fail(f"{arguments.out}: {error.strerror}", FAILED)
    return OK


def run_import(arguments: argparse.Namespace, place: Place) -> int:
    """Show one message and send it; see the epilog for the exit codes."""
    now_s = place.clock.unix_s()
    try:
        with arguments.file.open("rb") as file:
            alert = parse(file.read(MAX_BYTES + 1), place.desk.region)
        draft = draft_from_alert(alert, place.desk.region, arguments, now_s)
    except OSError as error:
        return _fail(f"{arguments.file}: {error.strerror}", FAILED)
    except (CapError, RegionError, ValueError) as error:
        return _fail(f"{arguments.file}: {error}", WRONG)
    for name, value in describe(alert, draft).items():
        print(f"{name:<12} {value}", file=sys.stderr)
    for sentence in alert.lost:
        print(f"{'not carried':<12} {sentence}", file=sys.stderr)
    if not (arguments.yes or arguments.dry_run or _agreed()):
        return _fail("nothing sent; answer yes, or say --yes", WRONG)
    arguments.draft = draft
    arguments.actual = draft.status == "Actual"
    return sending.run(arguments, place)


def draft_from_alert(alert: Alert, region: Region, options: argparse.Namespace, now_s: int) -> Draft:
    """The draft that says what the message does; ValueError where a choice is left to the person."""
    event = options.event or alert.event
    areas = parse_areas(options.area, region) if options.area is not None else alert.areas
    if areas is None:
        raise ValueError("none of its areas is one of this region; say --area, ALL for the whole region")
    if options.valid is not None:
        valid_s = parse_duration(options.valid)
    elif alert.expires_s is None:
        valid_s = Draft().for_event(event).valid_s
    else:
        valid_s = alert.expires_s - now_s
        if valid_s <= 0:
            raise ValueError(f"it expired {-valid_s // 60} minutes ago; say --valid to send it all the same")
    return Draft(
        event=event,
        msg_type=alert.msg_type,
        status=alert.status,
        scope=alert.scope,
        category=alert.category,
        urgency=alert.urgency,
        severity=alert.severity,
        certainty=alert.certainty,
        response_type=alert.response_type,
        areas=areas,
        valid_s=valid_s,
        language=alert.language,
        references=alert.references,
        text=alert.text,
        phrases=alert.phrases,
    )


def describe(alert: Alert, draft: Draft) -> Mapping[str, str]:
    """What was understood, in the order in which to read it."""
    return {
        "message": f"{alert.identifier} from {alert.sender_name or alert.sender}",
        "status": draft.status,
        "type": f"{draft.msg_type} {' '.join(f'{a}/{b}' for a, b in draft.references)}".strip(),
        "scope": draft.scope,
        "kind": f"{draft.event}, {draft.category}, {draft.response_type}",
        "level": f"{draft.urgency}, {draft.severity}, {draft.certainty}",
        "area": ",".join(draft.areas) or "whole region",
        "valid": f"{draft.valid_s // 60} minutes from now",
        "language": draft.language + (", phrases" if draft.phrases else ""),
        "text": draft.text,
    }


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    print("Send this bulletin? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("yes", "ja", "y", "j")


def _fail(message: str, code: int) -> int:
    print(f"baken-console: {message}", file=sys.stderr)
    return code
