"""The gateway as a process, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from _brokers import BrokerProcess
from _region import NOON_S

from baken_gateway.region import Region


class GatewayProcess:
    """`baken-gateway` on the exercise's clock, in a folder of its own."""

    def __init__(
        self,
        region: Region,
        port: object,
        broker: BrokerProcess,
        folder: Path,
        name: str = "gw1",
        options: Sequence[str] = (),
    ) -> None:
        self.clock = folder / "clock"
        self.set_clock(NOON_S)
        self.log = folder / f"{name}.log"
        self._arguments = ["--region", str(region.folder), "--port", str(port), "--id", name]
        self._arguments += ["--broker", str(broker.address), "--data", str(folder / name)]
        self._arguments += ["--exercise-clock", str(self.clock), *options]
        self._process: subprocess.Popen | None = None

    def set_clock(self, unix_s: int) -> None:
        """What time it is for the gateway."""
        self.clock.write_bytes((unix_s * 1000).to_bytes(8, "big") + bytes(8))

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-m", "baken_gateway.cli", *self._arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def end(self, number: int = signal.SIGTERM) -> int | None:
        """End it with a signal; its exit code, None when it did not run."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            return process.wait(15)
        finally:
            process.kill()
            process.wait()
