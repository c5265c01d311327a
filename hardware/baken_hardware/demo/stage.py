"""Brings a whole region up on this machine and takes it down again: every part is the real program.

Each node is a MicroPython process on the ether, the gateway a `baken-gateway` on its crisis room's node, the
broker a process of its own; the console is started by whoever plays. Everything lives in one folder:

    points.csv  region/  flash/<code>/  run/tty-<code>, <code>.log  ether/clock, <code>.png
    gateway/  console/  broker/  *.log  summary.json  console.svg
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from baken_gateway.region import Region, load_region
from baken_hardware.bench import region as bench_region
from baken_hardware.checkout import FIRMWARE
from baken_hardware.demo import scenario
from baken_hardware.virtual import launcher
from baken_hardware.virtual.ether import Ether
from baken_hardware.virtual.propagation import load_points

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
# After bytes went over a cable, time waits this long for the program at its other end.
SERIAL_GRACE_S = 0.005


class StageError(Exception):
    """A part of the region could not be started; the text names it and where its log is."""


class Process:
    """A program of the region: started, stopped or killed by its id, its output in a log file."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        with open(self.log, "ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGKILL for one that does not listen."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(how)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def check(self) -> None:
        """StageError when it has ended by itself."""
        if self._process is not None and self._process.returncode is not None:
            raise StageError(f"{self.name} ended with status {self._process.returncode}, see {self.log}")


class Stage:
    """The region in `folder` with nodes at the points `codes`. Use it as an async context manager."""

    def __init__(
        self,
        folder: Path,
        codes: Sequence[str],
        *,
        factor: float | None = None,
        seed: int = 0,
        link_seed: int = 0,
    ) -> None:
        self.folder = folder
        self.codes = list(codes)
        self.broker_port = _free_port()
        self.nodes: dict[str, launcher.VirtualNode] = {}
        points = load_points(scenario.POINTS)
        self.points = {code: points[code] for code in self.codes}
        self.ether = Ether(
            self.points,
            epoch_unix_s=scenario.unix_s(scenario.START),
            factor=factor,
            seed=seed,
            link_seed=link_seed,
            folder=folder / "ether",
            serial_grace_s=SERIAL_GRACE_S,
        )
        self.broker = self._program(
            "broker",
            "baken_hardware.virtual.broker",
            "--port",
            str(self.broker_port),
            "--data",
            str(folder / "broker"),
        )
        self.gateway = self._program(
            "gateway",
            "baken_gateway.cli",
            *("--region", str(folder / "region")),
            *("--port", str(folder / "run" / f"tty-{scenario.CRISIS_ROOM}")),
            *("--broker", self.broker_address),
            *("--data", str(folder / "gateway")),
            *("--exercise-clock", str(self.clock)),
        )

    @property
    def broker_address(self) -> str:
        return f"127.0.0.1:{self.broker_port}"

    @property
    def clock(self) -> Path:
        """The exercise clock that gateway and console read."""
        return self.folder / "ether" / "clock"

    @property
    def region_folder(self) -> Path:
        return self.folder / "region"

    def region(self) -> Region:
        return load_region(self.region_folder)

    def key_of(self, authority: str) -> Path:
        """Key file of the authority with that name."""
        number = next(entry.number for entry in self.region().authorities if entry.name == authority)
        return self.region_folder / "keys" / f"authority-{number}.key"

    def flash(self, code: str) -> Path:
        return self.folder / "flash" / code

    def make_region(self, authorities: Iterable[str], preset: str, hop_limit: int) -> Region:
        """Keys, trust list and the flash folder of every node, for a region of the points on stage."""
        points = self.folder / "points.csv"
        rows = scenario.POINTS.read_text(encoding="utf-8").splitlines(keepends=True)
        points.write_text("".join(rows[:1] + [row for row in rows[1:] if row.split(",")[0] in self.codes]))
        settings = bench_region.Settings(
            name="Merenland", authorities=tuple(authorities), preset=preset, hop_limit=hop_limit
        )
        region = bench_region.init(self.region_folder, points, settings)
        for code in self.codes:
            bench_region.provision(self.region_folder, code, self.flash(code))
        return region

    async def start_air(self) -> None:
        """The ether and all nodes."""
        (self.folder / "run").mkdir(parents=True, exist_ok=True)
        await self.ether.start()
        argv, environment = launcher.board_command(FIRMWARE)
        for code in self.codes:
            self.nodes[code] = launcher.VirtualNode(
                code,
                ether=self.ether.address,
                flash=self.flash(code),
                run_folder=self.folder / "run",
                command=argv,
                environment=environment,
                main_script=FIRMWARE / "root" / "main.py",
            )
            await self.nodes[code].start()
        await self.ether.wait_connected(self.codes)

    async def switch_on(self, code: str) -> None:
        """Put the battery back in."""
        await self.nodes[code].start()
        await self.ether.wait_connected([code])

    async def switch_off(self, code: str) -> None:
        """Take the battery out: no good-bye, what is on flash stays."""
        await self.nodes[code].kill()

    async def start_broker(self) -> None:
        (self.folder / "broker").mkdir(exist_ok=True)
        await self.broker.start()
        await self._until(lambda: _listens(self.broker_port), self.broker)

    async def start_gateway(self) -> None:
        await self.gateway.start()

    async def stop(self) -> None:
        """End everything that was started."""
        await self.gateway.stop()
        await self.broker.stop()
        for node in self.nodes.values():
            await node.stop()
        await self.ether.stop()

    async def __aenter__(self) -> Stage:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def check(self) -> None:
        """StageError when a part has ended that should run."""
        self.gateway.check()

    def _program(self, name: str, module: str, *arguments: str) -> Process:
        command = [sys.executable, "-m", module, *arguments]
        return Process(name, command, self.folder / f"{name}.log")

    async def _until(self, condition, process: Process) -> None:
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while not condition():
            process.check()
            if asyncio.get_running_loop().time() > deadline:
                raise StageError(
                    f"{process.name} was not ready within {START_TIMEOUT_S:.0f} s, see {process.log}"
                )
            await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_terminal() -> bool:
    """Whether a person can look at and type into this program."""
    return os.isatty(0) and os.isatty(1)
