"""Packages of the machine's distribution without privileges: apt, with its state in a folder of our own.

apt's programs do the work (transport, proxies, signatures, hashes, dependencies); only where they keep
their state changes. Of the machine's settings the transport ones (`Acquire::`) are kept, so that a
configured proxy or certificate store is used; hooks, pins and installed packages are not.
"""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .pinned import PinnedFile
from .progress import Progress
from .sources import Archive

_APT_HELPER = Path("/usr/lib/apt/apt-helper")
_POLL_S = 0.2
_LONGEST_STEP_S = 600
_REPLACED_SETTINGS = ("Acquire::IndexTargets", "Acquire::Languages", "Acquire::GzipIndexes")


class PackageError(Exception):
    """The packages could not be had this way; the message says why in one clause."""


@dataclass(frozen=True)
class Package:
    """A package that apt would fetch."""

    name: str
    size_bytes: int


def missing_tools() -> list[str]:
    """The programs needed here that this machine has not."""
    tools = [tool for tool in ("apt-get", "apt-cache", "apt-config", "dpkg-deb") if not shutil.which(tool)]
    return tools if _APT_HELPER.exists() else [*tools, str(_APT_HELPER)]


class PrivateApt:
    """apt for one architecture and at most one archive, with every file it writes below `folder`."""

    def __init__(self, folder: Path, architecture: str, archive: Archive, progress: Progress) -> None:
        self._folder = folder
        self._architecture = architecture
        self._archive = archive
        self._progress = progress
        for name in ("lists/partial", "archives/partial", "sources", "packages"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources/baken.sources").write_text(archive.stanza(folder / "archive-key.asc"))
        configuration = folder / "apt.conf"
        configuration.touch(mode=0o600)  # a proxy's password may be among the transport settings
        configuration.write_text(self._configuration())
        self._environment = os.environ | {"APT_CONFIG": str(configuration), "LC_ALL": "C"}

    def by_index(self, name: str) -> list[Path]:
        """Fetch `name` and what it depends on, as the archive's signed index says; `name` itself is first."""
        label = f"index of {self._archive.suite}, {self._architecture}"
        self._run(["apt-get", "update", "-o", "APT::Update::Error-Mode=any"], label, self._folder / "lists")
        plan = self._run(["apt-get", "install", "--yes", "--print-uris", name])
        packages = _parse_print_uris(plan)
        packages.sort(key=lambda package: package.name != name)
        if not packages or packages[0].name != name:
            raise PackageError(f"{self._archive.suite} has no {name} for {self._architecture}")
        total_bytes = sum(package.size_bytes for package in packages)
        target = self._folder / "packages"
        names = [package.name for package in packages]
        self._run(["apt-get", "download", *names], "packages", target, total_bytes, target)
        fetched = [next(target.glob(f"{package.name}_*.deb"), None) for package in packages]
        missing = [package.name for package, path in zip(packages, fetched, strict=True) if path is None]
        if missing:
            raise PackageError(f"apt-get download left out {', '.join(missing)}")
        return [path for path in fetched if path is not None]

    def by_pin(self, files: list[PinnedFile]) -> list[Path]:
        """Fetch `files` from the archive's pool; only files of the pinned length and SHA-256 come through."""
        total_bytes = sum(pinned.size_bytes for pinned in files)
        target = self._folder / "packages"
        fetched = []
        for pinned in files:
            path = target / pinned.path.rsplit("/", 1)[1]
            uri = f"{self._archive.uri.rstrip('/')}/{pinned.path}"
            helper = [str(_APT_HELPER), "download-file", uri, str(path), f"SHA256:{pinned.sha256}"]
            self._run(helper, "packages by their pinned hashes", target, total_bytes)
            check_pin(path, pinned)
            fetched.append(path)
        return fetched

    def _configuration(self) -> str:
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
        kept = [line for line in dump.splitlines() if _is_transport_setting(line)]
        folder = self._folder
        own = {
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Cache::archives": folder / "archives",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": folder / "sources",
            "Dir::Log": folder,
            "APT::Architecture": self._architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",  # apt's own user may not be able to write below this folder
            "Acquire::Languages": "none",
            "Acquire::GzipIndexes": "true",
        }
        lines = [f'{name} "{value}";' for name, value in own.items()]
        return "\n".join([*kept, *lines, f'APT::Architectures {{ "{self._architecture}"; }};', ""])

    def _run(
        self,
        argv: list[str],
        label: str = "",
        watched: Path | None = None,
        total_bytes: int | None = None,
        cwd: Path | None = None,
    ) -> str:
        """Run one of apt's programs, showing how much has arrived in `watched`; give what it said."""
        log = self._folder / "output"
        with log.open("w+") as output:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=cwd or self._folder,
            )
            try:
                code = self._wait(process, label, watched, total_bytes)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        said = log.read_text(errors="replace")
        if code != 0:
            raise PackageError(_complaint(said) or f"{Path(argv[0]).name} ended with code {code}")
        return said

    def _wait(
        self, process: subprocess.Popen, label: str, watched: Path | None, total_bytes: int | None
    ) -> int:
        for _ in range(int(_LONGEST_STEP_S / _POLL_S)):
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                pass
            finally:
                if watched:
                    self._progress.amount(label, _size_bytes(watched), total_bytes)
        raise PackageError(f"{label or 'apt'} took longer than {_LONGEST_STEP_S} s")


def check_pin(path: Path, pinned: PinnedFile) -> None:
    """Raise PackageError, and remove the file, unless it is the pinned one."""
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if len(content) != pinned.size_bytes or sha256 != pinned.sha256:
        path.unlink()
        raise PackageError(
            f"{path.name} is {len(content)} bytes with SHA-256 {sha256}, pinned is {pinned.sha256}"
        )


def unpack(packages: list[Path], folder: Path) -> None:
    """Unpack packages over each other into `folder`, without the system knowing."""
    for package in packages:
        done = subprocess.run(
            ["dpkg-deb", "-x", package, folder], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise PackageError(f"{package.name} does not unpack: {done.stderr.strip()}")


def _is_transport_setting(line: str) -> bool:
    if line.startswith(("Dir::Etc::netrc", "Dir::Etc::trusted")):
        return True
    return line.startswith("Acquire::") and not line.startswith(_REPLACED_SETTINGS)


def _parse_print_uris(text: str) -> list[Package]:
    # 'uri' file-name size hash
    found = []
    for match in re.finditer(r"^'[^']+' (\S+) (\d+)", text, re.MULTILINE):
        found.append(Package(match[1].split("_")[0], int(match[2])))
    return found


def _complaint(said: str) -> str:
    for line in said.splitlines():
        if line.startswith("E: "):
            said = line[3:].split(" [IP:")[0].strip().rstrip(".")
            # "Failed to fetch URL  REASON": the caller knows the URL.
            return re.sub(r"^Failed to fetch \S+\s+(?=\S)", "", said)
    return ""


def _size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # apt moved it while we looked
    return total
