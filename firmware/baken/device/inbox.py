"""The node's text messages on its flash: one file that is appended to, and now and then written anew.

`board/texts` holds entries of `baken.mesh.inbox`. A message costs one append; when the file holds as many
dead entries as living ones could be, the living ones are written under another name and renamed over it. A
power cut leaves the old file, the new one, or the old one with a torn tail, which a CRC-32 shows; what is
damaged is skipped and the rest stays. What the flash has no room for is held in memory.

Memory holds for each message where it stands, not its text.
"""

import os

from baken.compat import const
from baken.device.localtime import CLOCK_GOOD
from baken.device.views import FOR_US, NEW, OLD
from baken.mesh import inbox
from baken.wire.messages import ALERT_APP
from baken.wire.utf8 import REPLACEMENT, decode_at, shorten

_MAX_WRITTEN = const(64)  # entries in the file before the living ones are written anew
_MAX_FILE = const(17920)  # as many entries at their limit
_MAX_UNSAVED = const(8)
_MARK = b"\xef\xbf\xbd"


class Inbox:
    """The messages kept in the folder `path`, which exists.

    `damaged` counts places in the file that could not be read, `full` the messages without room.
    """

    def __init__(self, path: str) -> None:
        self.damaged = 0
        self.full = 0
        self._path = path + "/texts"
        self._new = path + "/~texts"
        self._shelf = inbox.Shelf()
        self._size = 0
        self._written = 0
        _remove(self._new)
        try:
            with open(self._path, "rb") as file:
                self._load(file)
        except OSError:
            pass  # there is none yet
        if self.damaged:
            self._rewrite()

    def __len__(self) -> int:
        return len(self._shelf)

    def keep(self, message: inbox.Message) -> bool:
        """Keep a message, on flash or as long as the power lasts; False when it was here before."""
        if self._shelf.has(message.sender, message.packet_id):
            return False
        entry = inbox.encode(message)
        place = self._append(entry)
        if place is None:
            self.full += 1
            self._make_room_in_memory()
            self._shelf.add(message, entry)
        else:
            self._shelf.add(message, place)
        if self._written >= _MAX_WRITTEN or self._unsaved():
            self._rewrite()
        return True

    def take(self, event, mesh, unix_s: "int | None", quality: int) -> int:
        """Keep the text of a Received or ClientText; OLD when it was here or is empty, NEW, or FOR_US."""
        message = message_of(event, mesh, unix_s, quality != CLOCK_GOOD)
        if not message.text or not self.keep(message):
            return OLD
        is_urgent = message.flags & (inbox.ALERT | inbox.TO_US) and not message.flags & inbox.FROM_US
        return FOR_US if is_urgent else NEW

    def newest(self):
        """Messages, the newest first; each is read when its turn comes."""
        places = self._shelf.places
        for at in range(len(places) - 1, -1, -1):
            if at < len(places):
                message = inbox.decode(self._entry(places[at]))
                if message is not None:
                    yield message

    # --- inside

    def _load(self, file) -> None:
        while self._size < _MAX_FILE:
            file.seek(self._size)
            data = file.read(inbox.MAX_ENTRY)
            if not data:
                return
            message = inbox.decode(data)
            if message is None:
                self.damaged += 1
                self._size += inbox.next_start(data)
                continue
            if not self._shelf.has(message.sender, message.packet_id):
                self._shelf.add(message, self._size)
            self._written += 1
            self._size += inbox.entry_size(data)
        self.damaged += 1  # longer than it is ever made here
        self._written = _MAX_WRITTEN  # nothing more behind it

    def _append(self, entry: bytes) -> "int | None":
        """Where the entry stands now, or None when there was no room."""
        if self._written >= _MAX_WRITTEN:
            return None
        self._written += 1
        place = self._size
        try:
            with open(self._path, "ab") as file:
                file.write(entry)
            self._size += len(entry)
            return place
        except OSError:
            self._size = _size_of(self._path)
            return None

    def _rewrite(self) -> None:
        """Write the living entries anew, also those for which there was no room before."""
        shelf = self._shelf
        places = []
        unreadable = []
        size = 0
        try:
            with open(self._new, "wb") as file:
                for at, place in enumerate(shelf.places):
                    entry = self._entry(place)
                    if not entry:
                        unreadable.append(at)
                        continue
                    file.write(entry)
                    places.append(size)
                    size += len(entry)
            os.rename(self._new, self._path)
        except OSError:
            _remove(self._new)
            return
        self.damaged += len(unreadable)
        for at in reversed(unreadable):
            shelf.remove(at)
        shelf.places[:] = places
        self._size = size
        self._written = len(places)

    def _entry(self, place) -> bytes:
        if not isinstance(place, int):
            return place
        try:
            with open(self._path, "rb") as file:
                file.seek(place)
                data = file.read(inbox.MAX_ENTRY)
        except OSError:
            data = b""
        return data[: inbox.entry_size(data)]

    def _unsaved(self) -> int:
        return sum([0 if isinstance(place, int) else 1 for place in self._shelf.places])

    def _make_room_in_memory(self) -> None:
        if self._unsaved() >= _MAX_UNSAVED:
            for at, place in enumerate(self._shelf.places):
                if not isinstance(place, int):
                    self._shelf.remove(at)
                    return


def message_of(event, mesh, unix_s: "int | None", rough_clock: bool) -> inbox.Message:
    """What is kept of a text that came in (Received) or that our own client sent (ClientText)."""
    own = mesh.config.node_num
    flags = (
        (inbox.ALERT if event.portnum == ALERT_APP else 0)
        | (inbox.SEALED if event.pki else 0)
        | (inbox.TO_US if event.to == own else 0)
        | (inbox.FROM_US if event.sender == own else 0)
        | (inbox.ROUGH_CLOCK if rough_clock else 0)
    )
    if event.sender == own:
        short_name = mesh.config.short_name
    else:
        node = mesh.nodes.get(event.sender)
        short_name = node.user.get("short_name", b"") if node and node.user else b""
    channels = mesh.config.channels
    channel_name = channels[event.channel].name if event.channel < len(channels) else b""
    return inbox.Message(
        event.sender,
        event.packet_id,
        event.to,
        unix_s,
        flags,
        event.channel,
        cleaned(short_name, inbox.MAX_SHORT_NAME),
        cleaned(channel_name, inbox.MAX_CHANNEL_NAME),
        cleaned(event.payload, inbox.MAX_TEXT),
    )


def cleaned(text: bytes, limit: int) -> bytes:
    """Valid UTF-8 of at most `limit` bytes that moves no cursor and turns no line around.

    A run of bytes that are no UTF-8 becomes one U+FFFD, a control character a space; what changes the
    direction of writing is left out. New lines stay.
    """
    out = bytearray()
    index = 0
    was_bad = False
    while index < len(text) and len(out) < limit:
        code_point, following = decode_at(text, index)
        is_bad = code_point == REPLACEMENT and following == index + 1
        if is_bad:
            if not was_bad:
                out.extend(_MARK)
        elif code_point == 10:
            out.append(10)
        elif code_point < 32 or 0x7F <= code_point < 0xA0 or 0x2028 <= code_point <= 0x2029:
            out.append(32)
        elif not (0x202A <= code_point <= 0x202E or 0x2066 <= code_point <= 0x2069 or code_point == 0xFEFF):
            out.extend(text[index:following])
        was_bad = is_bad
        index = following
    return shorten(bytes(out), limit).strip()


def _size_of(path: str) -> int:
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass
