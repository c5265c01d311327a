"""What the feed tells the app. A feed runs beside the screen and touches no widget: it posts these."""

from __future__ import annotations

from dataclasses import dataclass, field

from textual.message import Message

from baken_console.connection import Connection


@dataclass
class RecordsChanged(Message):
    """Records came in, or the broker confirmed some. Only the last of a burst counts."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RecordsChanged)


@dataclass
class ConnectionChanged(Message):
    """The broker or a gateway came or went. Only the last of a burst counts: it says all."""

    connection: Connection = field(default_factory=Connection)

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ConnectionChanged)
