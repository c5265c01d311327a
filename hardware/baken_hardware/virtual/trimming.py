"""Leaves out of the firmware what a board has no use for, before it is compiled.

Lists of slots. CPython saves memory by them. MicroPython keeps them like any other value of a class and makes
no use of them: a tuple and an entry for each of a node's sixty classes, 2.2 kB in all. A class keeps its own
where the firmware reads them by its name (`MeshConfig.__slots__`), and where it reads them itself.

What is wrong with a peer's bytes, in words. Engines count a RemoteProtocolError by its cause, and on a board
nobody reads more of it: a hundred texts, and the code that puts values into them. Those about the trust list
stay, for a technician reads on the display why a node does not start. So

    class Packet(Record):                               class Packet(Record):
        __slots__ = ("frame", "key")                        pass
    raise RemoteProtocolError("%d bytes" % n, "long")   raise RemoteProtocolError("", "long")

Lines keep their numbers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

_SLOTS = "__slots__"
_OF_PEERS = "RemoteProtocolError"
_READ = ("baken.wire.trust",)


def trim(sources: Mapping[str, str]) -> dict[str, str]:
    """Sources by module name, without what nobody reads. SyntaxError for what is no Python."""
    trees = {name: ast.parse(text, name) for name, text in sources.items()}
    named = {
        node.value.id
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == _SLOTS and isinstance(node.value, ast.Name)
    }
    return {
        name: _edited(text, [*_slots(trees[name], named), *(() if name in _READ else _words(trees[name]))])
        for name, text in sources.items()
    }


def _slots(tree: ast.Module, named: set[str]) -> Iterator[tuple[ast.stmt, str]]:
    for made in ast.walk(tree):
        if not isinstance(made, ast.ClassDef) or made.name in named or _reads_own(made):
            continue
        for node in made.body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [_SLOTS]:
                yield node, "pass"


def _reads_own(made: ast.ClassDef) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == _SLOTS for node in ast.walk(made))


def _words(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            made = node.exc
            if isinstance(made.func, ast.Name) and made.func.id == _OF_PEERS and len(made.args) > 1:
                yield made.args[0], '""'


def _edited(text: str, edits: list[tuple[ast.stmt, str] | tuple[ast.expr, str]]) -> str:
    """`text` with other words in place of the nodes."""
    lines = [line.encode() for line in text.splitlines(keepends=True)]  # columns count bytes
    for node, words in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        assert node.end_lineno is not None
        first, last = lines[node.lineno - 1], lines[node.end_lineno - 1]
        lines[node.lineno - 1] = first[: node.col_offset] + words.encode() + last[node.end_col_offset :]
        for gone in range(node.lineno, node.end_lineno):
            lines[gone] = b"\n"
    return b"".join(lines).decode()
