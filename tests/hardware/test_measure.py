"""`baken-bench measure`: the table and the file, without the time that measuring takes."""

import json
from pathlib import Path

import pytest

from baken_hardware.bench import cli
from baken_hardware.bench.measure import HIGHER, LOWER, MeasureError, Options, Row, command, emergency, frames

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


def test_the_frames_program_relays_every_frame_on_a_real_micropython():
    """Figures are not looked at: this machine may be busy."""
    try:
        found = frames._rows_of("channel, 64-bit", frames._run(64, "channel", 600), 600)
    except MeasureError as error:
        pytest.fail(str(error))
    assert [row.measure for row in found] == ["frames", "frames, memory"]
    assert all(row.value > 0 for row in found)


def test_over_five_lossy_hops_every_report_is_acknowledged_and_none_faster_than_the_air():
    seconds = emergency.Line(0).play()
    assert len(seconds) == 6 and min(seconds) > 10.0
    assert seconds == emergency.Line(0).play(), "the same seed gives the same figures"
    assert [emergency._share([1.0, 2.0, 3.0, 4.0], share) for share in (0.5, 0.75, 0.99)] == [2.0, 3.0, 4.0]
