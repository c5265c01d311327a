"""A Baken node at the other end of a cable, for tests: the real mesh engine, client API and replica.

`NodeEnd` has no input or output; `SerialNode` serves one on a pseudo-terminal that can be pulled out.
"""

from __future__ import annotations

import os
import random
import select
import threading
import time
import tty
from pathlib import Path
from typing import Any

from _region import NOON_S

from baken.mesh.client_api import ClientApi, DeviceInfo
from baken.mesh.config import MeshConfig
from baken.mesh.events import ClientRecord
from baken.mesh.node import MeshNode
from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken_gateway.region import Region


class NodeEnd:
    """The node of point `code`. `silent`: it reads but never answers."""

    def __init__(self, region: Region, code: str, seed: int = 1) -> None:
        point = region.point(code)
        self.rand = random.Random(seed).randrange
        self.config = MeshConfig(
            point.node_num, point.name.encode()[:39], code.encode(), public_key=bytes(32)
        )
        self.replica = Replica(region.trust, MemoryStore())
        self.silent = False
        self.boot()

    def boot(self) -> None:
        """Everything but the records begins anew."""
        self.node = MeshNode(self.config, self.rand)
        self.api = ClientApi(self.node, DeviceInfo(device_id=bytes(16)), self.rand)
        self.link = LinkSession(self.replica)
        self._is_open = False
        self._pending: bytes | None = None

    def learn(self, *records: bytes) -> None:
        """Records that came over the air."""
        for raw in records:
            assert self.replica.receive_record(raw, NOON_S).state == NEW
            self.link.offer(raw)

    def receive(self, data: bytes, now: int) -> None:
        """Bytes from the gateway."""
        self.api.receive_bytes(data, now)
        while (event := self.api.next_event(now)) is not None:
            if isinstance(event, ClientRecord):
                self.link.receive(event.payload, NOON_S, now)

    def next_bytes(self, now: int) -> bytes:
        """Bytes for the gateway."""
        if self.api.client_ready != self._is_open:
            self._is_open = self.api.client_ready
            if self._is_open:
                self.link.open(now)
            else:
                self.link.close()
        while self._is_open:
            self._pending = self._pending or self.link.next_payload(now)
            if self._pending is None or not self.api.client_record(self._pending):
                break
            self._pending = None
        data = self.api.next_bytes(512)
        return b"" if self.silent else data


class SerialNode:
    """A NodeEnd, or a StockEnd, behind `port`, a stable name for a pseudo-terminal, served in real time."""

    def __init__(self, end: Any, folder: Path) -> None:
        self.end = end
        self.port = folder / "tty-node"
        self.lock = threading.Lock()
        self.received = bytearray()
        self._master = self._slave = -1
        self._noise = b""
        self._pulled = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def place(self) -> str:
        """What `--port` takes."""
        return str(self.port)

    def plug(self) -> None:
        """Plug the cable in; the node boots."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        new = self.port.with_suffix(".new")
        new.symlink_to(os.ttyname(self._slave))
        new.replace(self.port)
        with self.lock:
            self.end.boot()
        self._pulled.clear()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Pull the cable out: the port is gone."""
        if self._thread is None:
            return
        self._pulled.set()
        self._thread.join()
        self._thread = None
        os.close(self._slave)
        os.close(self._master)
        self.port.unlink()

    def learn(self, *records: bytes) -> None:
        """Records that came over the air."""
        with self.lock:
            self.end.learn(*records)

    def records(self) -> list[bytes]:
        """What the node holds."""
        with self.lock:
            return self.end.replica.records()

    def babble(self, noise: bytes) -> None:
        """Put these bytes on the line between two frames."""
        with self.lock:
            self._noise += noise

    def _serve(self) -> None:
        rest = b""
        while not self._pulled.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.01)
            data = os.read(self._master, 512) if ready else b""
            with self.lock:
                now = time.monotonic_ns() // 1_000_000
                self.received += data
                if data:
                    self.end.receive(data, now)
                rest, self._noise = rest + self._noise, b""
                while rest := rest or self.end.next_bytes(now):
                    try:
                        rest = rest[os.write(self._master, rest) :]
                    except BlockingIOError:
                        break
