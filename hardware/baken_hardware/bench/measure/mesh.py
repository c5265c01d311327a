"""The noticeboard on simulated meshes of up to 1000 nodes: delivery, time, transmissions, idle airtime.

Gossip was tuned on maps with seeds from 101 on; the figures here are of seeds from 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from baken_hardware.bench.measure import HIGHER, LOWER, Options, Row, Say
from baken_hardware.simulate import pool
from baken_hardware.simulate.results import NEVER_S, Run, summary
from baken_hardware.simulate.scenarios import DEFAULTS, Plan

LONG, MEDIUM = "LONG_FAST", "MEDIUM_FAST"
TITLES = {LONG: "LongFast", MEDIUM: "MediumFast"}
TIMES = {
    LONG: ((60.0, None), (180.0, 60.0), (900.0, None)),
    MEDIUM: ((25.0, None), (75.0, 20.0), (300.0, None)),
}
"""Required and aim of t95, t100 and the worst bulletin with 1000 nodes, seconds."""
CATCH_UP = {LONG: (150.0, 40.0), MEDIUM: (45.0, 12.0)}
HEALED = {LONG: 400.0, MEDIUM: 120.0}
_NEVER = 1e9  # a time that JSON can carry, worse than any limit


@dataclass(frozen=True)
class Group:
    """Runs that make up one figure. `is_whole`: every node is to get every bulletin."""

    name: str
    plans: tuple[Plan, ...]
    is_whole: bool = True


def groups(options: Options) -> list[Group]:
    """What is played."""
    seeds = (1,) if options.quick else (1, 2)
    bulletins = 2 if options.quick else 4

    def many(plan: Plan, numbers: tuple[int, ...] = seeds) -> tuple[Plan, ...]:
        return tuple(replace(plan, seed=seed) for seed in numbers)

    found = []
    for preset in (LONG, MEDIUM):
        plans: tuple[Plan, ...] = ()
        for degree in (8, 16):
            plans += many(Plan(nodes=1000, degree=degree, preset=preset, bulletins=bulletins))
        found.append(Group(f"1000 nodes, {TITLES[preset]}", plans))
    small = seeds if options.quick else (1, 2, 3, 4)
    sizes = (
        ((40, 8), (100, 16))
        if options.quick
        else ((40, 8), (40, 16), (100, 8), (100, 35), (300, 8), (300, 16))
    )
    for link in ("L1", "L2"):
        plans = ()
        for nodes, degree in sizes:
            plans += many(Plan(nodes=nodes, degree=degree, link=link), small if nodes <= 100 else seeds)
        found.append(Group(f"40 to 300 nodes, LongFast, {link}", plans))
    grids = (replace(DEFAULTS["grid"], nodes=225), DEFAULTS["line"])
    found.append(Group("grid and line", tuple(one for plan in grids for one in many(plan))))
    towns = DEFAULTS["towns"]
    found.append(Group("12 towns", many(towns)))
    found.append(Group("12 towns, L2", many(replace(towns, link="L2"))))
    found.append(Group("region of the exercise", many(DEFAULTS["region"])))
    for preset in (LONG, MEDIUM):
        title = TITLES[preset]
        found.append(
            Group(f"cut that heals, {title}", many(replace(DEFAULTS["partition"], preset=preset, nodes=150)))
        )
        found.append(Group(f"power cuts, {title}", many(replace(DEFAULTS["power"], preset=preset))))
    found.append(Group("33 % background", many(Plan(degree=14, background=6.0))))
    some = replace(Plan(nodes=300, degree=14), upgraded=0.1)
    found.append(Group("300 nodes, one in ten upgraded", many(some), False))
    found.append(Group("300 nodes, stock flooding", many(replace(some, upgraded=0.0)), False))
    found.append(Group("liar", many(DEFAULTS["liar"]), False))
    return found


def rows(options: Options, say: Say) -> list[Row]:
    """The issue's table."""
    played = groups(options)
    plans = [plan for group in played for plan in group.plans]
    done = 0

    def step(plan: Plan) -> None:
        nonlocal done
        done += 1
        what = f"{plan.scenario}, {plan.nodes} nodes, {plan.preset}, seed {plan.seed}"
        say(f"mesh: {what}: {done} of {len(plans)}")

    say(f"mesh: {len(plans)} simulations, {pool.cores()} at a time")
    runs = pool.run_all(plans, pool.cores(), step)
    by_group: dict[str, list[Run]] = {}
    at = 0
    for group in played:
        by_group[group.name] = runs[at : at + len(group.plans)]
        at += len(group.plans)
    return rows_of(played, by_group)


def rows_of(played: list[Group], by_group: dict[str, list[Run]]) -> list[Row]:
    """Rows out of runs."""
    found = []
    whole = [one for group in played if group.is_whole for one in by_group[group.name]]
    got, wanted = (sum(pair) for pair in zip(*(one.delivered() for one in whole), strict=True))
    share = 100 * got / wanted
    found.append(Row("delivered", f"all, {wanted} deliveries", share, "%", HIGHER, 100.0, 100.0))
    for group in played:
        if group.is_whole:
            share = summary(by_group[group.name])["delivered_percent"]
            found.append(Row("delivered", group.name, share, "%", HIGHER, 100.0, 100.0))
    for name, required, aim in (
        ("300 nodes, one in ten upgraded", 97.0, 99.0),
        ("300 nodes, stock flooding", None, None),
    ):
        share = summary(by_group[name])["delivered_percent"]
        found.append(Row("delivered", name, share, "%", HIGHER, required, aim))
    for preset in (LONG, MEDIUM):
        found += _thousand(preset, by_group)
    idle = [
        one for group in played if group.is_whole for one in by_group[group.name] if one.plan.preset == LONG
    ]
    idle = [one for one in idle if one.plan.background == 0 and one.idle_percent]
    figures = summary(idle)
    found.append(
        Row(
            "idle airtime of a node, mean",
            "LongFast, all",
            figures["idle_mean_percent"],
            "%",
            LOWER,
            0.03,
            0.005,
        )
    )
    found.append(
        Row(
            "idle airtime of a node, worst",
            "LongFast, all",
            figures["idle_worst_percent"],
            "%",
            LOWER,
            0.06,
            0.02,
        )
    )
    for preset in (LONG, MEDIUM):
        title = TITLES[preset]
        caught = summary(by_group[f"power cuts, {title}"])
        required, aim = CATCH_UP[preset]
        found.append(
            Row(
                "catch-up after an outage, p99", title, _time(caught["wait_p99_s"]), "s", LOWER, required, aim
            )
        )
        healed = summary(by_group[f"cut that heals, {title}"])
        found.append(Row("healed cut, last node", title, _time(healed["t100_s"]), "s", LOWER, HEALED[preset]))
    busy = summary(by_group["33 % background"])
    found.append(
        Row("33 % background, t95", "100 nodes, LongFast", _time(busy["t95_s"]), "s", LOWER, 45.0, 25.0)
    )
    caused = summary(by_group["liar"])["amplification"]
    found.append(
        Row("airtime caused by a liar", "100 nodes, LongFast", caused, "of its own", LOWER, None, 1.0)
    )
    return found


def _thousand(preset: str, by_group: dict[str, list[Run]]) -> list[Row]:
    name = f"1000 nodes, {TITLES[preset]}"
    figures = summary(by_group[name])
    found = [
        Row(title, name, _time(figures[key]), "s", LOWER, required, aim)
        for (title, key), (required, aim) in zip(
            (("t95", "t95_s"), ("t100", "t100_s"), ("slowest bulletin", "worst_s")),
            TIMES[preset],
            strict=True,
        )
    ]
    found += [
        Row("airtime / greedy CDS, data", name, figures["data_per_cds"], "", LOWER, 3.0, 1.5),
        Row("airtime / greedy CDS, all", name, figures["all_per_cds"], "", LOWER, 4.0, 2.0),
        Row("simulation speed", name, figures["node_hours_per_s"], "node-hours/s", HIGHER, 40.0, 400.0),
    ]
    return found


def _time(value: float | None) -> float:
    return _NEVER if value is None or value == NEVER_S else value
