"""Managed flooding: which packets were heard before, and how long to wait before sending.

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
_CHIP_SNR_DB = const(32)  # SX126x reports -32 .. +31.75 dB; the windows are not clamped otherwise

HISTORY_SIZE = const(256)
_KEY_SIZE = const(8)
_HOPS_MASK = const(0x07)
_ACKNOWLEDGED = const(0x08)


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


class History:
    """The last 256 packets by (sender, id): one ring, oldest replaced, nothing expires.

    The key is bytes 4 to 11 of a frame, sender and id as they stand in the header. Positions that the
    methods take and give are valid until the next `remember`.
    """

    def __init__(self) -> None:
        self._keys = bytearray(HISTORY_SIZE * _KEY_SIZE)
        self._notes = bytearray(HISTORY_SIZE)
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

    def remember(self, key: bytes, hop_limit: int) -> None:
        """Note a new packet and the hop limit it came with."""
        at = self._next
        self._keys[at * _KEY_SIZE : (at + 1) * _KEY_SIZE] = key
        self._notes[at] = hop_limit & _HOPS_MASK
        self._next = (at + 1) % HISTORY_SIZE

    def hop_limit(self, at: int) -> int:
        """The largest hop limit that was heard for this packet."""
        return self._notes[at] & _HOPS_MASK

    def raise_hop_limit(self, at: int, hop_limit: int) -> None:
        """Note that a copy came with more hops left."""
        self._notes[at] = self._notes[at] & ~_HOPS_MASK | (hop_limit & _HOPS_MASK)

    def acknowledge(self, at: int) -> bool:
        """Note that a relay of our own packet was heard; True the first time."""
        first = not self._notes[at] & _ACKNOWLEDGED
        self._notes[at] |= _ACKNOWLEDGED
        return first
