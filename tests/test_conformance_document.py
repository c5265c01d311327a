"""docs/conformance.md names tests that exist, has every requirement once, and leaves no row empty."""

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_ROWS = 14


def _text() -> str:
    return (_ROOT / "docs/conformance.md").read_text(encoding="utf-8")


def test_every_test_that_shows_conformance_exists():
    named = _TEST.findall(_text())
    assert len(named) > 2 * _ROWS
    for path, name in named:
        source = _ROOT / path
        assert source.is_file(), path
        assert re.search(rf"^def {name}\(", source.read_text(encoding="utf-8"), re.MULTILINE), (path, name)


def test_nothing_that_looks_like_a_test_is_written_so_that_it_goes_unchecked():
    assert len(re.findall(r"::", _text())) == len(_TEST.findall(_text()))


def test_every_requirement_has_a_row_that_names_a_test_or_says_that_none_does():
    rows = [line.split("|")[1:-1] for line in _text().splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0]) for row in rows] == list(range(1, _ROWS + 1))
    for number, requirement, shown in rows:
        assert requirement.strip(), number
        assert _TEST.search(shown) or "to do" in shown, number


def test_every_row_beyond_the_list_names_a_test():
    beyond = _text().partition("## Beyond the list")[2]
    rows = [
        line.split("|")[1:-1] for line in beyond.splitlines() if line.startswith("| ") and "**" not in line
    ]
    assert len(rows) > 30
    for what, shown in rows[1:]:
        assert what.strip() and _TEST.search(shown), what
