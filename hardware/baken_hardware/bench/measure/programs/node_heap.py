"""The node program, which also writes how much of its heap is in use, bytecode included.

Each BAKEN_HEAP_EVERY_MS of virtual time `<ms> heap <bytes> <largest free piece> <what>=<how many> ...`: what
it holds by then, and what it has refused by cause. Before it starts, `board <bytes>`: what the virtual
board's drivers take, which a real board has not.
"""

import asyncio
import gc
import os

import board
from micropython import const

gc.collect()
board.log("board %d" % gc.mem_alloc())

from baken.device import app  # noqa: E402 - after the board was measured

_BULLETIN = const(1)  # as in baken.wire.records, whose name is gone where constants are folded


class MeasuredNode(app.Node):
    learned = 0

    async def run(self):
        asyncio.create_task(self._measure())
        await super().run()

    def _learn(self, event, now):
        if event.record_id[0] == _BULLETIN:
            self.learned += 1
        super()._learn(event, now)

    async def _measure(self):
        every_ms = int(os.getenv("BAKEN_HEAP_EVERY_MS") or 3_600_000)
        while True:
            await asyncio.sleep_ms(every_ms)
            gc.collect()
            now = board.clock.ticks_ms()
            board.log("%d heap %d %d %s" % (now, gc.mem_alloc(), _largest_piece(), self._held()))

    def _held(self):
        # Not in the coroutine, whose frame would keep what was last made here until the next measurement.
        replica = self._replica
        whole = [notice for notice in replica.notices.values() if notice.complete]
        held = [
            ("nodes", len(self._mesh.nodes)),
            ("learned", self.learned),
            ("bulletins", len(whole)),
            ("parts", sum([notice.meta.parts for notice in whole])),
            ("statuses", len(replica.statuses)),
            ("pulses", len([point for point in replica.statuses if replica.pulses.reach(point)])),
            ("reports", len(replica.letters.reports)),
            ("answers", len(replica.letters.answers)),
            ("amendments", len(replica.keyring)),
        ]
        held += [("refused-" + cause, count) for cause, count in replica.counters.items()]
        return " ".join(["%s=%d" % one for one in held])


def _largest_piece():
    """The largest block that can be allocated, within a tenth."""
    size = gc.mem_free()
    while size > 256:
        try:
            bytearray(size)
            break
        except MemoryError:
            size -= size // 10
    gc.collect()
    return size


app.Node = MeasuredNode
app.run(board)
