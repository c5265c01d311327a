"""Writes what a build of MicroPython freezes into its own program, and asks such a build what it has frozen.

A board without memory to spare has its Python in the program itself: names, constants and the descriptions of
functions are not in the heap then, nor is bytecode. What is frozen is what other boards get compiled
(`compiled.board_files`), with every file that is no Python made a module that has its bytes as `DATA`, and
`baken/build.py`, whose `DIGEST` tells one state of the firmware from another.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from baken_hardware.virtual import compiled
from baken_hardware.virtual.interpreter import InterpreterError, ask

_BUILD = "baken/build.py"
_MANIFEST = "manifest.py"
_MAIN = "root/main.py"
_ROW = 24  # bytes in a line
_BITS = 32
_PROBE = f"import sys; from baken import build; print('frozen', build.DIGEST, sys.maxsize < 1 << {_BITS})"


class FrozenError(InterpreterError):
    """It cannot be written there, or is not frozen: the message is one sentence that says why."""


def write(firmware: Path, folder: Path) -> None:
    """Make `folder` what a build freezes of the source root `firmware`, in place of what was written there
    before. FrozenError when it holds anything else.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not (folder / _BUILD).exists():
        raise FrozenError(f"{folder} is in use: give a folder that is empty, or written by this command.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".frozen-", dir=folder.parent) as work:
        staged = Path(work) / "staged"
        for name, text in _modules(firmware).items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        staged.rename(folder)


def check(micropython: Path, firmware: Path) -> None:
    """FrozenError unless `micropython` runs with a board's words, and has frozen what `write` writes now."""
    try:
        said = ask(micropython, _PROBE).stdout.split()
    except InterpreterError as error:
        raise FrozenError(str(error)) from error
    if len(said) != 3 or said[0] != "frozen":
        raise FrozenError(f"{micropython} has no Baken frozen into it (baken-bench frozen --help).")
    if said[2] != "True":
        raise FrozenError(f"{micropython} has 64-bit words, needed is a MicroPython of {_BITS} bits.")
    if said[1] != _digest(_modules(firmware)):
        raise FrozenError(f"{micropython} has another state of the firmware frozen into it: build it again.")


def _modules(firmware: Path) -> dict[str, str]:
    """Every file, by name."""
    made: dict[str, str] = {}
    for name, content in compiled.board_files(firmware).items():
        if isinstance(content, str):
            made[name] = content
        else:
            made[str(Path(name).with_suffix(".py"))] = _as_module(content.read_bytes())
    for name in (_MANIFEST, _MAIN):
        made[name] = (firmware / name).read_text(encoding="utf-8")
    made[_BUILD] = f'DIGEST = "{_digest(made)}"\n'
    return made


def _digest(modules: dict[str, str]) -> str:
    made_of = hashlib.sha256()
    for name in sorted(set(modules) - {_BUILD}):
        made_of.update(f"\n{name} {len(modules[name])}\n{modules[name]}".encode())
    return made_of.hexdigest()[:16]


def _as_module(content: bytes) -> str:
    rows = [f"    {content[at : at + _ROW]!r}" for at in range(0, len(content), _ROW)]
    return "\n".join(["DATA = (", *rows, ")", ""])
