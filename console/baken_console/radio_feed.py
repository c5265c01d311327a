"""Joins the desk's replica to a radio on this computer, so that a crisis room works without any network.

A Baken node keeps the records itself and is brought into step; over any other Meshtastic radio this program
gossips as a gateway does. What the radio has taken is remembered, so that no start of the program sends an
old bulletin again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from baken.noticeboard.link import LinkSession
from baken_console.chatbox import Chatbox
from baken_console.desk import Desk
from baken_console.radio_texts import RadioTexts
from baken_gateway import topics
from baken_gateway.clock import monotonic_ms
from baken_gateway.radio_link import RadioTask
from baken_gateway.session import BAKEN, READY, NodeSession
from baken_gateway.stock_radio import RegionChannel, StockRadio

SETTLED_MS = 1_500  # after its settings a radio hands over at once what it kept for its client
_STEP_S = 1.0
_TAKEN = "radio/"  # before a record's topic, in the store's list of what has been acknowledged


class RadioFeed:
    """`on_record(raw)`: the radio brought something new; `on_change()`: look again. PortError for a port that
    cannot be one. `chatbox`: text messages go over the radio, too.
    """

    def __init__(
        self,
        desk: Desk,
        store: Any,
        port: str,
        clock: Any,
        on_record: Callable[[bytes], None],
        on_change: Callable[[], None],
        chatbox: Chatbox | None = None,
    ) -> None:
        self.desk = desk
        air = StockRadio(desk.replica, RegionChannel.of(desk.region), random.randrange)
        self._texts: RadioTexts | None = None
        if chatbox is not None:
            self._texts = RadioTexts(desk.region, store, chatbox, random.randrange)
        text_desk = self._texts.desk if self._texts is not None else None
        self.session = NodeSession(LinkSession(desk.replica), random.randrange, air=air, texts=text_desk)
        self.task = RadioTask(self.session, port, clock, self._record_came, self._port_changed)
        if text_desk is not None:
            text_desk.on_broker, text_desk.on_node = self.wake_texts, self.task.wake
        self._air = air
        self._store = store
        self._clock = clock
        self._on_record = on_record
        self._on_change = on_change
        self._text_news = asyncio.Event()
        self._ready_at: int | None = None
        self._offered: set[bytes] = set()
        self._taken = self._load_taken()

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(self.task.run(), self._carry_texts())

    def wake_texts(self) -> None:
        """There may be a text to carry, to the radio or from it."""
        self._text_news.set()

    @property
    def can_send_texts(self) -> bool:
        """Whether a text that is asked for now goes out at once; any Meshtastic radio does."""
        return self._texts is not None and self.session.state == READY

    @property
    def has_texts(self) -> bool:
        """Whether the texts that the radio kept for its client are here."""
        return (
            self.can_send_texts
            and self._ready_at is not None
            and monotonic_ms() - self._ready_at >= SETTLED_MS
        )

    @property
    def is_up(self) -> bool:
        """Whether what is made here now goes out."""
        return self.session.state == READY and (self.session.device == BAKEN or self.is_stock)

    @property
    def is_stock(self) -> bool:
        """Whether this program gossips over it: it keeps no records itself."""
        return self._air.is_open

    @property
    def in_step(self) -> bool:
        """Whether all that the node holds is here: the numbers in use are known then. A stock radio holds
        nothing, so with one they are not.
        """
        return self.session.device == BAKEN and self.session.in_step

    @property
    def problem(self) -> str | None:
        """Why it is not up, for people."""
        return self.task.problem or self._air.problem

    def offer(self, raw: bytes) -> None:
        """A record that came from elsewhere."""
        self.task.offer(raw)

    def offer_made(self) -> None:
        """Give the radio what was made here and it has not taken yet."""
        for key in self.desk.made_here:
            notice = self.desk.replica.notices.get(key)
            for raw in notice.parts.values() if notice else ():
                if raw not in self._offered:
                    self._offered.add(raw)
                    if self._taken.get(topics.of_record(raw)) != raw:
                        self.task.offer(raw)

    def has(self, raw: bytes) -> bool:
        """Whether the radio has taken this record: a Baken node keeps it, a stock radio sends it."""
        topic = topics.of_record(raw)
        if self._taken.get(topic) == raw:
            return True
        if not self.session.has_taken(raw) and not (self.in_step and raw in self._offered):
            return False
        self._taken[topic] = raw
        self._store.set_acknowledged(_TAKEN + topic, raw)
        return True

    async def _carry_texts(self) -> None:
        """Let texts go both ways, whenever there is one and once a second."""
        if self._texts is None:
            return
        while True:
            self._text_news.clear()
            revision = self._texts.chatbox.revision
            node_num = self.session.node_num if self.session.state == READY else None
            self._texts.step(node_num, self._clock.unix_s(), monotonic_ms())
            if self._texts.chatbox.revision != revision:
                self._on_change()
            try:
                async with asyncio.timeout(_STEP_S):
                    await self._text_news.wait()
            except TimeoutError:
                continue

    def _port_changed(self) -> None:
        if self.session.state != READY:
            self._ready_at = None
        elif self._ready_at is None:
            self._ready_at = monotonic_ms()
            self.wake_texts()
        self._on_change()

    def _record_came(self, raw: bytes) -> None:
        self._on_record(raw)

    def _load_taken(self) -> dict[str, bytes]:
        """What it had taken before, of what still lives."""
        live = {topics.of_record(raw): raw for raw in self.desk.replica.records()}
        taken: dict[str, bytes] = {}
        for topic, raw in self._store.acknowledged().items():
            record_topic = topic.removeprefix(_TAKEN)
            if topic == record_topic:
                continue
            if live.get(record_topic) == raw:
                taken[record_topic] = raw
            else:
                self._store.set_acknowledged(topic, b"")
        return taken
