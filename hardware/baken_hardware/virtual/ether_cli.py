"""Command line of the ether: `python -m baken_hardware.virtual.ether`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from baken_hardware.virtual import propagation
from baken_hardware.virtual.ether import Ether, EtherError
from baken_hardware.virtual.propagation import Point

# Name -> (spreading factor, bandwidth in Hz) of the presets that a region may choose between.
_PRESETS = {
    "LongFast": (11, 250_000),
    "MediumSlow": (10, 250_000),
    "MediumFast": (9, 250_000),
    "ShortFast": (7, 250_000),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ether until interrupted, or print a table; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        points = propagation.load_points(options.points)
        if options.table:
            print(hop_table(points, options.table, options.gateway, options.margin, options.link_seed))
            return 0
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        asyncio.run(_serve(points, options))
    except (OSError, ValueError, EtherError) as error:
        print(f"ether: {error}", file=sys.stderr)
        return 1
    return 0


def hop_table(points: Mapping[str, Point], preset: str, start: str, margin_db: float, link_seed: int) -> str:
    """Every point with its hops to `start` (with and without relays), number of links and best margin."""
    if start not in points:
        raise ValueError(f"there is no point {start}")
    spreading_factor, bandwidth_hz = _PRESETS[preset]
    plain = {code: point for code, point in points.items() if point.kind != "relais" or code == start}
    usable = propagation.links(points, spreading_factor, bandwidth_hz, margin_db, link_seed)
    without = propagation.links(plain, spreading_factor, bandwidth_hz, margin_db, link_seed)
    hops, hops_without = propagation.hop_counts(usable, start), propagation.hop_counts(without, start)
    critical = propagation.single_points_of_failure(usable, start)
    lines = [
        f"{preset}, margin {margin_db:g} dB, seed {link_seed}: hops from {start}",
        "point  hops  without relays  links  best margin  last path of others runs through it",
    ]
    for code in points:
        own = [link for link in usable if code in (link.a, link.b)]
        best = f"{own[0].margin_db:8.1f} dB" if own else "          -"
        lines.append(
            f"{code:<6} {hops.get(code, '-')!s:>4}  {hops_without.get(code, '-')!s:>14}  {len(own):>5}"
            f"  {best}  {'yes' if code in critical else ''}".rstrip()
        )
    return "\n".join(lines)


async def _serve(points: Mapping[str, Point], options: argparse.Namespace) -> None:
    ether = Ether(
        points,
        epoch_unix_s=options.epoch,
        factor=options.factor or None,
        seed=options.seed,
        link_seed=options.link_seed,
        fading_db=options.fading,
        loss=options.loss,
        folder=options.folder,
        port=options.port,
        udp=(options.udp_in, options.udp_out) if options.udp_out else None,
        foreign_point=options.udp_place,
        hang_timeout_s=options.hang_timeout,
        serial_grace_s=options.serial_grace,
    )
    if options.log_frames:
        ether.on_frame = lambda t_ms, sender, frame: print(f"{t_ms} {sender} {frame.hex()}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with ether:
        ports = ether.ports
        print(f"boards: BAKEN_ETHER={ether.address}", flush=True)
        if ports.udp_in:
            print(f"frames: in on UDP {ports.udp_in}, out to UDP {ports.udp_out} (127.0.0.1)", flush=True)
        if options.wait:
            print(f"time waits for {', '.join(options.wait)}", flush=True)
            await ether.wait_connected(options.wait, timeout_s=options.wait_timeout)
        ether.resume()
        await stop.wait()
        print(f"ether: {ether.stats()}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m baken_hardware.virtual.ether",
        description="The air between virtual boards, and their time. Boards connect over TCP on 127.0.0.1 "
        "(set BAKEN_ETHER to the printed address); time moves only when all of them are idle.",
    )
    add = parser.add_argument
    add(
        "--points",
        required=True,
        metavar="FILE",
        help="points.csv of the region: code, x_km, y_km, antenna_m, kind",
    )
    time_options = parser.add_argument_group("time")
    add = time_options.add_argument
    add(
        "--factor",
        type=float,
        default=1.0,
        metavar="N",
        help="virtual seconds per second at most; 0: jump from event to event (default 1: real time)",
    )
    add(
        "--epoch",
        type=_epoch,
        default=int(time.time()),
        metavar="TIME",
        help="calendar time at the start, as 2027-01-12T06:40+01:00 or unix seconds (default: now)",
    )
    add(
        "--wait",
        type=_codes,
        default=[],
        metavar="CODES",
        help="hold time until these boards are there (OV06,VR00)",
    )
    add(
        "--wait-timeout",
        type=float,
        default=60.0,
        metavar="S",
        help="give up waiting for them after this (60)",
    )
    add(
        "--hang-timeout",
        type=float,
        default=20.0,
        metavar="S",
        help="cut a board off that works longer than this without becoming idle (20)",
    )
    add(
        "--serial-grace",
        type=float,
        default=0.0,
        metavar="S",
        help="time stands still this long after bytes on a serial port, for programs that answer (0)",
    )
    air_options = parser.add_argument_group("air")
    add = air_options.add_argument
    add(
        "--seed",
        type=int,
        default=None,
        metavar="N",
        help="makes chance and the boards' random bytes repeatable",
    )
    add("--link-seed", type=int, default=0, metavar="N", help="which shadowing the links have (0)")
    add("--fading", type=float, default=2.0, metavar="DB", help="deviation of each frame's strength (2)")
    add("--loss", type=float, default=0.02, metavar="P", help="part of the frames that is lost anyway (0.02)")
    ports = parser.add_argument_group("ports and files")
    add = ports.add_argument
    add("--port", type=int, default=0, metavar="N", help="TCP port for boards (default: any free one)")
    add(
        "--udp-out",
        type=int,
        default=0,
        metavar="PORT",
        help="send every frame on the air to this UDP port, and"
        " open one for frames that come in: one raw LoRa frame per datagram",
    )
    add(
        "--udp-in",
        type=int,
        default=0,
        metavar="PORT",
        help="the UDP port for frames that come in (any free one)",
    )
    add(
        "--udp-place",
        type=_place,
        default=None,
        metavar="X,Y,H",
        help="where these are sent from: km, km and antenna height in m (default: beside the first point)",
    )
    add("--folder", metavar="DIR", help="keep the clock file and the boards' pictures (PNG) here")
    add("--log-frames", action="store_true", help="print every frame: time in ms, sender, hex")
    table = parser.add_argument_group("instead of running")
    add = table.add_argument
    add("--table", choices=sorted(_PRESETS), help="print who needs how many hops, and stop")
    add("--gateway", default="VR00", metavar="CODE", help="hops are counted from here (VR00)")
    add("--margin", type=float, default=6.0, metavar="DB", help="a link counts from this margin on (6)")
    return parser


def _epoch(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither unix seconds nor an ISO 8601 time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp())


def _codes(text: str) -> list[str]:
    return [code for code in text.split(",") if code]


def _place(text: str) -> Point:
    try:
        x_km, y_km, antenna_m = (float(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,HEIGHT") from None
    return Point("foreign", x_km, y_km, antenna_m)
