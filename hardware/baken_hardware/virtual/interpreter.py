"""Finds a real MicroPython (unix port) for the firmware, or fetches one without touching the system.

A `micropython` on PATH is used when it is new enough and has what the firmware needs. Otherwise the
package of the machine's distribution is fetched with the libraries it asks for, from the mirror this
machine uses, and unpacked into

    <cache>/baken/micropython-<version>-<architecture>/

where a small `micropython` script starts it through its own dynamic loader, so neither root nor a
matching system is needed. <cache> is $XDG_CACHE_HOME, else ~/.cache, else `.cache` in the checkout. The
i386 package gives 32-bit words: the memory layout of a microcontroller, so memory figures are measured
there.

    python -m baken_hardware.virtual.interpreter [--bits 32|64] [--print]
"""

import argparse
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from baken_hardware.checkout import ROOT

from . import pinned
from .packages import PackageError, PrivateApt, missing_tools, unpack
from .progress import Progress
from .sources import Archive, machine_archives

MINIMUM = (1, 22)

# For a node on a virtual board that runs its code in place, as from a board's flash. `w` scales by the word:
# both word sizes hold the same objects. 170 kB are in use after the exercise, and what lies scattered between
# is room in pieces: with 260 one of 45 nodes found no 4 kB in one stretch after a day.
NODE_HEAP = "340wk"
# For a node that has its bytecode in the heap too.
LOADED_HEAP = "480wk"

# Debian's name of the architecture that runs here with these words.
_ARCHITECTURES = {
    ("x86_64", 64): "amd64",
    ("x86_64", 32): "i386",
    ("i686", 32): "i386",
    ("aarch64", 64): "arm64",
    ("arm64", 64): "arm64",
}

# Prints version, word size and whether code can run from a mapped image (VfsRom came with MicroPython 1.25),
# having shown that what the firmware imports from the interpreter is there.
_PROBE = """
import sys, asyncio, cryptolib, framebuf, hashlib, os, select, struct
os.VfsLfs2
try:
    import ffi, uctypes
    from vfs import VfsRom
    maps = "maps"
except ImportError:
    maps = "loads"
version = ".".join(str(n) for n in sys.implementation[1][:3])
print("baken", version, 64 if sys.maxsize >> 31 > 1 else 32, maps)
"""
_PROBE_LIMIT_S = 20

# What this process knows by now; a failure too, because finding it out again takes as long as the first time.
_known: dict[int, "Interpreter | InterpreterError"] = {}


class InterpreterError(Exception):
    """No usable MicroPython: the message is one sentence that says why and what helps."""


class Interpreter(NamedTuple):
    """A MicroPython that has shown that it runs here."""

    path: Path
    version: str
    bits: int
    maps_code: bool
    """It can run code from a mapped image; otherwise code is loaded into the heap."""

    def __str__(self) -> str:
        return f"MicroPython {self.version}, {self.bits}-bit"


class Command(NamedTuple):
    """How to start a MicroPython: the beginning of the command line, and the whole environment."""

    argv: list[str]
    environment: dict[str, str]


def find(bits: int = 64, progress: Progress | None = None) -> Interpreter:
    """The MicroPython with `bits`-bit words: on PATH, in the cache, or fetched. Raises InterpreterError."""
    if bits not in (32, 64):
        raise ValueError(f"bits is {bits}, must be 32 or 64")
    if bits not in _known:
        try:
            _known[bits] = _find(bits, progress or Progress())
        except InterpreterError as error:
            _known[bits] = error
    known = _known[bits]
    if isinstance(known, InterpreterError):
        raise InterpreterError(str(known))
    return known


def find_or_reason(bits: int, progress: Progress | None = None) -> tuple[Interpreter | None, str]:
    """Like `find`, but a missing one is None with the reason; with CI=true a gap is an error all the same."""
    try:
        return find(bits, progress), ""
    except InterpreterError as error:
        if gaps_are_errors():
            raise
        return None, str(error)


def gaps_are_errors() -> bool:
    """True where a run that leaves something out must fail (CI=true)."""
    return os.environ.get("CI", "").lower() in ("true", "1")


def command(bits: int = 64, heap: str = LOADED_HEAP, path: Sequence[str | Path] = ()) -> Command:
    """How to run a MicroPython with `heap` (as in `-X heapsize=`) that imports from the folders in `path`.

    MICROPYPATH replaces the built-in path, so `.frozen`, where asyncio lives, is always added last.
    """
    folders = [str(folder) for folder in path]
    for folder in folders:
        if ":" in folder:
            raise ValueError(f"{folder!r} cannot be on MICROPYPATH: it contains a colon")
    argv = [str(find(bits).path), "-X", f"heapsize={heap}"]
    return Command(argv, os.environ | {"MICROPYPATH": ":".join([*folders, ".frozen"])})


def cache_folder() -> Path:
    """The first of the folders named in the module's text that can be written; it is made if need be."""
    candidates = []
    if os.environ.get("XDG_CACHE_HOME", "").startswith("/"):
        candidates.append(Path(os.environ["XDG_CACHE_HOME"]))
    if os.environ.get("HOME", "").startswith("/"):
        candidates.append(Path(os.environ["HOME"]) / ".cache")
    if (ROOT / "pyproject.toml").exists():
        candidates.append(ROOT / ".cache")
    for candidate in candidates:
        folder = candidate / "baken"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    raise InterpreterError(
        "There is no folder to keep MicroPython in: XDG_CACHE_HOME or HOME must name one that can be written"
        f" (tried: {', '.join(map(str, candidates)) or 'nothing'})."
    )


def ask(path: Path, program: str) -> subprocess.CompletedProcess[str]:
    """What the interpreter at `path` says to a short program that needs nothing but what is frozen into it;
    InterpreterError when it does not run.
    """
    try:
        return subprocess.run(
            [path, "-c", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_LIMIT_S,
            env=os.environ | {"MICROPYPATH": ".frozen"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InterpreterError(f"{path} does not run: {error}.") from error


def probe(path: Path) -> Interpreter:
    """Run the interpreter at `path` and see what it is; InterpreterError when it does not run or serve."""
    done = ask(path, _PROBE)
    match = re.search(r"^baken ([0-9.]+) (32|64) (maps|loads)$", done.stdout, re.MULTILINE)
    if not match:
        said = (
            done.stderr.strip() or done.stdout.strip() or f"it ended with code {done.returncode}"
        ).splitlines()[-1]
        raise InterpreterError(f"{path} is not a MicroPython that can run the firmware: {said}.")
    found = Interpreter(path, match[1], int(match[2]), match[3] == "maps")
    if _numbers(found.version) < MINIMUM:
        raise InterpreterError(
            f"{path} is MicroPython {found.version}, needed is {_dotted(MINIMUM)} or newer."
        )
    return found


def _find(bits: int, progress: Progress) -> Interpreter:
    on_path = shutil.which("micropython")
    if on_path:
        try:
            found = probe(Path(on_path))
            if found.bits == bits:
                return found
        except InterpreterError as error:
            progress.say(f"{error} Looking further.")
    machine = platform.machine()
    architecture = _ARCHITECTURES.get((machine, bits))
    if architecture is None:
        raise InterpreterError(f"There is no {bits}-bit MicroPython package for a {machine} machine.")
    cache = cache_folder()
    cached = _newest_cached(cache, architecture, bits)
    if cached:
        return cached
    with _locked(cache / f".lock-{architecture}", progress):
        return _newest_cached(cache, architecture, bits) or _install(cache, architecture, bits, progress)


def _newest_cached(cache: Path, architecture: str, bits: int) -> Interpreter | None:
    folders = sorted(
        cache.glob(f"micropython-*-{architecture}"), key=lambda folder: _numbers(folder.name), reverse=True
    )
    for folder in folders:
        try:
            found = probe(folder / "micropython")
        except InterpreterError:
            continue  # made unusable since; fetched again below
        if found.bits == bits:
            return found
    return None


def _install(cache: Path, architecture: str, bits: int, progress: Progress) -> Interpreter:
    help_text = (
        f"Install a {bits}-bit MicroPython {_dotted(MINIMUM)} or newer (unix port) and put it on PATH."
    )
    lacking = missing_tools()
    if lacking:
        raise InterpreterError(
            f"No {bits}-bit MicroPython is here, nor {', '.join(lacking)} to fetch one with. {help_text}"
        )
    archives = machine_archives()
    if not archives:
        raise InterpreterError(
            f"No {bits}-bit MicroPython is here, and apt's sources name no archive that has one. {help_text}"
        )
    progress.say(f"Fetching MicroPython ({bits}-bit, {architecture}) from this machine's package mirror.")
    reasons = []
    for by_pin in (False, True):
        for archive in archives:
            if by_pin and archive.distribution != "debian":
                continue
            way = f"{archive.uri} {'by pinned hashes' if by_pin else archive.suite}"
            try:
                found = _install_from(archive, by_pin, cache, architecture, bits, progress)
            except (PackageError, InterpreterError) as error:
                progress.say(f"  {way}: {error}")
                reasons.append(f"{way}: {error}")
                continue
            progress.say(f"  {found}: {found.path}")
            return found
    raise InterpreterError(f"No {bits}-bit MicroPython could be fetched ({'; '.join(reasons)}). {help_text}")


def _install_from(
    archive: Archive, by_pin: bool, cache: Path, architecture: str, bits: int, progress: Progress
) -> Interpreter:
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as work:
        apt = PrivateApt(Path(work) / "apt", architecture, archive, progress)
        try:
            packages = apt.by_pin(pinned.files(architecture)) if by_pin else apt.by_index("micropython")
        finally:
            progress.end()
        version = packages[0].name.split("_")[1].replace("%2b", "+").replace("%3a", ":")
        if _numbers(version) < MINIMUM:
            raise PackageError(f"has MicroPython {version}, needed is {_dotted(MINIMUM)} or newer")
        staged = Path(work) / "installed"
        staged.mkdir()
        unpack(packages, staged)
        _write_starter(staged)
        found = probe(staged / "micropython")
        if found.bits != bits:
            raise PackageError(f"has {found.bits}-bit words, asked for {bits}")
        folder = cache / f"micropython-{version}-{architecture}"
        if folder.exists():
            shutil.rmtree(folder)  # it was there and did not run
        staged.rename(folder)
        return found._replace(path=folder / "micropython")


def _write_starter(folder: Path) -> None:
    """Write the script that starts the unpacked interpreter with its own loader and libraries."""
    program = folder / "usr/bin/micropython"
    loaders = [
        path for path in sorted(folder.rglob("ld-linux*.so.*")) if path.is_file() and not path.is_symlink()
    ]
    if not program.exists() or not loaders:
        raise PackageError("the packages hold no micropython with a loader")
    libraries = sorted({path.parent.relative_to(folder) for path in folder.rglob("lib*.so.*")})
    library_path = ":".join(f"$here/{library}" for library in libraries)
    starter = folder / "micropython"
    starter.write_text(
        "#!/bin/sh\n"
        "# Starts this folder's MicroPython with its own loader and libraries.\n"
        'here=$(dirname "$(readlink -f "$0")")\n'
        "unset LD_LIBRARY_PATH LD_PRELOAD\n"
        f'exec "$here/{loaders[0].relative_to(folder)}" --inhibit-cache '
        f'--library-path "{library_path}" "$here/usr/bin/micropython" "$@"\n'
    )
    starter.chmod(0o755)


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("Another process is fetching MicroPython; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _numbers(text: str) -> tuple[int, ...]:
    """The first dotted number in `text`, for comparing versions."""
    match = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m baken_hardware.virtual.interpreter",
        description="Find or fetch the MicroPython that runs the firmware on this machine.",
    )
    parser.add_argument("--bits", type=int, choices=(32, 64), help="word size (default: both)")
    parser.add_argument("--print", dest="bare", action="store_true", help="print nothing but the path")
    options = parser.parse_args(arguments)
    gaps = gaps_are_errors()
    for bits in (options.bits,) if options.bits else (64, 32):
        try:
            found = find(bits)
        except InterpreterError as error:
            needed = options.bits or bits == 64 or gaps
            print(error if needed else f"No 32-bit runs: {error}", file=sys.stderr)
            if needed:
                return 1
            continue
        print(found.path if options.bare else f"{found}: {found.path}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
