"""Folds the firmware's constants across its modules before they are compiled.

MicroPython's compiler puts a `const` in its own module where the name stood, but a public one is kept as
well, and other modules import it: a name, two entries in dictionaries and the code to fill them, for each of
some hundred numbers. Here

    A = const(1)                    in baken.wire.messages
    from baken.wire.messages import A, B
    f(A, messages.A, B)

becomes `f(1, 1, B)` with an import of B alone, and A is gone. Lines keep their numbers.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

_Edit = tuple[
    int, int, int, int, str
]  # from line and column (bytes) to line and column, and what comes there


class FoldError(Exception):
    """A constant's name stands for something else too: the text says where."""


def fold(sources: Mapping[str, str]) -> dict[str, str]:
    """Sources by module name (`baken.wire.packet`; a package by its own name), with constants folded.

    SyntaxError or FoldError for sources that cannot be folded.
    """
    modules = {name: _Module(name, text, sources) for name, text in sources.items()}
    constants = {name: module.constants(modules) for name, module in modules.items()}
    kept = {
        (origin, name)
        for module in modules.values()
        for origin, name in module.uses_in_formatted_strings(constants)
    }
    for origin, name in kept:
        del constants[origin][name]
    return {name: module.folded(constants) for name, module in modules.items()}


class _Module:
    def __init__(self, name: str, text: str, names: Mapping[str, str]) -> None:
        self.name = name
        self.tree = ast.parse(text, name)
        self._lines = [line.encode() for line in text.splitlines(keepends=True)]
        self._imports = [node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom)]
        self._from: dict[str, tuple[str, str]] = {}  # local name: module and name of what is imported
        self._modules: dict[str, str] = {}  # local name: imported module
        is_package = any(other.startswith(name + ".") for other in names)
        for node in self._imports:
            origin = self._origin(node, is_package)
            for alias in node.names:
                local = alias.asname or alias.name
                if f"{origin}.{alias.name}" in names:
                    self._modules[local] = f"{origin}.{alias.name}"
                else:
                    self._from[local] = (origin, alias.name)
        self._constants: dict[str, int] | None = None

    def constants(self, modules: Mapping[str, _Module]) -> dict[str, int]:
        """What this module defines with `const`, by name."""
        if self._constants is None:
            self._constants = {}
            for target, value in self._definitions():
                self._constants[target.id] = self._value(value, modules)
        return dict(self._constants)

    def uses_in_formatted_strings(
        self, constants: Mapping[str, Mapping[str, int]]
    ) -> Iterator[tuple[str, str]]:
        """Constants that stand in f-strings, where older Pythons do not tell the place."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.JoinedStr):
                for inner in ast.walk(node):
                    found = self._constant(inner, constants)
                    if found is not None:
                        yield found

    def folded(self, constants: Mapping[str, Mapping[str, int]]) -> str:
        """The source with `constants` in place of their names."""
        self._refuse_other_meanings(constants)
        edits: list[_Edit] = []
        for node in ast.walk(self.tree):
            found = self._constant(node, constants)
            if found is not None:
                value = constants[found[0]][found[1]]
                edits.append(_edit(node, f"({value})" if type(value) is int and value < 0 else str(value)))
        for target, value in self._definitions():
            if target.id in constants[self.name]:
                edits = [edit for edit in edits if not _is_inside(edit, value)]
                edits.append(_edit(target, "pass", last=value))
        for node in self._imports:
            left = [alias for alias in node.names if not self._is_folded(alias, constants)]
            if len(left) < len(node.names):
                source = "." * node.level + (node.module or "")
                names = ", ".join(a.name + (f" as {a.asname}" if a.asname else "") for a in left)
                edits.append(_edit(node, f"from {source} import {names}" if left else "pass"))
        for edit in sorted(edits, reverse=True):
            self._apply(edit)
        return b"".join(self._lines).decode()

    def _origin(self, node: ast.ImportFrom, is_package: bool) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        base = parts[: len(parts) - node.level + is_package]
        return ".".join([*base, node.module] if node.module else base)

    def _definitions(self) -> Iterator[tuple[ast.Name, ast.Call]]:
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                call = node.value
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "const":
                    yield node.targets[0], call

    def _value(self, call: ast.Call, modules: Mapping[str, _Module]) -> int:
        names = {}
        for node in ast.walk(call.args[0]):
            if isinstance(node, ast.Name):
                origin, name = self._from.get(node.id, (self.name, node.id))
                known = (self._constants or {}) if origin == self.name else modules[origin].constants(modules)
                if name not in known:
                    raise FoldError(f"{self.name}: {node.id} in line {node.lineno} is no constant")
                names[node.id] = known[name]
        expression = compile(ast.Expression(call.args[0]), self.name, "eval")
        return eval(expression, {"__builtins__": {}}, names)

    def _constant(self, node: ast.AST, constants: Mapping[str, Mapping[str, int]]) -> tuple[str, str] | None:
        """Module and name of the constant that a node of the tree reads."""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found = self._from.get(node.id, (self.name, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = (self._modules.get(node.value.id, ""), node.attr)
        else:
            return None
        return found if found[1] in constants.get(found[0], ()) else None

    def _is_folded(self, alias: ast.alias, constants: Mapping[str, Mapping[str, int]]) -> bool:
        origin, name = self._from.get(alias.asname or alias.name, ("", ""))
        if name == "const" and origin in constants:  # the function itself
            return all(target.id in constants[self.name] for target, _ in self._definitions())
        return name in constants.get(origin, ())

    def _refuse_other_meanings(self, constants: Mapping[str, Mapping[str, int]]) -> None:
        bound: Counter[str] = Counter()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                bound[node.id] += 1
            elif isinstance(node, ast.arg):
                bound[node.arg] += 1
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                bound[node.name] += 1
        own = {name: 1 for name in constants[self.name]}
        other = {name: 0 for name, (origin, _) in self._from.items() if origin in constants}
        for name, times in (other | own).items():
            origin, original = self._from.get(name, (self.name, name))
            if original in constants.get(origin, ()) and bound[name] > times:
                raise FoldError(f"{self.name}: {name} is a constant and something else")

    def _apply(self, edit: _Edit) -> None:
        line, column, end_line, end_column, text = edit
        first, last = self._lines[line - 1], self._lines[end_line - 1]
        self._lines[line - 1] = first[:column] + text.encode() + last[end_column:]
        for gone in range(line, end_line):
            self._lines[gone] = b"\n"


def _edit(node: ast.AST, text: str, last: ast.AST | None = None) -> _Edit:
    """`text` in place of what is from `node` to the end of `last`."""
    end = last or node
    return node.lineno, node.col_offset, end.end_lineno, end.end_col_offset, text  # type: ignore[attr-defined]


def _is_inside(edit: _Edit, node: ast.expr) -> bool:
    start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return start <= edit[:2] and edit[2:4] <= end  # type: ignore[operator]
