"""The core's tests on real MicroPython, with 64-bit and with 32-bit words; pytest runs the same files on
CPython.
"""

import re
from pathlib import Path

import pytest
import upy_process

_RUNNER = upy_process.TESTS / "upy.py"
_FILES = sorted((upy_process.TESTS / "core").glob("test_*.py"))


@pytest.mark.parametrize("file", _FILES, ids=lambda path: path.stem)
def test_the_core_passes_its_tests_on_micropython(file: Path, bits: int):
    done = upy_process.run(bits, _RUNNER, file.stem)
    summary = re.search(r"^micropython (\d+) passed, 0 failed$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and summary, done.stdout
    # Nothing got lost between the file and the run: every test function written down has passed.
    written = re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert int(summary[1]) == len(written) > 0, done.stdout


def test_the_runner_tells_a_failing_test_from_a_passing_one(tmp_path: Path, bits: int):
    (tmp_path / "test_mixed.py").write_text(
        "def test_b_good():\n    pass\n\ndef test_a_bad():\n    assert 1 == 2, 'one is not two'\n"
    )
    done = upy_process.run(bits, _RUNNER, "test_mixed", path=[tmp_path])
    assert done.returncode == 1
    assert "FAIL test_mixed.test_a_bad" in done.stdout and "one is not two" in done.stdout
    assert "ok   test_mixed.test_b_good" in done.stdout
    assert "micropython 1 passed, 1 failed" in done.stdout


def test_the_runner_fails_for_a_module_without_tests_or_that_cannot_be_imported(tmp_path: Path, bits: int):
    (tmp_path / "test_empty.py").write_text("")
    (tmp_path / "test_broken.py").write_text("import there_is_no_such_module\n")
    for name in ("test_empty", "test_broken"):
        done = upy_process.run(bits, _RUNNER, name, path=[tmp_path])
        assert done.returncode == 1 and "0 passed, 1 failed" in done.stdout, done.stdout


def test_the_words_are_as_wide_as_asked_for(bits: int):
    done = upy_process.run(bits, "-c", "import sys; print(sys.implementation.name, sys.maxsize)")
    assert done.stdout.split() == ["micropython", str(2 ** (bits - 1) - 1)]


def test_the_heap_is_bounded(bits: int):
    done = upy_process.run(bits, "-c", "bytearray(300000)", heap="64wk")
    assert done.returncode != 0 and "MemoryError" in done.stdout
