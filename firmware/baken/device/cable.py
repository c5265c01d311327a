"""A program with a replica at the other end of the client's connection: a gateway, or a console.

Its records come and go as packets to the node's own number, which never go on the air. The session begins
with its first record, and ends with the connection.
"""

from baken.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any


class Cable:
    """Joins a ClientApi and a LinkSession."""

    def __init__(self, api, link):
        self._api = api
        self._link = link
        self._is_open = False
        self._payload: "Any" = None  # that the client's queue had no room for yet

    @property
    def is_in_step(self):
        """Whether both ends have all that the other has: what comes now is new, not kept."""
        return self._link.in_step

    def receive(self, payload, unix_s, now):
        """Take a payload of the program; the cause when a record in it was refused, else empty."""
        if not self._is_open:
            self._is_open = True
            self._link.open(now)
        outcome = self._link.receive(payload, unix_s, now)
        return outcome.cause if outcome is not None else ""

    def offer(self, raw):
        """A record that is new here, from elsewhere."""
        self._link.offer(raw)

    def run(self, now):
        """Give the client the next payload; False when there is none, or no room."""
        if self._is_open and not self._api.client_ready:
            self._is_open = False
            self._payload = None
            self._link.close()
        if self._is_open and self._payload is None:
            self._payload = self._link.next_payload(now)
        if self._payload is None or not self._api.client_record(self._payload):
            return False
        self._payload = None
        return True

    def deadline(self):
        """When `run` may have something, None: not before something is heard."""
        return self._link.deadline() if self._is_open else None
