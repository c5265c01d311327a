"""The command line: the screen when no command is given, and commands for scripts."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from baken import __version__
from baken_console import answering, exchange, listing, phrasing, saying, sending
from baken_console.place import Place, PlaceError, open_place
from baken_console.words import LANGUAGES

_EPILOG = """\
examples
  look at the region, without being able to send
    baken-console --region merenland --broker broker.example:1883
  send from the screen (press n), as the authority whose key this is
    baken-console --region merenland --broker localhost --key merenland/keys/authority-1.key
  send from a script, and wait at most 10 seconds for the broker
    baken-console send --region merenland --broker localhost --key merenland/keys/authority-1.key \\
        --exercise --event ALARM --area OV,DH --valid 6h --text "Sluit ramen en deuren." --wait 10
  what has become of it, for people and for programs
    baken-console list --region merenland --broker localhost --points
    baken-console list --region merenland --broker localhost --json
  emergency reports, and an answer to one, which acknowledges it
    baken-console reports --region merenland --broker localhost --key merenland/keys/authority-1.key
    baken-console answer --region merenland --broker localhost --key KEY OV06/3 "Ambulance komt."
  text messages to and from people with a Meshtastic app; they are not signed
    baken-console say --region merenland --broker localhost --to OV06 "Water komt om 15:00."
    baken-console texts --region merenland --broker localhost

  without any network, over a radio on this computer
    baken-console --region merenland --port /dev/ttyUSB0 --key merenland/keys/authority-1.key

  give a bulletin to other systems as CAP 1.2, and take one in
    baken-console export --region merenland 1/12 --out 1-12.xml
    baken-console import --region merenland --broker localhost --key KEY 1-12.xml

--region, --broker, --port and --key may also stand in BAKEN_REGION, BAKEN_BROKER, BAKEN_PORT and BAKEN_KEY.
Without --broker and --port the console shows what it has; a bulletin made then is kept and goes at the next
connection.
In the screen: F1 explains everything, e switches between Dutch and English, NO_COLOR is respected.
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    raw = argparse.RawDescriptionHelpFormatter
    common = argparse.ArgumentParser(add_help=False)
    _common_options(common, suppress=True)
    parser = argparse.ArgumentParser(
        prog="baken-console",
        description="The crisis room's console: bulletins, who received and read them, how the points are.",
        epilog=_EPILOG,
        allow_abbrev=False,  # an abbreviation here would clash with the options of the commands
        formatter_class=raw,
    )
    _common_options(parser, suppress=False)
    parser.add_argument("--version", action="version", version=f"baken-console {__version__}")
    screen = parser.add_argument_group("screen")
    screen.add_argument(
        "--lang", choices=LANGUAGES, default="nl", help="language of the screen (key e switches)"
    )
    screen.add_argument(
        "--mono", action="store_true", help="no colour at all; nothing is told by colour alone"
    )
    screen.add_argument(
        "--exercise-session",
        action="store_true",
        help="mark the whole screen OEFENING; only exercise bulletins can be sent",
    )
    screen.add_argument(
        "--no-heartbeat",
        action="store_true",
        help="with --key: do not send a heartbeat every hour (another program does)",
    )
    screen.add_argument(
        "--screenshot", type=Path, metavar="FILE", help="write the main board as SVG and stop"
    )
    screen.add_argument(
        "--size", type=_size, default=(160, 48), metavar="WxH", help="of the screenshot (160x48)"
    )
    screen.add_argument(
        "--wait",
        type=_seconds,
        default=5.0,
        metavar="N",
        help="seconds a screenshot waits for the broker (5)",
    )
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    sending.add_command(commands, common, raw)
    phrasing.add_command(commands, common, raw)
    listing.add_command(commands, common, raw)
    answering.add_commands(commands, common, raw)
    saying.add_commands(commands, common, raw)
    exchange.add_commands(commands, common, raw)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command or the screen; the commands' help tells their exit codes."""
    arguments = build_parser().parse_args(argv)
    run = getattr(arguments, "run", _run_screen)
    try:
        place = open_place(arguments)
    except PlaceError as error:
        print(f"baken-console: {error}", file=sys.stderr)
        return 1
    try:
        return run(arguments, place)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        place.close()


def _run_screen(arguments: argparse.Namespace, place: Place) -> int:
    # Imported here: scripts that send and list do not pay for the screen.
    from baken_console.app import ConsoleApp
    from baken_console.screenshot import write_screenshot

    app = ConsoleApp(
        place.desk,
        place.store,
        place.clock,
        broker=place.broker,
        port=place.port,
        language=arguments.lang,
        mono=arguments.mono,
        exercise=arguments.exercise_session or place.clock.is_exercise,
        data=place.data,
        heartbeat=not arguments.no_heartbeat and arguments.screenshot is None,
    )
    if arguments.screenshot is not None:
        return write_screenshot(app, arguments.screenshot, arguments.size, arguments.wait)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(
            "baken-console: the screen needs a terminal; scripts have send, list, reports, answer, say, "
            "texts, --screenshot",
            file=sys.stderr,
        )
        return 1
    return app.run() or 0


def _common_options(parser: argparse.ArgumentParser, suppress: bool) -> None:
    """Options that may stand before or behind the command; behind it they have no default, so they never undo
    those.
    """

    def default(value: object) -> object:
        return argparse.SUPPRESS if suppress else value

    def from_environment(name: str) -> Path | None:
        return Path(os.environ[name]) if os.environ.get(name) else None

    group = parser.add_argument_group("what to work with")
    group.add_argument(
        "--region",
        type=Path,
        metavar="DIR",
        default=default(from_environment("BAKEN_REGION")),
        help="the region's folder",
    )
    group.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        default=default(from_environment("BAKEN_KEY")),
        help="an authority's private key; without it the console only looks",
    )
    group.add_argument(
        "--broker",
        metavar="HOST:PORT",
        default=default(os.environ.get("BAKEN_BROKER")),
        help="the region's MQTT broker",
    )
    group.add_argument(
        "--port",
        metavar="DEVICE",
        default=default(os.environ.get("BAKEN_PORT")),
        help="a radio on this computer, Baken node or any Meshtastic device: serial port or tcp:HOST[:4403]; "
        "with or without --broker",
    )
    group.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=default(None),
        help="where the replica and the log are kept",
    )
    group.add_argument(
        "--exercise-clock",
        type=Path,
        metavar="FILE",
        default=default(None),
        help="take the time from an exercise",
    )
    group.add_argument("--username", default=default(None), help="for the broker")
    group.add_argument(
        "--password-file", type=Path, metavar="FILE", default=default(None), help="first line is the password"
    )
    group.add_argument(
        "--tls", action="store_true", default=default(False), help="encrypt the connection to the broker"
    )
    group.add_argument(
        "--ca-file",
        type=Path,
        metavar="FILE",
        default=default(None),
        help="who signs the broker's certificate",
    )


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (
        cross
        and width.isdigit()
        and height.isdigit()
        and 40 <= int(width) <= 400
        and 12 <= int(height) <= 200
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write WIDTHxHEIGHT, 40x12 to 400x200")
    return int(width), int(height)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 86400")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
