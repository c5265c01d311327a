"""A gateway that is killed between any two of its steps loses nothing and repeats nothing visible."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from _region import bulletin_parts, make_region, status_record

from baken.noticeboard.replica import Replica
from baken_gateway.region import Region
from baken_gateway.store import SqliteStore

PROGRAM = Path(__file__).with_name("killable.py")
PREFIX = "baken/v1/merenland/"


@pytest.fixture(scope="module")
def region(tmp_path_factory) -> Region:
    return make_region(tmp_path_factory.mktemp("kill"))


def expected_records(region: Region) -> dict[str, bytes]:
    first, third = bulletin_parts(region, 1), bulletin_parts(region, 3, "Вод. " * 30)
    second = bulletin_parts(region, 2, "Вод " * 40)
    records = {"bulletin/1/1": first[0], "status/2/5": status_record(region, "OV06", 5)}
    records |= {f"bulletin/1/2.{index + 1}": raw for index, raw in enumerate(second)}
    records |= {f"bulletin/1/3.{index + 1}": raw for index, raw in enumerate(third)}
    return records | {"status/3/2": status_record(region, "DH01", 2)}


def check(region: Region, folder: Path, most: int) -> None:
    """All three hold the same records, and none was published more than `most` times or with other bytes."""
    expected = expected_records(region)
    retained = SqliteStore(folder / "broker.db").acknowledged()
    begin = PREFIX + "record/"
    assert {
        topic.removeprefix(begin): raw for topic, raw in retained.items() if topic.startswith(begin)
    } == expected
    for name in ("node.db", "gateway.db"):
        replica = Replica(region.trust, SqliteStore(folder / name))
        assert sorted(replica.records()) == sorted(expected.values()), name
        assert not replica.counters
    times: Counter[str] = Counter()
    views: dict[str, list[str]] = {}
    for line in (folder / "published.txt").read_text().splitlines():
        topic, payload = line.split()
        times[topic] += 1
        if topic.startswith(begin):
            raw = expected.get(topic.removeprefix(begin), status_record(region, "OV06", 4))
            assert payload in (raw.hex(), "-")
        elif not topic.endswith(("/online", "/echo")):
            views.setdefault(topic, []).append(payload)
    assert max(count for topic, count in times.items() if topic.removeprefix(begin) in expected) <= most
    for topic, payloads in views.items():
        # A view never goes back to what it said before something else.
        changes = [
            payload for index, payload in enumerate(payloads) if payloads[index - 1 : index] != [payload]
        ]
        assert len(changes) == len(set(changes)), topic


def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing_visible(region, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, str(PROGRAM), str(region.folder), str(tmp_path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    steps = int(result.stdout)
    assert steps > 80
    check(region, tmp_path / "0", most=1)
    for step in range(1, steps + 1):
        check(region, tmp_path / str(step), most=2)
