"""The node database on flash: `nodes.bin`, so that names, keys and marks are known after a restart.

Flash wears, so it is written two hours after something changed that is worth it, and at once for what must
not be lost (a first key, a mark of the owner), but never more often than every ten minutes. Heard times alone
are no reason. It is written beside the old file and renamed over it: a power cut leaves one of the two.
"""

import os

from baken.compat import const
from baken.mesh import nodedump

_EVERY_MS = const(7_200_000)
_PAUSE_MS = const(600_000)
_NAME = "/nodes.bin"
_HALF = "/~nodes.bin"  # being written


class NodeFile:
    """Keeps `nodes` (a NodeDatabase) in the folder `path`.

    `damaged` counts blocks of the file that were of no use, `full` the writes for which there was no room.
    """

    def __init__(self, path, nodes):
        self.damaged = 0
        self.full = 0
        self._path = path
        self._nodes = nodes
        self._saved_at = None
        self._in_step()

    def load(self, now, unix_s):
        """Read what was kept; whatever is in the file, the node starts."""
        self._remove_half()
        try:
            with open(self._path + _NAME, "rb") as file:
                self.damaged += nodedump.load(self._nodes, file.read, now, unix_s)
        except OSError:
            pass  # the first start
        self._in_step()

    def deadline(self):
        """When `save` has something to write, None while nothing changed."""
        nodes = self._nodes
        if nodes.urgent_changes != self._urgent_changes:
            return 0 if self._saved_at is None else self._saved_at + _PAUSE_MS
        if nodes.changes != self._changes:
            return (self._saved_at or 0) + _EVERY_MS
        return None

    def save(self, now, unix_s):
        """Write what changed if it is time; True if it was written."""
        due = self.deadline()
        if due is None or now < due:
            return False
        self._saved_at = now
        try:
            with open(self._path + _HALF, "wb") as file:
                for chunk in nodedump.dump(self._nodes, now, unix_s):
                    file.write(chunk)
            os.rename(self._path + _HALF, self._path + _NAME)
        except OSError:
            self.full += 1  # tried again at the next turn; records go before it
            self._remove_half()
            return False
        self._in_step()
        return True

    def _remove_half(self):
        try:
            os.remove(self._path + _HALF)
        except OSError:
            pass

    def _in_step(self):
        self._changes = self._nodes.changes
        self._urgent_changes = self._nodes.urgent_changes
