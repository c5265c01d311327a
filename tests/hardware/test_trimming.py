"""What is left out of what is compiled: nothing else changes, values still compare and show, errors still say
their cause.
"""

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


def test_the_words_about_a_peers_bytes_go_and_their_cause_stays():
    source = """\
def check(data, größe):
    if größe > 9:
        raise RemoteProtocolError(
            f"größe {größe}, "
            "limit 9",
            "long",
        )
    if größe < 2: raise RemoteProtocolError("%d short" % größe, "short") from None
    raise LocalProtocolError("nothing to do", "idle")
"""
    (text,) = trim({"p": source}).values()
    assert text.splitlines() == [
        "def check(data, größe):",
        "    if größe > 9:",
        "        raise RemoteProtocolError(",
        '            "",',
        "",
        '            "long",',
        "        )",
        '    if größe < 2: raise RemoteProtocolError("", "short") from None',
        '    raise LocalProtocolError("nothing to do", "idle")',
    ]


def test_in_the_firmware_nothing_else_goes():
    sources = {str(path): path.read_text(encoding="utf-8") for path in (FIRMWARE / "baken").rglob("*.py")}
    gone = wordless = 0
    for name, text in trim(sources).items():
        before, after = ast.parse(sources[name]), ast.parse(text)
        for made, left in zip(_classes(before), _classes(after), strict=True):
            for index, node in enumerate(made.body):
                if isinstance(left.body[index], ast.Pass) and not isinstance(node, ast.Pass):
                    assert ast.unparse(node).startswith("__slots__ = ")
                    made.body[index] = left.body[index]
                    gone += 1
        for node in ast.walk(before):
            if isinstance(node, ast.Raise) and ast.unparse(node).startswith("raise RemoteProtocolError("):
                assert isinstance(node.exc, ast.Call)
                node.exc.args[0] = ast.Constant("")
                wordless += 1
        assert ast.dump(before) == ast.dump(after)
        assert len(text.splitlines()) == len(sources[name].splitlines())
    assert gone > 50 and wordless > 90


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def test_compiled_values_compare_and_show_themselves_as_their_sources_do(bits: int):
    program = """
from baken.mesh.events import GaveUp
from baken.wire import packet
from baken.wire.errors import RemoteProtocolError
from baken.wire.modem import Modem
print(GaveUp(7, 3) == GaveUp(7, 3), GaveUp(7, 3) == GaveUp(7, 4), GaveUp(7, 3) != GaveUp(7, 3))
print(Modem(250000, 11, 5) == Modem(250000, 11, 6), GaveUp(7, 3))
try:
    packet.decode(bytes(3))
except RemoteProtocolError as error:
    print(error.cause, error)
"""
    from_source, from_compiled = [
        upy_process.run(bits, "-c", program, path=(folder, *upy_process.PATH[1:])).stdout.splitlines()
        for folder in (FIRMWARE, compiled(FIRMWARE))
    ]
    same = ["True False False", "False GaveUp(error=3, packet_id=7)"]
    assert from_source == [*same, "packet-size frame is 3 bytes, allowed 16 to 255"]
    assert from_compiled == [*same, "packet-size packet-size"]


def test_the_words_about_the_trust_list_stay_because_the_display_shows_them():
    source = 'raise RemoteProtocolError("not a trust list", "trust-magic")\n'
    assert trim({"baken.wire.trust": source, "baken.wire.status": source}) == {
        "baken.wire.trust": source,
        "baken.wire.status": 'raise RemoteProtocolError("", "trust-magic")\n',
    }
