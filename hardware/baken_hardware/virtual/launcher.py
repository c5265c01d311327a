"""Runs one virtual board: a MicroPython process whose standard input and output are its USB serial port.

The port is a pseudo-terminal. The process gets the master side, not blocking; this side keeps the slave open
in raw mode, so that the port is there while no program uses it, and gives it a name that stays: `tty-<code>`
in the run folder. When the process ends, programs on the port see it go, as when a cable is pulled; a restart
makes a new port under the same name. Standard error goes to `<code>.log` in the run folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import tty
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from baken_hardware.checkout import HARDWARE
from baken_hardware.virtual import compiled, frozen, interpreter

BOARD = Path(__file__).resolve().parent / "board"


class LaunchError(Exception):
    """A virtual board could not be started."""


def board_command(
    firmware: str | Path, bits: int = 64, heap: str | None = None, loaded: bool = False
) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run a script with the firmware's packages and the virtual module
    `board`.

    The packages are compiled here and run in place from an image, as from a real board's flash; `heap` (as in
    `-X heapsize=`) is NODE_HEAP then. A MicroPython that cannot do that loads the compiled files into its
    heap, LOADED_HEAP. `loaded`: the packages in the folder `firmware` are loaded as they are; a board that
    has to compile them itself needs more heap for that than for running them.
    """
    if loaded:
        return _loading(firmware, bits, heap)
    packages = compiled.compiled(firmware)
    if not interpreter.find(bits).maps_code:
        return _loading(packages, bits, heap)
    command = interpreter.command(bits, heap or interpreter.NODE_HEAP, [BOARD])
    images = [str(folder / compiled.IMAGE) for folder in (packages, compiled.drivers())]
    return list(command.argv), command.environment | {"BAKEN_IMAGES": ":".join(images)}


def frozen_command(micropython: Path, firmware: Path, heap: str) -> tuple[list[str], dict[str, str]]:
    """The same for a MicroPython into which the sources in `firmware` are frozen; FrozenError when they are
    not.
    """
    frozen.check(micropython, firmware)
    environment = os.environ | {
        "MICROPYPATH": f"{BOARD}:.frozen",
        "BAKEN_IMAGES": str(compiled.drivers() / compiled.IMAGE),
    }
    return [str(micropython.resolve()), "-X", f"heapsize={heap}"], environment


def _loading(packages: str | Path, bits: int, heap: str | None) -> tuple[list[str], dict[str, str]]:
    command = interpreter.command(bits, heap or interpreter.LOADED_HEAP, [packages, BOARD, HARDWARE])
    return list(command.argv), dict(command.environment)


class VirtualNode:
    """One board at the point `code`; `flash` is its folder and outlives the process.

    `command` is the interpreter with its options (and `environment` what it needs; see `board_command`),
    `main_script` what the board starts, `settings` further environment variables of the virtual board (see
    `board/board.py`).
    """

    def __init__(
        self,
        code: str,
        *,
        ether: str,
        flash: str | Path,
        run_folder: str | Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        main_script: str | Path,
        settings: Mapping[str, str] | None = None,
        on_exit: Callable[[str, int], None] | None = None,
    ) -> None:
        self.code = code
        self.flash = Path(flash)
        self.run_folder = Path(run_folder)
        self.settings = dict(settings or {})
        self._ether = ether
        self._command = list(command)
        self._environment = dict(environment)
        self._main_script = Path(main_script)
        self._on_exit = on_exit
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._slave = -1

    @property
    def tty(self) -> Path:
        """The serial port's lasting name."""
        return self.run_folder / f"tty-{self.code}"

    @property
    def log(self) -> Path:
        """What the board wrote to standard error, over all its starts."""
        return self.run_folder / f"{self.code}.log"

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Process id; LaunchError when it was never started."""
        if self._process is None:
            raise LaunchError(f"{self.code} was not started")
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """How the last process ended (negative: the signal); None while it runs or before the first start."""
        return self._process.returncode if self._process is not None else None

    async def start(self) -> None:
        """Plug the board in; LaunchError when it runs already or the interpreter cannot be started."""
        if self.running:
            raise LaunchError(f"{self.code} is running already")
        if self._watch is not None:
            await self._watch
        self.flash.mkdir(parents=True, exist_ok=True)
        self.run_folder.mkdir(parents=True, exist_ok=True)
        master, slave = pty.openpty()
        try:
            tty.setraw(slave)
            # Both the board's reads and its writes: a port nobody reads must not stop the board.
            os.set_blocking(master, False)
            with open(self.log, "ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    str(self._main_script),
                    stdin=master,
                    stdout=master,
                    stderr=log,
                    env=self._environment | self.settings | self._board_settings(),
                    start_new_session=True,
                )
        except OSError as error:
            os.close(slave)
            raise LaunchError(f"{self.code}: cannot start {self._command[0]}: {error}") from error
        finally:
            os.close(master)
        self._slave = slave
        self._name_port(os.ttyname(slave))
        self._watch = asyncio.create_task(self._watch_process(self._process, slave))

    async def stop(self, timeout_s: float = 5.0) -> None:
        """Unplug: SIGTERM, and SIGKILL for a board that does not end; the port's name goes away."""
        if self.running:
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.wait(), timeout_s)
            except TimeoutError:
                self._signal(signal.SIGKILL)
        await self.wait()
        self.tty.unlink(missing_ok=True)

    async def kill(self) -> None:
        """The battery falls out: SIGKILL, nothing is tidied up in the board."""
        if self.running:
            self._signal(signal.SIGKILL)
        await self.wait()

    async def restart(self) -> None:
        """Unplug and plug in again: same flash, same port name, a new process."""
        await self.stop()
        await self.start()

    async def wait(self) -> None:
        """Wait until the process has ended, however that comes."""
        if self._watch is not None:
            await asyncio.shield(self._watch)

    def _board_settings(self) -> dict[str, str]:
        return {
            "BAKEN_ETHER": self._ether,
            "BAKEN_NODE": self.code,
            "BAKEN_FLASH": str(self.flash),
            "BAKEN_SERIAL": "nonblocking",
        }

    def _name_port(self, target: str) -> None:
        part = self.tty.with_name(self.tty.name + ".part")
        part.unlink(missing_ok=True)
        part.symlink_to(target)
        os.replace(part, self.tty)

    def _signal(self, number: int) -> None:
        # The process may be gone already, with only its exit status left to fetch.
        with contextlib.suppress(ProcessLookupError):
            assert self._process is not None
            self._process.send_signal(number)

    async def _watch_process(self, process: asyncio.subprocess.Process, slave: int) -> None:
        status = await process.wait()
        os.close(slave)
        if self._on_exit is not None:
            self._on_exit(self.code, status)
