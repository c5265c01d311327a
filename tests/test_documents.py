"""What README.md and docs/ point at is there: files, headings, make targets, commands and their options."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import upy_process
import yaml

_ROOT = upy_process.ROOT
_BIN = Path(sys.executable).parent
_DOCUMENTS = [
    *(_ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((_ROOT / "docs").glob("*.md")),
]
_TOP_FOLDERS = tuple(f"{path.name}/" for path in _ROOT.iterdir() if path.is_dir() and path.name != ".git")
_LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Made by whoever runs what the text shows.
_MADE_LATER = ("out/", ".cache/", ".venv/")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def _anchors(path: Path) -> set[str]:
    """What a heading is called in a link: lower case, hyphens for spaces, no other punctuation."""
    headings = re.findall(r"^#+ (.+)$", _without_fences(_text(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _shell_lines(text: str) -> list[str]:
    """Commands in sh blocks, without comments, with continued lines joined."""
    lines = []
    for language, block in _FENCE.findall(text):
        if language == "sh":
            lines += block.replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.strip()]


def _commands(path: Path) -> list[str]:
    """Everything in a document that somebody could type."""
    text = _text(path)
    return _shell_lines(text) + _INLINE.findall(_without_fences(text))


def _every_command() -> list[str]:
    return [command for path in _DOCUMENTS for command in _commands(path)]


def _help(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_BIN / words[0], *words[1:], "--help"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path):
    for target in _LINK.findall(_without_fences(_text(path))):
        assert "://" not in target, f"{target}: a link out of the repository may rot"
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.is_file(), target
        assert not anchor or anchor in _anchors(file), target


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_is_named_exists(path: Path):
    named = {word for span in _INLINE.findall(_without_fences(_text(path))) for word in span.split()}
    named |= {word for line in _shell_lines(_text(path)) for word in line.split()}
    for language, block in _FENCE.findall(_text(path)):
        if language == "text":
            named |= {line.split()[0] for line in block.splitlines() if line.strip()}
    named = {word for word in named if word.startswith(_TOP_FOLDERS) and not word.startswith(_MADE_LATER)}
    named = {word for word in named if not re.search("[<#+]", word)}  # MQTT topics
    named = {word.partition("::")[0] for word in named}  # a test in a file
    missing = [word for word in sorted(named) if not any(_ROOT.glob(word.rstrip("/")))]
    assert not missing


def test_the_documents_name_enough_for_these_tests_to_mean_something():
    links = [target for path in _DOCUMENTS for target in _LINK.findall(_text(path))]
    assert len(links) > 15
    assert {"docs/pictures/display.png", "docs/pictures/console.svg", "docs/protocol.md"} <= set(links)
    assert any(command.startswith("make ") for command in _commands(_ROOT / "README.md"))


def test_every_make_target_that_is_named_exists():
    makefile = _text(_ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z]+) [?:]?=", makefile, re.MULTILINE))
    named = [command.split() for command in _every_command() if command.startswith("make ")]
    assert len(named) > 8
    for words in named:
        assert words[1] in targets, words
        assert {word.split("=")[0] for word in words if re.match(r"[A-Z]+=", word)} <= variables, words


def test_every_program_of_the_project_explains_itself():
    scripts = tomllib.loads(_text(_ROOT / "pyproject.toml"))["project"]["scripts"]
    assert set(scripts) == {"baken-demo", "baken-gateway", "baken-console", "baken-bench"}
    for name in scripts:
        done = _help(name)
        assert done.returncode == 0 and name in done.stdout, done.stderr


def test_every_program_command_and_option_that_is_named_exists():
    named = set()
    for command in _every_command():
        words = command.removeprefix(".venv/bin/").split()
        if words and re.fullmatch(r"baken-[a-z]+|meshtastic", words[0]):
            steps = []
            for word in words[1:]:
                if not re.fullmatch(r"[a-z][a-z-]*", word):
                    break
                steps.append(word)
            named.add((words[0], *steps, *[word for word in words if word.startswith("--")]))
    assert {words[0] for words in named} >= {"baken-gateway", "baken-console", "baken-bench", "meshtastic"}
    for words in sorted(named):
        options = [word for word in words if word.startswith("--")]
        done = _help(*words[: len(words) - len(options)])
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        for option in options:
            assert re.search(rf"{option}\b", done.stdout), f"{' '.join(words)}: no {option}"


def test_an_option_that_is_named_alone_belongs_to_a_program_of_ours():
    alone = {
        span
        for path in _DOCUMENTS
        for span in _INLINE.findall(_text(path))
        if re.fullmatch(r"--[a-z-]+", span)
    }
    told = "".join(_help(*name).stdout for name in (("baken-demo",), ("baken-gateway",), ("baken-console",)))
    assert alone and all(re.search(rf"{option}\b", told) for option in alone), alone


def test_modules_that_are_to_be_run_are_there():
    modules = {
        match[1] for command in _every_command() if (match := re.search(r"python -m ([\w.]+)", command))
    }
    assert "baken_hardware.virtual.interpreter" in modules
    for module in modules - {"pytest"}:
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, module


def test_the_demo_folder_has_the_parts_that_the_texts_name():
    stage = _text(_ROOT / "hardware/baken_hardware/demo/stage.py")
    cli = _text(_ROOT / "hardware/baken_hardware/demo/cli.py")
    assert 'folder / "run"' in stage and "tty-" in stage and 'folder / "ether"' in stage
    assert '"summary.json"' in cli and '"console.svg"' in cli
    plan = _text(_ROOT / "hardware/baken_hardware/demo/plan.py")
    last_hour = re.search(r"^LAST_HOUR = (\d+)", plan, re.MULTILINE)
    assert last_hour
    for path in (_ROOT / "README.md", _ROOT / "docs/testing.md"):
        assert f"{last_hour[1]} hours" in _text(path)
    assert "The demo starts ten nodes" in _text(_ROOT / "README.md")
    nodes = re.search(r"^NODES = \((.*)\)", plan, re.MULTILINE)
    assert nodes and len(nodes[1].split(",")) == 10


def test_a_command_line_for_micropython_finds_its_files():
    (line,) = [line for line in _shell_lines(_text(_ROOT / "docs/testing.md")) if "MICROPYPATH" in line]
    path = re.search(r"MICROPYPATH=(\S+)", line)
    assert path and path[1].split(":")[-1] == ".frozen"
    assert all((_ROOT / folder).is_dir() for folder in path[1].split(":")[:-1])
    module = line.split()[-1]
    assert (_ROOT / "tests" / "core" / f"{module}.py").is_file()


@pytest.mark.parametrize("path", [*_DOCUMENTS, _ROOT / "publiccode.yml"], ids=lambda path: path.name)
def test_no_document_names_a_place_on_somebodys_machine(path: Path):
    assert not re.search(r"(?<![\w.~])/(home|root|tmp|work|Users|usr|mnt|opt)/", _text(path))


def test_the_changelog_has_a_place_for_what_is_coming():
    text = _text(_ROOT / "CHANGELOG.md")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    sections = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_publiccode_has_what_the_standard_asks_for():
    code = yaml.safe_load(_text(_ROOT / "publiccode.yml"))
    project = tomllib.loads(_text(_ROOT / "pyproject.toml"))["project"]
    assert code["publiccodeYmlVersion"] == "0.5"
    assert code["legal"]["license"] == project["license"]
    assert code["softwareType"] in ("standalone/iot", "standalone/other")
    assert code["developmentStatus"] in ("concept", "development", "beta", "stable", "obsolete")
    assert code["name"] == "Baken" and code["url"].startswith("https://") and code["platforms"]
    assert set(code["description"]) == {"nl", "en"}
    for description in code["description"].values():
        assert len(description["shortDescription"]) <= 150
        assert 150 <= len(description["longDescription"]) <= 10_000
        assert description["features"]
    assert code["maintenance"]["type"] in ("internal", "contract", "community", "none")
    assert all(contact["name"] for contact in code["maintenance"]["contacts"])
    assert isinstance(code["localisation"]["localisationReady"], bool)
    assert code["localisation"]["availableLanguages"] == ["nl", "en"]


def test_the_licence_says_what_the_project_says():
    project = tomllib.loads(_text(_ROOT / "pyproject.toml"))["project"]
    assert project["license"] == "EUPL-1.2" and project["readme"] == "README.md"
    licence = _text(_ROOT / "LICENSE")
    assert "EUROPEAN UNION PUBLIC LICENCE v. 1.2" in licence
    assert re.search(r"GNU General Public License \(GPL\) v. 2, v. 3", licence), "the appendix names GPL v3"
    users = {
        path.relative_to(_ROOT).parts[0]
        for folder in ("firmware", "gateway", "console", "hardware")
        for path in (_ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) meshtastic\b", _text(path), re.MULTILINE)
    }
    assert users == {"gateway", "hardware"}, "README.md says who imports the package meshtastic"
