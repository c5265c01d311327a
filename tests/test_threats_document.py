"""Every test that docs/threats.md names as proof is there."""

import re

import upy_process

_NAMED = re.compile(r"`tests/([a-z_/]+\.py)::(test_\w+)`")


def test_every_threat_names_tests_that_exist():
    text = (upy_process.ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        named = _NAMED.findall(row)
        assert named, row
        for file, test in named:
            source = (upy_process.TESTS / file).read_text(encoding="utf-8")
            assert re.search(rf"^def {test}\(", source, re.MULTILINE), (file, test)
