"""Power cuts at every block operation of the flash in the 72 hours of the exercise, on a real LittleFS."""

from pathlib import Path

import pytest
import upy_process

from baken_hardware.bench.measure import micropython, workload

PROGRAM = upy_process.TESTS / "hardware" / "programs" / "cut_flash.py"
SHARDS = 6  # together they cut at every operation
HEAP = "4096wk"  # a flash and its copies lie on the heap
LIMIT_S = 600.0
LEAST_CUTS = 40_000  # of all shards


@pytest.fixture(scope="module")
def exercise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the store of the crisis room's node is given."""
    path = tmp_path_factory.mktemp("workload") / "lines"
    path.write_text("\n".join(workload.lines()) + "\n")
    return path


def cut(exercise: Path, bits: int, shard: int, shards: int) -> dict[str, list[int]]:
    """The sums that the program prints."""
    arguments = (str(shard), str(shards), str(shard + 1))
    path = (*upy_process.PATH, micropython.PROGRAMS)
    done = upy_process.run(bits, PROGRAM, exercise, *arguments, heap=HEAP, path=path, limit_s=LIMIT_S)
    assert done.returncode == 0, done.stdout[-2000:]
    return {line.split()[0]: [int(word) for word in line.split()[1:]] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_power_cut_at_every_block_operation_leaves_the_board_of_before_or_of_after(
    exercise: Path, shard: int
):
    told = cut(exercise, 64, shard, SHARDS)
    writes, cut_at, anew = told["writes"]
    clean, torn, before, after, went_on = told["cuts"]
    print(f"{clean + torn} cut points ({torn} in the middle of an operation) in {cut_at} of {writes} writes")
    assert cut_at in (writes // SHARDS, writes // SHARDS + 1) and anew >= 5
    assert clean == torn and before + after == clean + torn >= LEAST_CUTS // SHARDS
    assert before > 0 < after and went_on > clean // 8
    assert told["held"][0] > 50


def test_power_cuts_leave_the_board_whole_with_32_bit_words_too(exercise: Path, bits: int):
    told = cut(exercise, bits, 0, 8 * SHARDS)
    assert sum(told["cuts"][:2]) > LEAST_CUTS // (10 * SHARDS)
