"""The layers at run time: what the core imports, what a program drags in, and modules on their own.

import-linter (`.ci/check`) holds the arrows between packages; here is what it cannot see.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import upy_process

from baken.wire.squeeze import squeeze
from baken_hardware.virtual.compiled import compiled

_FIRMWARE = upy_process.ROOT / "firmware"
_BAKEN = _FIRMWARE / "baken"
_CORE = ("crypto", "wire", "mesh", "noticeboard")

# Everything the core may import from outside; each exists on both runtimes.
_ALLOWED_IN_CORE = {"baken", "struct", "collections", "binascii", "hashlib", "gc"}


def _module_name(path: Path) -> str:
    parts = path.relative_to(_FIRMWARE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _core_files() -> list[Path]:
    return [path for layer in _CORE for path in sorted((_BAKEN / layer).rglob("*.py"))]


def _imports(path: Path) -> set[str]:
    """Top-level names of the modules that `path` needs on MicroPython.

    Left out: imports for type checkers, and those in a `try` whose `except ImportError` does without.
    """
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Try) and any(_catches_import_error(handler) for handler in node.handlers):
            for handler in node.handlers:
                visit(handler)
            return
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            names.add("baken" if node.level else (node.module or "").split(".")[0])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return names


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.type, ast.Name) and handler.type.id == "ImportError"


@pytest.mark.parametrize("path", _core_files(), ids=_module_name)
def test_a_core_module_imports_nothing_but_what_both_runtimes_have(path: Path):
    assert _imports(path) <= _ALLOWED_IN_CORE


def test_the_reading_of_imports_sees_every_form_of_them(tmp_path: Path):
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b, c as d\nfrom e.f import g\nfrom . import h\n"
        "def late():\n    import i\n"
        "if TYPE_CHECKING:\n    import typing\n"
        "try:\n    import fast\nexcept ImportError:\n    import slow\n"
        "try:\n    import j\nexcept ValueError:\n    pass\n"
    )
    assert _imports(path) == {"a", "c", "e", "baken", "i", "slow", "j"}


def test_every_firmware_module_can_be_imported_on_its_own_on_micropython(bits: int):
    """In any order: a module that works only behind another one hides a circle.

    Compiled, as boards have it, and behind what imports nothing: on 32 bits the depth of a chain of imports
    would speak of the interpreter's stack instead.
    """
    path = (compiled(_BAKEN.parent), *upy_process.PATH[1:])
    modules = [_module_name(path) for path in sorted(_BAKEN.rglob("*.py"))]
    assert len(modules) > 30
    failures = []
    for module in modules:
        done = upy_process.run(bits, "-c", f"import baken.wire.errors, {module}", path=path)
        if done.returncode or done.stdout:
            failures.append(f"{module}: {done.stdout.strip().splitlines()[-1:]}")
    assert not failures


def test_a_board_forgets_the_model_and_the_phrases_once_a_text_is_read(bits: int):
    program = """
import gc, sys
from baken.wire import content
texts = ((content.SQUEEZED, bytes.fromhex("%s")), (content.PHRASE, bytes((0, 255))))
for turn in range(2):
    gc.collect()
    before = gc.mem_alloc()
    for text in texts:
        print(len(content.unpack(*text)))
    gc.collect()
    print(gc.mem_alloc() - before < 600 or turn == 0)
print(len([name for name in sys.modules if "squeeze" in name or "phrases" in name]))
"""
    squeezed = squeeze(b"De stroom is uit in heel Dalfsen.").hex()
    path = (compiled(_BAKEN.parent), *upy_process.PATH[1:])
    done = upy_process.run(bits, "-c", program % squeezed, path=path)
    assert done.stdout.split() == ["33", "62", "True", "33", "62", "True", "0"], done.stdout


def _loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh CPython after `statement`."""
    program = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_gateway_drags_in_no_screen_and_no_virtual_hardware():
    loaded = _loaded_by("import baken_gateway.cli")
    assert "baken_gateway" in loaded
    assert not loaded & {"textual", "baken_console", "baken_hardware", "amqtt", "pytest"}


def test_the_console_drags_in_no_virtual_hardware():
    loaded = _loaded_by("import baken_console.cli")
    assert "baken_console" in loaded
    assert not loaded & {"baken_hardware", "amqtt", "pytest"}


def test_the_core_drags_in_no_asyncio_and_no_program():
    modules = ", ".join(_module_name(path) for path in _core_files())
    loaded = _loaded_by(f"import {modules}")
    assert "baken" in loaded
    assert not loaded & {"asyncio", "baken_gateway", "baken_console", "baken_hardware", "textual", "paho"}
