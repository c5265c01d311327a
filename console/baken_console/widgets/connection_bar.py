"""The second line: is there a broker, a gateway, and when did the field last speak? Always on the screen."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from baken_console.connection import CONNECTED, CONNECTING, DOWN, NO_BROKER, Connection
from baken_console.model import LATE_AFTER_S, Board
from baken_console.moments import Calendar
from baken_console.palette import ALERT, GOOD, MUTED, WARN
from baken_console.words import Words

MAX_ADDRESS = 26
_SIGN = {CONNECTED: "■", CONNECTING: "□", DOWN: "X", NO_BROKER: "-"}
_STYLE = {CONNECTED: GOOD, CONNECTING: WARN, DOWN: ALERT, NO_BROKER: MUTED}


class ConnectionBar(Static):
    """Sign, words and colour say the same; the pieces that do not fit are left out from the right."""

    def show(
        self,
        connection: Connection,
        board: Board,
        sender: str | None,
        clock_stopped: bool,
        words: Words,
        calendar: Calendar,
        unread: int = 0,
    ) -> None:
        """`sender`: name of the authority that signs here, None when this console only looks."""
        broker = words(f"broker-{connection.state}", broker=_short(connection.broker))
        pieces = [
            (words("clock-stopped") if clock_stopped else "", ALERT),
            (f"{_SIGN[connection.state]} {broker}", _STYLE[connection.state]),
            (words("texts-unread", count=unread) if unread else "", WARN),
            _gateway(connection, words),
            _contact(board, words, calendar),
            (words("key-sends", name=sender), "") if sender else (words("key-read-only"), MUTED),
        ]
        line = Text(" ")
        for text, style in pieces:
            if text and len(line) + len(text) + 2 <= max(self.size.width, 40) + 1:
                line.append(" · " if len(line) > 1 else "", MUTED)
                line.append(text, style)
        self.update(line)


def _short(broker: str) -> str:
    """An address that leaves room for the rest; its port is at the end and stays."""
    return broker if len(broker) <= MAX_ADDRESS else f"{broker[: MAX_ADDRESS - 8]}...{broker[-5:]}"


def _gateway(connection: Connection, words: Words) -> tuple[str, str]:
    if connection.state in (NO_BROKER, DOWN) or connection.is_radio:
        return "", ""
    if not connection.gateways:
        return words("gateway-none"), MUTED
    if connection.online_gateways:
        return words("gateway-online", names=", ".join(connection.online_gateways)), GOOD
    return words("gateway-offline", names=", ".join(name for name, _online in connection.gateways)), ALERT


def _contact(board: Board, words: Words, calendar: Calendar) -> tuple[str, str]:
    if board.last_contact_s is None:
        return words("contact-none"), MUTED
    late = board.now_s - board.last_contact_s >= LATE_AFTER_S
    return words(
        "contact-short", when=calendar.brief(board.last_contact_s, board.now_s)
    ), ALERT if late else ""
