"""`baken-bench virtual-node` as a user starts it, and the two programs that tests use on it: the unmodified
`meshtastic` command and a client of a few lines.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from meshtastic.protobuf import admin_pb2, mesh_pb2, portnums_pb2

from baken.wire import messages, stream
from baken.wire.packet import BROADCAST

BIN = Path(sys.executable).parent
LIMIT_S = 60.0
FACTOR = "10"  # mesh seconds in a real one, so that nobody waits half a minute for a NodeInfo
WITHOUT_NODES = 69420  # the special want_config_id that leaves out the other nodes


class NotInTimeError(AssertionError):
    """The node did not tell what was waited for."""


class Running:
    """The command while it runs; `values` is what it printed before `ready`."""

    def __init__(self, process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._clients: list[Client] = []
        self._lines = lines
        self.values = self._read_until_ready()

    def number(self, name: str = "node") -> int:
        return int(self.values[name].split()[0].removeprefix("!"), 16)

    def port(self, name: str) -> int:
        return int(self.values[name].rpartition(":")[2])

    def client(self, name: str = "tcp") -> Client:
        """A client of the node, closed at the latest when the node ends."""
        client = Client(self.port(name))
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Hang up as all clients, also of a test that failed."""
        for client in self._clients:
            client.close()

    def end(self, how: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(how)
        return self.process.wait(LIMIT_S)

    def kill(self) -> None:
        """As when the power fails: command and boards are gone at once."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.process.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        self.process.wait(LIMIT_S)

    def wait_for(self, said: str) -> None:
        """Until the command has printed this line, after it was ready."""
        deadline = time.monotonic() + LIMIT_S
        while said not in self.said:
            with contextlib.suppress(queue.Empty):
                self.said.append(self._lines.get(timeout=max(0.01, deadline - time.monotonic())))
            assert time.monotonic() < deadline, f"not printed within {LIMIT_S:.0f} s: {said}; {self.said}"

    def _read_until_ready(self) -> dict[str, str]:
        while True:
            line = self._lines.get(timeout=LIMIT_S)
            self.said.append(line)
            if line == "ready":
                return dict(said.split(": ", 1) for said in self.said[:-1])
            assert line, f"ended before it was ready: {self.said}"


@contextlib.contextmanager
def virtual_node(folder: Path, *options: str) -> Iterator[Running]:
    """Start the command, wait for `ready`, and end it."""
    process = subprocess.Popen(
        [BIN / "baken-bench", "virtual-node", "--flash", folder / "flash", "--factor", FACTOR, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
    )
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put("")

    reader = threading.Thread(target=read)
    reader.start()
    running = None
    try:
        running = Running(process, lines)
        yield running
    finally:
        if running is not None:
            running.close()
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


def meshtastic(where: tuple[str, str], *arguments: str) -> str:
    """What the command prints; `where` is --port or --host with its value."""
    done = subprocess.run(
        [BIN / "meshtastic", *where, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def start_meshtastic(where: tuple[str, str], *arguments: str) -> subprocess.Popen[str]:
    """The command while it waits for somebody else; its output is read with `communicate`."""
    return subprocess.Popen(
        [BIN / "meshtastic", *where, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def doors(running: Running, prefix: str = "") -> list[tuple[str, str]]:
    """Both ways to one node."""
    return [("--port", running.values[prefix + "serial"]), ("--host", running.values[prefix + "tcp"])]


class Client:
    """A client of the node over TCP; `texts` is what it was told so far."""

    def __init__(self, port: int) -> None:
        self.texts: list[bytes] = []
        self._packet_id = 7000
        self._deframer = stream.Deframer()
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.settimeout(0.2)
        self._send(mesh_pb2.ToRadio(want_config_id=WITHOUT_NODES))
        self._wait(lambda told: told.config_complete_id, "the end of the settings")

    def wait_for_text(self, text: bytes, limit_s: float = LIMIT_S) -> mesh_pb2.MeshPacket:
        def is_it(told: mesh_pb2.FromRadio) -> bool:
            decoded = told.packet.decoded
            return (decoded.portnum, decoded.payload) == (messages.TEXT_MESSAGE_APP, text)

        return self._wait(is_it, f"the text {text!r}", limit_s).packet

    def order(self, node: int, message: admin_pb2.AdminMessage) -> bytes:
        """An AdminMessage to the node itself; what it answers, or the payload of its acknowledgement."""
        self._packet_id += 1
        packet = mesh_pb2.MeshPacket(to=node, id=self._packet_id, want_ack=True)
        packet.decoded.portnum = portnums_pb2.PortNum.ADMIN_APP
        packet.decoded.payload = message.SerializeToString()
        packet.decoded.want_response = True
        self._send(mesh_pb2.ToRadio(packet=packet))
        told = self._wait(
            lambda told: told.packet.decoded.request_id == packet.id, f"the answer to {message}"
        )
        return told.packet.decoded.payload

    def say(self, text: bytes) -> int:
        """Let the node send a text to everybody, as soon as it takes one again: the packet's id."""
        deadline = time.monotonic() + LIMIT_S
        while (error := self._offer(text)) == messages.ERROR_RATE_LIMIT_EXCEEDED:
            assert time.monotonic() < deadline, f"{text!r} is refused for {LIMIT_S:.0f} s as one too many"
            time.sleep(0.05)
        assert error == 0, f"{text!r} is refused with Routing.Error {error}"
        return self._packet_id

    def _offer(self, text: bytes) -> int:
        """Hand the node a text; its Routing.Error, 0 when it is taken.

        A text too many within two seconds is told as taken and refused only afterwards: what answers the
        heartbeat behind it comes last.
        """
        self._packet_id += 1
        packet = mesh_pb2.MeshPacket(to=BROADCAST, id=self._packet_id)
        packet.decoded.portnum = portnums_pb2.PortNum.TEXT_MESSAGE_APP
        packet.decoded.payload = text
        errors = []

        def is_behind(told: mesh_pb2.FromRadio) -> bool:
            decoded = told.packet.decoded
            if (decoded.portnum, decoded.request_id) == (messages.ROUTING_APP, packet.id):
                errors.append(mesh_pb2.Routing.FromString(decoded.payload).error_reason)
            return told.HasField("queueStatus") and told.queueStatus.mesh_packet_id == 0

        self._send(mesh_pb2.ToRadio(packet=packet))
        self._send(mesh_pb2.ToRadio(heartbeat=mesh_pb2.Heartbeat()))
        self._wait(is_behind, f"what becomes of {text!r}")
        return errors[0] if errors else 0

    def close(self) -> None:
        self._socket.close()

    def _send(self, message: mesh_pb2.ToRadio) -> None:
        self._socket.sendall(stream.frame(message.SerializeToString()))

    def _wait(
        self, wanted: Callable[[mesh_pb2.FromRadio], object], what: str, limit_s: float = LIMIT_S
    ) -> mesh_pb2.FromRadio:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                data = self._socket.recv(4096)
                assert data, f"the node hung up before it told {what}"
                for payload in self._deframer.receive(data):
                    told = mesh_pb2.FromRadio.FromString(payload)
                    if told.packet.decoded.portnum == messages.TEXT_MESSAGE_APP:
                        self.texts.append(told.packet.decoded.payload)
                    if wanted(told):
                        return told
        raise NotInTimeError(f"not within {limit_s:.0f} s: {what}")


def wait_for_nodes(where: tuple[str, str], *wanted: str) -> str:
    """`--nodes` as soon as it tells all of this."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        told = meshtastic(where, "--nodes")
        if all(word in told for word in wanted):
            return told
        assert time.monotonic() < deadline, f"{wanted} not all in:\n{told}"
