"""A StockEnd behind a TCP port, alone on its ether and served by a thread in real time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from _stock_radio import StockEnd

from baken.mesh.events import Transmit


class RadioServer:
    """One client at a time, as a stock device: a new connection takes the place of the old one.

    `heard` holds the frames that it put on the air; `inject` lets it hear one.
    """

    def __init__(self, end: StockEnd, port: int = 0) -> None:
        self.end = end
        self.lock = threading.Lock()
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.005)
        self.port = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def place(self) -> str:
        """What `--port` takes."""
        return f"tcp:127.0.0.1:{self.port}"

    def inject(self, frame: bytes) -> None:
        """Something is on the air."""
        with self.lock:
            self.end.node.receive_frame(frame, -90, 5.0, _now())

    def drop(self) -> None:
        """Cut the connection; the radio restarts."""
        with self.lock:
            self._hang_up()
            self.end.boot()

    def stop(self) -> None:
        """Nothing listens any more."""
        self._stopped.set()
        self._thread.join()
        self._hang_up()
        self._listener.close()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _serve(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                with self.lock:
                    self._hang_up()
                    client.settimeout(0.005)
                    self._client = client
            with self.lock:
                self._turn()

    def _turn(self) -> None:
        now = _now()
        while (event := self.end.node.next_event(now)) is not None:
            if isinstance(event, Transmit):
                self.heard.append(event.frame)
                self.end.node.transmitted(now)
            else:
                self.end.receive_event(event, now)
        if self._client is None:
            return
        try:
            with contextlib.suppress(TimeoutError):
                data = self._client.recv(4096)
                if not data:
                    raise ConnectionResetError
                self.end.receive(data, now)
            while data := self.end.next_bytes(now):
                self._client.sendall(data)
        except OSError:
            self._hang_up()


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
