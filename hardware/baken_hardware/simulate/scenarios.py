"""What happens in a simulation: a `Plan` goes in, a `Run` comes out.

    random, grid, line, towns, region   bulletins from one source, after an idle time that is measured
    partition   a cut through the middle heals after bulletins that one half has missed
    power       four of ten nodes are off for hours, again and again, while bulletins come
    liar        one node with the channel's key lies and forges as much as it may send

Every one of them can be run as stock (no noticeboard), with a share of stock nodes, and with background
traffic. Maps and chance follow from the seed alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from baken.crypto.signing import AuthorityKey
from baken.mesh.config import MeshConfig
from baken.mesh.node import MeshNode
from baken.noticeboard.gossip import settings_for
from baken.wire import digest as wire
from baken.wire import modem as modems
from baken.wire.messages import PRIVATE_APP
from baken_hardware.demo import scenario as exercise
from baken_hardware.simulate import maps, memo
from baken_hardware.simulate.maps import Map
from baken_hardware.simulate.results import Run
from baken_hardware.simulate.station import CHANNEL, FIRST_NUMBER
from baken_hardware.simulate.world import HOUR_MS, LINKS, MINUTE_MS, RecordId, World, make_bulletin

BACKGROUND_PORT = 66  # RANGE_TEST_APP: relayed by everybody, acted upon by nobody
_BACKGROUND_SIZE = 54  # 76 bytes on the air
_CYCLING_SHARE = 0.4
_LEAST_CHANCE_MS = 5 * MINUTE_MS


@dataclass(frozen=True)
class Plan:
    """One run. `preset` in Meshtastic's spelling; `link` L0, L1 or L2; `upgraded`: share of nodes that have a
    noticeboard (0: stock flooding); `background`: packets an hour of each node; `gap_s` between bulletins.
    """

    scenario: str = "random"
    preset: str = "LONG_FAST"
    nodes: int = 100
    degree: float = 8
    link: str = "L1"
    seed: int = 1
    hop_limit: int = 7
    upgraded: float = 1.0
    background: float = 0.0
    bulletins: int = 4
    gap_s: int = 1800
    idle_s: int = 7200
    tower_routers: bool = True

    @property
    def is_stock(self) -> bool:
        """Whether nobody has a noticeboard."""
        return self.upgraded <= 0


def make_map(plan: Plan) -> Map:
    """The map of a plan. Of `nodes`, a grid takes the nearest square and towns the nearest whole number."""
    preset = modems.preset_named(plan.preset)
    if plan.scenario == "grid":
        return maps.grid(max(2, round(plan.nodes**0.5)), preset, plan.seed)
    if plan.scenario == "line":
        return maps.line(plan.nodes, preset, plan.seed)
    if plan.scenario == "towns":
        size = 25 if plan.nodes <= 400 else 50
        return maps.towns(max(2, round(plan.nodes / (size + 1))), size, preset, plan.seed)
    if plan.scenario == "region":
        return maps.region(str(exercise.POINTS), preset, plan.seed)
    return maps.random_geometric(plan.nodes, plan.degree, preset, plan.seed)


def run(plan: Plan) -> Run:
    """Run one plan on this process, with memory for pure functions."""
    with memo.installed():
        return SCENARIOS[plan.scenario](plan)


def _world(plan: Plan, terrain: Map) -> World:
    preset = modems.preset_named(plan.preset)
    chance = random.Random(f"stock {plan.seed}")
    stock = frozenset(
        node
        for node in range(len(terrain))
        if plan.is_stock or (node != terrain.source and chance.random() >= plan.upgraded)
    )
    world = World(terrain, preset, plan.seed, LINKS[plan.link], plan.hop_limit, stock, plan.tower_routers)
    if plan.background > 0:
        for node in range(len(terrain)):
            _chatter(world, node, plan.background, random.Random(f"background {plan.seed} {node}"))
    return world


def _chatter(world: World, node: int, per_hour: float, chance: random.Random) -> None:
    """Packets that are none of ours, at random times."""

    def say() -> None:
        station = world.stations[node]
        if station.is_on:
            station.send(bytes(_BACKGROUND_SIZE), world.now, BACKGROUND_PORT, 3)
            world.wake(station)
        plan_next()

    def plan_next() -> None:
        world.at(world.now + 1 + int(chance.expovariate(per_hour / HOUR_MS)), say)

    plan_next()


def imax_ms(plan: Plan) -> int:
    """Longest Trickle interval at this preset."""
    return settings_for(modems.preset_named(plan.preset).modem.airtime_ms, plan.hop_limit).imax_ms


def _warm_up(world: World, plan: Plan) -> None:
    """Everybody is on and knows the first two bulletins; digests have settled."""
    settled_ms = imax_ms(plan)
    world.start_all(min(settled_ms // 2, 10 * MINUTE_MS))
    world.run(min(settled_ms // 2, 10 * MINUTE_MS))
    for _ in range(2):
        world.publish(world.map.source)
        world.run(world.now + MINUTE_MS)
    world.run(world.now + 6 * settled_ms)


def spread(plan: Plan) -> Run:
    """Bulletins from the source, one every `gap_s`, after an idle time."""
    world = _world(plan, make_map(plan))
    _warm_up(world, plan)
    result = Run(plan, world.map)
    result.begin_idle(world)
    world.run(world.now + 1000 * plan.idle_s)
    result.end_idle(world)
    began = time.process_time()
    started = world.now
    ids = []
    for _ in range(plan.bulletins):
        ids.append(world.publish(world.map.source))
        world.run(world.now + 1000 * plan.gap_s)
    world.run(world.now + max(HOUR_MS - 1000 * plan.gap_s, 0))
    result.cpu_s = time.process_time() - began
    result.node_hours = len(world.map) * (world.now - started) / HOUR_MS
    everybody = set(range(len(world.map)))
    for record_id in ids:
        result.add(world, record_id, everybody - {world.map.source})
    result.end(world)
    return result


def partition(plan: Plan) -> Run:
    """Two halves that hear nothing of each other; bulletins in one of them; then the cut heals. Delivery is
    counted in the other half, from the moment of healing.
    """
    terrain = make_map(plan)
    middle_km = sorted(place[0] for place in terrain.places)[len(terrain) // 2]
    far = {node for node in range(len(terrain)) if terrain.places[node][0] > middle_km}
    if terrain.source in far:
        far = set(range(len(terrain))) - far
    whole = terrain.out
    cut = [
        [(other, power) for other, power in row if (other in far) == (node in far)]
        for node, row in enumerate(whole)
    ]
    world = _world(plan, terrain)
    world.channel.links = cut
    _warm_up(world, plan)
    result = Run(plan, terrain)
    ids = []
    for _ in range(plan.bulletins):
        ids.append(world.publish(terrain.source))
        world.run(world.now + 15 * MINUTE_MS)
    world.run(world.now + 10 * MINUTE_MS)
    result.begin_spreading(world)
    world.channel.links = whole
    healed_at = world.now
    began = time.process_time()
    world.run(world.now + HOUR_MS + 2 * imax_ms(plan))
    result.cpu_s = time.process_time() - began
    result.node_hours = len(terrain) * (world.now - healed_at) / HOUR_MS
    for record_id in ids:
        late = {node for node in far if world.learned_at[record_id].get(node, healed_at) >= healed_at}
        result.add(world, record_id, late, healed_at)
    result.end(world)
    return result


def power(plan: Plan) -> Run:
    """Four of ten nodes go off for one to four hours, again and again, for ten hours with a bulletin every
    quarter of an hour. Counted is the time a node waited with power on, after a copy could first have reached
    it if bulletins crossed every connected powered part of the mesh at once.
    """
    terrain = make_map(plan)
    world = _world(plan, terrain)
    _warm_up(world, plan)
    result = Run(plan, terrain)
    result.begin_spreading(world)
    chance = random.Random(f"power {plan.seed}")
    started = world.now
    end = started + 15 * HOUR_MS
    cycling = [node for node in range(len(terrain)) if node != terrain.source]
    cycling = sorted(chance.sample(cycling, int(_CYCLING_SHARE * len(terrain))))
    off: dict[int, list[tuple[int, int]]] = {node: [] for node in range(len(terrain))}
    oracle = _Oracle(terrain.neighbours())

    def switch_off(node: int, off_ms: int) -> None:
        world.stop(node)
        oracle.change(node, False, world.now)

    def switch_on(node: int) -> None:
        world.start(node)
        oracle.change(node, True, world.now)

    for node in cycling:
        at = started + int(chance.expovariate(1 / (4 * HOUR_MS)))
        while at < end - 5 * HOUR_MS:
            off_ms = int(chance.uniform(1, 4) * HOUR_MS)
            world.at(at, lambda node=node, off_ms=off_ms: switch_off(node, off_ms))
            world.at(at + off_ms, lambda node=node: switch_on(node))
            off[node].append((at, at + off_ms))
            at += off_ms + 30 * MINUTE_MS + int(chance.expovariate(1 / (4 * HOUR_MS)))
    ids: list[RecordId] = []

    def publish() -> None:
        record_id = world.publish(terrain.source)
        ids.append(record_id)
        oracle.publish(record_id, terrain.source, world.now)

    bulletins = max(plan.bulletins, 1)
    for index in range(bulletins):
        world.at(started + index * 15 * MINUTE_MS, publish)
    began = time.process_time()
    world.run(end)
    result.cpu_s = time.process_time() - began
    result.node_hours = len(terrain) * (end - started) / HOUR_MS
    for record_id in ids:
        possible = oracle.possible_at[record_id]
        waits = {}
        for node, since in possible.items():
            if node == terrain.source:
                continue
            until = world.learned_at[record_id].get(node)
            waited = _powered_ms(since, end if until is None else until, off[node])
            if until is not None or waited >= _LEAST_CHANCE_MS:
                waits[node] = None if until is None else waited
        result.add_waits(record_id, waits)
    result.end(world)
    return result


class _Oracle:
    """When each node could have had each record, if records crossed what is connected at once."""

    def __init__(self, neighbours: list[set[int]]) -> None:
        self.possible_at: dict[RecordId, dict[int, int]] = {}
        self._neighbours = neighbours
        self._on = [True] * len(neighbours)

    def publish(self, record_id: RecordId, node: int, now: int) -> None:
        """A record is new at a node."""
        self.possible_at[record_id] = {node: now}
        self._cross(self._part_of(node), now)

    def change(self, node: int, on: bool, now: int) -> None:
        """A node was switched."""
        self._on[node] = on
        if on:
            self._cross(self._part_of(node), now)

    def _part_of(self, start: int) -> set[int]:
        part = {start}
        waiting = [start]
        while waiting:
            for other in self._neighbours[waiting.pop()]:
                if other not in part and self._on[other]:
                    part.add(other)
                    waiting.append(other)
        return part

    def _cross(self, part: set[int], now: int) -> None:
        for holders in self.possible_at.values():
            if any(node in holders for node in part):
                for node in part:
                    holders.setdefault(node, now)


def _powered_ms(since: int, until: int, off: list[tuple[int, int]]) -> int:
    """Time between two moments without the times of being off."""
    length = max(until - since, 0)
    for begin, end in off:
        length -= max(min(end, until) - max(begin, since), 0)
    return length


def liar(plan: Plan) -> Run:
    """A node in the middle of the map that holds the channel's key sends for ten per cent of four gaps, in
    turn a digest that lacks everything (as of a lonely neighbour), one that has bulletins nobody has, and a
    forged bulletin. `Run.amplification`: airtime that the others spend beyond what they spend idle, for each
    of its own.
    """
    terrain = make_map(plan)
    world = _world(plan, terrain)
    _warm_up(world, plan)
    for _ in range(max(plan.bulletins - 2, 0)):
        world.publish(terrain.source)
        world.run(world.now + 2 * MINUTE_MS)
    world.run(world.now + 3 * imax_ms(plan))
    result = Run(plan, terrain)
    result.begin_idle(world)
    world.run(world.now + 1000 * plan.idle_s)
    result.end_idle(world)
    result.begin_spreading(world)
    x_km = sum(place[0] for place in terrain.places) / len(terrain)
    y_km = sum(place[1] for place in terrain.places) / len(terrain)
    node = min(
        (node for node in range(len(terrain)) if node != terrain.source),
        key=lambda node: (terrain.places[node][0] - x_km) ** 2 + (terrain.places[node][1] - y_km) ** 2,
    )
    world.stations[node].stop()
    liar = _Liar(world, plan, node)
    world.at(world.now + 1, liar.lie)
    started = world.now
    began = time.process_time()
    world.run(started + 4000 * plan.gap_s)
    result.cpu_s = time.process_time() - began
    result.node_hours = len(terrain) * (world.now - started) / HOUR_MS
    result.end(world)
    spent_ms = world.spent.by_node_ms
    others_ms = sum(spent_ms.values()) - result.spent_before_ms - liar.airtime_ms
    idle_ms = result.idle_ms * (world.now - started) / (1000 * plan.idle_s)
    result.amplification = (others_ms - idle_ms) / liar.airtime_ms
    return result


class _Liar:
    """Sends lies from a node of the map, up to ten per cent of the time."""

    def __init__(self, world: World, plan: Plan, node: int) -> None:
        self.airtime_ms = 0
        self._world = world
        self._node = node
        self._turn = 0
        config = MeshConfig(
            FIRST_NUMBER + node, b"Liar", b"L", [CHANNEL], preset=world.preset.number, node_info_s=0
        )
        self._mesh = MeshNode(config, world.rand)
        self._hops = plan.hop_limit
        self._forger = AuthorityKey(bytes([9]) * 32)

    def lie(self) -> None:
        """Send one and plan the next."""
        self._turn += 1
        world = self._world
        hops, start = 0, 1
        if self._turn % 3 == 1:
            payload = wire.encode_digest(wire.Digest(0, {}, {}, lonely=True))
        elif self._turn % 3 == 2:
            payload = wire.encode_digest(wire.Digest(0, {1: set(range(900, 960))}, {}))
        else:
            payload = make_bulletin(1000 + self._turn, world.unix_s(world.now), self._forger)
            hops = start = self._hops
        self._mesh.send(PRIVATE_APP, payload, world.now, hop_limit=hops, hop_start=start)
        frame = self._mesh.access.queue.front(world.now)
        assert frame is not None
        self._mesh.access.queue.remove(frame)
        airtime_ms = world.transmit_raw(self._node, frame.frame)
        self.airtime_ms += airtime_ms
        world.at(world.now + 10 * airtime_ms, self.lie)


SCENARIOS: dict[str, Callable[[Plan], Run]] = {
    "random": spread,
    "grid": spread,
    "line": spread,
    "towns": spread,
    "region": spread,
    "partition": partition,
    "power": power,
    "liar": liar,
}

DEFAULTS: dict[str, Plan] = {
    "random": Plan(),
    "grid": Plan("grid"),
    "line": Plan("line", nodes=30),
    "towns": Plan("towns", nodes=312),
    "region": Plan("region"),
    "partition": Plan("partition", degree=10, bulletins=8),
    "power": Plan("power", degree=14, bulletins=40),
    "liar": Plan("liar", degree=14, bulletins=16),
}


def seeds(plan: Plan, numbers: list[int]) -> list[Plan]:
    """The same plan with other maps and chance."""
    return [replace(plan, seed=number) for number in numbers]
