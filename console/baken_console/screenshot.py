"""A picture of the main board without a terminal, for reports and for the demo."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path

from baken_console.app import ConsoleApp

# They would fetch a font from the internet; a viewer's own monospaced one is as good, and there without it.
_FONT_FACES = re.compile(r"@font-face\s*{[^}]*}\s*")


def write_screenshot(app: ConsoleApp, path: Path, size: tuple[int, int], wait_s: float) -> int:
    """Write the main board as SVG; with a broker, once its records are here or after `wait_s` seconds."""

    async def render() -> str:
        async with app.run_test(size=size) as pilot:
            deadline_s = time.monotonic() + wait_s
            while app.feed is not None and not app.feed.is_ready and time.monotonic() < deadline_s:
                await pilot.pause(0.05)
            app.refresh_board(force=True)
            await pilot.pause()
            await pilot.pause()
            return app.export_screenshot(title="Baken")

    picture = _FONT_FACES.sub("", asyncio.run(render()))
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        print(f"baken-console: {path} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0
