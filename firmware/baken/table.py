"""Much in little memory: rows of bytes in a table, and values that are made when they are asked for.

A dictionary of small objects takes five times as much of a board's memory as their bytes, and its own table
has to be one long stretch.
"""

from baken.compat import const

_IN_BLOCK = const(32)  # rows: a full heap has no room for a long stretch


class Table:
    """Keys of `key_size` bytes, and behind each `value_size` bytes, in no promised order."""

    def __init__(self, key_size, value_size):
        self._key_size = key_size
        self._row_size = key_size + value_size
        self._blocks = []
        self._count = 0

    def __len__(self):
        return self._count

    def __contains__(self, key):
        return self._find(key) is not None

    def __iter__(self):
        """Each row, key first; nothing may be changed meanwhile."""
        for number in range(self._count):
            block, at = self._row(number)
            yield bytes(block[at : at + self._row_size])

    def get(self, key):
        """The value of a key, or None."""
        number = self._find(key)
        if number is None:
            return None
        block, at = self._row(number)
        return bytes(block[at + self._key_size : at + self._row_size])

    def set(self, key, value):
        """Keep the value of a key in place of the one before. ValueError when one is not as long as the
        table's.
        """
        row = key + value
        if len(key) != self._key_size or len(row) != self._row_size:
            raise ValueError("row is %d + %d bytes" % (len(key), len(value)))
        number = self._find(key)
        if number is None:
            number = self._count
            if number == len(self._blocks) * _IN_BLOCK:
                self._blocks.append(bytearray(self._row_size * _IN_BLOCK))
            self._count += 1
        block, at = self._row(number)
        block[at : at + self._row_size] = row

    def remove(self, key):
        """Forget a key; nothing happens when there is none."""
        number = self._find(key)
        if number is None:
            return
        self._count -= 1
        block, at = self._row(number)
        last, at_last = self._row(self._count)
        block[at : at + self._row_size] = last[at_last : at_last + self._row_size]
        if self._count % _IN_BLOCK == 0:
            self._blocks.pop()

    def _row(self, number):
        return self._blocks[number // _IN_BLOCK], number % _IN_BLOCK * self._row_size

    def _find(self, key):
        for index, block in enumerate(self._blocks):
            at = block.find(key)
            while at >= 0:
                if at % self._row_size == 0:
                    number = index * _IN_BLOCK + at // self._row_size
                    return number if number < self._count else None
                at = block.find(key, at + 1)
        return None


class Lookup:
    """What is read like a dictionary, each value made when it is asked for: subclasses have `get`, and
    `__iter__` for the keys. A value that cannot be made is left out.
    """

    def get(self, key, default=None):
        """The value, or `default`."""
        raise NotImplementedError

    def __iter__(self):
        raise NotImplementedError

    def __len__(self):
        return len(self.keys())

    def __contains__(self, key):
        return self.get(key) is not None

    def __getitem__(self, key):
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __eq__(self, other):
        return len(self) == len(other) and all([self.get(key) == other.get(key) for key in self])

    def keys(self):
        """In no promised order."""
        return list(iter(self))

    def values(self):
        """One after the other."""
        for _, value in self.items():
            yield value

    def items(self):
        """(key, value), one after the other."""
        for key in self.keys():
            value = self.get(key)
            if value is not None:
                yield key, value
