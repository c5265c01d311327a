"""The crisis room's hands: sends and lists with the real `baken-console` program."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from baken.wire.bulletin import text_capacity
from baken.wire.packing import pack
from baken_hardware.demo import scenario
from baken_hardware.demo.scenario import Bulletin
from baken_hardware.demo.stage import Stage

COMMAND_TIMEOUT_S = 60.0
KEPT_STATUS = 4  # baken-console has done its part, and the broker was out of reach
_REFERRING = {"Update": "--update", "Cancel": "--cancel"}


class DeskError(Exception):
    """The console did not do what it was asked; the text is what it said."""


class Desk:
    """Sends bulletins of the exercise; `sent` maps their ids to (authority number, sequence number)."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.sent: dict[str, tuple[int, int]] = {}
        self._began: set[str] = set()

    async def send(self, bulletin: Bulletin, wait_s: float) -> tuple[int, int]:
        """Sign and send; with `wait_s` the broker must have it by then, with 0 it may wait for its broker."""
        arguments = [
            "send",
            *("--event", bulletin.event, "--severity", bulletin.severity, "--urgency", bulletin.urgency),
            *("--certainty", bulletin.certainty, "--response", bulletin.response_type),
            *("--sent", scenario.local(bulletin.sent_s).isoformat()),
            *("--valid", f"{(bulletin.expires_s - bulletin.sent_s) // 60}m"),
            *("--text", bulletin.text, "--exercise", "--json", "--wait", str(wait_s)),
            # Said also when it is everywhere: an update would be for where its first reference is.
            *("--area", ",".join(bulletin.areas) or "ALL"),
        ]
        if bulletin.scope == "Restricted":
            arguments.append("--restricted")
        references = self._references(bulletin)
        if references:
            arguments += [_REFERRING[bulletin.msg_type], ",".join(f"{key[0]}/{key[1]}" for key in references)]
        if bulletin.authority not in self._began:
            arguments.append("--first")
            self._began.add(bulletin.authority)
        said = await self.run(bulletin.authority, arguments)
        self.sent[bulletin.id] = _number(said)
        return self.sent[bulletin.id]

    def _references(self, bulletin: Bulletin) -> list[tuple[int, int]]:
        """The bulletins of the same authority that an Update or Cancel names."""
        if bulletin.msg_type not in _REFERRING:
            return []
        return [self.sent[name] for name in bulletin.references if name in self.sent]

    async def reports(self, wait_s: float) -> list[dict[str, Any]]:
        """The emergency reports, as `baken-console reports --json` tells them."""
        said = await self.run(scenario.REGION_AUTHORITY, ["reports", "--json", "--wait", str(wait_s)])
        return json.loads(said)

    async def answer(self, to: str, text: str, wait_s: float) -> None:
        """Answer report `to` (OV06/1), or write to point `to` (OV06)."""
        arguments = ["answer", to, text, "--exercise", "--wait", str(wait_s)]
        await self.run(scenario.REGION_AUTHORITY, arguments)

    async def beat(self, period_min: int, wait_s: float) -> None:
        """Send a heartbeat."""
        arguments = ["heartbeat", "--period", str(period_min), "--wait", str(wait_s)]
        await self.run(scenario.REGION_AUTHORITY, arguments)

    def parts(self, bulletin: Bulletin) -> int:
        """In how many parts the bulletin travels."""
        capacity = text_capacity(bulletin.areas, self._references(bulletin))
        return len(pack(bulletin.text.encode(), capacity)[1])

    async def list(self, wait_s: float) -> dict[str, Any]:
        """What the console knows, as `baken-console list --json` tells it."""
        said = await self.run(
            scenario.REGION_AUTHORITY, ["list", "--json", "--points", "--wait", str(wait_s)]
        )
        return json.loads(said)

    async def screenshot(self, path: Path) -> None:
        """A picture (SVG) of the console's main screen."""
        await self.run(scenario.REGION_AUTHORITY, ["--screenshot", str(path)])

    def command(self, authority: str, arguments: list[str]) -> list[str]:
        """Command line of the console for that authority; each has a desk, and so a data folder, of its
        own.
        """
        stage = self._stage
        key = stage.key_of(authority)
        return [
            *(sys.executable, "-m", "baken_console.cli", *arguments),
            *("--region", str(stage.region_folder), "--key", str(key), "--broker", stage.broker_address),
            *("--data", str(stage.folder / "console" / key.stem), "--exercise-clock", str(stage.clock)),
        ]

    async def run(self, authority: str, arguments: list[str]) -> str:
        """Run the console; its standard output. DeskError with what it said when it fails."""
        process = await asyncio.create_subprocess_exec(
            *self.command(authority, arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, error = await asyncio.wait_for(process.communicate(), COMMAND_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise DeskError(f"baken-console {arguments[0]} took over {COMMAND_TIMEOUT_S:.0f} s") from None
        with open(self._stage.folder / "console.log", "ab") as log:
            log.write(b"$ " + " ".join(arguments).encode() + b"\n" + out + error)
        if process.returncode not in (0, KEPT_STATUS):
            raise DeskError(
                f"baken-console {arguments[0]} failed: {error.decode().strip() or out.decode().strip()}"
            )
        return out.decode()


def _number(said: str) -> tuple[int, int]:
    """(authority, sequence number) from what `send --json` printed."""
    try:
        authority, seq = json.loads(said)["id"].split("/")
        return int(authority), int(seq)
    except (ValueError, KeyError) as error:
        raise DeskError(f"baken-console send did not name the bulletin: {said!r}") from error
