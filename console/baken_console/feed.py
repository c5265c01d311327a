"""Joins the desk's replica to the broker, to a radio on this computer, or to both, as a gateway does.

The connection lives in a thread of `baken_gateway.mqtt_link`; what it brings is taken in by an asyncio task
in the app's own loop. So the replica belongs to one thread, and the screen never waits for the network.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from baken_console.chatbox import OWN_RADIO, Chatbox
from baken_console.connection import CONNECTED, CONNECTING, DOWN, Connection
from baken_console.desk import Desk
from baken_console.radio_feed import RadioFeed
from baken_console.receipts import BulletinKey
from baken_gateway import topics
from baken_gateway.bridge import MqttReplica
from baken_gateway.mqtt_link import BrokerAddress, MqttTask
from baken_gateway.texts import ANY

GATEWAY_ROLE = "gateway/"
MAX_IDS = 16  # one computer leaves at most this many names of each role at the broker


class Feed:
    """`on_change()`: records or the connection may be different; `role` is part of the name at the broker.

    `address` None: no broker; `port` None: no radio. What one of them brings is passed on to the other.
    """

    def __init__(
        self,
        desk: Desk,
        store: Any,
        address: BrokerAddress | None,
        clock: Any,
        role: str,
        on_change: Callable[[], None],
        port: str | None = None,
        chatbox: Chatbox | None = None,
    ) -> None:
        self.desk = desk
        self.joined: MqttReplica | None = None
        self.task: MqttTask | None = None
        self.radio: RadioFeed | None = None
        if address is not None:
            self.joined = MqttReplica(desk.region, desk.replica, store, console_name(role), texts=chatbox)
            self.task = MqttTask(self.joined, address, clock, self._from_broker, self._changed)
        if port is not None:
            self.radio = RadioFeed(desk, store, port, clock, self._from_radio, self._changed, chatbox)
            self.radio.offer_made()
        self._store = store
        self._on_change = on_change
        self._was_synced = False
        self._sent: set[BulletinKey] = set()
        self._news = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        desk.is_sent = self.is_sent

    async def run(self) -> None:
        """Until cancelled."""
        tasks = [joined.run() for joined in (self.task, self.radio) if joined is not None]
        await asyncio.gather(*tasks)

    def wake(self) -> None:
        """The desk has made something: publish it."""
        if self.task is not None:
            self.task.wake()
        if self.radio is not None:
            self.radio.offer_made()
            self.radio.wake_texts()

    @property
    def text_sender(self) -> str:
        """Who is to send a text that is asked for now: any gateway at the broker while there is one, else the
        radio on this computer.
        """
        if self.radio is None:
            return ANY
        if self.joined is None or self.task is None:
            return OWN_RADIO
        online = [name for name, is_on in self.joined.online.items() if is_on]
        has_gateway = self.task.is_connected and any(name.startswith(GATEWAY_ROLE) for name in online)
        return OWN_RADIO if self.radio.can_send_texts and not has_gateway else ANY

    @property
    def has_texts(self) -> bool:
        """Whether the texts that the broker holds, or the radio has kept for us, are here."""
        from_radio = self.radio is not None and self.radio.has_texts
        return from_radio if self.joined is None else self.joined.synced

    def publish(self, raw: bytes) -> None:
        """A record that is not a bulletin was made here and is in the desk's replica: let it go out."""
        if self.task is not None:
            self.task.wake()
        if self.radio is not None:
            self.radio.offer(raw)
        self._on_change()

    def has(self, raw: bytes) -> bool:
        """Whether broker or radio have this record."""
        by_radio = self.radio is not None and self.radio.has(raw)
        return by_radio or (self.joined is not None and self.joined.is_acknowledged(raw))

    @property
    def synced(self) -> bool:
        """Whether all that the broker, or the Baken node on the port, holds is here."""
        in_step = self.radio is not None and self.radio.in_step
        return in_step or (self.joined is not None and self.joined.synced)

    @property
    def is_ready(self) -> bool:
        """Whether no more is to be waited for: all is here, or the radio is one that holds nothing."""
        return self.synced or (self.radio is not None and self.radio.is_stock)

    @property
    def waiting(self) -> int:
        """How many bulletins of ours nobody has taken yet, and messages that the broker has not confirmed."""
        made = sum(not self.is_sent(key) for key in self.desk.made_here)
        return made + (self.joined.waiting if self.joined is not None and self.joined.is_connected else 0)

    @property
    def name(self) -> str:
        """What it is joined to, for people."""
        names = [str(self.task.address)] if self.task else []
        return " + ".join([*names, self.radio.task.port] if self.radio else names)

    @property
    def problem(self) -> str | None:
        """Why something of it is away, for people."""
        problems = [self.task.problem if self.task else None, self.radio.problem if self.radio else None]
        return "; ".join(problem for problem in problems if problem) or None

    @property
    def counters(self) -> dict[str, int]:
        """{cause: count} of what was refused."""
        return dict(self.joined.counters) if self.joined else {}

    def is_sent(self, key: BulletinKey) -> bool:
        """Broker or radio have the bulletin; one that was not made here came from them."""
        notice = self.desk.replica.notices.get(key)
        if notice is None or key not in self.desk.made_here:
            return True
        by_radio = self.radio is not None and all(self.radio.has(raw) for raw in notice.parts.values())
        return by_radio or self._broker_has(key, notice.parts)

    def _broker_has(self, key: BulletinKey, parts: dict[int, bytes]) -> bool:
        if self.joined is None:
            return False
        if all(self.joined.is_acknowledged(raw) for raw in parts.values()):
            if key not in self._sent:
                # The broker may send a record back before it confirms it, and this program may end in
                # between.
                for raw in parts.values():
                    self._store.set_acknowledged(topics.of_record(raw), raw)
                self._sent.add(key)
            return True
        # Without a connection what was known stays known; with one the broker's word counts.
        return key in self._sent and not self.joined.synced

    @property
    def connection(self) -> Connection:
        """For the connection bar."""
        radio = self.radio
        ports = [radio.task.port] if radio is not None and radio.is_up else []
        if self.joined is None or self.task is None:
            assert radio is not None
            state = CONNECTED if ports else DOWN if radio.problem else CONNECTING
            return Connection(state, radio.task.port, (), "" if ports else radio.problem or "", True)
        broker = str(self.task.address)
        gateways = sorted(
            (name.removeprefix(GATEWAY_ROLE), online)
            for name, online in self.joined.online.items()
            if name.startswith(GATEWAY_ROLE)
        )
        if self.task.is_connected:
            return Connection(CONNECTED, " + ".join([broker, *ports]), tuple(gateways))
        if ports:
            return Connection(CONNECTED, ports[0], (), self.task.problem or "", True)
        state = DOWN if self.task.problem else CONNECTING
        return Connection(state, broker, (), self.task.problem or "")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run inside this block, then leave the broker in good order; raises what ended the feed early."""
        self._runner = asyncio.create_task(self.run())
        try:
            yield
        finally:
            self._runner.cancel()
            results = await asyncio.gather(self._runner, return_exceptions=True)
            self._runner = None
        if isinstance(results[0], Exception):
            raise results[0]

    async def reached(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait, inside `running`, until the condition holds or the time is up; whether it holds."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        while not condition() and loop.time() < deadline_s and self._runner and not self._runner.done():
            self._news.clear()
            try:
                async with asyncio.timeout(min(max(deadline_s - loop.time(), 0), 0.5)):
                    await self._news.wait()
            except TimeoutError:
                continue
        return condition()

    def _from_broker(self, raw: bytes) -> None:
        if self.radio is not None:
            self.radio.offer(raw)

    def _from_radio(self, raw: bytes) -> None:
        if self.task is not None:
            self.task.wake()
        self._changed()

    def _changed(self) -> None:
        if self.synced and not self._was_synced:
            self.desk.contact_made()
        self._was_synced = self.synced
        for key in self.desk.made_here:
            self.is_sent(key)
        self._news.set()
        self._on_change()


def stored_is_sent(desk: Desk, store: Any) -> Callable[[BulletinKey], bool]:
    """`is_sent` for a console without a broker: what the broker had confirmed the last time."""
    acknowledged = store.acknowledged() if hasattr(store, "acknowledged") else {}

    def is_sent(key: BulletinKey) -> bool:
        notice = desk.replica.notices.get(key)
        return notice is None or all(
            acknowledged.get(topics.of_record(raw)) == raw for raw in notice.parts.values()
        )

    return is_sent


def console_name(role: str) -> str:
    """Name in topics: console/<computer>-<role><n>; different for programs that run at the same time."""
    host = re.sub("[^A-Za-z0-9-]", "-", socket.gethostname())[:20].strip("-") or "console"
    return f"console/{host}-{role}{os.getpid() % MAX_IDS}"
