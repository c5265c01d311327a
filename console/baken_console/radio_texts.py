"""Text messages over a radio on this computer, without a broker.

A gateway's `TextDesk` works the radio, the console's `Chatbox` is what people look at. Between them stands
what is a broker elsewhere: each message of the one is handed to the other, and acknowledged, at once. So a
text takes the same steps as over a gateway: kept before anybody is told of it, never sent twice, and its fate
is told.

No input or output: `step` carries what there is, `deadline` says when to come again though nothing happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from baken_console.chatbox import OWN_RADIO, Chatbox
from baken_gateway import texts, views
from baken_gateway.region import Region
from baken_gateway.text_desk import TextDesk

MAX_ROUNDS = 8  # of one `step`; what is left then goes with the next one
_PREFIX = "radio/"  # before the desk's names in the console's store


class _Drawer:
    """The desk's part of the console's store; without a store nothing is kept."""

    def __init__(self, store: Any) -> None:
        self._store = store if hasattr(store, "texts") else None

    def texts(self) -> dict[str, bytes]:
        held = self._store.texts() if self._store is not None else {}
        return {name.removeprefix(_PREFIX): value for name, value in held.items() if name.startswith(_PREFIX)}

    def set_text(self, name: str, payload: bytes) -> None:
        if self._store is not None:
            self._store.set_text(_PREFIX + name, payload)


class RadioTexts:
    """`desk` is for the radio's session; `on_news()`: call `step`, there may be something for the chatbox;
    `on_radio()`: there may be something for the radio.
    """

    def __init__(
        self,
        region: Region,
        store: Any,
        chatbox: Chatbox,
        rand: Callable[[int], int],
        on_news: Callable[[], None] = lambda: None,
        on_radio: Callable[[], None] = lambda: None,
    ) -> None:
        self.chatbox = chatbox
        self.desk = TextDesk(region, _Drawer(store), OWN_RADIO, rand, on_news, on_radio)
        self.desk.connected()
        self._region = region
        self._handed: set[str] = set()
        self._node_num: int | None = None

    def step(self, node_num: int | None, unix_s: int, now: int) -> None:
        """Carry what either side has for the other; `node_num`: the radio's, None while it is not there."""
        box = self.chatbox
        if node_num is not None and node_num != self._node_num:
            self._node_num = node_num
            about = {"node": {"number": texts.node_name(node_num)}}
            box.receive(f"gateway/{OWN_RADIO}", views.encode(about), now)
        for request_id, (gateway, request) in box.requests.items():
            # One with a fate is the desk's already: it is in its store since before the fate was told.
            is_new = request_id not in self._handed and request_id not in box.fates
            if gateway == OWN_RADIO and request_id in box.own and is_new:
                self._handed.add(request_id)
                self._tell_desk(f"text-request/{OWN_RADIO}/{request_id}", request, now)
        for _ in range(MAX_ROUNDS):
            self.desk.tick(unix_s, now, True)
            if not self._tell_chatbox(now):
                return

    def deadline(self) -> int | None:
        """When `step` has something to do though nothing happened, ms; None: not before something does."""
        return self.desk.deadline()

    def _tell_desk(self, below: str, request: texts.Request, now: int) -> None:
        self.desk.receive(below, texts.encode_request(request, self._region), now)

    def _tell_chatbox(self, now: int) -> bool:
        """Hand over what the desk publishes; whether there was anything."""
        told = False
        while (publish := self.desk.next_publish()) is not None:
            self.chatbox.receive(*publish, now)
            self.desk.acknowledged(*publish)
            told = True
        return told
