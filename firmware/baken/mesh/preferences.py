"""What a client has set on this node, over what the node was provisioned with.

A setting is one section of the client API, kept as the bytes the client wrote: it reads back what it wrote,
whether this firmware acts on it or not. Only sections that differ from the base take memory. Stored, all are
one value, so that a power cut leaves the old settings or the new ones:

    version u8 = 1 | for each section, by key: key u8 | length u16 big endian | bytes

Keys: OWNER is a User, CHANNELS + index a Channel, CONFIGS + n section n + 1 of Config, MODULES + n section
n + 1 of ModuleConfig, PLACE a Position.
"""

from baken.compat import const, unload
from baken.wire import protobuf
from baken.wire.errors import LocalProtocolError, ProtocolError, RemoteProtocolError

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Protocol

    from baken.mesh.config import MeshConfig

    class Store(Protocol):
        """Named values that outlive the power, as `baken.noticeboard.store` has them."""

        def get(self, name: str) -> "bytes | None": ...

        def set(self, name: str, value: bytes) -> None: ...


OWNER = const(0)
CHANNELS = const(1)
CONFIGS = const(16)
MODULES = const(32)
PLACE = const(64)

# Sections of Config, by their AdminMessage.ConfigType.
DEVICE = const(0)
POSITION = const(1)
LORA = const(5)
SECURITY = const(7)
DEVICE_UI = const(9)
CONFIG_COUNT = const(10)
# Sections of ModuleConfig, by their AdminMessage.ModuleConfigType.
MQTT = const(0)
TELEMETRY = const(5)
NEIGHBOR_INFO = const(9)
MODULE_COUNT = const(16)  # of firmware 2.7

MAX_SIZE = 4096
STORED = "preferences"
BACKUP = "preferences-backup"

_LOG_WANTED = ((6, "debug_log_api_enabled", "bool"),)
_VERSION = const(1)
_ENTRY = const(3)


class Preferences:
    """`damaged` counts stored settings that could not be used: the base holds then. `unsaved`: the store had
    no room, so the settings in force are gone after a restart.
    """

    def __init__(self, base: "MeshConfig", store: "Store | None" = None) -> None:
        self.base = base
        self.damaged = 0
        self.unsaved = False
        self._store = store
        self._before = None  # the sections as they were when editing began
        self._sections = {}
        try:
            self._sections = self._load(STORED) or {}
        except ProtocolError:
            self.damaged = 1

    def body(self, key: int) -> bytes:
        """The encoded section, as it was written or as it follows from the base."""
        found = self._sections.get(key)
        if found is None:
            from baken.mesh.defaults import default_body

            region = self.mesh_config().region if key == MODULES + MQTT else self.base.region
            return default_body(self.base, key, region)
        return found

    def has(self, key: int) -> bool:
        """Whether a client has set this section."""
        return key in self._sections

    def wants_log(self) -> bool:
        """Whether a client is to get our log: security.debug_log_api_enabled."""
        body = self._sections.get(CONFIGS + SECURITY)
        return body is not None and bool(protobuf.decode(_LOG_WANTED, body))

    def mesh_config(self) -> "MeshConfig":
        """What the mesh engine acts on: the base with the settings over it."""
        return self._overlay(self._sections)

    def change(self, changes: "dict[int, bytes | None]") -> None:
        """Take all of these sections (None: back to the base) or, with LocalProtocolError, none."""
        sections = dict(self._sections)
        for key in changes:
            sections.pop(key, None)
            body = changes[key]
            if body is not None:
                sections[key] = body
        size = len(_encode(sections))
        if size > MAX_SIZE:
            raise LocalProtocolError(f"all settings together are {size} bytes, limit {MAX_SIZE}", "config")
        self._overlay(sections)
        self._sections = sections

    def reset(self) -> None:
        """Forget everything a client has set; what was provisioned stays."""
        self._sections = {}

    # Editing: many changes that are kept and take effect together

    @property
    def editing(self) -> bool:
        """Whether changes wait for `commit`."""
        return self._before is not None

    def begin(self) -> None:
        """Let changes wait until `commit`."""
        if self._before is None:
            self._before = self._sections

    def commit(self) -> None:
        """Keep all changes; `unsaved` tells whether the store had room."""
        self._before = None
        self.unsaved = not self._save(STORED, self._sections)

    def roll_back(self) -> None:
        """Forget the changes since `begin`."""
        if self._before is not None:
            self._sections = self._before
            self._before = None

    # A second copy

    def back_up(self) -> bool:
        """Keep a copy of the settings; False when there is no room."""
        return self._save(BACKUP, self._sections)

    def restore(self) -> bool:
        """Take the copy back; False when there is none that can be used."""
        try:
            sections = self._load(BACKUP)
        except ProtocolError:
            return False
        if sections is None:
            return False
        self._sections = sections
        return True

    def remove_backup(self) -> bool:
        """Forget the copy."""
        return self._store is None or self._set(BACKUP, b"")

    def _overlay(self, sections):
        if not sections:
            return self.base
        from baken.mesh.overlay import overlay

        return overlay(self.base, sections)

    def _load(self, name):
        value = self._store.get(name) if self._store is not None else None
        if not value:
            return None
        sections = _decode(value)
        self._overlay(sections)
        return sections

    def _save(self, name, sections):
        return self._store is None or self._set(name, _encode(sections))

    def _set(self, name, value):
        assert self._store is not None
        try:
            self._store.set(name, value)
        except OSError:
            return False
        return True


def unload_rules() -> None:
    """Forget the tables and rules of settings: they are needed to change or tell these, not to keep them."""
    unload(
        "baken.mesh.admin_setters",
        "baken.mesh.overlay",
        "baken.mesh.defaults",
        "baken.wire.messages_admin",
        "baken.wire.messages_config",
    )


def _encode(sections):
    out = bytearray((_VERSION,))
    for key in sorted(sections):
        body = sections[key]
        out.append(key)
        out.append(len(body) >> 8 & 0xFF)
        out.append(len(body) & 0xFF)
        out.extend(body)
    return bytes(out)


def _decode(value):
    if value[0] != _VERSION:
        raise RemoteProtocolError(f"settings have version {value[0]}, known {_VERSION}", "preferences")
    sections = {}
    at = 1
    while at < len(value):
        start = at + _ENTRY
        end = start + (value[at + 1] << 8 | value[at + 2]) if start <= len(value) else start
        if end > len(value):
            raise RemoteProtocolError(f"settings end {end - len(value)} bytes too late", "preferences")
        sections[value[at]] = value[start:end]
        at = end
    return sections
