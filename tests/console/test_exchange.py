"""`export` and `import` of the command line, without a broker."""

import pytest
from _exercise import T0, Exercise

from baken_console.cli import main


class Room:
    """A crisis room's folders and an exercise clock; `run` is the command line with them."""

    def __init__(self, folder):
        self.exercise = Exercise(folder)
        self.region = self.exercise.region
        self.folder = folder
        self.set_clock(T0)

    def set_clock(self, unix_s):
        self.now_s = unix_s
        (self.folder / "clock").write_bytes((unix_s * 1000).to_bytes(8, "big") + (100).to_bytes(8, "big"))

    def run(self, command, *words):
        places = {
            "--region": self.region.folder,
            "--data": self.folder / "data",
            "--exercise-clock": self.folder / "clock",
            "--key": self.region.folder / "keys" / "authority-1.key",
        }
        return main([command, *(str(one) for place in places.items() for one in place), *words])


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


def test_what_is_exported_can_be_imported_as_a_new_bulletin(room, tmp_path, capsys):
    sent = ("--exercise", "--event", "WATER", "--area", "OV", "--text", "Kook het water drie minuten.")
    assert room.run("send", *sent, "--valid", "6h", "--first") == 0
    file = tmp_path / "message.xml"
    assert room.run("export", "1/1", "--out", str(file)) == 0
    capsys.readouterr()
    assert room.run("import", str(file), "--yes") == 0
    said = capsys.readouterr()
    assert "Kook het water drie minuten." in said.err and "Exercise" in said.err
    assert said.out.startswith("1/2") and "not carried" not in said.err
    assert room.run("export", "1/2") == 0
    again = capsys.readouterr().out
    assert "<description>Kook het water drie minuten.</description>" in again
    assert "<status>Exercise</status>" in again and "<value>OV</value>" in again


def test_nothing_is_sent_without_a_yes_nor_with_an_unknown_area(room, tmp_path, capsys):
    assert room.run("send", "--exercise", "--event", "WATER", "--area", "OV", "--text", "T.", "--first") == 0
    file = tmp_path / "message.xml"
    assert room.run("export", "1/1", "--out", str(file)) == 0
    assert room.run("import", str(file)) == 2
    assert "say --yes" in capsys.readouterr().err
    name = next(area.name for area in room.region.areas if area.code == "OV")
    file.write_text(
        file.read_text().replace("<value>OV</value>", "<value>XX</value>").replace(f">{name}<", ">Elders<")
    )
    assert room.run("import", str(file), "--yes") == 2
    assert "say --area" in capsys.readouterr().err
    assert room.run("import", str(file), "--yes", "--area", "DH") == 0
    assert room.run("export", "1/3") == 1


def test_an_expired_message_needs_a_new_validity(room, tmp_path, capsys):
    assert room.run("send", "--exercise", "--event", "WATER", "--text", "T.", "--valid", "1h", "--first") == 0
    file = tmp_path / "message.xml"
    assert room.run("export", "1/1", "--out", str(file)) == 0
    room.set_clock(room.now_s + 7200)
    assert room.run("import", str(file), "--yes") == 2
    assert "expired 60 minutes ago" in capsys.readouterr().err
    assert room.run("import", str(file), "--yes", "--valid", "2h") == 0


def test_what_is_missing_is_told_in_one_sentence(room, tmp_path, capsys):
    assert room.run("export", "1/9") == 1 and "1/9 is not here" in capsys.readouterr().err
    assert room.run("export", "nine") == 2 and "'nine'" in capsys.readouterr().err
    assert room.run("import", str(tmp_path / "none.xml"), "--yes") == 1
    (tmp_path / "bad.xml").write_text("<a/>")
    assert room.run("import", str(tmp_path / "bad.xml"), "--yes") == 2
    assert "not a CAP 1.2 alert" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["import"])
