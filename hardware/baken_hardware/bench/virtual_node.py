"""`baken-bench virtual-node`: one node in real time on this machine, for the tools that talk to nodes and for
other implementations of Meshtastic.

    meshtastic, gateway  ---- pseudo-terminal or TCP ---- board (MicroPython, firmware/root/main.py)
                                                            |
    any other implementation ---- UDP, raw frames -------- ether ---- second board, if wanted

What a program needs to know is printed as `name: value`, a line each, `ready` last.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from baken_hardware.bench import region, standalone
from baken_hardware.bench.standalone import StandaloneError, Wanted
from baken_hardware.checkout import FIRMWARE
from baken_hardware.virtual.ether import Ether
from baken_hardware.virtual.interpreter import InterpreterError
from baken_hardware.virtual.launcher import LaunchError, VirtualNode, board_command
from baken_hardware.virtual.propagation import Point, load_points
from baken_hardware.virtual.serial_server import SerialServer

RESTART_STATUS = 75
"""What the node program ends with when it wants to be started again (EX_TEMPFAIL)."""
RESTARTS_LIMIT = 5
"""More restarts than this within RESTARTS_S: the board is broken."""
RESTARTS_S = 30.0
START_TIMEOUT_S = 30.0
_LOG_LINES = 12
_SOURCE_HEAP = "1024wk"  # the board compiles what it imports


class VirtualNodeError(Exception):
    """The node cannot run, or runs no longer; the text says why."""


class Station:
    """One board, its serial port on TCP, and what is printed about them (names begin with `prefix`)."""

    def __init__(self, prefix: str, node: VirtualNode, pty_link: Path | None = None) -> None:
        self.node = node
        self._prefix = prefix
        self._pty_link = pty_link
        self._server = SerialServer(
            node.tty, lambda reason: print(f"tcp client refused: {reason}", flush=True)
        )
        self._starts: list[float] = []

    async def start(self, ether: Ether, tcp_port: int) -> None:
        """Start the board, wait until its radio is tuned, and tell where everything is."""
        await self.node.start()
        try:
            await self._wait_tuned(ether)
            if self._pty_link is not None:
                _link(self._pty_link, self.node.tty)
            port = await self._server.open(tcp_port)
        except OSError as error:
            raise VirtualNodeError(f"{error.filename or f'port {tcp_port}'}: {error.strerror}") from error
        values = json.loads((self.node.flash / "node.json").read_text(encoding="utf-8"))
        self._tell("node", f"!{values['node_num']:08x} {values['code']} {values['name']}")
        self._tell("flash", self.node.flash)
        self._tell("serial", self._pty_link or self.node.tty)
        self._tell("tcp", f"127.0.0.1:{port}")
        self._tell("display", self.node.run_folder / f"{self.node.code}.png")
        self._tell("log", self.node.log)

    async def ended(self, status: int) -> None:
        """The board has ended: start it again if that is what it wants, else VirtualNodeError."""
        if status != RESTART_STATUS:
            raise VirtualNodeError(f"{self.node.code} ended with status {status}:\n{_tail(self.node.log)}")
        now_s = time.monotonic()
        self._starts = [start_s for start_s in self._starts if now_s - start_s < RESTARTS_S] + [now_s]
        if len(self._starts) > RESTARTS_LIMIT:
            raise VirtualNodeError(
                f"{self.node.code} wanted {len(self._starts)} restarts in {RESTARTS_S:.0f} s, "
                f"limit {RESTARTS_LIMIT}:\n{_tail(self.node.log)}"
            )
        await self.node.start()
        self._tell("restarted", self.node.code)

    async def stop(self) -> None:
        """Hang up on clients and unplug the board."""
        await self._server.close()
        await self.node.stop()
        if self._pty_link is not None and self._pty_link.is_symlink():
            self._pty_link.unlink()

    async def _wait_tuned(self, ether: Ether) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while self.node.code not in ether.connected or ether.air.modem(self.node.code) is None:
            if not self.node.running or time.monotonic() > deadline_s:
                raise VirtualNodeError(f"{self.node.code} did not start:\n{_tail(self.node.log)}")
            await asyncio.sleep(0.02)

    def _tell(self, name: str, value: object) -> None:
        print(f"{self._prefix}{name}: {value}", flush=True)


async def serve(
    folders: Mapping[str, Path], points: Mapping[str, Point], options: argparse.Namespace
) -> None:
    """Run the boards in `folders` (flash by code, the first one is the node) until a signal ends it."""
    run_folder = standalone.beside(next(iter(folders.values())), "run")
    heap = _SOURCE_HEAP if options.from_source else None
    argv, environment = board_command(FIRMWARE, options.bits, heap, loaded=options.from_source)
    ended: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    udp_out = options.udp_out or free_udp_port()
    ether = Ether(
        {code: points[code] for code in folders},
        epoch_unix_s=int(time.time()),
        factor=options.factor,
        seed=options.seed,
        fading_db=0.0,
        loss=0.0,
        folder=run_folder,
        udp=(options.udp_in, udp_out),
    )
    if options.log_frames:
        ether.on_frame = lambda t_ms, sender, frame: print(
            f"frame: {t_ms} {sender} {frame.hex()}", flush=True
        )
    stations: dict[str, Station] = {}
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(_udp_errors_named(ether, options))
        ether.resume()
        for code, flash in folders.items():
            node = VirtualNode(
                code,
                ether=ether.address,
                flash=flash,
                run_folder=run_folder,
                command=argv,
                environment=environment,
                main_script=FIRMWARE / "root" / "main.py",
                on_exit=lambda code, status: ended.put_nowait((code, status)),
            )
            is_first = not stations
            stations[code] = Station(
                "" if is_first else "second-", node, options.pty_link if is_first else None
            )
            stack.push_async_callback(stations[code].stop)
            await stations[code].start(ether, options.tcp if is_first else 0)
            if is_first:
                print(f"udp-in: 127.0.0.1:{ether.ports.udp_in}", flush=True)
                print(f"udp-out: 127.0.0.1:{ether.ports.udp_out}", flush=True)
        print("ready", flush=True)
        await watch(stations, ended, stop)


async def watch(
    stations: Mapping[str, Station], ended: asyncio.Queue[tuple[str, int]], stop: asyncio.Event
) -> None:
    """Look after the boards until `stop` is set."""
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            ending = asyncio.create_task(ended.get())
            await asyncio.wait((stopping, ending), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                code, status = ending.result()
                await stations[code].ended(status)
            ending.cancel()
    finally:
        stopping.cancel()


@contextlib.asynccontextmanager
async def _udp_errors_named(ether: Ether, options: argparse.Namespace):
    """The ether, started; a port that is taken is named."""
    try:
        await ether.start()
    except OSError as error:
        await ether.stop()
        raise VirtualNodeError(f"UDP port {options.udp_in}: {error.strerror}") from error
    try:
        yield
    finally:
        await ether.stop()


def free_udp_port() -> int:
    """A UDP port on loopback that nobody has bound at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def default_flash(name: str) -> Path:
    """Where a flash folder is kept when nobody says: $XDG_STATE_HOME/baken/virtual-node, else out."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) / "baken" if state.startswith("/") else Path("out")
    return base / "virtual-node" / name


def _link(path: Path, target: Path) -> None:
    if path.exists() and not path.is_symlink():
        raise VirtualNodeError(f"{path} is there and is no link; give --pty-link another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target.absolute())


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_LOG_LINES:] or [f"{log} is empty"])


@contextlib.contextmanager
def _alone(flash: Path) -> Iterator[TextIO]:
    """Hold the flash folder: two programs must not write one node's flash."""
    path = standalone.beside(flash, "run") / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VirtualNodeError(
                f"{flash} is in use by another virtual node; give another --flash"
            ) from None
        yield lock


def _prepare(options: argparse.Namespace, flash: Path) -> tuple[dict[str, Path], dict[str, Point]]:
    """Flash folders and places by code."""
    wanted = Wanted(options.name, options.preset, options.region_code)
    if options.region is None:
        if options.node is not None or options.second_node:
            raise VirtualNodeError("--node and --second-node CODE name points of a region: give --region DIR")
        return standalone.provision(flash, options.second_node is not None, wanted), standalone.points()
    if options.node is None or options.second_node == "":
        raise VirtualNodeError("with --region name the points: --node CODE, --second-node CODE")
    if wanted != Wanted():
        raise VirtualNodeError("--name, --preset and --region-code are the region's: leave them out")
    folders = {options.node: flash}
    if options.second_node is not None:
        folders[options.second_node] = standalone.beside(flash, "second")
    for code, folder in folders.items():
        if not (folder / "node.json").exists():
            region.provision(options.region, code, folder)
    points = load_points(options.region / "points.csv")
    for code in folders:
        if code not in points:
            raise VirtualNodeError(f"{options.region / 'points.csv'} has no point {code}")
    return folders, points


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `virtual-node` to `baken-bench`."""
    parser = commands.add_parser(
        "virtual-node",
        help="run one virtual node for tools and other Meshtastic implementations",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs one node on this machine in real time: the firmware on MicroPython, a virtual\n"
        "radio channel, a serial port, TCP and UDP on 127.0.0.1. Without --region it is a node of its\n"
        "own, tuned like a stock node fresh from the factory (default channel, LONG_FAST, EU_868); the\n"
        "records of its throw-away region go on its secondary channel. It keeps its flash, so the next\n"
        "run is the same node. Prints `name: value` lines, then `ready`; ends on Ctrl-C or SIGTERM.",
        epilog="Examples, with the values that it prints:\n"
        "  meshtastic --port out/virtual-node/node.run/tty-VN01 --info\n"
        "  meshtastic --host 127.0.0.1:4403 --sendtext 'Hallo'     (with --tcp 4403)\n"
        "  baken-gateway --port out/virtual-node/node.run/tty-VN01 ...\n"
        "One TCP client at a time holds the serial port; a new one takes its place, as on a stock node,\n"
        "and programs on the serial port have to wait until it has gone.\n\n"
        "Frames: each UDP datagram to udp-in is one raw LoRa frame (16-byte Meshtastic header, then\n"
        "the encrypted Data) that goes on the air beside the node; each frame that the node sends comes\n"
        "to udp-out when it ends. So another implementation joins the mesh with one socket, bound to\n"
        "udp-out and sending to udp-in; two virtual nodes join with each other's ports crossed. Python:\n"
        "  socket.socket(type=socket.SOCK_DGRAM).sendto(frame, ('127.0.0.1', UDP_IN))",
    )
    add = parser.add_argument
    add("--flash", type=Path, metavar="DIR", help="the node's flash (default: in $XDG_STATE_HOME or ./out)")
    add("--pty-link", type=Path, metavar="PATH", help="another lasting name for the serial port")
    add("--tcp", type=_port, default=0, metavar="PORT", help="TCP port of the client API (0: any free one)")
    add("--udp-in", type=_port, default=0, metavar="PORT", help="frames for the air (0: any free one)")
    add("--udp-out", type=_port, default=0, metavar="PORT", help="frames from the air (0: any free one)")
    add("--region", type=Path, metavar="DIR", help="be a node of this region (baken-bench region init)")
    add("--node", metavar="CODE", help="which point of the region")
    add("--name", help=f"name of a node of its own (default: {standalone.DEFAULT_NAME})")
    add("--preset", metavar="NAME", help=f"modem preset (default: {standalone.DEFAULT_PRESET})")
    add(
        "--region-code",
        choices=sorted(standalone.region_codes()),
        help=f"band (default: {standalone.DEFAULT_REGION})",
    )
    add(
        "--second-node",
        nargs="?",
        const="",
        metavar="CODE",
        help="a second node on the same air, with its own serial and TCP port",
    )
    add("--factor", type=_factor, default=1.0, metavar="N", help="run N times as fast as real time (1)")
    add("--seed", type=int, metavar="N", help="repeatable random bytes; for tests, never beside other radios")
    add("--bits", type=int, choices=(32, 64), default=64, help="word size of MicroPython (64)")
    add("--from-source", action="store_true", help="start from the sources, without the compiler mpy-cross")
    add("--log-frames", action="store_true", help="print every frame: time in ms, sender, hex")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    flash = (arguments.flash or default_flash(arguments.node or "node")).absolute()
    try:
        with _alone(flash):
            folders, points = _prepare(arguments, flash)
            asyncio.run(serve(folders, points, arguments))
    except (VirtualNodeError, StandaloneError, LaunchError, InterpreterError, ValueError) as error:
        print(f"baken-bench: {error}", file=sys.stderr)
        return 1
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"port is {text}, allowed 0 to 65535")
    return int(text)


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= 1000:
        raise argparse.ArgumentTypeError(f"factor is {text}, allowed above 0 to 1000")
    return factor
