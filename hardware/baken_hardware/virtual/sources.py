"""The package archives this machine is already set up for, read from apt's own source lists.

Both forms are read: one line per source (`*.list`) and stanzas (`*.sources`, deb822). What comes out is
the list of archives to ask for MicroPython, best first, each with the suite that has it. No host name is
known here: the machine decides the mirror.
"""

import re
from dataclasses import dataclass
from pathlib import Path

# Debian 12 has no micropython; one suite for every Debian keeps the interpreter the same everywhere.
_DEBIAN_SUITE = "trixie"
_DEBIAN_SUITES = frozenset(
    "bullseye bookworm trixie forky duke sid stable testing unstable oldstable oldoldstable".split()
)
# The first Ubuntu whose micropython is 1.22 or newer.
_UBUNTU_SUITE = "noble"
_TOO_OLD_UBUNTU_SUITES = frozenset(("bionic", "focal", "jammy"))
_KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
_TRANSPORTS = ("http://", "https://", "file:/", "copy:/", "mirror+", "mirror:", "tor+")


@dataclass(frozen=True)
class Source:
    """One archive as the machine has it; `signed_by` is a key file, a key's text, a fingerprint, or empty."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True)
class Archive:
    """Where to ask for MicroPython."""

    distribution: str
    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str

    def stanza(self, key_file: Path) -> str:
        """The deb822 source of this archive; a key given as text is written to `key_file` first."""
        signed_by = self.signed_by
        if "BEGIN PGP" in signed_by:
            key_file.write_text(signed_by + "\n")
            signed_by = str(key_file)
        lines = [
            "Types: deb",
            f"URIs: {self.uri}",
            f"Suites: {self.suite}",
            f"Components: {' '.join(self.components)}",
        ]
        if signed_by:
            lines.append(f"Signed-By: {signed_by}")
        return "\n".join(lines) + "\n"


def machine_archives(
    etc_apt: Path = Path("/etc/apt"), os_release: Path = Path("/etc/os-release")
) -> list[Archive]:
    """The archives this machine uses that can have MicroPython, best first; empty when it uses none."""
    return archives(read_sources(etc_apt), read_os_release(os_release))


def read_os_release(path: Path) -> dict[str, str]:
    """The machine's name card (os-release); empty when there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def read_sources(etc_apt: Path) -> list[Source]:
    """Every enabled binary source below `etc_apt`, in apt's order; unreadable files are left out."""
    found: list[Source] = []
    parts = etc_apt / "sources.list.d"
    for path in [etc_apt / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found.extend(parse_stanzas(text) if path.suffix == ".sources" else parse_lines(text))
    return found


def parse_lines(text: str) -> list[Source]:
    """Sources in the one-line form: `deb [option=value ...] uri suite component...`."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)", line)
        if not match:
            continue
        options = dict(item.split("=", 1) for item in (match[1] or "").split() if "=" in item)
        uri, suite, components = match[2], match[3], tuple(match[4].split())
        found.append(Source(uri, (suite,), components, options.get("signed-by", "")))
    return found


def parse_stanzas(text: str) -> list[Source]:
    """Sources in the deb822 form."""
    found = []
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                fields[name] = fields.get(name, "") + "\n" + ("" if line.strip() == "." else line.strip())
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        disabled = fields.get("enabled", "yes").lower() in ("no", "false", "0", "off")
        if disabled or "deb" not in fields.get("types", "").split():
            continue
        suites = tuple(fields.get("suites", "").split())
        components = tuple(fields.get("components", "").split())
        signed_by = fields.get("signed-by", "").strip()
        found.extend(Source(uri, suites, components, signed_by) for uri in fields.get("uris", "").split())
    return found


def archives(sources: list[Source], os_release: dict[str, str]) -> list[Archive]:
    """The archives among `sources` that can have MicroPython, without repeats, in the machine's order."""
    family = " ".join((os_release.get("ID", ""), os_release.get("ID_LIKE", ""))).split()
    own_suite = os_release.get("UBUNTU_CODENAME") or os_release.get("VERSION_CODENAME", "")
    found: list[Archive] = []
    for source in sources:
        if "main" not in source.components or not source.uri.startswith(_TRANSPORTS):
            continue
        if _DEBIAN_SUITES.intersection(source.suites):
            distribution, suites, components = "debian", [_DEBIAN_SUITE], ("main",)
        elif "ubuntu" in family and own_suite in source.suites:
            newer = [] if own_suite in _TOO_OLD_UBUNTU_SUITES | {_UBUNTU_SUITE} else [own_suite]
            distribution, suites, components = "ubuntu", [*newer, _UBUNTU_SUITE], ("main", "universe")
        else:
            continue
        signed_by = source.signed_by
        if not signed_by and Path(_KEYRINGS[distribution]).exists():
            signed_by = _KEYRINGS[distribution]
        for suite in suites:
            archive = Archive(distribution, source.uri, suite, components, signed_by)
            if all((archive.uri, archive.suite) != (other.uri, other.suite) for other in found):
                found.append(archive)
    return found
