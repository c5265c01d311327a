"""Runs on MicroPython: what expanding squeezed texts costs.

    micropython texts.py FILE        (a text a line, hexadecimal)

Prints the heap of the code and of the model, the mean garbage of a text (bytes) and its mean time (us).
"""

import gc
import sys
import time


def main(path):
    with open(path) as file:
        words = file.read().split()
    gc.collect()
    start = gc.mem_alloc()
    from baken.wire import squeeze

    gc.collect()
    code = gc.mem_alloc() - start
    from baken.wire import squeeze_model  # noqa: F401 - its size is measured

    gc.collect()
    model = gc.mem_alloc() - start - code
    texts = [bytes.fromhex(word) for word in words]
    squeeze.expand(texts[0], 600)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    began = time.ticks_us()
    for text in texts:
        squeeze.expand(text, 600)
    took = time.ticks_diff(time.ticks_us(), began)
    print(code, model, (gc.mem_alloc() - before) // len(texts), took // len(texts))


main(sys.argv[1])
