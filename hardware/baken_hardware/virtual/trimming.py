"""Leaves `__slots__` out of the firmware's classes before they are compiled.

CPython saves memory by them. MicroPython keeps them like any other value of a class and makes no use of them:
a tuple and an entry for each of a node's sixty classes, 2.2 kB in all. So

    class Packet(Record):               class Packet(Record):
        __slots__ = ("frame", "key")        pass

but a class keeps its own where the firmware reads them by its name (`MeshConfig.__slots__`), and where it
reads them itself. Lines keep their numbers.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

_SLOTS = "__slots__"


def trim(sources: Mapping[str, str]) -> dict[str, str]:
    """Sources by module name, without the lists that nobody reads. SyntaxError for what is no Python."""
    trees = {name: ast.parse(text, name) for name, text in sources.items()}
    named = {
        node.value.id
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == _SLOTS and isinstance(node.value, ast.Name)
    }
    return {name: _trimmed(trees[name], text, named) for name, text in sources.items()}


def _trimmed(tree: ast.Module, text: str, named: set[str]) -> str:
    lines = text.splitlines(keepends=True)
    for made in ast.walk(tree):
        if not isinstance(made, ast.ClassDef) or made.name in named or _reads_own(made):
            continue
        for node in made.body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [_SLOTS]:
                assert node.end_lineno is not None
                lines[node.lineno - 1] = " " * node.col_offset + "pass\n"
                for gone in range(node.lineno, node.end_lineno):
                    lines[gone] = "\n"
    return "".join(lines)


def _reads_own(made: ast.ClassDef) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == _SLOTS for node in ast.walk(made))
