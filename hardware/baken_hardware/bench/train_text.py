"""`baken-bench train-text`: makes the model that squeezes texts, `baken/wire/squeeze_model.py`.

The corpus is our own: every line in `corpus/*.txt` is a text by itself, written for this purpose. The same
corpus gives the same bytes on every machine: only additions, products, divisions and square roots of floats
are used, which IEEE 754 rounds exactly, and the lines are shuffled by a counter.

Weights are learned by stochastic gradient descent with AdaGrad and a pull to zero, all contexts hashed into
the very table that is kept; so contexts that share a slot are learned as they will be used. At the end each
weight becomes four bits.
"""

from __future__ import annotations

import argparse
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import baken.wire
from baken.wire import squeeze

CORPUS = Path(__file__).resolve().parent / "corpus"
MODEL_FILE = Path(next(iter(baken.wire.__path__))) / "squeeze_model.py"

SLOTS = 32768
EPOCHS = 15
_RATE = 0.2
_RATE_FLOOR = 0.05
_PULL = 0.01
_FIRST_GRADIENTS = 0.1

# The logistic function at steps of 1/64, its argument bounded to -12 .. 12.
_STEPS = 64
_BOUND = 12

_HEAD = '''"""The model behind `squeeze`: made by `baken-bench train-text`, never by hand.

TREE: two bytes a node, where a 0 and a 1 lead. PAGES: weights, two a byte; small pages, because a board that
does not run this frozen would need one long piece of heap.
"""
'''


def read_corpus(folder: Path = CORPUS) -> list[bytes]:
    """The texts of all files, in the order of their names."""
    return [
        line
        for path in sorted(folder.glob("*.txt"))
        for line in path.read_text(encoding="utf-8").encode().splitlines()
        if line
    ]


def split_corpus(texts: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Nine tenths to learn from and every tenth text to measure with."""
    return (
        [text for at, text in enumerate(texts) if at % 10 != 9],
        [text for at, text in enumerate(texts) if at % 10 == 9],
    )


def train(texts: Sequence[bytes], slots: int = SLOTS, epochs: int = EPOCHS) -> squeeze.Model:
    """The model that predicts `texts` best with `slots` weights, a power of two."""
    tree = _tree(texts)
    lines = [_decisions(text, tree, slots - 1) for text in texts]
    weights = _learn(lines, slots, epochs)
    nibbles = bytes(min(max(_round(weight * squeeze.SCALE), -8), 7) + 8 for weight in weights)
    packed = bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    size = squeeze.PAGE_SIZE
    return squeeze.Model(tree, tuple(packed[at : at + size] for at in range(0, len(packed), size)))


def module_of(model: squeeze.Model) -> str:
    """The Python module that holds `model`."""
    pages = "".join(
        f"    (  # {number}\n{_literal(page, 8)}    ),\n" for number, page in enumerate(model.pages)
    )
    return f"{_HEAD}\nTREE = (\n{_literal(model.tree, 4)})\nPAGES = (\n{pages})\n"


def _tree(texts: Sequence[bytes]) -> bytes:
    """Huffman's tree over how often each symbol occurs, as Model.tree; node 0 is the root."""
    counts = [1] * squeeze.SYMBOLS
    for text in texts:
        for symbol in squeeze.symbols(text):
            counts[symbol if symbol < 256 else squeeze.ESCAPE] += 1
        counts[squeeze.END] += 1
    alive: list[tuple[int, int, Any]] = [(count, symbol, None) for symbol, count in enumerate(counts)]
    made = squeeze.SYMBOLS
    while len(alive) > 1:
        alive.sort(key=lambda entry: entry[:2])
        first, second = alive[:2]
        alive = [*alive[2:], (first[0] + second[0], made, (first, second))]
        made += 1
    tree = bytearray(2 * (squeeze.SYMBOLS - 1))
    waiting, used = [(alive[0], 0)], 1
    while waiting:
        (_count, _order, children), node = waiting.pop(0)
        for turn, child in enumerate(children):
            if child[2] is None:
                tree[2 * node + turn] = squeeze.LEAF + child[1]
            else:
                tree[2 * node + turn] = used
                waiting.append((child, used))
                used += 1
    return bytes(tree)


def _decisions(text: bytes, tree: bytes, mask: int) -> array[int]:
    """All turns of a text: six numbers each, five slots and the turn."""
    ways, context, out = squeeze.paths(tree), squeeze.Context(), array("l")
    for symbol in [*squeeze.symbols(text), squeeze.END]:
        symbol = squeeze.ESCAPE if symbol >= 256 else symbol
        for node, turn in ways[symbol]:
            key = context.key(node)
            out.extend(base + key & mask for base in context.bases)
            out.append(turn)
        context.push(symbol)
    return out


def _learn(lines: Sequence[array[int]], slots: int, epochs: int) -> list[float]:
    weights, gradients = [0.0] * slots, [_FIRST_GRADIENTS] * slots
    logistic = _logistic_table()
    order, state = list(range(len(lines))), 1
    for epoch in range(epochs):
        for last in range(len(order) - 1, 0, -1):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            other = (state >> 8) % (last + 1)
            order[last], order[other] = order[other], order[last]
        rate = _RATE * (1 - epoch / epochs + _RATE_FLOOR)
        for number in order:
            line = iter(lines[number])
            for a, b, c, d, e, turn in zip(line, line, line, line, line, line, strict=True):
                total = weights[a] + weights[b] + weights[c] + weights[d] + weights[e]
                total = min(max(total, -_BOUND), _BOUND)
                error = turn - logistic[int((total + _BOUND) * _STEPS)]
                for slot in (a, b, c, d, e):
                    weight = weights[slot]
                    gradient = error - _PULL * weight
                    squares = gradients[slot] + gradient * gradient
                    gradients[slot] = squares
                    weights[slot] = weight + rate * gradient / squares**0.5
    return weights


def _logistic_table() -> list[float]:
    table = []
    for step in range(2 * _BOUND * _STEPS + 1):
        power = 1 - (step / _STEPS - _BOUND) / 4096
        for _ in range(12):  # (1 - x / 4096) ** 4096 is exp(-x) closely enough, and the same everywhere
            power *= power
        table.append(1 / (1 + power))
    return table


def _round(value: float) -> int:
    return int(value + 0.5) if value >= 0 else -int(0.5 - value)


def _literal(data: bytes, indent: int) -> str:
    step = 24
    return "".join(
        " " * indent + 'b"' + "".join(f"\\x{byte:02x}" for byte in data[at : at + step]) + '"\n'
        for at in range(0, len(data), step)
    )


def add_commands(commands: Any) -> None:
    """Add `train-text` to the command line."""
    parser = commands.add_parser(
        "train-text",
        help="make the model that squeezes texts",
        description="Make the model that squeezes texts. The same corpus gives the same bytes.",
    )
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="DIR", help="folder of .txt files")
    parser.add_argument("--out", type=Path, default=MODEL_FILE, metavar="FILE", help="module to write")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the module is not that of the corpus"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    texts = read_corpus(arguments.corpus)
    if not texts:
        print(f"baken-bench: no texts in {arguments.corpus}", file=sys.stderr)
        return 1
    made = module_of(train(texts))
    if arguments.check:
        same = arguments.out.read_text(encoding="utf-8") == made
        print(f"{arguments.out}: {'is' if same else 'is not'} what the corpus gives")
        return 0 if same else 1
    arguments.out.write_text(made, encoding="utf-8")
    print(f"{arguments.out}: {SLOTS // 2} bytes of weights from {sum(map(len, texts))} bytes of text")
    return 0
