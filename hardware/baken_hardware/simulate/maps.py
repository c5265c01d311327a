"""Where nodes are and how strongly they hear each other.

Mean power at j of what i sends, in dBm: 27 + gain of i + gain of j - path loss + an offset of the direction
i -> j. Path loss is 3GPP's suburban macro model with antennas at 1 m, the one that Meshtastic's own simulator
uses; offsets are normal with 3 dB, one for each direction, so that links are unequal. Towers gain 15 dB.
Two nodes are neighbours when each hears the other at its sensitivity or better.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from baken.wire.modem import Preset
from baken_hardware.virtual.propagation import load_points, noise_floor_dbm, received_power_dbm

FREQUENCY_MHZ = 869.525
POWER_DBM = 27.0
OFFSET_DB = 3.0
TOWER_GAIN_DB = 15.0
HEARD_BELOW_DB = 6.0
"""Links this far below sensitivity still disturb, and fading can lift them; weaker ones are left out."""
_MIN_APART_KM = 0.01
_MIN_REACHABLE = 0.85
_ATTEMPTS = 200


def path_loss_db(distance_km: float) -> float:
    """3GPP suburban macro at 869.525 MHz, both antennas at 1 m; at least a metre apart."""
    constant = 45.5 + 34.36 * math.log10(FREQUENCY_MHZ) + 0.7
    return 44.9 * math.log10(max(distance_km, 0.001)) + constant


def range_km(sensitivity_dbm: float) -> float:
    """Distance at which the mean power, without offset, is just the sensitivity."""
    return 10 ** ((POWER_DBM - sensitivity_dbm - path_loss_db(1.0)) / 44.9)


@dataclass
class Map:
    """Nodes 0 .. n-1. `out[i]`: (j, mean power at j in dBm) of everybody who hears i at all.

    `towers` have a mast; `source` publishes; `far` are the nodes on the other side of the cut, for scenarios
    that have one; `names` label nodes on the plot where they have names.
    """

    name: str
    places: list[tuple[float, float]]
    sensitivity_dbm: float
    noise_dbm: float
    out: list[list[tuple[int, float]]]
    source: int = 0
    towers: frozenset[int] = frozenset()
    names: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.places)

    def neighbours(self) -> list[set[int]]:
        """Who hears whom, both ways, on the mean."""
        heard = self.hearers()
        return [{j for j in heard[i] if i in heard[j]} for i in range(len(self))]

    def hearers(self) -> list[set[int]]:
        """Who hears each node on the mean, whether or not it hears them."""
        return [{j for j, power in row if power >= self.sensitivity_dbm} for row in self.out]

    def degree(self) -> float:
        """Mean number of neighbours."""
        return sum(len(row) for row in self.neighbours()) / len(self)

    def without(self, gone: set[int]) -> Map:
        """The map of the nodes that are left, numbered anew; the source must be one of them."""
        kept = [node for node in range(len(self)) if node not in gone]
        number = {node: index for index, node in enumerate(kept)}
        out = [[(number[j], power) for j, power in self.out[node] if j in number] for node in kept]
        return Map(
            self.name,
            [self.places[node] for node in kept],
            self.sensitivity_dbm,
            self.noise_dbm,
            out,
            number[self.source],
            frozenset(number[node] for node in self.towers if node in number),
            [self.names[node] for node in kept] if self.names else [],
        )


def hops(neighbours: list[set[int]], start: int) -> dict[int, int]:
    """Fewest hops from `start` to every node that can be reached (`start`: 0)."""
    found = {start: 0}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for other in neighbours[node]:
            if other not in found:
                found[other] = found[node] + 1
                waiting.append(other)
    return found


def connected_dominating_set(hearers: list[set[int]], start: int) -> list[int]:
    """Greedy: from `start` on, add the covered node with the most uncovered hearers until all that can be
    reached are covered. Its size is an upper estimate of the fewest transmissions that reach everybody.
    """
    reachable = set(hops(hearers, start))
    chosen = [start]
    covered = {start} | hearers[start]
    waiting = covered - {start}
    while covered < reachable:
        best = max(sorted(waiting), key=lambda node: len(hearers[node] - covered))
        chosen.append(best)
        waiting |= hearers[best] - covered
        waiting.remove(best)
        covered |= hearers[best]
    return chosen


def build(
    name: str,
    places: list[tuple[float, float]],
    preset: Preset,
    chance: random.Random,
    towers: frozenset[int] = frozenset(),
) -> Map:
    """A map with these places; `chance` gives the offsets."""
    floor_dbm = preset.sensitivity_dbm - HEARD_BELOW_DB
    # Beyond this not even an offset of four deviations makes a link.
    budget_db = POWER_DBM + 4 * OFFSET_DB - floor_dbm - path_loss_db(1.0)
    reach_km = 10 ** (budget_db / 44.9)
    tower_reach_km = 10 ** ((budget_db + TOWER_GAIN_DB) / 44.9)
    pair_reach_km = 10 ** ((budget_db + 2 * TOWER_GAIN_DB) / 44.9)
    out: list[list[tuple[int, float]]] = [[] for _ in places]
    for i, (x_km, y_km) in enumerate(places):
        i_is_tower = i in towers
        for j in range(i):
            x = places[j][0] - x_km
            y = places[j][1] - y_km
            masts = i_is_tower + (j in towers)
            limit_km = (reach_km, tower_reach_km, pair_reach_km)[masts]
            if x * x + y * y > limit_km * limit_km:
                continue
            mean_dbm = POWER_DBM + masts * TOWER_GAIN_DB - path_loss_db(math.hypot(x, y))
            for here, there in ((i, j), (j, i)):
                power_dbm = mean_dbm + chance.gauss(0, OFFSET_DB)
                if power_dbm >= floor_dbm:
                    out[here].append((there, power_dbm))
    noise_dbm = noise_floor_dbm(preset.modem.bandwidth_hz)
    return Map(name, places, preset.sensitivity_dbm, noise_dbm, out, towers=towers)


def random_geometric(count: int, degree: float, preset: Preset, seed: int, source: str = "corner") -> Map:
    """Uniform over a square in which a node has `degree` neighbours on average, without the edge; each node
    within range of an earlier one. `source`: "corner" or "centre".

    The nodes that the source cannot reach are left out, at most 15 % of `count`.
    """
    reach_km = range_km(preset.sensitivity_dbm)
    side_km = math.sqrt(count * math.pi * reach_km**2 / degree)
    for attempt in range(_ATTEMPTS):
        chance = random.Random(f"map {seed} {attempt} {count} {degree:g} {preset.name}")
        places = _scatter(count, side_km, reach_km, chance)
        made = build(f"random {count}, degree {degree:g}", places, preset, chance)
        if source == "corner":
            made.source = min(range(count), key=lambda node: sum(places[node]))
        else:
            x_km, y_km = (sum(place[axis] for place in places) / count for axis in (0, 1))
            made.source = min(
                range(count), key=lambda node: math.hypot(places[node][0] - x_km, places[node][1] - y_km)
            )
        reachable = set(hops(made.neighbours(), made.source))
        if len(reachable) >= _MIN_REACHABLE * count:
            return made.without(set(range(count)) - reachable)
    raise ValueError(f"no map of {count} nodes at degree {degree:g} hangs together")


def _scatter(count: int, side_km: float, reach_km: float, chance: random.Random) -> list[tuple[float, float]]:
    places: list[tuple[float, float]] = [(chance.uniform(0, side_km), chance.uniform(0, side_km))]
    cells: dict[tuple[int, int], list[tuple[float, float]]] = {}

    def cell(place: tuple[float, float]) -> tuple[int, int]:
        return int(place[0] / reach_km), int(place[1] / reach_km)

    cells.setdefault(cell(places[0]), []).append(places[0])
    while len(places) < count:
        place = (chance.uniform(0, side_km), chance.uniform(0, side_km))
        column, row = cell(place)
        near = [
            math.hypot(other[0] - place[0], other[1] - place[1])
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for other in cells.get((column + dx, row + dy), ())
        ]
        if near and _MIN_APART_KM <= min(near) <= reach_km:
            places.append(place)
            cells.setdefault((column, row), []).append(place)
    return places


def grid(side: int, preset: Preset, seed: int, spacing: float = 0.75) -> Map:
    """`side` x `side` nodes, `spacing` of the range apart; the source in a corner."""
    step_km = spacing * range_km(preset.sensitivity_dbm)
    places = [(column * step_km, row * step_km) for row in range(side) for column in range(side)]
    return _connected(f"grid {side}x{side}", lambda: places, preset, f"grid {seed} {side} {preset.name}")


def line(count: int, preset: Preset, seed: int, spacing: float = 0.70) -> Map:
    """A row of nodes, `spacing` of the range apart; the source at one end."""
    step_km = spacing * range_km(preset.sensitivity_dbm)
    places = [(index * step_km, 0.0) for index in range(count)]
    return _connected(f"line of {count}", lambda: places, preset, f"line {seed} {count} {preset.name}")


def towns(count: int, size: int, preset: Preset, seed: int) -> Map:
    """`count` towns in 40 x 40 km, each with a tower and `size` nodes around it; towers link the towns. The
    source is the first tower.
    """
    name = f"towns {count} {size} {seed} {preset.name}"
    chance = random.Random(name)

    def scatter() -> list[tuple[float, float]]:
        centres: list[tuple[float, float]] = [(chance.uniform(0, 40), chance.uniform(0, 40))]
        while len(centres) < count:
            place = (chance.uniform(0, 40), chance.uniform(0, 40))
            apart = [math.hypot(other[0] - place[0], other[1] - place[1]) for other in centres]
            if min(apart) > 4.5 and min(apart) < 7.5:
                centres.append(place)
        places = list(centres)
        for x_km, y_km in centres:
            for _ in range(size):
                radius_km = abs(chance.gauss(0, 0.9)) + 0.03
                angle = chance.uniform(0, 2 * math.pi)
                places.append((x_km + radius_km * math.cos(angle), y_km + radius_km * math.sin(angle)))
        return places

    towers = frozenset(range(count))
    return _connected(f"{count} towns x {size}", scatter, preset, name, towers)


def _connected(
    title: str,
    scatter: Callable[[], list[tuple[float, float]]],
    preset: Preset,
    seed: str,
    towers: frozenset[int] = frozenset(),
) -> Map:
    """The first map of which the source, node 0, reaches enough; what it does not reach is left out."""
    for attempt in range(_ATTEMPTS):
        made = build(title, scatter(), preset, random.Random(f"{seed} {attempt}"), towers)
        reachable = set(hops(made.neighbours(), 0))
        if len(reachable) >= _MIN_REACHABLE * len(made):
            return made.without(set(range(len(made))) - reachable)
    raise ValueError(f"no {title} hangs together")


def region(path: str, preset: Preset, seed: int) -> Map:
    """The points of a points.csv with the heights, walls and path loss of the demo; see virtual/propagation.

    The source is the crisis room. Points that cannot be reached are left out.
    """
    points = load_points(path)
    codes = list(points)
    floor_dbm = preset.sensitivity_dbm - HEARD_BELOW_DB
    out: list[list[tuple[int, float]]] = [[] for _ in codes]
    for i, j in _pairs(len(codes)):
        power_dbm = received_power_dbm(points[codes[i]], points[codes[j]], seed=seed)
        if power_dbm >= floor_dbm:
            out[i].append((j, power_dbm))
            out[j].append((i, power_dbm))
    places = [(points[code].x_km, points[code].y_km) for code in codes]
    noise_dbm = noise_floor_dbm(preset.modem.bandwidth_hz)
    rooms = [index for index, code in enumerate(codes) if points[code].kind == "crisisruimte"]
    masts = frozenset(index for index, code in enumerate(codes) if points[code].kind == "relais")
    made = Map("region", places, preset.sensitivity_dbm, noise_dbm, out, rooms[0], masts, codes)
    reachable = set(hops(made.neighbours(), made.source))
    return made.without(set(range(len(made))) - reachable)


def _pairs(count: int) -> Iterator[tuple[int, int]]:
    for i in range(count):
        for j in range(i + 1, count):
            yield i, j
