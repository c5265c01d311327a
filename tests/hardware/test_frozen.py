"""What a build of MicroPython freezes: the firmware as boards get it, without a file that is no Python."""

import subprocess
from pathlib import Path

import pytest

from baken_hardware.bench.cli import main
from baken_hardware.virtual import frozen, interpreter

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
FONTS = FIRMWARE / "baken" / "device" / "fonts"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen") / "out"
    assert main(["frozen", str(folder)]) == 0
    return folder


def run(bits: int, folder: Path, program: str) -> str:
    command = interpreter.command(bits, "4096wk", [folder])
    done = subprocess.run(
        [*command.argv, "-c", program], env=command.environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_fonts_are_read_from_modules(written: Path, bits: int):
    program = """
from baken.device.font import FontStore
store = FontStore("/nowhere")
for name in %r:
    font = store.font(name)
    print(name, font.height, font.measure("Één ё".encode()))
""" % sorted(path.stem for path in FONTS.glob("*.bkf"))
    from_files = program.replace("/nowhere", str(FONTS))
    assert run(bits, written, program) == run(bits, written, from_files) != ""
    assert {path.suffix for path in written.rglob("*") if path.is_file()} == {".py"}


def test_every_module_can_be_compiled_and_what_boards_do_not_need_is_gone(written: Path, bits: int):
    names = [str(path.relative_to(written)) for path in (written / "baken").rglob("*.py")]
    program = "for name in %r:\n    compile(open(%r + '/' + name).read(), name, 'exec')\nprint('all')"
    assert run(bits, written, program % (names, str(written))) == "all"
    assert "__slots__" not in (written / "baken/wire/report.py").read_text()
    manifest = (written / "manifest.py").read_text()
    assert 'package("baken"' in manifest and (written / "root/main.py").exists()


def test_a_folder_in_use_is_left_alone_and_an_older_one_is_replaced(written: Path, tmp_path: Path, capsys):
    (tmp_path / "diary.txt").write_text("mine")
    assert main(["frozen", str(tmp_path)]) == 1
    assert "is in use" in capsys.readouterr().err and (tmp_path / "diary.txt").read_text() == "mine"
    (written / "baken" / "old.py").write_text("")
    assert main(["frozen", str(written)]) == 0 and not (written / "baken" / "old.py").exists()


def test_a_build_is_told_from_another_one(written: Path, tmp_path: Path):
    plain = interpreter.find(64).path
    with pytest.raises(frozen.FrozenError, match="no Baken frozen"):
        frozen.check(plain, FIRMWARE)
    with pytest.raises(frozen.FrozenError, match="does not run"):
        frozen.check(tmp_path / "none", FIRMWARE)
    digest = (written / "baken" / "build.py").read_text().split('"')[1]
    for said, complaint in (
        (f"frozen {digest} False", "64-bit"),
        ("frozen 0123456789abcdef True", "another state"),
        (f"frozen {digest} True", None),
    ):
        build = tmp_path / "micropython"
        build.write_text(f"#!/bin/sh\necho {said}\n")
        build.chmod(0o755)
        if complaint is None:
            frozen.check(build, FIRMWARE)
        else:
            with pytest.raises(frozen.FrozenError, match=complaint):
                frozen.check(build, FIRMWARE)
