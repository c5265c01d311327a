"""A day in a region: what lives long must not grow."""

import asyncio
from pathlib import Path

from _nodes import HOUR, MINUTE, SECOND, stage
from _region import bulletin_parts

from baken.wire.records import BULLETIN

CODES = ("OV01", "OV06", "DH01")


def test_the_heap_of_three_nodes_is_the_same_after_a_day_as_after_two_hours(tmp_path: Path):
    """Hourly signs of life of all three, a bulletin every two hours, each for six hours."""

    async def playing() -> None:
        async with stage(tmp_path, CODES) as scene:
            for code in CODES:
                scene.add(code, "measured_node", {"BAKEN_HEAP_EVERY_MS": str(HOUR)})
            await scene.start()
            await scene.run(5 * SECOND)
            seq = 0
            for hour in range(24):
                if hour % 2 == 0:
                    seq += 1
                    text = f"Bericht van uur {hour}, met een paar woorden erbij."
                    await scene.teach("OV01", *bulletin_parts(scene.region, seq, text, sent_s=scene.unix_s))
                await scene.ether.run_until((hour + 1) * HOUR + MINUTE)
            for code in CODES:
                heap = [int(line.split()[2]) for line in scene.log(code) if " heap " in line]
                assert len(heap) == 24
                assert max(heap[2:]) <= heap[1] * 1.05, (code, heap)
                # What has expired is gone, what is valid is there.
                assert {record_id[2] for record_id in scene.held(code) if record_id[0] == BULLETIN} == {
                    10,
                    11,
                    12,
                }
                assert scene.signs_of_life(code) >= 22
            scene.assert_healthy()

    asyncio.run(playing())
