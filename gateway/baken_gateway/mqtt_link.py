"""The connection to an MQTT broker: a thread that keeps it up, and a task that joins a replica to it.

    address = BrokerAddress.parse("broker.example:1883") task = MqttTask(joined, address, clock,
    on_record=..., on_change=...)      # joined: bridge.MqttReplica await task.run()
    # until cancelled task.wake()                                                                # the
    replica has changed elsewhere

MQTT 3.1.1 by paho with a clean session: all that matters is retained, so the broker need not remember us,
and a queue of old messages never stands before the news. Every connection is a new paho client, which has
nothing of an earlier one in flight. Messages are acknowledged by hand, once the replica has stored what
they brought.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from baken.noticeboard.replica import NEW
from baken_gateway.bridge import MqttReplica, Publish
from baken_gateway.clock import Clock, monotonic_ms
from baken_gateway.store import StoreError

DEFAULT_PORT = 1883
DEFAULT_TLS_PORT = 8883
KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 10.0
FAREWELL_TIMEOUT_S = 2.0
MAX_WAITING_EVENTS = 256  # then the thread stops reading, and the broker has to wait
BATCH = 64

_log = logging.getLogger(__name__)


class AddressError(ValueError):
    """A broker's address that cannot be one."""


@dataclass(frozen=True)
class BrokerAddress:
    """Where a broker is and how to address it; `ca_file`: who signs its certificate, None: the usual."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None

    @classmethod
    def parse(cls, text: str, **options) -> BrokerAddress:
        """From HOST, HOST:PORT or [IPV6]:PORT."""
        host, colon, port = text.rpartition(":")
        if text.endswith("]") or not colon:
            host, port = text, str(DEFAULT_TLS_PORT if options.get("tls") else DEFAULT_PORT)
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise AddressError(f"broker is {text!r}, must be HOST or HOST:PORT with a port from 1 to 65535")
        return cls(host, int(port), **options)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Connected:
    pass


@dataclass(frozen=True)
class Subscribed:
    pass


@dataclass(frozen=True)
class Disconnected:
    """`reason`: for people."""

    reason: str


@dataclass(frozen=True)
class Received:
    """To be given to `MqttLink.confirm` once its content is safe."""

    topic: str
    payload: bytes
    client: paho.Client = field(repr=False)
    mid: int
    qos: int


@dataclass(frozen=True)
class Confirmed:
    """The broker has acknowledged a publish; `MqttLink.take_confirmed` tells which."""

    client: paho.Client = field(repr=False)
    mid: int


Event = Connected | Subscribed | Disconnected | Received | Confirmed


class MqttLink:
    """Keeps a connection up from a thread of its own; every event goes to `on_event`, in that thread.

    All methods belong to one other thread, the owner's. `first_pause_s` doubles with each failure up to
    `last_pause_s`.
    """

    def __init__(
        self,
        address: BrokerAddress,
        tls: ssl.SSLContext | None,
        client_id: str,
        will: Publish,
        subscriptions: tuple[str, ...],
        on_event: Callable[[Event], None],
        first_pause_s: float = 0.5,
        last_pause_s: float = 30.0,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._will = will
        self._subscriptions = subscriptions
        self._on_event = on_event
        self._first_pause_s = first_pause_s
        self._last_pause_s = last_pause_s
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._client: paho.Client | None = None
        self._sent: dict[int, Publish] = {}
        self._tls = tls
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        """True while the thread does its work."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Say goodbye and end the thread; one that hangs in a connection attempt is left behind."""
        self._stopping.set()
        self._ended.set()
        self._thread.join(FAREWELL_TIMEOUT_S + 1)

    def drop(self) -> None:
        """Give up the present connection and make a new one after the usual pause."""
        self._ended.set()

    def publish(self, publish: Publish) -> None:
        """Send; `Confirmed` follows, or `Disconnected`."""
        client = self._client
        if client is None:
            return
        info = client.publish(publish.topic, publish.payload, qos=1, retain=publish.retain)
        if info.rc in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            self._sent[info.mid] = publish

    def take_confirmed(self, event: Confirmed) -> Publish | None:
        """The publish that was acknowledged; None when it was of an earlier connection."""
        return self._sent.pop(event.mid, None) if event.client is self._client else None

    def confirm(self, event: Received) -> None:
        """Acknowledge a message to the broker."""
        if event.qos and event.client is self._client:
            event.client.ack(event.mid, event.qos)

    # --- in the thread

    def _run(self) -> None:
        pause_s = self._first_pause_s
        while not self._stopping.is_set():
            was_connected, reason = self._connect_once()
            if self._stopping.is_set():
                break
            self._on_event(Disconnected(reason))
            pause_s = self._first_pause_s if was_connected else min(2 * pause_s, self._last_pause_s)
            self._stopping.wait(pause_s * random.uniform(0.8, 1.2))

    def _connect_once(self) -> tuple[bool, str]:
        """One connection from beginning to end; (whether the broker took us, why it ended)."""
        connected = threading.Event()
        reason = "connection closed"
        self._ended.clear()
        if self._stopping.is_set():
            return False, reason
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=True,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)

        def on_connect(_client, _userdata, _flags, reason_code, _properties) -> None:
            nonlocal reason
            if reason_code.is_failure:
                reason = f"refused: {reason_code}"
                self._ended.set()
                return
            self._sent = {}
            self._client = client
            connected.set()
            self._on_event(Connected())
            client.subscribe([(topic, 1) for topic in self._subscriptions])

        def on_subscribe(_client, _userdata, _mid, reason_codes, _properties) -> None:
            nonlocal reason
            if any(code.is_failure for code in reason_codes):
                reason = f"subscription refused: {', '.join(str(code) for code in reason_codes)}"
                self._ended.set()
            else:
                self._on_event(Subscribed())

        def on_message(_client, _userdata, message: paho.MQTTMessage) -> None:
            try:
                topic = message.topic
            except UnicodeDecodeError:
                topic = ""
            self._on_event(Received(topic, bytes(message.payload), client, message.mid, message.qos))

        def on_disconnect(_client, _userdata, _flags, reason_code, _properties) -> None:
            nonlocal reason
            if not self._ended.is_set():
                reason = f"connection lost: {reason_code}"
            self._ended.set()

        def on_publish(_client, _userdata, mid: int, _reason_code, _properties) -> None:
            self._on_event(Confirmed(client, mid))

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        client.on_disconnect = on_disconnect
        client.on_publish = on_publish
        try:
            client.connect(self._address.host, self._address.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            _let_go(client)
            return False, f"no connection: {error}"
        client.loop_start()
        if not connected.wait(CONNECT_TIMEOUT_S) and not self._ended.is_set():
            reason = f"no answer in {CONNECT_TIMEOUT_S:.0f} s"
        else:
            self._ended.wait()
        if self._stopping.is_set() and connected.is_set():
            self._farewell(client)
        self._client = None
        client.on_disconnect = None
        client.disconnect()
        client.loop_stop()
        _let_go(client)
        return connected.is_set(), reason

    def _farewell(self, client: paho.Client) -> None:
        """An orderly end does not trigger the will, so say it ourselves."""
        try:
            info = client.publish(self._will.topic, self._will.payload, qos=1, retain=True)
            info.wait_for_publish(FAREWELL_TIMEOUT_S)
        except (ValueError, RuntimeError):
            _log.debug("the broker was gone before goodbye")


def _let_go(client: paho.Client) -> None:
    """Without its callbacks a client is in no circle of references, so its sockets close at once."""
    client.on_connect = client.on_subscribe = client.on_message = None
    client.on_disconnect = client.on_publish = None


class MqttTask:
    """Joins `joined` to the broker. `on_record(raw)`: a record that was new here; `on_change()`: look again.

    `is_connected`, `problem` (why not, for people) and `joined` are there to be shown. AddressError when the
    certificate file of `address` is of no use.
    """

    def __init__(
        self,
        joined: MqttReplica,
        address: BrokerAddress,
        clock: Clock,
        on_record: Callable[[bytes], None] = lambda raw: None,
        on_change: Callable[[], None] = lambda: None,
        first_pause_s: float = 0.5,
        last_pause_s: float = 30.0,
    ) -> None:
        self.joined = joined
        self.address = address
        self.problem: str | None = None
        self._clock = clock
        self._on_record = on_record
        self._on_change = on_change
        self._tls = tls_context(address)
        joined.use_broker(str(address))
        self._pauses_s = (first_pause_s, last_pause_s)
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._room = threading.Semaphore(MAX_WAITING_EVENTS)
        self._closing = False

    @property
    def is_connected(self) -> bool:
        return self.joined.is_connected

    def wake(self) -> None:
        """The replica has changed: look what is to be published. In the event loop's thread."""
        self._events.put_nowait(None)

    async def run(self) -> None:
        """Until cancelled; then says goodbye to the broker."""
        loop = asyncio.get_running_loop()
        self._closing = False
        self._room = threading.Semaphore(MAX_WAITING_EVENTS)
        self._events = asyncio.Queue()

        def receive(event: Event) -> None:
            while not self._closing and not self._room.acquire(timeout=0.2):
                pass
            if not self._closing:
                loop.call_soon_threadsafe(self._events.put_nowait, event)

        link = MqttLink(
            self.address,
            self._tls,
            f"baken-{self.joined.region.id}-{self.joined.name.replace('/', '-')}",
            self.joined.will,
            self.joined.subscriptions,
            receive,
            *self._pauses_s,
        )
        link.start()
        try:
            while True:
                self._step(link, await self._next_events())
        finally:
            self._closing = True
            self._room.release()
            await asyncio.shield(loop.run_in_executor(None, link.stop))
            self.joined.disconnected()

    async def _next_events(self) -> list[Event]:
        """What has happened since, when the time to look again has come perhaps nothing."""
        events: list[Event] = []
        wait_s = max(0.0, (self.joined.deadline() - monotonic_ms()) / 1000)
        try:
            async with asyncio.timeout(wait_s):
                first = await self._events.get()
        except TimeoutError:
            return events
        while True:
            if first is not None:
                self._room.release()
                events.append(first)
            if len(events) >= BATCH or self._events.empty():
                return events
            first = self._events.get_nowait()

    def _step(self, link: MqttLink, events: list[Event]) -> None:
        unix_s, now = self._clock.unix_s(), monotonic_ms()
        try:
            for event in events:
                self._handle(link, event, unix_s, now)
            self.joined.tick(unix_s, now)
            if not link.is_alive():
                raise RuntimeError("the MQTT thread has ended")
        except StoreError as error:
            # Not acknowledged, so the broker brings it again on the next connection.
            self.problem = str(error)
            _log.error("%s", error)
            link.drop()
            return
        while (publish := self.joined.next_publish(now)) is not None:
            link.publish(publish)
        self._on_change()

    def _handle(self, link: MqttLink, event: Event, unix_s: int | None, now: int) -> None:
        joined = self.joined
        if isinstance(event, Received):
            outcome = joined.receive(event.topic, event.payload, unix_s, now)
            if outcome is not None and outcome.state == NEW:
                self._on_record(event.payload)
            link.confirm(event)
        elif isinstance(event, Confirmed):
            publish = link.take_confirmed(event)
            if publish is not None:
                joined.acknowledged(publish.topic, publish.payload)
        elif isinstance(event, Connected):
            _log.info("broker %s: connected", self.address)
            self.problem = None
            joined.connected(now)
        elif isinstance(event, Subscribed):
            joined.subscribed(now)
        else:
            if self.problem != event.reason:
                _log.warning("broker %s: %s; trying again", self.address, event.reason)
            self.problem = event.reason
            joined.disconnected()


def tls_context(address: BrokerAddress) -> ssl.SSLContext | None:
    """How to encrypt, None: not at all; AddressError when the certificate file is of no use."""
    if not address.tls:
        return None
    try:
        return ssl.create_default_context(cafile=str(address.ca_file) if address.ca_file else None)
    except OSError as error:
        raise AddressError(f"certificate file {address.ca_file} cannot be used: {error}") from error
