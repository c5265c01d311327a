"""Lists of slots left out of what is compiled: nothing else changes, and values still compare and show."""

import ast
from pathlib import Path

import upy_process

from baken_hardware.virtual.compiled import compiled
from baken_hardware.virtual.trimming import trim

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
PAIR = """\
class Pair(Record):
    __slots__ = (
        "a",
        "b",
    )

    def f(self):
        fail()
"""


def test_the_list_goes_and_lines_keep_their_numbers():
    assert trim({"p": PAIR}) == {
        "p": "class Pair(Record):\n    pass\n\n\n\n\n    def f(self):\n        fail()\n"
    }


def test_a_list_that_is_read_stays():
    users = {
        "by name": "for name in Pair.__slots__:\n    pass\n",
        "nobody": "for name in Other.__slots__:\n    pass\n",
    }
    assert trim({"p": PAIR, "q": users["by name"]})["p"] == PAIR
    assert trim({"p": PAIR, "q": users["nobody"]})["p"] != PAIR
    own = PAIR.replace("fail()", "return self.__slots__")
    assert trim({"p": own})["p"] == own


def test_in_the_firmware_only_lists_of_slots_go():
    sources = {str(path): path.read_text(encoding="utf-8") for path in (FIRMWARE / "baken").rglob("*.py")}
    gone = 0
    for name, text in trim(sources).items():
        before, after = ast.parse(sources[name]), ast.parse(text)
        for made, left in zip(_classes(before), _classes(after), strict=True):
            for index, node in enumerate(made.body):
                if isinstance(left.body[index], ast.Pass) and not isinstance(node, ast.Pass):
                    assert ast.unparse(node).startswith("__slots__ = ")
                    made.body[index] = left.body[index]
                    gone += 1
        assert ast.dump(before) == ast.dump(after)
        assert len(text.splitlines()) == len(sources[name].splitlines())
    assert gone > 50


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def test_compiled_values_compare_and_show_themselves_as_their_sources_do(bits: int):
    program = """
from baken.mesh.events import GaveUp
from baken.wire.modem import Modem
print(GaveUp(7, 3) == GaveUp(7, 3), GaveUp(7, 3) == GaveUp(7, 4), GaveUp(7, 3) != GaveUp(7, 3))
print(Modem(250000, 11, 5) == Modem(250000, 11, 6), GaveUp(7, 3))
"""
    told = {
        upy_process.run(bits, "-c", program, path=(folder, *upy_process.PATH[1:])).stdout
        for folder in (FIRMWARE, compiled(FIRMWARE))
    }
    assert told == {"True False False\nFalse GaveUp(error=3, packet_id=7)\n"}
