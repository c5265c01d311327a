"""Administration by radio: who may, and how he is answered.

May: a packet sealed (PKC) with a key that is one of our admin keys, or one on a channel named `admin` where
security.admin_channel_enabled is set. A setter must show the passkey that came with an answer of the last
300 s, so that a recorded packet cannot be played again. Answers go back the way the question came.
"""

from baken.compat import const
from baken.mesh.client_admin import GETTERS
from baken.wire import protobuf
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.messages import (
    ADMIN_APP,
    ERROR_ADMIN_BAD_SESSION_KEY,
    ERROR_ADMIN_PUBLIC_KEY_UNAUTHORIZED,
    ERROR_BAD_REQUEST,
    ERROR_NONE,
    ERROR_NOT_AUTHORIZED,
    ERROR_TOO_LARGE,
)

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.client_admin import Administration
    from baken.mesh.events import Received


def receive(admin: "Administration", received: "Received", now: int) -> bool:
    """As `Administration.receive_remote`."""
    try:
        request = protobuf.decode(GETTERS, received.payload)
    except RemoteProtocolError:
        _acknowledge(admin, received, ERROR_BAD_REQUEST, now)
        return True
    is_question = False
    for name in request:
        if name.endswith("_response"):
            return False
        is_question = is_question or name.endswith("_request")
    error = _refusal(admin, received)
    if not error and not is_question and not admin.knows_passkey(request.get("session_passkey", b""), now):
        error = ERROR_ADMIN_BAD_SESSION_KEY
    answer = None
    if not error:
        answer, error = admin.serve(request, received.payload, received.sender, now)
    if answer is not None:
        try:
            admin.node.reply(received, ADMIN_APP, answer, now)
            return True
        except LocalProtocolError as fault:
            error = ERROR_TOO_LARGE if fault.cause == "too-large" else ERROR_BAD_REQUEST
    if error != ERROR_NONE or received.want_ack:
        _acknowledge(admin, received, error, now)
    return True


def _acknowledge(admin, received, error, now):
    try:
        admin.node.acknowledge(received, error, now)
    except LocalProtocolError:
        pass  # the channel on which it came is not in use any more


def _refusal(admin: "Administration", received: "Received") -> int:
    config = admin.node.config
    if received.pki:
        sender = admin.node.nodes.get(received.sender)
        key = (sender.user or {}).get("public_key") if sender is not None else None
        return ERROR_NONE if key and key in config.admin_keys else ERROR_ADMIN_PUBLIC_KEY_UNAUTHORIZED
    if config.admin_channel_enabled and config.is_admin_channel(received.channel):
        return ERROR_NONE
    return ERROR_NOT_AUTHORIZED
