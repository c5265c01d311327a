"""Joins the desk's replica to a radio on this computer, so that a crisis room works without any network.

A Baken node keeps the records itself and is brought into step; over any other Meshtastic radio this program
gossips as a gateway does. What the radio has taken is remembered, so that no start of the program sends an
old bulletin again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from baken.noticeboard.link import LinkSession
from baken_console.desk import Desk
from baken_gateway import topics
from baken_gateway.radio_link import RadioTask
from baken_gateway.session import BAKEN, READY, NodeSession
from baken_gateway.stock_radio import RegionChannel, StockRadio

_TAKEN = "radio/"  # before a record's topic, in the store's list of what has been acknowledged


class RadioFeed:
    """`on_record(raw)`: the radio brought something new; `on_change()`: look again. PortError for a port that
    cannot be one.
    """

    def __init__(
        self,
        desk: Desk,
        store: Any,
        port: str,
        clock: Any,
        on_record: Callable[[bytes], None],
        on_change: Callable[[], None],
    ) -> None:
        self.desk = desk
        air = StockRadio(desk.replica, RegionChannel.of(desk.region), random.randrange)
        self.session = NodeSession(LinkSession(desk.replica), random.randrange, air=air)
        self.task = RadioTask(self.session, port, clock, self._record_came, on_change)
        self._air = air
        self._store = store
        self._on_record = on_record
        self._offered: set[bytes] = set()
        self._taken = self._load_taken()

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
