"""Local administration: AdminMessages that a client sends to the node it is attached to.

Getters are answered with an AdminMessage that carries a session passkey, set_time_only is acknowledged.
Whatever else is asked gets BAD_REQUEST, so that no client waits for an answer that does not come.
"""

from baken.compat import const
from baken.mesh import client_config
from baken.mesh.config import MAX_CHANNELS
from baken.mesh.events import SetTime
from baken.wire import protobuf
from baken.wire.messages import CHANNEL, DEVICE_METADATA, ERROR_BAD_REQUEST, ERROR_NONE, USER

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.client_config import DeviceInfo
    from baken.mesh.node import MeshNode

# What is served here; `wire.messages_admin` has the whole message, and takes the memory for it.
_ADMIN_MESSAGE = (
    (1, "get_channel_request", "uint32|"),
    (2, "get_channel_response", "message|", CHANNEL),
    (3, "get_owner_request", "bool|"),
    (4, "get_owner_response", "message|", USER),
    (5, "get_config_request", "enum|"),
    (6, "get_config_response", "bytes|"),
    (7, "get_module_config_request", "enum|"),
    (8, "get_module_config_response", "bytes|"),
    (10, "get_canned_message_module_messages_request", "bool|"),
    (11, "get_canned_message_module_messages_response", "bytes|"),
    (12, "get_device_metadata_request", "bool|"),
    (13, "get_device_metadata_response", "message|", DEVICE_METADATA),
    (14, "get_ringtone_request", "bool|"),
    (15, "get_ringtone_response", "bytes|"),
    (43, "set_time_only", "fixed32|"),
    (101, "session_passkey", "bytes"),
)

_PASSKEY_SIZE = const(8)
_PASSKEY_MS = const(150_000)


class Administration:
    """Answers for one node; keeps the session passkey, renewed when it is older than 150 s."""

    def __init__(self, node: "MeshNode", device: "DeviceInfo", rand: "Callable[[int], int]") -> None:
        self._node = node
        self._device = device
        self._rand = rand
        self._passkey = b""
        self._passkey_at = 0

    def receive(self, payload: bytes, now: int) -> "tuple[bytes | None, int, SetTime | None]":
        """Gives the answer (an encoded AdminMessage or None), else the Routing.Error, and an event or None.

        RemoteProtocolError where the payload is not an AdminMessage.
        """
        request = protobuf.decode(_ADMIN_MESSAGE, payload)
        answer = self._answer(request)
        if answer is not None:
            answer["session_passkey"] = self._session_passkey(now)
            return protobuf.encode(_ADMIN_MESSAGE, answer), ERROR_NONE, None
        unix_s = request.get("set_time_only")
        if unix_s:
            return None, ERROR_NONE, SetTime(unix_s)
        return None, ERROR_BAD_REQUEST, None

    def _answer(self, request: dict) -> "dict | None":
        node = self._node
        if "get_channel_request" in request:
            index = request["get_channel_request"] - 1
            if 0 <= index < MAX_CHANNELS:
                return {"get_channel_response": client_config.channel(node, index)}
        elif "get_owner_request" in request:
            return {"get_owner_response": node.config.user()}
        elif "get_config_request" in request:
            number = request["get_config_request"]
            if 0 <= number < client_config.CONFIG_COUNT:
                return {"get_config_response": client_config.config(node, number)}
        elif "get_module_config_request" in request:
            number = request["get_module_config_request"]
            if 0 <= number < client_config.MODULE_COUNT:
                return {"get_module_config_response": client_config.module_config(number)}
        elif "get_canned_message_module_messages_request" in request:
            return {"get_canned_message_module_messages_response": b""}
        elif "get_device_metadata_request" in request:
            return {"get_device_metadata_response": client_config.metadata(node, self._device)}
        elif "get_ringtone_request" in request:
            return {"get_ringtone_response": b""}
        return None

    def _session_passkey(self, now: int) -> bytes:
        if not self._passkey or now - self._passkey_at > _PASSKEY_MS:
            self._passkey = bytes([self._rand(256) for _ in range(_PASSKEY_SIZE)])
            self._passkey_at = now
        return self._passkey
