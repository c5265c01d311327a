"""`baken-gateway`: the command line of the gateway."""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from baken_gateway import topics
from baken_gateway.check import check
from baken_gateway.clock import Clock, ClockError, ExerciseClock, SystemClock
from baken_gateway.mqtt_link import AddressError, BrokerAddress
from baken_gateway.region import RegionError, check_private, load_region, read_file
from baken_gateway.service import DataFolderError, Gateway, lock_data_folder
from baken_gateway.store import StoreError, open_gateway_store
from baken_gateway.tcp_link import PortError

_log = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="baken-gateway",
        description="Joins a radio, a Baken node or any Meshtastic device, to an MQTT broker. Both "
        "sides hold the region's noticeboard; the gateway brings them up to date, both ways, whatever was "
        "away for however long. It needs no secret key and can be killed at any moment.",
        epilog="Example: baken-gateway --region /etc/baken/region --port /dev/ttyUSB0 --broker mqtt.example "
        "--data /var/lib/baken-gateway. The region folder is made with: baken-bench region init; what of it "
        "belongs on a gateway computer is copied with: baken-bench region public.",
    )
    parser.add_argument(
        "--region", type=Path, required=True, metavar="DIR", help="folder that describes the region"
    )
    parser.add_argument(
        "--port",
        required=True,
        metavar="DEVICE",
        help="the radio's serial port, or tcp:HOST[:4403]; it may come and go",
    )
    parser.add_argument("--broker", metavar="HOST:PORT", help="MQTT broker; it may come and go")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder for the gateway's memory")
    parser.add_argument(
        "--check",
        action="store_true",
        help="tell what the device on --port is and whether it fits the region, then stop; needs no --broker "
        "and no --data",
    )
    parser.add_argument(
        "--meshtastic-mqtt",
        action="store_true",
        help="also be the client proxy of the radio's own MQTT module (off by default): carry its messages "
        "below msh/ to the same broker and back. For a radio with mqtt.enabled and "
        "mqtt.proxy_to_client_enabled, and channels with uplink_enabled or downlink_enabled; what strangers "
        "publish there then goes on the air",
    )
    parser.add_argument(
        "--id", metavar="NAME", help="name of this gateway in topics (default: the computer's name)"
    )
    parser.add_argument("--user", metavar="NAME", help="user name for the broker")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file (mode 600) with the user's password"
    )
    parser.add_argument(
        "--tls", action="store_true", help="encrypt the connection to the broker (port 8883 if none)"
    )
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="certificate that vouches for the broker's"
    )
    parser.add_argument(
        "--exercise-clock",
        type=Path,
        metavar="FILE",
        help="take the time of day from this file instead of the computer's clock, for exercises",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log more, also what the node prints")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM; 0 then, 1 when it cannot start."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(levelname)s %(message)s"
        if not sys.stderr.isatty()
        else "%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    try:
        gateway_id = arguments.id or _default_id()
        if not topics.is_name(gateway_id):
            parser.error(f"--id is {gateway_id!r}, allowed: {topics.NAME_RULE}")
        region = load_region(arguments.region)
        if arguments.check:
            return check(region, arguments.port)
        if arguments.broker is None or arguments.data is None:
            parser.error("--broker and --data are needed, unless --check is given")
        address = BrokerAddress.parse(
            arguments.broker,
            username=arguments.user,
            password=_password(arguments.password_file),
            tls=arguments.tls,
            ca_file=arguments.ca_file,
        )
        clock: Clock = ExerciseClock(arguments.exercise_clock) if arguments.exercise_clock else SystemClock()
        with lock_data_folder(arguments.data):
            store, damage = open_gateway_store(arguments.data / "gateway.db", region, int(time.time()))
            if damage:
                _log.error("%s", damage)
            try:
                gateway = Gateway(
                    region, store, arguments.port, address, clock, gateway_id, arguments.meshtastic_mqtt
                )
                asyncio.run(_run(gateway))
            finally:
                store.close()
    except (RegionError, AddressError, ClockError, DataFolderError, PortError, StoreError) as error:
        print(f"baken-gateway: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(gateway: Gateway) -> None:
    """The gateway until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(gateway.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        _log.info("stopped")


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    check_private(path)
    return read_file(path).decode(errors="replace").rstrip("\r\n")


def _default_id() -> str:
    return re.sub("[^A-Za-z0-9_-]", "-", socket.gethostname().split(".")[0])[:32].lstrip("-_") or "gateway"


if __name__ == "__main__":
    sys.exit(main())
