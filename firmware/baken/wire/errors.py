"""Everything the wire layer can raise.

    ProtocolError
    +-- LocalProtocolError     our own caller asked for something that cannot be sent
    +-- RemoteProtocolError    the peer's bytes are wrong: the only thing a `decode` raises

`cause` is a short token (`"protobuf-truncated"`) under which engines count what they refuse. It is what the
error says where the words of a RemoteProtocolError are left out, as in what is compiled for a board.
"""


class ProtocolError(Exception):
    """Base of both; raised as one of them."""

    def __init__(self, message: str, cause: str = "other") -> None:
        super().__init__(message or cause)
        self.cause = cause


class LocalProtocolError(ProtocolError):
    """Our own caller is wrong: raised at once, nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer is wrong: its bytes are to be counted by `cause` and dropped."""
