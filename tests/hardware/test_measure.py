"""`baken-bench measure`: the table and the file, without the time that measuring takes."""

import itertools
import json
from pathlib import Path

import pytest

from baken_hardware.bench import cli
from baken_hardware.bench.measure import (
    HIGHER,
    LOWER,
    MeasureError,
    Options,
    Row,
    command,
    flash,
    frames,
    mixed,
    workload,
)
from baken_hardware.bench.measure.mixed import AGAIN, FLEETS, STOCK, Fleet, Tally
from baken_hardware.bench.measure.mixed_mesh import MODEM, Mesh, a_bulletin
from baken_hardware.virtual.propagation import Point, links

_ROWS = [
    Row("speed", "one node", 120.0, "frames/s", HIGHER, 100.0, 200.0),
    Row("heap", "one node", 250000.0, "bytes", LOWER, 180000.0),
]


def test_a_figure_is_judged_in_the_direction_that_is_better():
    assert [row.is_met for row in _ROWS] == [True, False]
    assert Row("a", "b", 99.0, "c", HIGHER, 100.0).is_met is False
    assert Row("a", "b", 99.0, "c", LOWER, 100.0).is_met is True
    assert Row("a", "b", 99.0, "c", LOWER).is_met is True


def test_the_table_and_the_file_tell_the_same_and_the_status_tells_what_is_not_met(
    tmp_path: Path, monkeypatch, capsys
):
    quick = []

    def rows(options: Options, say) -> list[Row]:
        quick.append(options.quick)
        say("measuring")
        return _ROWS

    monkeypatch.setattr(command, "MEASURES", {"fake": rows})
    file = tmp_path / "bench.json"
    assert cli.main(["measure", "fake", "--quick", "--json", str(file)]) == 1
    told = capsys.readouterr()
    assert quick == [True] and told.err == "measuring\n"
    lines = told.out.splitlines()
    assert len(lines) == 3 and "NOT MET" in lines[2] and "NOT MET" not in lines[1]
    written = json.loads(file.read_text())
    assert [row["value"] for row in written] == [120.0, 250000.0]
    assert set(written[0]) == {"measure", "scenario", "value", "unit", "required", "aim", "better"}
    assert cli.main(["measure", "other"]) == 2


def test_waiting_saves_the_flash_most_of_its_writes_and_loses_nothing_of_the_exercise(tmp_path: Path):
    path = tmp_path / "lines"
    path.write_text("\n".join(workload.lines(2)) + "\n")
    try:
        waits, hasty = flash.run(path, "0"), flash.run(path, "1")
    except MeasureError as error:
        pytest.fail(str(error))
    writes, programmed, erases, most, held = waits
    assert held == hasty[4] > 45 and 0 < most < erases
    assert writes < hasty[0] and programmed < hasty[1] and erases < hasty[2]
    life = flash._rows_of("here", [300, 3000, 200, 30, held])[-1]
    assert life.value == round(100_000 / 10 / 365.25) and life.is_met


def test_the_frames_program_relays_every_frame_on_a_real_micropython():
    """Figures are not looked at: this machine may be busy."""
    try:
        found = frames._rows_of("channel, 64-bit", frames._run(64, "channel", 600), 600)
    except MeasureError as error:
        pytest.fail(str(error))
    assert [row.measure for row in found] == ["frames", "frames, memory"]
    assert all(row.value > 0 for row in found)


# The mixed mesh


def _line(baken, seed=1):
    """Three nodes in a row, of which the outer ones are too far from each other; after the introductions."""
    places = {name: Point(name, 6.0 * index, 0.0, 4.0) for index, name in enumerate("ABC")}
    found = links(places, MODEM.spreading_factor, MODEM.bandwidth_hz, 0.0, 1)
    assert {(link.a, link.b) for link in found} == {("A", "B"), ("B", "C")}
    mesh = Mesh(places, baken, 1, seed)
    mesh.run(300_000)
    return mesh


def test_in_the_mixed_mesh_a_stock_node_carries_bulletins_and_baken_nodes_carry_texts():
    mesh = _line(["A", "C"], 2)  # with seed 1 the far end misses the relay, which nobody repairs
    mesh.publish("A", a_bulletin(1))
    mesh.run(900_000)
    assert [mesh.members[name].holds(a_bulletin(1)) for name in "ABC"] == [True, False, True]
    mesh = _line(["B"])
    mesh.say("A", b"Hoort iemand mij")
    mesh.run(360_000)
    assert mesh.heard == {b"Hoort iemand mij": {"B", "C"}}


def test_the_mixed_mesh_is_a_matter_of_its_seed_and_stock_again_has_another():
    def frames_of(seed):
        mesh = _line(["A"], seed)
        mesh.publish("A", a_bulletin(1))
        mesh.run(900_000)
        return mesh.airtime_ms

    assert frames_of(7) == frames_of(7) != frames_of(8)
    assert mixed.seed_of(Fleet(AGAIN.name), 1, 2) != mixed.seed_of(STOCK, 1, 2)  # also in another process


def test_more_baken_nodes_replace_those_of_fewer_and_the_same_places_stay():
    places = mixed.a_map(1)
    original = list(places)[: mixed.NODES]
    fleets = [mixed.baken_nodes(original, Fleet("", replaced=share), 1) for share in (0, 0.25, 0.5, 1)]
    assert [len(fleet) for fleet in fleets] == [0, 8, 15, 30]
    assert all(set(few) <= set(many) for few, many in itertools.pairwise(fleets))


def test_what_a_node_loses_to_baken_nodes_is_not_met():
    def tally(*got):
        made = Tally(airtime_ms=1, played_ms=1)
        for number, count in enumerate(got):
            made.got[1, f"N{number}"] = count
            made.possible[1, f"N{number}"] = 100
        return made

    fleet = FLEETS[2]
    before = {STOCK.name: tally(90, 90), AGAIN.name: tally(89, 91)}
    assert all(row.is_met for row in mixed.rows_of(fleet, {**before, fleet.name: tally(88, 92)}))
    one_lost = mixed.rows_of(fleet, {**before, fleet.name: tally(80, 100)})
    assert [row.measure for row in one_lost if not row.is_met] == ["mixed: node that lost most"]
    all_lost = mixed.rows_of(fleet, {**before, fleet.name: tally(87, 87)})
    assert [row.measure for row in all_lost if not row.is_met] == ["mixed: texts, of stock alone"]
    assert all(row.is_met for row in mixed.rows_of(fleet, {**before, fleet.name: tally(80, 80)}, False))
