"""The mesh simulator: its physics, its repeatability, and what the real nodes in it do."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from baken.wire.modem import preset_named
from baken_hardware.bench import cli
from baken_hardware.bench.measure import Options, mesh
from baken_hardware.simulate import maps, memo, scenarios
from baken_hardware.simulate.channel import Channel
from baken_hardware.simulate.maps import Map
from baken_hardware.simulate.results import quantile, summary
from baken_hardware.simulate.scenarios import DEFAULTS, Plan
from baken_hardware.virtual.air import Air, Modem, Received

LONG_FAST = preset_named("LONG_FAST")
MEDIUM_FAST = preset_named("MEDIUM_FAST")
SMALL = Plan(nodes=30, degree=9, preset="MEDIUM_FAST", bulletins=2, gap_s=900, idle_s=1800)


def test_ranges_are_those_of_the_path_loss_model():
    # 3GPP suburban macro, antennas at 1 m, 27 dBm: the nominal ranges that Meshtastic's simulator gives.
    assert maps.path_loss_db(1.0) == pytest.approx(147.2, abs=0.05)
    assert maps.path_loss_db(10.0) - maps.path_loss_db(1.0) == pytest.approx(44.9)
    for preset, range_km in ((LONG_FAST, 1.79), (MEDIUM_FAST, 1.38)):
        assert maps.range_km(preset.sensitivity_dbm) == pytest.approx(range_km, abs=0.01)


def test_both_directions_of_a_link_differ_by_the_offset_only():
    made = maps.random_geometric(200, 12, LONG_FAST, 1)
    powers = {(i, j): power for i, row in enumerate(made.out) for j, power in row}
    gaps = [powers[i, j] - powers[j, i] for i, j in powers if i < j and (j, i) in powers]
    spread = math.sqrt(sum(gap * gap for gap in gaps) / len(gaps))
    # Two independent offsets of 3 dB, a little less because links that are too weak are left out.
    assert len(gaps) > 1000 and 3.2 < spread < 4.4


def test_a_map_follows_from_its_seed_and_everybody_on_it_can_be_reached():
    one, two = (maps.random_geometric(60, degree, LONG_FAST, 7) for degree in (8, 8.0))
    other = maps.random_geometric(60, 8, LONG_FAST, 8)
    assert one.out == two.out and one.places == two.places and one.places != other.places
    for made in (one, other, maps.line(12, LONG_FAST, 1), maps.towns(3, 10, LONG_FAST, 1)):
        assert len(maps.hops(made.neighbours(), made.source)) == len(made)


def test_the_greedy_set_dominates_hangs_together_and_is_small():
    made = maps.random_geometric(100, 12, LONG_FAST, 3)
    hearers = made.hearers()
    chosen = maps.connected_dominating_set(hearers, made.source)
    assert {j for i in chosen for j in hearers[i]} | {made.source} == set(range(len(made)))
    for position, node in enumerate(chosen[1:], 1):
        assert any(node in hearers[earlier] for earlier in chosen[:position])
    assert len(chosen) < 40
    row = [{1}, {0, 2}, {1, 3}, {2, 4}, {3}]
    assert maps.connected_dominating_set(row, 0) == [0, 1, 2, 3]


def test_the_channel_decides_as_the_air_of_the_virtual_boards_does():
    """The same frames at the same times over the same links, clean ones: the same receptions."""
    chance = random.Random(5)
    count = 8
    powers = {(i, j): chance.uniform(-134.0, -100.0) for i in range(count) for j in range(count) if i != j}
    modem = Modem(869_525_000, 250_000, 9)
    out = [
        [(j, powers[i, j]) for j in range(count) if j != i and powers[i, j] >= -132.5] for i in range(count)
    ]
    channel = Channel(Map("", [(0.0, 0.0)] * count, -126.5, -114.0, out), modem, chance)
    air = Air(
        lambda sender, receiver, power_dbm: powers[int(sender), int(receiver)],
        lambda spreading_factor, bandwidth_hz: -126.5,
        lambda bandwidth_hz: -114.0,
    )
    for node in range(count):
        air.add(str(node))
        air.configure(str(node), modem)
    ours, theirs, sending, now = [], [], [], 0
    for _ in range(400):
        now += chance.randrange(1, 300)
        theirs += [
            (int(event.sender), int(event.receiver))
            for event in air.advance(now)
            if isinstance(event, Received)
        ]
        for transmission in sorted(sending, key=lambda one: one.end_ms):
            if transmission.end_ms <= now:
                sending.remove(transmission)
                ours += [(transmission.sender, one.receiver) for one in channel.end(transmission)]
        node = chance.randrange(count)
        if not channel.is_sending(node):
            frame = bytes(chance.randrange(30, 200))
            sending.append(channel.begin(node, frame, now))
            air.transmit(str(node), frame, now)
    assert sorted(ours) == sorted(theirs) and len(ours) > 200
    assert channel.lost > 200


def test_what_is_remembered_is_what_would_have_been_worked_out():
    calls = []

    def work(number: int) -> int:
        calls.append(number)
        if number < 0:
            raise ValueError(number)
        return number * 2

    remembered = memo.remembering(work, limit=2)
    assert [remembered(n) for n in (1, 1, 2, 3, 1)] == [2, 2, 4, 6, 2]
    assert calls == [1, 2, 3, 1]
    for _ in range(2):
        with pytest.raises(ValueError):
            remembered(-1)
    assert calls[-2:] == [-1, -1]


def test_figures_do_not_depend_on_what_is_remembered_and_follow_from_the_seed():
    plan = replace(SMALL, nodes=15, bulletins=1)
    remembered, again, other = (scenarios.run(one) for one in (plan, plan, replace(plan, seed=2)))
    afresh = scenarios.SCENARIOS[plan.scenario](plan)
    assert remembered.times == again.times == afresh.times != other.times
    assert remembered.airtime_ms == again.airtime_ms == afresh.airtime_ms


def test_every_node_gets_every_bulletin_where_stock_flooding_leaves_some_out():
    runs = [scenarios.run(replace(SMALL, nodes=40, link="L2", seed=seed)) for seed in (1, 2)]
    stock = [scenarios.run(replace(one.plan, upgraded=0.0)) for one in runs]
    figures, baseline = summary(runs), summary(stock)
    assert figures["delivered_percent"] == figures["complete_percent"] == 100.0
    assert 0 < baseline["delivered_percent"] < 100.0
    assert baseline["t100_s"] is None and figures["worst_s"] < 900
    assert 0 < figures["idle_mean_percent"] < 0.05 and baseline["idle_worst_percent"] == 0.0
    assert set(baseline["airtime_s"]) == {"flood"}


def test_a_cut_that_heals_leaves_nobody_behind():
    run = scenarios.run(replace(DEFAULTS["partition"], nodes=24, preset="MEDIUM_FAST", bulletins=3))
    got, wanted = run.delivered()
    assert got == wanted and wanted >= 3 * 8
    assert all(wait > 0 for times in run.times for wait in times.values())


def test_nodes_whose_power_comes_and_goes_catch_up():
    run = scenarios.run(replace(DEFAULTS["power"], nodes=20, preset="MEDIUM_FAST", bulletins=6))
    got, wanted = run.delivered()
    assert got == wanted and wanted > 50
    assert max(wait for times in run.times for wait in times.values()) > 1


def test_airtime_that_a_liar_causes_is_counted():
    run = scenarios.run(
        replace(DEFAULTS["liar"], nodes=15, preset="MEDIUM_FAST", bulletins=3, idle_s=1800, gap_s=300)
    )
    assert run.airtime_ms["lies"] > 0.09 * 4 * 300 * 1000
    assert run.amplification is not None and 0 < run.amplification < 3


def test_a_quantile_counts_those_that_never_came():
    waits = [float(n) for n in range(1, 100)]
    assert quantile(waits, 0.95, 100) == 95.0
    assert quantile(waits, 1.0, 100) == math.inf
    assert quantile(waits, 1.0) == 99.0


def test_the_command_prints_a_table_and_writes_figures_and_pictures(tmp_path: Path, capsys):
    argv = ["simulate", "line", "--nodes", "8", "--preset", "MEDIUM_FAST", "--bulletins", "1"]
    argv += ["--json", str(tmp_path / "figures.json"), "--out", str(tmp_path / "pictures"), "--jobs", "1"]
    assert cli.main(argv) == 0
    told = capsys.readouterr()
    assert "seed 1" in told.out and "100.000" in told.out and "1 of 1" in told.err
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["plan"]["nodes"] == 8 and written["summary"]["delivered_percent"] == 100.0
    for name in ("map.svg", "delivery.svg", "airtime.svg"):
        assert (tmp_path / "pictures" / name).read_text().startswith("<svg ")


def test_two_processes_find_what_one_finds(tmp_path: Path):
    argv = [
        "simulate",
        "line",
        "--nodes",
        "6",
        "--preset",
        "MEDIUM_FAST",
        "--bulletins",
        "1",
        "--seeds",
        "1,2",
    ]
    found = []
    for jobs in ("1", "2"):
        file = tmp_path / jobs
        assert cli.main([*argv, "--jobs", jobs, "--json", str(file)]) == 0
        told = json.loads(file.read_text())
        found.append([{**one, "node_hours_per_s": 0} for one in told["seeds"]])
    assert found[0] == found[1]


def test_the_measure_has_a_row_for_each_line_of_its_table():
    """Tiny maps: the figures are not looked at, only that each is one."""
    played = mesh.groups(Options(quick=True))
    tiny = [
        replace(
            group,
            plans=tuple(
                replace(plan, nodes=25, degree=9, bulletins=1, gap_s=300, idle_s=900)
                if plan.scenario not in ("power", "region")
                else replace(plan, nodes=10, bulletins=1, idle_s=900)
                for plan in group.plans[:1]
            ),
        )
        for group in played
    ]
    runs = {group.name: [scenarios.run(plan) for plan in group.plans] for group in tiny}
    found = mesh.rows_of(tiny, runs)
    measures = {row.measure for row in found}
    assert {"delivered", "t95", "t100", "slowest bulletin", "simulation speed"} <= measures
    assert {row.scenario for row in found if row.measure == "t95"} == {
        "1000 nodes, LongFast",
        "1000 nodes, MediumFast",
    }
    assert all(math.isfinite(row.value) for row in found)
    json.dumps([row.value for row in found])
