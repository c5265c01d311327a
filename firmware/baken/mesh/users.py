"""Who says who he is: NodeInfo is taken into the node database, but never another key than the first one."""

from baken.compat import const
from baken.mesh.events import KeyConflict
from baken.mesh.nodedb import KEY_CONFLICT, NodeDatabase, user_fits
from baken.wire import protobuf
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import USER

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.config import MeshConfig

_TELL_OWN_KEY_MS = const(3_600_000)


class Users:
    """After `learn`, `conflict` is the KeyConflict that is to be told, or None; `counters` is the node's."""

    def __init__(self, config: "MeshConfig", nodes: NodeDatabase, counters: dict) -> None:
        self.conflict = None
        self._nodes = nodes
        self._counters = counters
        self._own_key_told_at = None
        self.configure(config)

    def configure(self, config: "MeshConfig") -> None:
        """Take another key, or licence."""
        self._config = config

    def learn(self, num: int, payload: bytes, now: int) -> bool:
        """Take a node's word for who it is; True if that changed anything."""
        self.conflict = None
        try:
            user = protobuf.decode(USER, payload)
        except RemoteProtocolError:
            self._count("bad-user")
            return False
        if not user_fits(user):
            self._count("bad-user")
            return False
        if bool(user.get("is_licensed")) != self._config.is_licensed:
            self._count("licensed-differs")
            return False
        key = user.get("public_key", b"")
        if key and key == self._config.public_key:
            self._count("own-key")
            if self._own_key_told_at is None or now - self._own_key_told_at >= _TELL_OWN_KEY_MS:
                self._own_key_told_at = now
                self.conflict = KeyConflict(num, own_key=True)
            return False
        if self._nodes.public_key(num) not in (b"", key):
            self._count("key-conflict")
            if not self._nodes.has(num, KEY_CONFLICT):  # told once, however often it is repeated
                self._nodes.set_mark(num, KEY_CONFLICT, True)
                self.conflict = KeyConflict(num)
            return False
        return self._nodes.update_user(num, user)

    def _count(self, cause: str) -> None:
        self._counters[cause] = self._counters.get(cause, 0) + 1
