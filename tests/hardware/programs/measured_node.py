"""The node program, which also writes every so often how much of its heap is in use: `<ms> heap <bytes>`."""

import asyncio
import gc
import os

import board

from baken.device import app

PERIOD_MS = int(os.getenv("BAKEN_HEAP_EVERY_MS") or 3600000)


class MeasuredNode(app.Node):
    async def run(self):
        asyncio.create_task(measure())
        await super().run()


async def measure():
    while True:
        await asyncio.sleep_ms(PERIOD_MS)
        gc.collect()
        board.log("%d heap %d" % (board.clock.ticks_ms(), gc.mem_alloc()))


app.Node = MeasuredNode
app.run(board)
