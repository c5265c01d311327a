"""A small MQTT broker on this machine: amqtt, for the demo and for tests.

    python -m baken_hardware.virtual.broker --port 1883 [--data DIR]

or inside another program's event loop: `broker = Broker(port=0); await broker.start(); broker.port`.

What is made good here of amqtt 0.12.1:
- it keeps retained messages in memory only; with a folder given they are kept in SQLite (`retained.db`);
- to each client that connects it sends retained messages for the subscriptions of all *other* clients, and
breaks the
  connection when somebody subscribes meanwhile ("dictionary changed size during iteration");
- it acknowledges a message before it has retained it: a kill in between loses it. Left so; who publishes
must compare
  after each connection what the broker has, as `baken_gateway.bridge` does.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from amqtt.broker import Broker as AmqttBroker
from amqtt.broker import RetainedApplicationMessage
from amqtt.errors import BrokerError
from amqtt.session import Session

SHUTDOWN_LIMIT_S = 3.0
_LISTENER = "default"


class Broker(AmqttBroker):
    """To be made inside a running event loop. Anybody may connect: it is meant for the loopback interface."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, data: Path | None = None) -> None:
        super().__init__(
            {
                "listeners": {_LISTENER: {"type": "tcp", "bind": f"{host}:{port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        self._host = host
        self._data = data
        self._database: sqlite3.Connection | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once started; of use where 0 was asked for."""
        server = cast(asyncio.Server, self._servers[_LISTENER].instance)
        return server.sockets[0].getsockname()[1]

    async def start(self) -> None:
        """Listen. BrokerError when the port is taken, sqlite3.Error or OSError when `data` is of no use."""
        if self._data is not None:
            self._data.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._data / "retained.db", isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS retained (topic TEXT PRIMARY KEY, data BLOB, qos INTEGER)"
            )
        await super().start()
        if self._database is not None:
            for topic, data, qos in self._database.execute("SELECT topic, data, qos FROM retained"):
                self._retained_messages[topic] = RetainedApplicationMessage(None, topic, data, qos)

    async def stop(self) -> None:
        """End all connections; returns within a few seconds whatever the clients do."""
        try:
            async with asyncio.timeout(SHUTDOWN_LIMIT_S):
                await self.shutdown()
        except TimeoutError:
            pass
        if self._database is not None:
            self._database.close()
            self._database = None

    async def retain_message(
        self,
        source_session: Session | None,
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        if self._database is not None and topic_name is not None:
            if data:
                row = (topic_name, bytes(data), qos)
                self._database.execute("INSERT OR REPLACE INTO retained VALUES (?, ?, ?)", row)
            else:
                self._database.execute("DELETE FROM retained WHERE topic = ?", (topic_name,))
        await super().retain_message(source_session, topic_name, data, qos)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        if any(subscriber is session for subscriber, _qos in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)


async def serve(host: str, port: int, data: Path | None) -> None:
    """Run until SIGTERM or SIGINT; says on stdout when it is ready."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    broker = Broker(host, port, data)
    await broker.start()
    print(f"broker ready on {host}:{broker.port}", flush=True)
    await ended.wait()
    await broker.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m baken_hardware.virtual.broker",
        description="A small MQTT 3.1.1 broker for demos and tests. No passwords, no TLS: keep it on the "
        "loopback interface. Ends on SIGTERM.",
        epilog="Example: python -m baken_hardware.virtual.broker --port 1883 --data /tmp/broker",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=1883, help="TCP port, 0: any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="keep retained messages in DIR (default: in memory)"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log what the broker does")
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.port <= 65535:
        parser.error(f"port is {arguments.port}, allowed 0 to 65535")
    logging.basicConfig(level=logging.DEBUG if arguments.verbose else logging.CRITICAL, stream=sys.stderr)
    try:
        asyncio.run(serve(arguments.host, arguments.port, arguments.data))
    except (BrokerError, sqlite3.Error, OSError) as error:
        print(f"broker: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
