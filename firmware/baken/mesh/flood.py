"""Managed flooding: which packets were heard before, who relayed them, and how long to wait before sending.

Times are Meshtastic's: a slot is 2.5 symbols and 7.6 ms; the window CW grows with the channel's load for own
packets and with the SNR of the received copy for relays, so that the node farthest away relays first.
"""

from baken.compat import const
from baken.wire.messages import ROLE_ROUTER

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.wire.modem import Modem

_CW_MIN = const(3)
_CW_MAX = const(8)
_SNR_MIN_DB = const(-20)
_SNR_MAX_DB = const(10)
_URGENT_SLOTS = const(22)
_CHIP_SNR_DB = const(32)  # SX126x reports -32 .. +31.75 dB; the windows are not clamped otherwise

HISTORY_SIZE = const(400)
MAX_RELAYERS = const(4)
_KEY_SIZE = const(8)
_NOTE_SIZE = const(6)  # flags, next hop, MAX_RELAYERS low bytes
_HOPS_MASK = const(0x07)
_ACKNOWLEDGED = const(0x08)
_RELAYED = const(0x10)


def scale(value: int, low: int, high: int, new_low: int, new_high: int) -> int:
    """Map linearly with integers that truncate towards zero, as C does; not clamped."""
    product = (value - low) * (new_high - new_low)
    quotient = abs(product) // (high - low)
    return new_low + (quotient if product >= 0 else -quotient)


def own_window(utilisation_percent: int) -> int:
    """CW (an exponent) for a packet of our own."""
    return scale(utilisation_percent, 0, 100, _CW_MIN, _CW_MAX)


def relay_window(snr_db: float) -> int:
    """CW (an exponent) for a relay of a packet that was heard with this SNR."""
    snr = max(-_CHIP_SNR_DB, min(_CHIP_SNR_DB, int(snr_db)))
    return scale(snr, _SNR_MIN_DB, _SNR_MAX_DB, _CW_MIN, _CW_MAX)


class Contention:
    """Waiting times for one modem setting and role, all in milliseconds."""

    def __init__(self, modem: "Modem", role: int, rand: "Callable[[int], int]") -> None:
        self.slot_ms = (modem.symbol_us() * 5 // 2 + 7600) // 1000
        self._early = role == ROLE_ROUTER
        self._rand = rand

    def own_ms(self, utilisation_percent: int) -> int:
        """Wait before an own packet is tried."""
        return self._rand(1 << own_window(utilisation_percent)) * self.slot_ms

    def relay_ms(self, snr_db: float) -> int:
        """Wait before a relay is tried: ROUTERs go first, everyone else starts after their window."""
        window = relay_window(snr_db)
        if self._early:
            return self._rand(2 * window) * self.slot_ms
        return (2 * _CW_MAX + self._rand(1 << window)) * self.slot_ms

    def late_ms(self, snr_db: float) -> int:
        """How long a ROUTER_LATE holds back after it heard another copy: until the clients' window ends."""
        return (2 * _CW_MAX + (1 << relay_window(snr_db))) * self.slot_ms

    def retry_ms(self, airtime_ms: int, utilisation_percent: int) -> int:
        """Wait for an acknowledgement before the next of three sends."""
        slots = (1 << own_window(utilisation_percent)) + 2 * _CW_MAX + (1 << ((_CW_MAX + _CW_MIN) // 2))
        return 2 * airtime_ms + slots * self.slot_ms + 4500

    def urgent_retry_ms(self, airtime_ms: int) -> int:
        """The same for a packet that we insist on: until a relay at the edge of our range has been heard, and
        by chance more, for two that do not hear each other must not keep step.
        """
        return 2 * airtime_ms + (_URGENT_SLOTS + self._rand(_URGENT_SLOTS)) * self.slot_ms


class History:
    """The last 400 packets by (sender, id): one ring, oldest replaced, nothing expires.

    A copy that is slower than the memory would be taken for a new packet. Over seven hops the slowest takes
    seven windows of 16 + 2**8 slots: a channel full of the shortest acknowledgements holds 387 packets in
    that time on SHORT_FAST, and less on every slower preset; on the 500 kHz presets it may be half full.

    The key is bytes 4 to 11 of a frame, sender and id as they stand in the header. Of each packet are kept
    the most hops left it was heard with, the next hop it was addressed to, the low bytes of up to four nodes
    that were heard relaying it, and whether we put it on the air ourselves. Positions that the methods take
    and give are valid until the next `remember`.
    """

    def __init__(self) -> None:
        self._keys = bytearray(HISTORY_SIZE * _KEY_SIZE)
        self._notes = bytearray(HISTORY_SIZE * _NOTE_SIZE)
        self._next = 0

    def find(self, key: bytes) -> int:
        """Position of a packet heard or sent before, or -1."""
        keys = self._keys
        at = keys.find(key)
        while at >= 0:
            if at % _KEY_SIZE == 0:
                return at // _KEY_SIZE
            at = keys.find(key, at + 1)
        return -1

    def remember(self, key: bytes, hop_limit: int, next_hop: int = 0) -> int:
        """Note a new packet, the hop limit it came with and the next hop it named; gives its position."""
        at = self._next
        self._keys[at * _KEY_SIZE : (at + 1) * _KEY_SIZE] = key
        note = at * _NOTE_SIZE
        self._notes[note] = hop_limit & _HOPS_MASK
        self._notes[note + 1] = next_hop
        for relayer in range(note + 2, note + _NOTE_SIZE):
            self._notes[relayer] = 0
        self._next = (at + 1) % HISTORY_SIZE
        return at

    def hop_limit(self, at: int) -> int:
        """The largest hop limit that was heard for this packet."""
        return self._notes[at * _NOTE_SIZE] & _HOPS_MASK

    def raise_hop_limit(self, at: int, hop_limit: int) -> None:
        """Note that a copy came with more hops left."""
        note = at * _NOTE_SIZE
        self._notes[note] = self._notes[note] & ~_HOPS_MASK | (hop_limit & _HOPS_MASK)

    def acknowledge(self, at: int) -> bool:
        """Note that a relay of our own packet was heard; True the first time."""
        return self._flag(at, _ACKNOWLEDGED)

    def set_relayed(self, at: int) -> None:
        """Note that we have put the packet on the air, as its sender or as a relay."""
        self._flag(at, _RELAYED)

    def is_relayed(self, at: int) -> bool:
        """Whether we have put the packet on the air."""
        return bool(self._notes[at * _NOTE_SIZE] & _RELAYED)

    def next_hop(self, at: int) -> int:
        """The low byte of the node that was asked to relay the packet, 0 for everybody."""
        return self._notes[at * _NOTE_SIZE + 1]

    def set_next_hop(self, at: int, next_hop: int) -> None:
        """Note that a later copy asks another node, or everybody."""
        self._notes[at * _NOTE_SIZE + 1] = next_hop

    def add_relayer(self, at: int, low_byte: int) -> None:
        """Note who else put the packet on the air; beyond four nobody is noted."""
        note = at * _NOTE_SIZE
        for relayer in range(note + 2, note + _NOTE_SIZE):
            if self._notes[relayer] in (0, low_byte):
                self._notes[relayer] = low_byte
                return

    def has_relayer(self, at: int, low_byte: int) -> bool:
        """Whether this node was heard relaying the packet."""
        note = at * _NOTE_SIZE
        return low_byte > 0 and self._notes.find(bytes((low_byte,)), note + 2, note + _NOTE_SIZE) >= 0

    def is_sole(self, at: int) -> bool:
        """Whether we put the packet on the air and nobody else was heard relaying it."""
        return self.is_relayed(at) and self._notes[at * _NOTE_SIZE + 2] == 0

    def _flag(self, at: int, flag: int) -> bool:
        note = at * _NOTE_SIZE
        first = not self._notes[note] & flag
        self._notes[note] |= flag
        return first
