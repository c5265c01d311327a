"""Reaching a radio over the network: Meshtastic's client API on TCP."""

from __future__ import annotations

import asyncio
import socket

DEFAULT_PORT = 4403
CONNECT_LIMIT_S = 10.0
_SCHEME = "tcp:"


class PortError(ValueError):
    """A port that cannot be one."""


def parse(text: str) -> tuple[str, int] | None:
    """(host, port) of `tcp:HOST`, `tcp:HOST:PORT` or `tcp:[IPV6]:PORT`; None for a serial port."""
    if not text.startswith(_SCHEME):
        return None
    place = text.removeprefix(_SCHEME)
    host, colon, port = place.rpartition(":")
    if place.endswith("]") or not colon:
        host, port = place, str(DEFAULT_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise PortError(f"port is {text!r}, must be tcp:HOST or tcp:HOST:PORT with a port from 1 to 65535")
    return host, int(port)


async def connect(place: tuple[str, int]) -> socket.socket:
    """A connected socket that does not block; OSError when the host cannot be reached in CONNECT_LIMIT_S."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{place[0]} has no address")
    async with asyncio.timeout(CONNECT_LIMIT_S):
        for family, kind, protocol, _, address in await loop.getaddrinfo(*place, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.setblocking(False)
                # A radio that lost its power says nothing any more; heartbeats notice that, this helps them.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(connection, address)
                return connection
            except OSError as error:
                connection.close()
                failure = error
            except BaseException:
                connection.close()
                raise
    raise failure
