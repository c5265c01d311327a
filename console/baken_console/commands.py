"""The command palette: every action with a plain sentence, under the same name as in the help."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from baken_console.app import ConsoleApp

# name in the words, action of the app
COMMANDS = (
    ("new", "new"),
    ("update", "update"),
    ("cancel", "cancel"),
    ("attention", "attention"),
    ("log", "log"),
    ("reports", "reports"),
    ("texts", "texts"),
    ("sort", "sort"),
    ("language", "language"),
    ("mono", "mono"),
    ("screenshot", "save_screenshot"),
    ("help", "help"),
    ("quit", "quit"),
)


class ConsoleCommands(Provider):
    """Searched in the reader's language."""

    async def discover(self) -> Hits:
        app = cast("ConsoleApp", self.app)
        for name, action in COMMANDS:
            yield DiscoveryHit(
                app.words(f"command-{name}"), app.runner(action), help=app.words(f"command-{name}-help")
            )

    async def search(self, query: str) -> Hits:
        app = cast("ConsoleApp", self.app)
        matcher = self.matcher(query)
        for name, action in COMMANDS:
            title, sentence = app.words(f"command-{name}"), app.words(f"command-{name}-help")
            score = matcher.match(f"{title} {sentence}")
            if score > 0:
                yield Hit(score, matcher.highlight(title), app.runner(action), help=sentence)
