"""Joins the desk's replica to the broker, the same way as a gateway does, and tells the app what has changed.

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

from baken_console.chatbox import Chatbox
from baken_console.connection import CONNECTED, CONNECTING, DOWN, Connection
from baken_console.desk import Desk
from baken_console.receipts import BulletinKey
from baken_gateway import topics
from baken_gateway.bridge import MqttReplica
from baken_gateway.mqtt_link import BrokerAddress, MqttTask

GATEWAY_ROLE = "gateway/"
MAX_IDS = 16  # one computer leaves at most this many names of each role at the broker


class Feed:
    """`on_change()`: records or the connection may be different; `role` is part of the name at the broker."""

    def __init__(
        self,
        desk: Desk,
        store: Any,
        address: BrokerAddress,
        clock: Any,
        role: str,
        on_change: Callable[[], None],
        chatbox: Chatbox | None = None,
    ) -> None:
        self.desk = desk
        self.joined = MqttReplica(desk.region, desk.replica, store, console_name(role), texts=chatbox)
        self.task = MqttTask(self.joined, address, clock, on_change=self._changed)
        self._store = store
        self._on_change = on_change
        self._was_synced = False
        self._sent: set[BulletinKey] = set()
        self._news = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        desk.is_sent = self.is_sent

    async def run(self) -> None:
        """Until cancelled."""
        await self.task.run()

    def wake(self) -> None:
        """The desk has made something: publish it."""
        self.task.wake()

    def is_sent(self, key: BulletinKey) -> bool:
        """The broker has the bulletin; one that was not made here came from it, or from its gateways."""
        notice = self.desk.replica.notices.get(key)
        if notice is None or key not in self.desk.made_here:
            return True
        if all(self.joined.is_acknowledged(raw) for raw in notice.parts.values()):
            if key not in self._sent:
                # The broker may send a record back before it confirms it, and this program may end in
                # between.
                for raw in notice.parts.values():
                    self._store.set_acknowledged(topics.of_record(raw), raw)
                self._sent.add(key)
            return True
        # Without a connection what was known stays known; with one the broker's word counts.
        return key in self._sent and not self.joined.synced

    @property
    def connection(self) -> Connection:
        """For the connection bar."""
        broker = str(self.task.address)
        gateways = sorted(
            (name.removeprefix(GATEWAY_ROLE), online)
            for name, online in self.joined.online.items()
            if name.startswith(GATEWAY_ROLE)
        )
        if self.task.is_connected:
            return Connection(CONNECTED, broker, tuple(gateways))
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

    def _changed(self) -> None:
        if self.joined.synced and not self._was_synced:
            self.desk.contact_made()
        self._was_synced = self.joined.synced
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
