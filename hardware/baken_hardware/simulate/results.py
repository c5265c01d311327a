"""Figures out of a simulation: delivery, times, transmissions against the fewest possible, airtime."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from baken_hardware.simulate import maps
from baken_hardware.simulate.maps import Map

if TYPE_CHECKING:
    from baken_hardware.simulate.scenarios import Plan
    from baken_hardware.simulate.world import RecordId, World

BULLETIN_BYTES = 216
_DATA = ("flood", "served")
_CONTROL = ("digest", "tally")
NEVER_S = float("inf")


def quantile(values: list[float], share: float, count: int | None = None) -> float:
    """The value that `share` of `count` (the number of values) stay within; infinite where too few came."""
    count = len(values) if count is None else count
    if not count:
        return 0.0
    rank = max(-(-round(share * count * 1e6) // 1_000_000), 1)
    return sorted(values)[rank - 1] if rank <= len(values) else NEVER_S


class Run:
    """What came of one plan. Times in seconds; a node that never got a bulletin has none.

    `times[i]`: of bulletin i, node: seconds until it was there; `wanted[i]`: how many nodes should have it.
    """

    def __init__(self, plan: Plan, terrain: Map) -> None:
        self.plan = plan
        self.nodes = len(terrain)
        self.degree = terrain.degree()
        self.hops = max(maps.hops(terrain.neighbours(), terrain.source).values())
        self.fewest = len(maps.connected_dominating_set(terrain.hearers(), terrain.source))
        self.places = terrain.places
        self.names = terrain.names
        self.towers = sorted(terrain.towers)
        self.source = terrain.source
        self.links = [(i, j) for i, row in enumerate(terrain.neighbours()) for j in sorted(row) if i < j]
        self.times: list[dict[int, float]] = []
        self.wanted: list[int] = []
        self.frames: list[int] = []
        self.cpu_s = 0.0
        self.node_hours = 0.0
        self.idle_percent: list[float] = []
        self.idle_ms = 0.0
        self.amplification: float | None = None
        self.data_ratio = 0.0
        self.all_ratio = 0.0
        self.airtime_ms: dict[str, int] = {}
        self.by_minute_ms: list[tuple[int, str, int]] = []
        self.node_airtime_ms: list[int] = []
        self.spent_before_ms = 0
        self._idle_s = 0.0
        self._control_idle_ms = 0
        self._before: Counter[str] = Counter()
        self._before_nodes: Counter[int] = Counter()
        self._before_now = 0

    def begin_idle(self, world: World) -> None:
        """From here on nothing happens."""
        self.begin_spreading(world)

    def end_idle(self, world: World) -> None:
        """Until here nothing has happened; now it does."""
        lasted_ms = world.now - self._before_now
        spent_ms = world.spent.by_node_ms
        self.idle_percent = [
            100 * (spent_ms[node] - self._before_nodes[node]) / lasted_ms for node in range(self.nodes)
        ]
        self.idle_ms = sum(spent_ms.values()) - self._before_nodes.total()
        self._control_idle_ms = sum(world.spent.airtime_ms[kind] - self._before[kind] for kind in _CONTROL)
        self._idle_s = lasted_ms / 1000
        self.begin_spreading(world)

    def begin_spreading(self, world: World) -> None:
        """Count airtime from here on."""
        self._before = Counter(world.spent.airtime_ms)
        self._before_nodes = Counter(world.spent.by_node_ms)
        self.spent_before_ms = self._before_nodes.total()
        self._before_now = world.now

    def add(
        self, world: World, record_id: RecordId, wanted: Iterable[int], since_ms: int | None = None
    ) -> None:
        """A bulletin that the nodes `wanted` should have got."""
        learned_at = world.learned_at[record_id]
        if since_ms is None:
            since_ms = min(learned_at.values())
        wanted = set(wanted)
        self.times.append({node: (at - since_ms) / 1000 for node, at in learned_at.items() if node in wanted})
        self.wanted.append(len(wanted))
        self.frames.append(world.spent.by_record[record_id])

    def add_waits(self, record_id: RecordId, waits: dict[int, int | None]) -> None:
        """A bulletin with the time in ms that each node waited for it; None: it never came."""
        self.times.append({node: wait / 1000 for node, wait in waits.items() if wait is not None})
        self.wanted.append(len(waits))

    def end(self, world: World) -> None:
        """The run is over."""
        spent = world.spent
        self.airtime_ms = {
            kind: spent.airtime_ms[kind] - self._before[kind] for kind in sorted(spent.airtime_ms)
        }
        self.node_airtime_ms = [
            spent.by_node_ms[node] - self._before_nodes[node] for node in range(self.nodes)
        ]
        first_minute = self._before_now // 60_000
        self.by_minute_ms = sorted(
            (minute - first_minute, kind, airtime_ms)
            for (minute, kind), airtime_ms in spent.by_minute_ms.items()
            if minute >= first_minute
        )
        if not self.times or not self._idle_s:
            return
        unit_ms = world.modem.airtime_ms(BULLETIN_BYTES) * self.fewest * len(self.times)
        data_ms = sum(self.airtime_ms.get(kind, 0) for kind in _DATA)
        control_ms = sum(self.airtime_ms.get(kind, 0) for kind in _CONTROL)
        control_ms -= self._control_idle_ms * (world.now - self._before_now) / 1000 / self._idle_s
        self.data_ratio = data_ms / unit_ms
        self.all_ratio = (data_ms + max(control_ms, 0)) / unit_ms

    def delivered(self) -> tuple[int, int]:
        """Pairs of node and bulletin: (delivered, wanted)."""
        return sum(len(times) for times in self.times), sum(self.wanted)

    def percentiles(self) -> list[list[float]]:
        """t50, t95, t99 and t100 of each bulletin, seconds."""
        return [
            [quantile(list(times.values()), share, wanted) for share in (0.5, 0.95, 0.99, 1.0)]
            for times, wanted in zip(self.times, self.wanted, strict=True)
        ]


def summary(runs: list[Run]) -> dict[str, Any]:
    """The figures of runs that differ in their seed only."""
    rows = [row for one in runs for row in one.percentiles()]
    got = [one.delivered() for one in runs]
    wanted = sum(pair[1] for pair in got)
    waits = [wait for one in runs for times in one.times for wait in times.values()]
    idle = [one.idle_percent for one in runs if one.idle_percent]
    found: dict[str, Any] = {
        "seeds": [one.plan.seed for one in runs],
        "nodes": statistics.mean(one.nodes for one in runs),
        "degree": statistics.mean(one.degree for one in runs),
        "hops": max(one.hops for one in runs),
        "greedy_cds": statistics.mean(one.fewest for one in runs),
        "pairs": wanted,
        "delivered_percent": 100 * sum(pair[0] for pair in got) / wanted if wanted else None,
        "complete_percent": 100 * sum(row[3] < NEVER_S for row in rows) / len(rows) if rows else None,
        "node_hours_per_s": sum(one.node_hours for one in runs) / max(sum(one.cpu_s for one in runs), 1e-9),
        "airtime_s": {
            kind: sum(one.airtime_ms.get(kind, 0) for one in runs) / 1000
            for kind in sorted({kind for one in runs for kind in one.airtime_ms})
        },
    }
    if rows:
        for column, name in enumerate(("t50_s", "t95_s", "t99_s", "t100_s")):
            found[name] = _finite(statistics.median(row[column] for row in rows))
        found["worst_s"] = _finite(max(row[3] for row in rows))
        found["wait_p50_s"] = _finite(quantile(waits, 0.5, wanted))
        found["wait_p99_s"] = _finite(quantile(waits, 0.99, wanted))
        found["wait_p999_s"] = _finite(quantile(waits, 0.999, wanted))
    if idle and any(one.data_ratio for one in runs):
        found["data_per_cds"] = statistics.mean(one.data_ratio for one in runs)
        found["all_per_cds"] = statistics.mean(one.all_ratio for one in runs)
    if idle:
        found["idle_mean_percent"] = statistics.mean(share for row in idle for share in row)
        found["idle_worst_percent"] = max(share for row in idle for share in row)
    if any(one.amplification is not None for one in runs):
        found["amplification"] = max(one.amplification or 0.0 for one in runs)
    return found


def _finite(value: float) -> float | None:
    """JSON has no infinity: None is never."""
    return None if value == NEVER_S else value
