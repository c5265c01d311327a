"""The gateway: one replica, joined to a radio on a port and to an MQTT broker, each task watched over.

A record that comes in on either side is in SQLite before it is acknowledged there and before it goes out
on the other; so the process may be killed between any two instructions. Port and broker may come and go.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import random
from collections.abc import Awaitable, Callable
from importlib import metadata
from pathlib import Path
from typing import IO

from baken.noticeboard.link import LinkSession
from baken.noticeboard.replica import Replica
from baken_gateway.bridge import MqttReplica
from baken_gateway.clock import Clock
from baken_gateway.meshtastic_mqtt import MqttProxy
from baken_gateway.mqtt_link import BrokerAddress, MqttTask
from baken_gateway.proxy_link import ProxyTask
from baken_gateway.radio_link import RadioTask
from baken_gateway.region import Region
from baken_gateway.session import READY, NodeSession
from baken_gateway.stock_radio import RegionChannel, StockRadio
from baken_gateway.store import ResilientStore
from baken_gateway.text_desk import TextDesk

HOUSEKEEPING_S = 2.0
RESTART_PAUSE_S = 5.0

_log = logging.getLogger(__name__)


class DataFolderError(Exception):
    """The data folder cannot be used; the text says why."""


class Gateway:
    """Everything of one gateway; `run` until cancelled.

    `meshtastic_mqtt`: carry the radio's own MQTT messages to the same broker.
    """

    def __init__(
        self,
        region: Region,
        store: ResilientStore,
        port: str,
        address: BrokerAddress,
        clock: Clock,
        gateway_id: str,
        meshtastic_mqtt: bool = False,
    ) -> None:
        self.region = region
        self.store = store
        self.replica = Replica(region.trust, store)
        for raw in region.amendments:
            self.replica.receive_record(raw, None)
        self.air = StockRadio(self.replica, RegionChannel.of(region), random.randrange)
        self.texts = TextDesk(region, store, gateway_id, random.randrange)
        proxy = MqttProxy() if meshtastic_mqtt else None
        self.session = NodeSession(
            LinkSession(self.replica), random.randrange, air=self.air, proxy=proxy, texts=self.texts
        )
        name = f"gateway/{gateway_id}"
        self.joined = MqttReplica(region, self.replica, store, name, views=True, texts=self.texts)
        self.radio = RadioTask(self.session, port, clock, self._from_node, self._inform)
        self.mqtt = MqttTask(self.joined, address, clock, self.radio.offer)
        self.texts.on_broker, self.texts.on_node = self.mqtt.wake, self.radio.wake
        self.proxy: ProxyTask | None = None
        if proxy is not None:
            client_id = f"baken-{region.id}-{gateway_id}-msh"
            self.proxy = ProxyTask(proxy, address, client_id, self.radio.wake)
        self._storage_problem: str | None = None
        self._known_node: int | None = None

    async def run(self) -> None:
        """Until cancelled."""
        _log.info(
            "region %s: %d bulletins and %d statuses in the store",
            self.region.id,
            len(self.replica.notices),
            len(self.replica.statuses),
        )
        self._inform()
        async with asyncio.TaskGroup() as group:
            group.create_task(_keep_running("radio", self.radio.run))
            group.create_task(_keep_running("mqtt", self.mqtt.run))
            if self.proxy is not None:
                group.create_task(_keep_running("meshtastic-mqtt", self.proxy.run))
            group.create_task(_keep_running("housekeeping", self._keep_house))

    def info(self) -> dict:
        """What the gateway's own view tells."""
        session = self.session
        node = None
        if session.state == READY and session.node_num is not None:
            point = self.region.point_by_node_num(session.node_num)
            node = {
                "number": f"!{session.node_num:08x}",
                "point": point.code if point else None,
                "firmware": session.firmware,
                "device": session.device,
            }
        refused = dict(self.replica.counters)
        proxied = session.proxy.counters if session.proxy else {}
        for counters in (
            self.joined.counters,
            session.counters,
            session.link.counters,
            proxied,
            self.texts.counters,
        ):
            for cause, count in counters.items():
                refused[cause] = max(count, refused.get(cause, 0))
        return {
            "version": _version(),
            "region": self.region.id,
            "node": node,
            "serial": session.state,
            "problem": self.air.problem,
            "air": dict(sorted(self.air.counters.items())),
            "bulletins": len(self.replica.notices),
            "statuses": len(self.replica.statuses),
            "refused": dict(sorted(refused.items())),
            "storage": self.store.problem or "ok",
        }

    def _from_node(self, raw: bytes) -> None:
        self.mqtt.wake()

    def _inform(self) -> None:
        self.joined.set_info(self.info())
        num = self.session.node_num if self.session.state == READY else None
        if num is not None and num != self._known_node and self.region.point_by_node_num(num) is None:
            _log.warning("node !%08x is not in the trust list of region %s", num, self.region.id)
        self._known_node = num
        self.mqtt.wake()

    async def _keep_house(self) -> None:
        while True:
            self.store.retry()
            if self.store.problem != self._storage_problem:
                self._storage_problem = self.store.problem
                if self._storage_problem:
                    _log.error("%s; held in memory until it can be saved", self._storage_problem)
                else:
                    _log.info("the store works again, all is saved")
            self._inform()
            await asyncio.sleep(HOUSEKEEPING_S)


def lock_data_folder(folder: Path) -> IO[str]:
    """Keep the folder to us until the returned file is closed; DataFolderError when it is taken."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except OSError as error:
        raise DataFolderError(f"data folder {folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise DataFolderError(f"data folder {folder} is in use by another gateway") from error
    return file


async def _keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """A fault in one task is logged and must not stop the others: half a gateway is better than none."""
    while True:
        try:
            await run()
        except Exception:
            _log.exception("%s failed, begins again in %.0f s", name, RESTART_PAUSE_S)
        await asyncio.sleep(RESTART_PAUSE_S)


def _version() -> str:
    try:
        return metadata.version("baken")
    except metadata.PackageNotFoundError:
        return "unknown"
