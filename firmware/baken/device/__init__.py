"""The node on a board: asyncio, drivers' callers, and what its screen shows."""

# First what others stand on: an import inside an import takes a piece of the interpreter's stack. From the
# node program down to this one there were as many as MicroPython's unix port bears with 32-bit words.
import baken.wire.bulletin  # noqa: F401
