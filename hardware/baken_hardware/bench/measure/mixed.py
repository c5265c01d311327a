"""Does anybody's delivery get worse when Baken nodes join a mesh of stock ones? A model, see `mixed_mesh`.

On each map people at the original nodes send the same texts at the same times: once while all nodes are
stock, and again where some are replaced by Baken nodes, or Baken nodes were added, which carry bulletins
besides. What counts is the share of texts that each original node gets. Chance differs between two runs that
are told apart by nothing else, so `stock again` says how much of a difference means nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from baken_hardware.bench.measure import HIGHER, LOWER, MeasureError, Options, Row, Say
from baken_hardware.bench.measure.mixed_mesh import MODEM, Mesh, a_bulletin
from baken_hardware.virtual.propagation import Point, hop_counts, links

NODES = 30
MORE = 10
SIDE_KM = 22.0
ANTENNA_M = 4.0
MARGIN_DB = 3.0
TEXTS = 40
TEXT_EVERY_MS = 45_000
BULLETINS = 6
FIRST_MS = 300_000  # everybody has introduced himself
REST_MS = 120_000
NOISE, NOISE_POINTS = 0.02, 5.0
"""What chance may take: of all deliveries together, and of one node's beyond that in `stock again`."""
_MAPS, _RUNS = 3, 3
_QUICK_MAPS, _QUICK_RUNS = 1, 1
_TRIES = 200


@dataclass(frozen=True)
class Fleet:
    """Which nodes are Baken ones: a share of the original ones, and as many more beside them."""

    name: str
    replaced: float = 0.0
    added: float = 0.0


STOCK = Fleet("stock alone")
AGAIN = Fleet("stock again")
"""The same with other chance: how far two runs differ where nothing was changed."""
FLEETS = (
    STOCK,
    AGAIN,
    Fleet("25 % Baken", replaced=0.25),
    Fleet("50 % Baken", replaced=0.5),
    Fleet("100 % Baken", replaced=1.0),
    Fleet("33 % Baken added", added=1 / 3),
)


@dataclass
class Tally:
    """What came of all runs of one fleet; nodes go by map and name."""

    got: Counter[tuple[int, str]] = field(default_factory=Counter)
    possible: Counter[tuple[int, str]] = field(default_factory=Counter)
    airtime_ms: int = 0
    played_ms: int = 0
    bulletins: int = 0
    bulletins_possible: int = 0

    @property
    def delivery(self) -> float:
        """Share of texts x original nodes, %."""
        return 100 * self.got.total() / self.possible.total()

    def of(self, node: tuple[int, str]) -> float:
        """Share of the texts that one node got, %."""
        return 100 * self.got[node] / self.possible[node]

    def worst_loss(self, before: Tally) -> float:
        """What the node that has lost most gets less than before, percentage points."""
        return max(before.of(node) - self.of(node) for node in self.possible)

    def add(self, other: Tally) -> None:
        """Take the figures of another run in."""
        self.got.update(other.got)
        self.possible.update(other.possible)
        self.airtime_ms += other.airtime_ms
        self.played_ms += other.played_ms
        self.bulletins += other.bulletins
        self.bulletins_possible += other.bulletins_possible


def rows(options: Options, say: Say) -> list[Row]:
    """Each fleet over all maps and runs, on all cores."""
    maps, runs = (_QUICK_MAPS, _QUICK_RUNS) if options.quick else (_MAPS, _RUNS)
    wanted = [
        (fleet, map_seed, run)
        for map_seed in range(1, maps + 1)
        for run in range(1, runs + 1)
        for fleet in FLEETS
    ]
    say(f"mixed: {len(wanted)} runs of {duration_ms() // 60_000} minutes, {NODES} nodes")
    tallies = {fleet.name: Tally() for fleet in FLEETS}
    with ProcessPoolExecutor() as pool:
        for (fleet, _, _), tally in zip(wanted, pool.map(play, *zip(*wanted, strict=True)), strict=True):
            tallies[fleet.name].add(tally)
    return [row for fleet in FLEETS for row in rows_of(fleet, tallies, not options.quick)]


def rows_of(fleet: Fleet, tallies: Mapping[str, Tally], judge: bool = True) -> list[Row]:
    """Its figures; `judge`: there are runs enough to tell a difference from chance."""
    tally, before = tallies[fleet.name], tallies[STOCK.name]
    scenario = f"model, {NODES} nodes, {fleet.name}"
    airtime = 100 * tally.airtime_ms / tally.played_ms
    found = [
        Row("mixed: texts delivered", scenario, round(tally.delivery, 1), "%", HIGHER),
        Row("mixed: airtime of all nodes", scenario, round(airtime, 1), "%", LOWER),
    ]
    if fleet == STOCK:
        return found
    ratio = round(tally.delivery / before.delivery, 4)
    worst = round(tally.worst_loss(before), 1)
    chance = round(tallies[AGAIN.name].worst_loss(before), 1)
    judge = judge and fleet != AGAIN
    required, limit = (1 - NOISE, chance + NOISE_POINTS) if judge else (None, None)
    found += [
        Row("mixed: texts, of stock alone", scenario, ratio, "ratio", HIGHER, required, 1.0),
        Row("mixed: node that lost most", scenario, worst, "points", LOWER, limit, chance),
    ]
    if tally.bulletins_possible:
        share = 100 * tally.bulletins / tally.bulletins_possible
        found.append(Row("mixed: bulletins delivered", scenario, round(share, 1), "%", HIGHER, 100.0, 100.0))
    return found


def duration_ms() -> int:
    """Virtual time of one run."""
    return FIRST_MS + TEXTS * TEXT_EVERY_MS + REST_MS


def a_map(seed: int) -> dict[str, Point]:
    """NODES places in a square and MORE after them, all within reach over some path, the first ones already
    among themselves.
    """
    for attempt in range(_TRIES):
        rand = random.Random(f"map {seed} {attempt}")
        points = {
            f"N{index:02d}": Point(
                f"N{index:02d}", rand.uniform(0, SIDE_KM), rand.uniform(0, SIDE_KM), ANTENNA_M
            )
            for index in range(NODES + MORE)
        }
        usable = links(points, MODEM.spreading_factor, MODEM.bandwidth_hz, MARGIN_DB, seed)
        original = list(points)[:NODES]
        among = [link for link in usable if link.a in original and link.b in original]
        if len(hop_counts(among, original[0])) == NODES and len(hop_counts(usable, original[0])) == len(
            points
        ):
            return points
    raise MeasureError(f"mixed: no connected map among {_TRIES} for seed {seed}")


def play(fleet: Fleet, map_seed: int, run: int) -> Tally:
    """What comes of one run."""
    points = a_map(map_seed)
    original = list(points)[:NODES]
    present = list(points)[: NODES + round(NODES * fleet.added)]
    baken = baken_nodes(original, fleet, map_seed) + present[NODES:]
    mesh = Mesh({name: points[name] for name in present}, baken, map_seed, seed_of(fleet, map_seed, run))
    chance = random.Random(f"texts {map_seed} {run}")
    texts = {b"Tekst %d: wie heeft er nog een aggregaat over?" % index: "" for index in range(TEXTS)}
    script: list[tuple[int, str, bytes]] = []
    for index, text in enumerate(texts):
        texts[text] = chance.choice(original)
        at_ms = FIRST_MS + index * TEXT_EVERY_MS + chance.randrange(TEXT_EVERY_MS // 2)
        script.append((at_ms, texts[text], text))
    bulletins = [a_bulletin(seq) for seq in range(1, BULLETINS + 1)] if baken else []
    every_ms = TEXTS * TEXT_EVERY_MS // BULLETINS
    script += [(FIRST_MS + index * every_ms, baken[0], raw) for index, raw in enumerate(bulletins)]
    for at_ms, name, payload in sorted(script):
        mesh.run(at_ms)
        if payload in texts:
            mesh.say(name, payload)
        else:
            mesh.publish(name, payload)
    mesh.run(duration_ms())
    tally = Tally(airtime_ms=mesh.airtime_ms, played_ms=duration_ms())
    for text, sender in texts.items():
        for name in original:
            if name != sender:
                tally.possible[map_seed, name] += 1
                tally.got[map_seed, name] += name in mesh.heard[text]
    tally.bulletins_possible = len(bulletins) * len(baken)
    tally.bulletins = sum(mesh.members[name].holds(raw) for raw in bulletins for name in baken)
    return tally


def seed_of(fleet: Fleet, map_seed: int, run: int) -> int:
    """Of all chance in this run: the same for every fleet but `stock again`."""
    return 100 * map_seed + run + (5000 if fleet == AGAIN else 0)


def baken_nodes(original: list[str], fleet: Fleet, map_seed: int) -> list[str]:
    """Which of the original nodes are Baken ones: a larger share has those of a smaller one, too."""
    order = random.Random(f"baken {map_seed}").sample(original, len(original))
    return order[: round(len(order) * fleet.replaced)]
