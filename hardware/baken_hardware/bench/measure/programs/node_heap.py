"""The node program, which also writes how much of its heap is in use, bytecode included: `<ms> heap <bytes>`
at each of the virtual milliseconds in BAKEN_HEAP_AT_MS. Before it starts, `board <bytes>`: what the virtual
board's drivers take, which a real board has not.
"""

import asyncio
import gc
import os

import board

gc.collect()
board.log("board %d" % gc.mem_alloc())

from baken.device import app  # noqa: E402 - after the board was measured


class MeasuredNode(app.Node):
    async def run(self):
        asyncio.create_task(_measure())
        await super().run()


async def _measure():
    for at_ms in (os.getenv("BAKEN_HEAP_AT_MS") or "").split():
        await asyncio.sleep_ms(int(at_ms) - board.clock.ticks_ms())
        gc.collect()
        board.log("%d heap %d" % (board.clock.ticks_ms(), gc.mem_alloc()))


app.Node = MeasuredNode
app.run(board)
