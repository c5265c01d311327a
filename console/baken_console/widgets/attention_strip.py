"""What a tired person should look at first: the most urgent things in a few lines, always on the screen."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from baken_console.model import Board
from baken_console.palette import ALERT, GOOD, MUTED, WARN
from baken_console.words import Words

ALERT_RANK = 13  # attentions up to this rank are about life, or about an alarm that has not arrived


class AttentionStrip(Static):
    """As many lines as its style allows; the last one says how many more there are."""

    def show(self, board: Board, lines: int, words: Words) -> None:
        width = max(self.size.width - 2, 30)
        out = Text(no_wrap=True, overflow="ellipsis")
        if not board.attention:
            quiet = words("attention-none" if board.bulletins or board.last_contact_s else "attention-first")
            self.update(
                Text(
                    f" = {quiet}", style=GOOD if board.bulletins else MUTED, no_wrap=True, overflow="ellipsis"
                )
            )
            return
        shown = board.attention[:lines]
        rest = len(board.attention) - len(shown)
        for index, attention in enumerate(shown):
            more = f"  ({words('attention-more', count=rest)})" if rest and index == len(shown) - 1 else ""
            alert = attention.rank <= ALERT_RANK
            sign = "!!" if alert else " !"
            room = width - len(more)
            out.append("\n" if index else "")
            out.append(_cut(f"{sign} {words.attention(attention, room - 3)}", room), ALERT if alert else WARN)
            out.append(more, MUTED)
        self.update(out)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
