"""`baken-console list`: what became of the bulletins and how the points are, for scripts and for a quick
look.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from baken_console.feed import Feed, stored_is_sent
from baken_console.ledger import LedgerError, key_text
from baken_console.model import Board, BulletinRow, PointRow
from baken_console.moments import Calendar
from baken_console.place import Place
from baken_console.words import Words
from baken_gateway.store import StoreError

DEFAULT_WAIT_S = 5.0

_EPILOG = """\
states of a bulletin: valid, expired, withdrawn, superseded, partly (in part of its area), incomplete
delivery: made (kept here, waits for the broker), sent (at the broker)
received, read: points of those meant that said so; what was said once stays

exit codes
  0  printed      1  something needed is missing      4  printed, but the broker was out of reach

examples
  baken-console list --region merenland --broker localhost --points
  baken-console list --region merenland --json | jq '.bulletins[] | {id, state, received, meant}'
"""


def add_command(
    commands: Any, common: argparse.ArgumentParser, formatter: type[argparse.HelpFormatter]
) -> None:
    """Add `list` to the command line."""
    parser = commands.add_parser(
        "list",
        parents=[common],
        help="print bulletins and points",
        description="Print the bulletins with who received and read them, and with --points every point.",
        epilog=_EPILOG,
        formatter_class=formatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object; times are ISO 8601 with zone")
    parser.add_argument("--points", action="store_true", help="also every point with its latest status")
    parser.add_argument(
        "--wait",
        type=float,
        default=DEFAULT_WAIT_S,
        metavar="N",
        help="seconds to wait for all the broker holds (5)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, place: Place) -> int:
    """Print; 0, 1 or 4 as the help says."""
    try:
        synced = asyncio.run(_bring_up_to_date(arguments, place))
        now_s = place.clock.unix_s()
        place.desk.absorb(now_s)
        board = place.desk.board(now_s)
    except (LedgerError, StoreError) as error:
        print(f"baken-console: {error}", file=sys.stderr)
        return 1
    calendar = Calendar(place.desk.region.timezone, "en")
    if arguments.json:
        print(
            json.dumps(
                board_fields(board, place, calendar, synced, arguments.points), indent=2, ensure_ascii=False
            )
        )
    else:
        print("\n".join(_lines(board, calendar, arguments.points)))
    return 4 if place.is_joined and not synced else 0


async def _bring_up_to_date(arguments: argparse.Namespace, place: Place) -> bool:
    if not place.is_joined:
        place.desk.is_sent = stored_is_sent(place.desk, place.store)
        return False
    feed = Feed(place.desk, place.store, place.broker, place.clock, "l", lambda: None, place.port)
    async with feed.running():
        synced = await feed.reached(lambda: feed.is_ready, arguments.wait) and feed.synced
        if not synced:
            silence = "a stock radio keeps no records; this is what was heard here"
            silence = silence if feed.is_ready else "no answer yet"
            print(f"baken-console: {feed.name}: {feed.problem or silence}", file=sys.stderr)
        if feed.is_ready and feed.waiting:  # something that was made without a connection goes now
            await feed.reached(lambda: feed.waiting == 0, arguments.wait)
    return synced


def board_fields(
    board: Board, place: Place, calendar: Calendar, synced: bool, points: bool
) -> dict[str, Any]:
    """The board for JSON."""
    fields: dict[str, Any] = {
        "region": place.desk.region.id,
        "now": calendar.iso(board.now_s),
        "up_to_date": synced,
        "bulletins": [bulletin_fields(row, calendar) for row in board.bulletins],
        "refused": dict(sorted(place.desk.replica.counters.items())),
    }
    if points:
        fields["points"] = [point_fields(row, calendar) for row in board.points]
    return fields


def bulletin_fields(row: BulletinRow, calendar: Calendar) -> dict[str, Any]:
    """One bulletin for JSON, CAP names where CAP has one."""
    return {
        "id": row.ref,
        "authority": row.authority,
        "status": row.cap_status,
        "msgType": row.msg_type,
        "scope": row.scope,
        "event": row.event,
        "category": row.category,
        "urgency": row.urgency,
        "severity": row.severity,
        "certainty": row.certainty,
        "responseType": row.response_type,
        "language": row.language,
        "areas": list(row.areas),
        "sent": calendar.iso(row.sent_s),
        "expires": calendar.iso(row.expires_s),
        "references": [key_text(key) for key in row.references],
        "text": row.text,
        "parts": row.parts,
        "missingParts": list(row.missing_parts),
        "state": row.state,
        "replacedBy": [key_text(key) for key in row.replaced_by],
        "delivery": row.delivery,
        "meant": row.meant,
        "received": row.received,
        "read": row.read,
        "receivedBy": [one.point.code for one in row.receiving if one.received],
        "readBy": [one.point.code for one in row.receiving if one.read],
        "notReceivedBy": [one.point.code for one in row.receiving if not one.received],
    }


def point_fields(row: PointRow, calendar: Calendar) -> dict[str, Any]:
    """One point for JSON; null where nothing is known."""
    status = row.status
    return {
        "code": row.point.code,
        "name": row.point.name,
        "kind": row.point.kind,
        "seq": status.seq if status else None,
        "heard": calendar.iso(row.heard_s) if row.heard_s is not None else None,
        "liveness": row.liveness,
        "state": row.state,
        "priority": row.priority,
        "exercise": status.exercise if status else None,
        "people": status.people if status else None,
        "volunteers": status.volunteers if status else None,
        "powerHours": status.power_hours if status else None,
        "waterLitres": status.water_l if status else None,
        "batteryPercent": row.battery_percent,
        "needs": list(row.needs),
        "text": row.text,
        "missing": [key_text(key) for key in row.missing],
        "unread": [key_text(key) for key in row.unread],
    }


def _lines(board: Board, calendar: Calendar, points: bool) -> list[str]:
    if not board.bulletins:
        lines = ["no bulletins"]
    else:
        table = [["id", "event", "area", "state", "delivery", "received", "read", "until", "text"]]
        for row in board.bulletins:
            mark = "EXERCISE " if row.exercise else ""
            table.append(
                [
                    row.ref,
                    row.event,
                    ",".join(row.areas) or "ALL",
                    row.state,
                    row.delivery,
                    f"{row.received}/{row.meant}",
                    f"{row.read}/{row.meant}",
                    calendar.brief(row.expires_s, board.now_s),
                    mark + (row.text or "(parts missing)"),
                ]
            )
        lines = _columns(table)
    if points:
        table = [["point", "state", "heard", "people", "power", "node", "needs", "lacks", "message"]]
        for one in board.points:
            known = one.status is not None
            table.append(
                [
                    one.point.code,
                    one.state if known else "-",
                    calendar.age(one.age_s) if one.age_s is not None else Words("en")("never"),
                    str(one.status.people) if known else "",
                    f"{one.status.power_hours} h" if known and one.status.power_hours is not None else "",
                    f"{one.battery_percent}%" if one.battery_percent is not None else "",
                    " ".join(one.needs),
                    " ".join(key_text(key) for key in one.missing) if known else "",
                    one.text,
                ]
            )
        lines += ["", *_columns(table)]
    return lines


def _columns(table: list[list[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
