"""Carries a radio's own MQTT messages to the broker and back; a connection apart from that of the records.

Apart, because what phones and strangers put under `msh/` must never hold up or disturb the records.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from baken_gateway.meshtastic_mqtt import MAX_QUEUE, MqttProxy
from baken_gateway.mqtt_link import KEEPALIVE_S, BrokerAddress, tls_context

LAST_PAUSE_S = 30.0
LOOK_S = 0.2

_log = logging.getLogger(__name__)


class ProxyTask:
    """Keeps `proxy` joined to the broker; `on_message()`: there is something for the radio.

    paho's thread does the network; everything else happens in the event loop.
    """

    def __init__(
        self, proxy: MqttProxy, address: BrokerAddress, client_id: str, on_message: Callable[[], None]
    ) -> None:
        self.proxy = proxy
        self.is_connected = False
        self._address = address
        self._client_id = client_id
        self._on_message = on_message
        self._tls = tls_context(address)
        self._subscribed: tuple[str, ...] = ()
        self._problem: str | None = None

    async def run(self) -> None:
        """Until cancelled. Messages wait, sixteen of them, while the broker is away."""
        loop = asyncio.get_running_loop()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=self._client_id, protocol=paho.MQTTv311)
        client.max_queued_messages_set(MAX_QUEUE)
        client.reconnect_delay_set(1, int(LAST_PAUSE_S))
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)

        def connected(_client, _userdata, _flags, reason_code, _properties) -> None:
            if not reason_code.is_failure:
                loop.call_soon_threadsafe(self._connected, True)

        def disconnected(_client, _userdata, _flags, _reason_code, _properties) -> None:
            loop.call_soon_threadsafe(self._connected, False)

        def came(_client, _userdata, message: paho.MQTTMessage) -> None:
            try:
                topic = message.topic
            except UnicodeDecodeError:
                return
            loop.call_soon_threadsafe(self._came, topic, bytes(message.payload), message.retain)

        client.on_connect = connected
        client.on_disconnect = disconnected
        client.on_message = came
        client.connect_async(self._address.host, self._address.port, KEEPALIVE_S)
        client.loop_start()
        try:
            while True:
                self._look(client)
                await asyncio.sleep(LOOK_S)
        finally:
            client.on_connect = client.on_disconnect = client.on_message = None
            client.disconnect()
            await asyncio.shield(loop.run_in_executor(None, client.loop_stop))
            self._connected(False)

    def _look(self, client: paho.Client) -> None:
        """Subscribe to what the radio wants now, publish what it has said."""
        if self.proxy.problem != self._problem:
            self._problem = self.proxy.problem
            if self._problem is not None:
                _log.warning("%s", self._problem)
        if not self.is_connected:
            return
        wanted = self.proxy.subscriptions
        for topic in set(self._subscribed) - set(wanted):
            client.unsubscribe(topic)
        for topic in set(wanted) - set(self._subscribed):
            client.subscribe(topic, 1)
        self._subscribed = wanted
        while (message := self.proxy.next_publish()) is not None:
            client.publish(message.topic, message.payload, qos=1, retain=message.retain)

    def _connected(self, is_connected: bool) -> None:
        if is_connected != self.is_connected:
            _log.info("broker %s: Meshtastic %s", self._address, "joined" if is_connected else "cut off")
        self.is_connected = is_connected
        self._subscribed = ()  # a new connection has none

    def _came(self, topic: str, payload: bytes, retained: bool) -> None:
        self.proxy.from_broker(topic, payload, retained)
        if self.proxy.has_for_radio:
            self._on_message()
