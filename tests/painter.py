"""Draws pages with the firmware under MicroPython; the requests are described in programs/draw_pages.py."""

import json
import subprocess
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from baken_hardware.virtual import interpreter

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 250, 122
BULLETINS = [
    json.loads(line)
    for line in (ROOT / "hardware/baken_hardware/demo/scenario/bulletins.jsonl")
    .read_text("utf-8")
    .splitlines()
]


def as_json(item):
    """Bytes and what holds them, as the program wants them."""
    if isinstance(item, str):
        item = item.encode()
    if isinstance(item, bytes):
        return {"hex": item.hex()}
    if isinstance(item, dict):
        return {key: as_json(value) for key, value in item.items()}
    if isinstance(item, (list, tuple)):
        return [as_json(part) for part in item]
    return item


class Painter:
    """A MicroPython process that draws."""

    def __init__(self, bits: int = 64) -> None:
        argv, environment = interpreter.command(bits, path=[ROOT / "firmware"])
        program = ROOT / "tests" / "hardware" / "programs" / "draw_pages.py"
        self._process = subprocess.Popen(
            [*argv, str(program)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **request) -> dict:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the program ended with {self._process.wait()}"
        return json.loads(answer)

    def draw(self, name: str, view: dict, page: int | None = None, **options) -> tuple[int, bytes, int]:
        """(number of pages, picture, microseconds)."""
        answer = self.ask(draw=name, view=as_json(view), page=page, **options)
        return answer["pages"], bytes.fromhex(answer["picture"]), answer["draw_us"]

    def bulletin(self, view: dict, **options) -> list[bytes]:
        """All pages of a bulletin."""
        count, first, _ = self.draw("bulletin", view, 0, **options)
        return [first] + [self.draw("bulletin", view, page, **options)[1] for page in range(1, count)]

    def close(self) -> None:
        """Let the process end; it must not have failed."""
        self._process.communicate()
        assert self._process.returncode == 0


def unix_s(local: str) -> int:
    """Seconds of an ISO time in Amsterdam."""
    return int(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Amsterdam")).timestamp())


def notice(bulletin: dict, **changes) -> dict:
    """The view of a scenario bulletin ten minutes after it was sent."""
    return {
        "kind": bulletin["kind"],
        "severity": bulletin["severity"],
        "text": bulletin["text"],
        "authority": bulletin["sender"],
        "sent_s": unix_s(bulletin["sent"]),
        "expires_s": unix_s(bulletin["expires"]),
        "point_code": "OV06",
        "now_s": unix_s(bulletin["sent"]) + 600,
        "clock_quality": 2,
        "exercise": True,
    } | changes
