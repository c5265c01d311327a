"""The crisis room's console as processes, for tests."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from _brokers import BrokerProcess

from baken_gateway.region import Region


class Crisis:
    """The crisis room's commands, on the clock of the exercise."""

    def __init__(self, region: Region, broker: BrokerProcess, folder: Path) -> None:
        self.clock = folder / "clock"
        key = region.folder / "keys" / "authority-1.key"
        self._common = ["--region", region.folder, "--data", folder / "console", "--key", key]
        self._common += ["--broker", broker.address, "--exercise-clock", self.clock]

    async def run(self, *words: object) -> str:
        argv = [sys.executable, "-m", "baken_console.cli", words[0], *self._common, *words[1:]]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = await asyncio.create_subprocess_exec(
            *map(str, argv), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, (argv, out, err)
        return out.decode()

    async def reports(self) -> list[dict]:
        return json.loads(await self.run("reports", "--json"))
