"""Finding and fetching MicroPython: source lists, pins, cache, gaps. The real thing runs in every other
test.
"""

import hashlib
import io
import os
import stat
import subprocess
from pathlib import Path

import pytest

from baken_hardware.virtual import interpreter, packages, pinned
from baken_hardware.virtual.progress import Progress
from baken_hardware.virtual.sources import Archive, Source, archives, parse_lines, parse_stanzas, read_sources

DEBIAN = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
NOBLE = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "noble", "UBUNTU_CODENAME": "noble"}
JAMMY = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "jammy", "UBUNTU_CODENAME": "jammy"}
MINT = {"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "VERSION_CODENAME": "xia", "UBUNTU_CODENAME": "noble"}


def fake_micropython(folder: Path, output: str, code: int = 0) -> Path:
    """A program in `folder` that prints what the probe would be told."""
    path = folder / "micropython"
    path.write_text(f"#!/bin/sh\necho '{output}'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nothing_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without MicroPython: none on PATH, an empty cache, none remembered from before."""
    monkeypatch.setattr(interpreter, "_known", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(interpreter.shutil, "which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    return tmp_path / "cache/baken"


# --- Source lists ----------------------------------------------------------------------------------------


def test_one_line_sources_are_read_with_their_options():
    text = """
    # deb http://off.example/debian trixie main
    deb http://a.example/debian bookworm main contrib # the usual one
    deb [arch=amd64 signed-by=/keys/a.gpg] https://b.example/debian trixie main
    deb-src http://a.example/debian bookworm main
    """
    assert parse_lines(text) == [
        Source("http://a.example/debian", ("bookworm",), ("main", "contrib")),
        Source("https://b.example/debian", ("trixie",), ("main",), "/keys/a.gpg"),
    ]


def test_stanzas_are_read_with_several_uris_an_embedded_key_and_a_switch():
    text = (
        "Types: deb deb-src\nURIs: http://a.example/debian http://b.example/debian\n"
        "# a remark\nSuites: trixie trixie-updates\nComponents: main\nSigned-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc=\n -----END PGP PUBLIC KEY BLOCK-----\n"
        "\nEnabled: no\nTypes: deb\nURIs: http://c.example/debian\nSuites: trixie\nComponents: main\n"
        "\nTypes: deb-src\nURIs: http://d.example/debian\nSuites: trixie\nComponents: main\n"
    )
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc=\n-----END PGP PUBLIC KEY BLOCK-----"
    assert parse_stanzas(text) == [
        Source("http://a.example/debian", ("trixie", "trixie-updates"), ("main",), key),
        Source("http://b.example/debian", ("trixie", "trixie-updates"), ("main",), key),
    ]


def test_every_list_of_the_machine_is_read_and_unreadable_ones_are_left_out(tmp_path: Path):
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    (parts / "b.list").write_text("deb http://b.example/debian bookworm main\n")
    (parts / "c.sources").write_text(
        "Types: deb\nURIs: http://c.example/debian\nSuites: sid\nComponents: main\n"
    )
    (parts / "d.list.disabled").write_text("deb http://d.example/debian bookworm main\n")
    (parts / "e.list").mkdir()
    assert [source.uri[7] for source in read_sources(tmp_path)] == ["a", "b", "c"]
    assert read_sources(tmp_path / "nowhere") == []


def test_debian_asks_for_trixie_whatever_its_own_suite():
    for suite in ("bookworm", "trixie", "forky", "sid", "stable"):
        (found,) = archives([Source("http://a.example/debian", (suite,), ("main",), "/key")], DEBIAN)
        assert found == Archive("debian", "http://a.example/debian", "trixie", ("main",), "/key")


def test_security_updates_other_components_and_discs_are_no_archive_to_ask():
    sources = [
        Source("http://a.example/debian-security", ("bookworm-security",), ("main",)),
        Source("http://a.example/debian", ("bookworm",), ("non-free",)),
        Source("cdrom:[Debian 12]/", ("bookworm",), ("main",)),
        Source("http://vendor.example/apt", ("nodistro",), ("main",)),
    ]
    assert archives(sources, DEBIAN) == []


def test_ubuntu_and_its_derivatives_ask_for_the_first_suite_that_is_new_enough():
    for machine, suite in ((NOBLE, "noble"), (JAMMY, "jammy"), (MINT, "noble")):
        source = Source("http://a.example/ubuntu", (suite, f"{suite}-updates"), ("main", "universe"), "/key")
        (found,) = archives([source], machine)
        assert (found.distribution, found.suite, found.components) == (
            "ubuntu",
            "noble",
            ("main", "universe"),
        )


def test_a_newer_ubuntu_asks_for_its_own_suite_first():
    machine = {"ID": "ubuntu", "VERSION_CODENAME": "resolute"}
    found = archives([Source("http://a.example/ubuntu", ("resolute",), ("main",), "/key")], machine)
    assert [archive.suite for archive in found] == ["resolute", "noble"]


def test_an_archive_that_is_named_twice_is_asked_once():
    sources = [
        Source("http://a.example/debian", (suite,), ("main",), "/key") for suite in ("bookworm", "trixie")
    ]
    assert len(archives(sources, DEBIAN)) == 1


def test_a_key_inside_a_source_list_reaches_apt_as_a_file(tmp_path: Path):
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nabc="
    archive = Archive("debian", "http://a.example/debian", "trixie", ("main",), key)
    stanza = archive.stanza(tmp_path / "key.asc")
    assert f"Signed-By: {tmp_path}/key.asc" in stanza
    assert (tmp_path / "key.asc").read_text().startswith(key)


# --- Packages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["amd64", "arm64", "i386"])
def test_the_pins_name_micropython_and_every_library_it_loads(architecture: str):
    files = pinned.files(architecture)
    names = [file.path.rsplit("/", 1)[1].split("_")[0] for file in files]
    assert names == ["micropython", "libc6", "libffi8", "libmbedcrypto16", "libmbedtls21", "libmbedx509-7"]
    for file in files:
        assert len(bytes.fromhex(file.sha256)) == 32 and file.size_bytes > 10_000
        assert file.path.endswith(f"_{architecture}.deb")


def test_an_architecture_without_pins_has_no_files():
    assert pinned.files("riscv64") == []


@pytest.mark.parametrize("change", ["same length", "longer"])
def test_a_file_that_is_not_the_pinned_one_does_not_come_through(tmp_path: Path, change: str):
    content = b"the package"
    pin = pinned.PinnedFile("pool/x.deb", len(content), hashlib.sha256(content).hexdigest())
    path = tmp_path / "x.deb"
    path.write_bytes(content)
    packages.check_pin(path, pin)
    path.write_bytes(b"The package" if change == "same length" else content + b"!")
    with pytest.raises(packages.PackageError, match="pinned"):
        packages.check_pin(path, pin)
    assert not path.exists()


needs_apt = pytest.mark.skipif(bool(packages.missing_tools()), reason="this machine has no apt")


def local_archive(folder: Path) -> Archive:
    """An archive on this disk, without a Release file: nothing in it can be verified."""
    suite = folder / "dists/trixie/main/binary-amd64"
    suite.mkdir(parents=True)
    (suite / "Packages").write_text(
        "Package: micropython\nVersion: 9\nArchitecture: amd64\nFilename: x.deb\n"
    )
    return Archive("debian", f"file:{folder}", "trixie", ("main",), "")


@needs_apt
def test_an_archive_without_a_signature_is_refused(tmp_path: Path):
    (tmp_path / "archive").mkdir()
    apt = packages.PrivateApt(
        tmp_path / "apt", "amd64", local_archive(tmp_path / "archive"), Progress(io.StringIO())
    )
    with pytest.raises(packages.PackageError, match="Release"):
        apt.by_index("micropython")


@needs_apt
def test_a_pinned_file_comes_from_the_pool_and_a_changed_one_does_not(tmp_path: Path):
    pool = tmp_path / "archive/pool/main/x"
    pool.mkdir(parents=True)
    content = b"a package" * 100
    (pool / "x_1_amd64.deb").write_bytes(content)
    archive = local_archive(tmp_path / "archive")
    pin = pinned.PinnedFile("pool/main/x/x_1_amd64.deb", len(content), hashlib.sha256(content).hexdigest())

    apt = packages.PrivateApt(tmp_path / "one", "amd64", archive, Progress(io.StringIO()))
    (fetched,) = apt.by_pin([pin])
    assert fetched.read_bytes() == content

    (pool / "x_1_amd64.deb").write_bytes(content.replace(b"a", b"b", 1))
    apt = packages.PrivateApt(tmp_path / "two", "amd64", archive, Progress(io.StringIO()))
    with pytest.raises(packages.PackageError):
        apt.by_pin([pin])


@needs_apt
def test_apt_keeps_its_state_to_itself_and_runs_no_hooks_of_the_machine(tmp_path: Path):
    (tmp_path / "archive").mkdir()
    apt = packages.PrivateApt(
        tmp_path / "apt", "i386", local_archive(tmp_path / "archive"), Progress(io.StringIO())
    )
    configuration = tmp_path / "apt/apt.conf"
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600
    dump = subprocess.run(
        ["apt-config", "dump"], capture_output=True, text=True, env=apt._environment, check=True
    ).stdout
    settings = dict(line.rstrip(";").split(" ", 1) for line in dump.splitlines())
    assert settings["Dir::State::lists"] == f'"{tmp_path}/apt/lists"'
    assert settings["Dir::State::status"] == f'"{tmp_path}/apt/status"'
    assert settings["APT::Architecture"] == '"i386"'
    assert [line for line in dump.splitlines() if line.startswith("APT::Architectures::")] == [
        'APT::Architectures:: "i386";'
    ]
    assert not [name for name in settings if "Invoke" in name]


# --- Finding ---------------------------------------------------------------------------------------------


def test_an_interpreter_on_path_is_used_when_its_words_fit(monkeypatch, tmp_path: Path, nothing_known: Path):
    path = fake_micropython(tmp_path, "baken 1.27.0 64 maps")
    monkeypatch.setattr(interpreter.shutil, "which", lambda name: str(path))
    found = interpreter.find(64)
    assert found == interpreter.Interpreter(path, "1.27.0", 64, True)
    assert str(found) == "MicroPython 1.27.0, 64-bit"


@pytest.mark.parametrize(
    ("output", "code", "complaint"),
    [
        ("baken 1.21.0 64 maps", 0, "1.21.0, needed is 1.22"),
        ("ImportError: no module named cryptolib", 1, "no module named cryptolib"),
        ("", 127, "ended with code 127"),
    ],
)
def test_an_interpreter_that_does_not_serve_is_refused_with_the_reason(tmp_path, output, code, complaint):
    with pytest.raises(interpreter.InterpreterError, match=complaint):
        interpreter.probe(fake_micropython(tmp_path, output, code))


def test_a_program_that_cannot_be_started_is_refused(tmp_path: Path):
    path = fake_micropython(tmp_path, "baken 1.25.0 64 maps")
    path.chmod(0o644)
    with pytest.raises(interpreter.InterpreterError, match="does not run"):
        interpreter.probe(path)


def test_the_newest_cached_interpreter_that_runs_is_used(nothing_known: Path, monkeypatch):
    monkeypatch.setattr(interpreter.platform, "machine", lambda: "x86_64")
    for version, output in (("1.9.4", "1.30.0"), ("1.25.0+ds-1", "1.25.0"), ("1.26.1", "broken")):
        folder = nothing_known / f"micropython-{version}-amd64"
        folder.mkdir(parents=True)
        fake_micropython(folder, f"baken {output} 64 maps")
    assert interpreter.find(64).version == "1.25.0"


def test_a_machine_without_packages_says_so_in_one_sentence(nothing_known: Path, monkeypatch):
    monkeypatch.setattr(interpreter.platform, "machine", lambda: "vax")
    with pytest.raises(interpreter.InterpreterError, match="no 64-bit MicroPython package for a vax machine"):
        interpreter.find(64)


def test_a_machine_without_apt_is_told_what_to_install(nothing_known: Path, monkeypatch):
    monkeypatch.setattr(interpreter.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(interpreter, "missing_tools", lambda: ["apt-get"])
    with pytest.raises(interpreter.InterpreterError, match="Install a 64-bit MicroPython 1.22 or newer"):
        interpreter.find(64)


def test_when_no_archive_answers_the_reasons_are_named_and_nothing_is_left(
    nothing_known: Path, monkeypatch, tmp_path: Path, capsys
):
    archive = Archive("debian", f"file:{tmp_path}/nowhere", "trixie", ("main",), "")
    monkeypatch.setattr(interpreter.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(interpreter, "missing_tools", lambda: [])
    monkeypatch.setattr(interpreter, "machine_archives", lambda: [archive])

    attempts = []

    class Silent:
        def __init__(self, *_):
            pass

        def by_index(self, name):
            attempts.append("index")
            raise packages.PackageError("index out of step")

        def by_pin(self, files):
            attempts.append("pin")
            raise packages.PackageError("gone from the pool")

    monkeypatch.setattr(interpreter, "PrivateApt", Silent)
    for _ in range(2):
        with pytest.raises(interpreter.InterpreterError, match="index out of step.*gone from the pool"):
            interpreter.find(64)
    assert attempts == ["index", "pin"]  # what failed once is not tried again in the same run
    assert [path.name for path in nothing_known.iterdir()] == [".lock-amd64"]


def test_a_gap_is_a_reason_here_and_an_error_where_ci_is_true(nothing_known: Path, monkeypatch):
    monkeypatch.setattr(interpreter.platform, "machine", lambda: "vax")
    found, reason = interpreter.find_or_reason(32)
    assert found is None and "vax" in reason
    monkeypatch.setenv("CI", "true")
    with pytest.raises(interpreter.InterpreterError, match="vax"):
        interpreter.find_or_reason(32)


def test_the_command_line_tool_misses_32_bits_only_without_ci(
    nothing_known: Path, monkeypatch, tmp_path, capsys
):
    path = fake_micropython(tmp_path, "baken 1.25.0 64 maps")
    monkeypatch.setattr(interpreter.shutil, "which", lambda name: str(path))
    monkeypatch.setattr(interpreter.platform, "machine", lambda: "vax")
    assert interpreter.main(["--print", "--bits", "64"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert interpreter.main([]) == 0
    assert "No 32-bit runs" in capsys.readouterr().err
    assert interpreter.main(["--bits", "32"]) == 1
    monkeypatch.setenv("CI", "true")
    assert interpreter.main([]) == 1


def test_the_cache_falls_back_when_a_folder_cannot_be_written(monkeypatch, tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert interpreter.cache_folder() == tmp_path / "home/.cache/baken"
    monkeypatch.setenv("HOME", str(blocked))
    assert interpreter.cache_folder() == Path(interpreter.__file__).resolve().parents[3] / ".cache/baken"


# --- Starting --------------------------------------------------------------------------------------------


def test_a_command_has_heap_path_and_the_frozen_modules(bits: int, tmp_path: Path):
    (tmp_path / "answer.py").write_text("VALUE = 42\n")
    argv, environment = interpreter.command(bits, "64wk", [tmp_path])
    assert environment["MICROPYPATH"] == f"{tmp_path}:.frozen"
    program = "import answer, asyncio, gc; print(answer.VALUE, gc.mem_free() + gc.mem_alloc())"
    done = subprocess.run([*argv, "-c", program], capture_output=True, text=True, env=environment, check=True)
    value, heap_bytes = map(int, done.stdout.split())
    assert value == 42
    assert 0.9 < heap_bytes / (64 * 1024 * bits / 32) <= 1.0


def test_a_folder_with_a_colon_cannot_be_on_the_path():
    with pytest.raises(ValueError, match="colon"):
        interpreter.command(64, path=["/a:b"])


def test_a_fetched_interpreter_is_unharmed_by_the_libraries_of_the_machine(bits: int):
    environment = os.environ | {"LD_LIBRARY_PATH": "/usr/lib:/lib", "MICROPYPATH": ".frozen"}
    path = interpreter.find(bits).path
    done = subprocess.run(
        [path, "-c", "print(6 * 7)"], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "42\n" and done.stderr == ""


# --- Progress --------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_one_line_for_each_step_and_a_terminal_one_that_changes():
    for stream, rewritten in ((io.StringIO(), False), (Terminal(), True)):
        progress = Progress(stream)
        progress.amount("packages", 1_000_000, 4_000_000)
        progress.amount("packages", 4_000_000, 4_000_000)
        progress.amount("index", 500_000)
        progress.say("done")
        text = stream.getvalue()
        assert text.split("\n")[-2] == "done"
        assert "packages: 4.0 MB of 4.0 MB, 100 %\n" in text
        assert ("25 %" in text and "\r" in text) == rewritten
