"""`baken-console say` and `baken-console texts`: text messages, which are not signed, from scripts."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from typing import Any

from baken.wire.packet import BROADCAST
from baken_console import chat
from baken_console.chat import Conversation, Line
from baken_console.chatbox import OWN_RADIO, Chatbox, ChatError
from baken_console.feed import Feed, console_name
from baken_console.moments import Calendar
from baken_console.place import Place
from baken_console.sending import FAILED, OK, UNCONFIRMED, WARNED, WRONG
from baken_console.words import Words
from baken_gateway import texts
from baken_gateway.store import StoreError

LOST = 5
DEFAULT_SAY_WAIT_S = 10.0
DEFAULT_LIST_WAIT_S = 5.0

_SAY_EPILOG = """\
A text goes to everybody on the channel, or to one node. It is not signed, displays mark it as not verified,
and it is sent within an hour or not at all. For what people must know, send a bulletin.

exit codes
  0  sent, and passed on or acknowledged (with --wait 0: kept here, or at the broker)
  1  something needed is missing: region, broker or port, data folder
  2  the text has an error: too long, empty, no such point; nothing was asked
  3  it looks like personal data; nothing was asked (--anyway asks after all)
  4  asked, and within --wait seconds no more is known
  5  gateway or radio have told that it failed or was refused; the reason is printed

With --port and no --broker the radio on this computer sends it, Baken node or any Meshtastic device; with
both a gateway does, unless --gateway own-radio says otherwise.

examples
  baken-console say ... --to OV06 "Water komt om 15:00."
  baken-console say ... --to '!12345678' --wait 60 "Hoeveel dekens?"
  baken-console say ... --to channel "Test van de crisisruimte."
  baken-console say --region merenland --port /dev/ttyUSB0 --to OV06 "Water komt om 15:00."
"""
_TEXTS_EPILOG = """\
Texts of people with a Meshtastic app and of consoles, the oldest first. None of them is verified.

exit codes
  0  printed      1  something needed is missing      4  printed, but broker or radio were out of reach
"""


def add_commands(
    commands: Any, common: argparse.ArgumentParser, formatter: type[argparse.HelpFormatter]
) -> None:
    """Add `say` and `texts` to the command line."""
    say = commands.add_parser(
        "say",
        parents=[common],
        help="send a text message over the mesh",
        description="Ask a gateway, or the radio on --port, to send a text message, and wait for what "
        "becomes of it.",
        epilog=_SAY_EPILOG,
        formatter_class=formatter,
    )
    say.add_argument("--to", required=True, metavar="WHO", help="POINT, !NODENUM or channel")
    say.add_argument(
        "--gateway", default=texts.ANY, metavar="ID", help="which gateway sends it (any), or own-radio"
    )
    say.add_argument("--wait", type=float, default=DEFAULT_SAY_WAIT_S, metavar="N", help="seconds (10)")
    say.add_argument("--anyway", action="store_true", help="send what looks like personal data")
    say.add_argument("--json", action="store_true", help="the result as one JSON object")
    say.add_argument("text", metavar="TEXT", help="at most 232 bytes of UTF-8, to one node 220")
    say.set_defaults(run=run_say)
    listed = commands.add_parser(
        "texts",
        parents=[common],
        help="print text messages",
        description="Print the text messages of the mesh and what became of those sent from consoles.",
        epilog=_TEXTS_EPILOG,
        formatter_class=formatter,
    )
    listed.add_argument("--json", action="store_true", help="one JSON object; times are ISO 8601 with zone")
    listed.add_argument("--wait", type=float, default=DEFAULT_LIST_WAIT_S, metavar="N", help="seconds (5)")
    listed.set_defaults(run=run_texts)


def make_chatbox(place: Place) -> Chatbox:
    """The text messages of this data folder."""
    return Chatbox(place.desk.region, place.store, console_name("t").partition("/")[2], secrets.randbelow)


def run_say(arguments: argparse.Namespace, place: Place) -> int:
    """Ask for one text; see the exit codes."""
    region = place.desk.region
    to = chat.addressee(arguments.to, region)
    if to is None:
        return _fail(f"--to is {arguments.to!r}, must be a point's code, !NODENUM or channel", WRONG)
    if not place.is_joined:
        return _fail("no broker and no port: say --broker HOST:PORT or --port DEVICE to send it", FAILED)
    if arguments.gateway == OWN_RADIO and place.port is None:
        return _fail("no radio here: say --port DEVICE, or another --gateway", FAILED)
    words = Words("en")
    seen = chat.private_sightings(arguments.text, region)
    for one in seen:
        sentence = words(f"finding-private-{one.kind}", text=one.text)
        print(f"baken-console: {words('finding-warning')}: {sentence}", file=sys.stderr)
    if seen and not arguments.anyway:
        return _fail("nothing sent; change what the warning names, or say --anyway", WARNED)
    try:
        return asyncio.run(_say(arguments, place, to))
    except ChatError as error:
        return _fail(str(error), WRONG)
    except StoreError as error:
        return _fail(str(error), FAILED)


async def _say(arguments: argparse.Namespace, place: Place, to: int) -> int:
    box = make_chatbox(place)
    gateway = arguments.gateway if place.broker is not None else OWN_RADIO
    request_id = box.send(arguments.text.strip(), to, place.clock.unix_s(), gateway=gateway)
    feed = _feed(place, box)

    def is_final() -> bool:
        fate = box.fates.get(request_id)
        return fate is not None and fate.final

    async with feed.running():
        await feed.reached(is_final, arguments.wait)
        at_broker = box.is_at_broker(request_id)
        if feed.problem and not (is_final() if gateway == OWN_RADIO else at_broker):
            print(f"baken-console: {feed.name}: {feed.problem}", file=sys.stderr)
    fate = box.fates.get(request_id)
    state = fate.state if fate else "asked" if at_broker else "kept"
    by = texts.node_name(fate.by) if fate and fate.by is not None else None
    if arguments.json:
        said = {"id": request_id, "state": state, "final": bool(fate and fate.final)}
        gateway = fate.gateway if fate else None
        print(json.dumps({**said, "gateway": gateway, "by": by, "reason": fate.reason if fate else ""}))
    else:
        told = [state, f"by {by}" if by else "", fate.reason if fate else ""]
        print(f"{request_id}  {' '.join(word for word in told if word)}")
    if fate is not None and fate.state in (texts.FAILED, texts.REFUSED):
        return LOST
    return OK if (fate is not None and fate.final) or arguments.wait == 0 else UNCONFIRMED


def run_texts(arguments: argparse.Namespace, place: Place) -> int:
    """Print all that is known."""
    try:
        box = make_chatbox(place)
        synced = asyncio.run(_bring_up_to_date(arguments, place, box))
    except StoreError as error:
        return _fail(str(error), FAILED)
    now_s = place.clock.unix_s()
    calendar = Calendar(place.desk.region.timezone, "en")
    found = chat.conversations(box, now_s)
    if arguments.json:
        fields = {
            "region": place.desk.region.id,
            "now": calendar.iso(now_s),
            "up_to_date": synced,
            "texts": [_fields(one, line, calendar) for one, line in _in_order(found)],
        }
        print(json.dumps(fields, indent=2, ensure_ascii=False))
    else:
        words = Words("en")
        for one, line in _in_order(found):
            state = f"  [{words(f'chat-{line.state}', reason=line.reason, by=line.by)}]" if line.state else ""
            alert = "ALERT " if line.alert else ""
            when = calendar.brief(line.time_s, now_s)
            print(f"{when:>9}  {one.title} | {line.sender}: {alert}{line.text}{state}")
    return UNCONFIRMED if place.is_joined and not synced else OK


async def _bring_up_to_date(arguments: argparse.Namespace, place: Place, box: Chatbox) -> bool:
    if not place.is_joined:
        return False
    feed = _feed(place, box)
    async with feed.running():
        synced = await feed.reached(lambda: feed.has_texts, arguments.wait)
        if not synced:
            print(f"baken-console: {feed.name}: {feed.problem or 'no answer yet'}", file=sys.stderr)
    return synced


def _feed(place: Place, box: Chatbox) -> Feed:
    return Feed(place.desk, place.store, place.broker, place.clock, "t", lambda: None, place.port, box)


def _in_order(found: tuple[Conversation, ...]) -> list[tuple[Conversation, Line]]:
    return sorted(((one, line) for one in found for line in one.lines), key=lambda pair: pair[1].time_s)


def _fields(one: Conversation, line: Line, calendar: Calendar) -> dict[str, Any]:
    return {
        "time": calendar.iso(line.time_s),
        "with": None if one.to == BROADCAST else texts.node_name(one.to),
        "channel": one.channel,
        "conversation": one.title,
        "sender": line.sender,
        "ours": line.ours,
        "alert": line.alert,
        "text": line.text,
        "state": line.state or None,
        "by": line.by or None,
        "reason": line.reason,
        "verified": False,
    }


def _fail(message: str, code: int) -> int:
    print(f"baken-console: {message}", file=sys.stderr)
    return code
