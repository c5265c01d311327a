"""Administration: AdminMessages from the attached client, and by radio from those who may.

Getters are answered with an AdminMessage that carries a session passkey, setters with a Routing.Error, 0
where it was done. What is not served here gets BAD_REQUEST, so that no client waits for an answer that does
not come. Setters are in `admin_setters`, the rules for the radio in `admin_remote`: loaded when needed.

Settings of a client take effect at once; those that came by radio a little later, or the acknowledgement
would leave under channels and a modem that the sender does not use.
"""

from baken.compat import const
from baken.mesh import client_config, preferences
from baken.mesh.config import MAX_CHANNELS
from baken.mesh.events import Configured
from baken.wire import protobuf
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.messages import (
    DEVICE_METADATA,
    ERROR_BAD_REQUEST,
    ERROR_NONE,
    ERROR_NOT_AUTHORIZED,
    USER,
)

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.client_api import DeviceInfo
    from baken.mesh.events import Event, Received
    from baken.mesh.node import MeshNode
    from baken.mesh.preferences import Preferences

# What is asked and answered; `wire.messages_admin` has the whole message, and takes the memory for it.
GETTERS = protobuf.compact(
    "1 get_channel_request uint32|, 2 get_channel_response bytes|, 3 get_owner_request bool|, "
    "4 get_owner_response message|, 5 get_config_request enum|, 6 get_config_response bytes|, "
    "7 get_module_config_request enum|, 8 get_module_config_response bytes|, "
    "10 get_canned_message_module_messages_request bool|, "
    "11 get_canned_message_module_messages_response bytes|, 12 get_device_metadata_request bool|, "
    "13 get_device_metadata_response message|, 14 get_ringtone_request bool|, "
    "15 get_ringtone_response bytes|, 16 get_device_connection_status_request bool|, "
    "17 get_device_connection_status_response message|, 20 get_node_remote_hardware_pins_response bytes|, "
    "43 set_time_only fixed32|, 44 get_ui_config_request bool|, 45 get_ui_config_response bytes|, "
    "101 session_passkey bytes",
    {
        "get_owner_response": USER,
        "get_device_metadata_response": DEVICE_METADATA,
        "get_device_connection_status_response": protobuf.compact(
            "4 serial message",
            {"serial": protobuf.compact("1 baud uint32, 2 is_connected bool")},
        ),
    },
)

LOCAL = const(0)  # source of what the attached client sends; by radio it is the sender's number

_PASSKEY_SIZE = const(8)
_PASSKEY_MS = const(150_000)
_PASSKEY_ACCEPTED_MS = const(300_000)
_EDIT_MS = const(300_000)
_REMOTE_DELAY_MS = const(5000)
_BAUD = const(115_200)


class Administration:
    """Serves one node. `next_event` tells the device what to do; `notices` are sentences for the client."""

    def __init__(
        self,
        node: "MeshNode",
        device: "DeviceInfo",
        rand: "Callable[[int], int]",
        preferences: "Preferences",
    ) -> None:
        self.node = node
        self.preferences = preferences
        self.events = []
        self.notices = []
        self.client_attached = False
        self.source = LOCAL  # who is being served
        self._device = device
        self._rand = rand
        self._passkey = b""
        self._passkey_at = 0
        self._editor = LOCAL
        self._edit_until = 0
        self._apply_at = None

    def receive(self, payload: bytes, now: int) -> "tuple[bytes | None, int]":
        """Serve the attached client: gives the answer (an encoded AdminMessage), else None and a
        Routing.Error.
        """
        try:
            request = protobuf.decode(GETTERS, payload)
        except RemoteProtocolError as error:
            self.notices.append(str(error))
            return None, ERROR_BAD_REQUEST
        # A managed node obeys by radio only; the time of day is no setting, and records depend on it.
        if self.node.config.is_managed and "set_time_only" not in request:
            self.notices.append("beheerd op afstand / managed by radio only: security.is_managed is on")
            return None, ERROR_NOT_AUTHORIZED
        return self.serve(request, payload, LOCAL, now)

    def receive_remote(self, received: "Received", now: int) -> bool:
        """Serve a packet of ADMIN_APP to us; False: it is an answer, for our client."""
        from baken.mesh.admin_remote import receive

        return receive(self, received, now)

    def serve(self, request: dict, payload: bytes, source: int, now: int) -> "tuple[bytes | None, int]":
        """What `receive` gives, for somebody who may ask."""
        answer = self._answer(request)
        if answer is not None:
            answer["session_passkey"] = self._session_passkey(now)
            return protobuf.encode(GETTERS, answer), ERROR_NONE
        from baken.mesh.admin_setters import obey

        self.source = source
        try:
            obey(self, payload, now)
        except (LocalProtocolError, RemoteProtocolError) as error:
            self.notices.append("geweigerd / refused: " + str(error))
            return None, ERROR_BAD_REQUEST
        return None, ERROR_NONE

    def _answer(self, request: dict) -> "dict | None":
        if "get_channel_request" in request:
            index = request["get_channel_request"] - 1
            if 0 <= index < MAX_CHANNELS:
                return {"get_channel_response": self.preferences.body(preferences.CHANNELS + index)}
        elif "get_owner_request" in request:
            return {"get_owner_response": self.preferences.mesh_config().user()}
        elif "get_config_request" in request:
            number = request["get_config_request"]
            if 0 <= number < preferences.CONFIG_COUNT:
                return {"get_config_response": client_config.config(self.preferences, number)}
        elif "get_module_config_request" in request:
            number = request["get_module_config_request"]
            if 0 <= number < preferences.MODULE_COUNT:
                return {"get_module_config_response": client_config.module_config(self.preferences, number)}
        elif "get_canned_message_module_messages_request" in request:
            return {"get_canned_message_module_messages_response": b""}
        elif "get_device_metadata_request" in request:
            return {"get_device_metadata_response": client_config.metadata(self.node, self._device)}
        elif "get_ringtone_request" in request:
            return {"get_ringtone_response": b""}
        elif "get_device_connection_status_request" in request:
            serial = {"baud": _BAUD, "is_connected": self.client_attached}
            return {"get_device_connection_status_response": {"serial": serial}}
        elif "get_ui_config_request" in request:
            key = preferences.CONFIGS + preferences.DEVICE_UI
            return {"get_ui_config_response": self.preferences.body(key)}
        return None

    # The session's passkey, which a sender by radio shows with each setter

    def _session_passkey(self, now: int) -> bytes:
        if not self._passkey or now - self._passkey_at > _PASSKEY_MS:
            self._passkey = bytes([self._rand(256) for _ in range(_PASSKEY_SIZE)])
            self._passkey_at = now
        return self._passkey

    def knows_passkey(self, passkey: bytes, now: int) -> bool:
        """Whether this is the passkey of the last 300 s."""
        return (
            bool(self._passkey)
            and passkey == self._passkey
            and now - self._passkey_at <= _PASSKEY_ACCEPTED_MS
        )

    # Settings

    def begin_edit(self, now: int) -> None:
        """Let the settings of this source wait until it commits them, at most 300 s after the last."""
        self.check_editor()
        self.preferences.begin()
        self._editor = self.source
        self._edit_until = now + _EDIT_MS

    def check_editor(self) -> None:
        """LocalProtocolError while somebody else has begun to edit: his are to be kept whole, or none."""
        if self.preferences.editing and self._editor != self.source:
            raise LocalProtocolError("somebody else is editing the settings", "editing")

    def change(self, changes: "dict[int, bytes | None]", now: int) -> None:
        """Take these sections and, unless they are being edited, keep them and let them take effect."""
        self.check_editor()
        self.preferences.change(changes)
        if self.preferences.editing:
            self._edit_until = now + _EDIT_MS
        else:
            self.settle(now)

    def settle(self, now: int) -> None:
        """Keep the settings as they are now and let them take effect."""
        self.preferences.commit()
        if self.preferences.unsaved:
            self.notices.append("geen ruimte om te bewaren / no room to keep: settings last until a restart")
        if self._apply_at is None:
            self._apply_at = now + self.grace_ms()

    def grace_ms(self) -> int:
        """How long an order waits, so that whoever gave it hears the answer."""
        return 0 if self.source == LOCAL else _REMOTE_DELAY_MS

    def client_left(self) -> None:
        """What the client began to edit and did not commit is forgotten."""
        if self._editor == LOCAL:
            self.preferences.roll_back()

    def next_event(self, now: int) -> "Event | None":
        """Configured, SetTime, Reboot, Shutdown or None."""
        if self.preferences.editing and now >= self._edit_until:
            self.preferences.roll_back()
        if self._apply_at is not None and now >= self._apply_at:
            self._apply_at = None
            self.node.configure(self.preferences.mesh_config(), now)
            self.events.append(Configured())
        return self.events.pop(0) if self.events else None

    def deadline(self) -> "int | None":
        """When `next_event` has something."""
        due = self._apply_at
        if self.preferences.editing and (due is None or self._edit_until < due):
            due = self._edit_until
        return due
