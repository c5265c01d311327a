"""A store in memory; its methods say what is asked of every store, `store` what that is for."""

from baken.wire.records import decode_header


class MemoryStore:
    """A store that forgets everything; for tests and for consoles that only look."""

    vouches = False

    def __init__(self):
        self.lost = []
        self._records = {}
        self._values = {}

    def ids(self):
        """The id of every record, in no promised order; nothing may be changed meanwhile."""
        return iter(self._records)

    def fetch(self, record_id):
        """A raw record, or None."""
        return self._records.get(record_id)

    def load(self):
        """All raw records, in no promised order."""
        return list(self._records.values())

    def put(self, raw):
        """Keep `raw`; a record of the same id is replaced."""
        self._records[decode_header(raw).record_id] = bytes(raw)

    def remove(self, record_id):
        """Forget a record; nothing happens when there is none."""
        self._records.pop(record_id, None)

    def commit(self):
        """What was put and removed since the last commit belongs together and shall last."""

    def get(self, name):
        """The value `name` as bytes, or None."""
        return self._values.get(name)

    def set(self, name, value):
        """Keep `value` (bytes) as `name`."""
        self._values[name] = bytes(value)
