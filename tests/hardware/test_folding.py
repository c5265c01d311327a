"""Constants folded across modules: numbers in place of names, nothing else changed, no line moved."""

import ast
from pathlib import Path

import pytest

from baken_hardware.virtual.folding import FoldError, fold

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
COMPAT = "def const(value):\n    return value\n"
NUMBERS = (
    "from p.compat import const\n\nONE = const(1)\nTWO = const(ONE + 1)\nBELOW = const(-3)\nLIST = [4]\n"
)


def folded(user: str, **others: str) -> str:
    modules = {"p": "", "p.compat": COMPAT, "p.numbers": NUMBERS, "p.user": user}
    return fold(modules | {f"p.{name}": text for name, text in others.items()})["p.user"]


def test_a_number_takes_the_place_of_an_imported_constant():
    assert folded("from p.numbers import ONE, LIST\nx = (ONE, LIST)\n") == (
        "from p.numbers import LIST\nx = (1, LIST)\n"
    )
    assert folded("from p.numbers import TWO as DUO\nx = DUO\n") == "pass\nx = 2\n"
    assert folded("from .numbers import TWO\nx = TWO\n") == "pass\nx = 2\n"
    assert folded("from p.numbers import BELOW\nx = 2 - BELOW\n") == "pass\nx = 2 - (-3)\n"


def test_a_number_takes_the_place_of_a_constant_of_a_module():
    assert folded("from p import numbers\nx = numbers.TWO, numbers.LIST\n") == (
        "from p import numbers\nx = 2, numbers.LIST\n"
    )
    assert folded("def f(numbers):\n    return numbers.TWO\n") == "def f(numbers):\n    return numbers.TWO\n"


def test_what_is_folded_leaves_its_module():
    sources = {"p": "", "p.compat": COMPAT, "p.numbers": NUMBERS}
    assert fold(sources)["p.numbers"] == "pass\n\npass\npass\npass\nLIST = [4]\n"


def test_lines_keep_their_numbers():
    source = "from p.numbers import (\n    ONE,\n    LIST,\n    TWO,\n)\n\nx = ONE + (\n    TWO\n)\nfail()\n"
    assert folded(source) == "from p.numbers import LIST\n\n\n\n\n\nx = 1 + (\n    2\n)\nfail()\n"


def test_columns_count_bytes():
    assert folded("from p.numbers import ONE\nx = 'één', ONE\n") == "pass\nx = 'één', 1\n"


def test_a_constant_in_a_formatted_string_stays_a_name():
    source = 'from p.numbers import ONE, TWO\nx = f"limit {ONE}"\ny = ONE + TWO\n'
    assert folded(source) == 'from p.numbers import ONE\nx = f"limit {ONE}"\ny = ONE + 2\n'


def test_code_for_type_checkers_only_is_gone():
    source = (
        "from p.compat import const\nTYPE_CHECKING = const(False)\nif TYPE_CHECKING:\n    import typing\n"
    )
    assert folded(source) == "pass\npass\nif False:\n    import typing\n"


@pytest.mark.parametrize(
    "source",
    [
        "from p.numbers import ONE\nONE = 2\n",
        "from p.numbers import ONE\ndef f(ONE):\n    return ONE\n",
        "from p.compat import const\nX = const(1)\nX = const(2)\n",
        "from p.compat import const\nfrom p.numbers import LIST\nX = const(LIST)\n",
    ],
)
def test_a_name_that_means_something_else_too_is_refused(source: str):
    with pytest.raises(FoldError, match=r"p\.user"):
        folded(source)


def test_nothing_but_names_and_imports_changes_in_the_firmware():
    sources = {}
    for path in sorted((FIRMWARE / "baken").rglob("*.py")):
        parts = path.relative_to(FIRMWARE).with_suffix("").parts
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    for module, text in fold(sources).items():
        before, after = ast.parse(sources[module]), ast.parse(text)
        assert text.count("\n") == sources[module].count("\n")
        for one, other in zip(before.body, after.body, strict=True):
            assert one.lineno == other.lineno, module
            assert isinstance(other, type(one) | ast.Pass), module
            if isinstance(one, ast.FunctionDef | ast.ClassDef):
                assert _shape(one) == _shape(other), module


def _shape(tree: ast.AST) -> list[str]:
    """The kinds of statement in order, imports left out: where one is folded a `pass` may stand."""
    kinds = [type(node).__name__ for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    return [kind for kind in kinds if kind not in ("Import", "ImportFrom", "Pass")]
