"""LoRa modem settings of Meshtastic: presets, regions, centre frequency and time on air.

Airtime is the data sheet's formula (Semtech AN1200.22) in whole microseconds:

    payload symbols = ceil(max(8 * length + 16 - 4 * SF + 8 + 20, 0) / (4 * (SF - 2 * LDRO))) * coding rate
    airtime = (preamble + 4.25 + 8 + payload symbols) * 2**SF / bandwidth

with explicit header and CRC; low data rate optimisation (LDRO) is on for symbols of 16 ms and longer.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError
from baken.wire.record import Record

PREAMBLE_SYMBOLS = const(16)
SYNC_WORD = const(0x2B)
MAX_FRAME = const(255)

LONG_FAST = const(0)
LONG_SLOW = const(1)
MEDIUM_SLOW = const(3)
MEDIUM_FAST = const(4)
SHORT_SLOW = const(5)
SHORT_FAST = const(6)
LONG_MODERATE = const(7)
SHORT_TURBO = const(8)
LONG_TURBO = const(9)
LITE_FAST = const(10)
LITE_SLOW = const(11)
NARROW_FAST = const(12)
NARROW_SLOW = const(13)
MEDIUM_TURBO = const(16)

# RegionCode
UNSET = const(0)
EU_868 = const(3)

_LDRO_SYMBOL_US = const(16000)

# A row each, read when one is looked up: as tuples the tables would take two kilobytes of a node's memory.
# Number, name, channel name, bandwidth in Hz, spreading factor, coding rate denominator, sensitivity in dBm
# for a noise figure of 6 dB. Number 2, VERY_LONG_SLOW, is deprecated and means LONG_FAST; 10 and up came with
# firmware 2.8. 14 and 15 are for amateur bands only and are not here.
_PRESETS = """\
0 LONG_FAST LongFast 250000 11 5 -131.5
1 LONG_SLOW LongSlow 125000 12 8 -137.0
3 MEDIUM_SLOW MediumSlow 250000 10 5 -129.0
4 MEDIUM_FAST MediumFast 250000 9 5 -126.5
5 SHORT_SLOW ShortSlow 250000 8 5 -124.0
6 SHORT_FAST ShortFast 250000 7 5 -121.5
7 LONG_MODERATE LongMod 125000 11 8 -134.5
8 SHORT_TURBO ShortTurbo 500000 7 5 -118.5
9 LONG_TURBO LongTurbo 500000 11 8 -128.5
10 LITE_FAST LiteFast 125000 9 5 -129.5
11 LITE_SLOW LiteSlow 125000 10 5 -132.0
12 NARROW_FAST NarrowFast 62500 7 6 -127.5
13 NARROW_SLOW NarrowSlow 62500 8 6 -130.0
16 MEDIUM_TURBO MediumTurbo 500000 9 5 -123.5"""

# Whole numbers in the client's settings that stand for a bandwidth with a fraction.
_BANDWIDTH_CODES = ((31, 31250), (62, 62500), (200, 203125), (400, 406250), (800, 812500), (1600, 1625000))

# Code, name, band from and to in Hz, permille of the time that a client and a router may send, power limit in
# dBm, gap between slots in Hz, padding on both sides of a slot in Hz, widest signal in Hz, slot from 1 up
# that is used where none is chosen (0: by name), preset that is used where the chosen one does not fit.
# Nothing is sent or taken in before a region is chosen: for UNSET the band only gives the receiver a place to
# be. EU_866 is four channels of 200 kHz for networked short range devices (ERC/REC 70-03).
_REGIONS = """\
0 UNSET 869400000 869650000 0 0 0 0 0 250000 0 0
1 US 902000000 928000000 1000 1000 30 0 0 500000 0 0
2 EU_433 433000000 434000000 100 100 10 0 0 500000 0 0
3 EU_868 869400000 869650000 100 100 27 0 0 250000 0 0
15 UA_868 868000000 868600000 10 10 14 0 0 500000 0 0
29 EU_866 865600000 867600000 25 100 27 400000 37500 125000 0 10
32 EU_N_868 869400000 869650000 100 100 27 0 10400 62500 1 13"""


class Modem(Record):
    """How symbols are made. `coding_rate` is the denominator: 5 for 4/5, 8 for 4/8."""

    __slots__ = ("bandwidth_hz", "coding_rate", "preamble_symbols", "spreading_factor")

    def __init__(
        self,
        bandwidth_hz: int,
        spreading_factor: int,
        coding_rate: int,
        preamble_symbols: int = PREAMBLE_SYMBOLS,
    ) -> None:
        if bandwidth_hz <= 0:
            raise LocalProtocolError(f"bandwidth is {bandwidth_hz} Hz, must be positive", "modem")
        if not 5 <= spreading_factor <= 12:
            raise LocalProtocolError(f"spreading factor is {spreading_factor}, allowed 5 to 12", "modem")
        if not 5 <= coding_rate <= 8:
            raise LocalProtocolError(f"coding rate is 4/{coding_rate}, allowed 4/5 to 4/8", "modem")
        self.bandwidth_hz = bandwidth_hz
        self.spreading_factor = spreading_factor
        self.coding_rate = coding_rate
        self.preamble_symbols = preamble_symbols

    def symbol_us(self) -> int:
        """Length of one symbol, rounded down."""
        return (1000000 << self.spreading_factor) // self.bandwidth_hz

    def airtime_us(self, length: int) -> int:
        """Time on air of a frame of `length` bytes, header included."""
        if not 0 <= length <= MAX_FRAME:
            raise LocalProtocolError(f"frame is {length} bytes, limit {MAX_FRAME}", "frame-size")
        factor = self.spreading_factor
        bits = max(8 * length + 16 - 4 * factor + 8 + 20, 0)
        per_block = 4 * (factor - (2 if self.symbol_us() >= _LDRO_SYMBOL_US else 0))
        payload = (bits + per_block - 1) // per_block * self.coding_rate
        quarters = 4 * (self.preamble_symbols + 8 + payload) + 17
        return quarters * (250000 << factor) // self.bandwidth_hz

    def airtime_ms(self, length: int) -> int:
        """Time on air of a frame of `length` bytes, to the nearest millisecond."""
        return (self.airtime_us(length) + 500) // 1000


def snr_limit_db(spreading_factor: int) -> float:
    """SNR at which an SX1262 still demodulates, 5 to 12 (Semtech SX1261/2 data sheet, table 6-1)."""
    return 10 - 2.5 * spreading_factor


class Preset(Record):
    """A named modem setting. `channel_name` is the effective name of a channel that has none of its own."""

    __slots__ = ("channel_name", "modem", "name", "number", "sensitivity_dbm")

    def __init__(
        self, number: int, name: str, channel_name: bytes, modem: Modem, sensitivity_dbm: float
    ) -> None:
        self.number = number
        self.name = name
        self.channel_name = channel_name
        self.modem = modem
        self.sensitivity_dbm = sensitivity_dbm


class Region(Record):
    """The band that a country allows: what may be sent there, and how often.

    `client_permille` and `router_permille` are the duty cycle by role, `default_preset` a ModemPreset for
    what is wider than `widest_hz`.
    """

    __slots__ = (
        "client_permille",
        "code",
        "default_preset",
        "default_slot",
        "end_hz",
        "name",
        "padding_hz",
        "power_limit_dbm",
        "router_permille",
        "spacing_hz",
        "start_hz",
        "widest_hz",
    )

    def __init__(
        self,
        code: int,
        name: str,
        start_hz: int,
        end_hz: int,
        client_permille: int,
        router_permille: int,
        power_limit_dbm: int,
        spacing_hz: int,
        padding_hz: int,
        widest_hz: int,
        default_slot: int,
        default_preset: int,
    ) -> None:
        self.code = code
        self.name = name
        self.start_hz = start_hz
        self.end_hz = end_hz
        self.client_permille = client_permille
        self.router_permille = router_permille
        self.power_limit_dbm = power_limit_dbm
        self.spacing_hz = spacing_hz
        self.padding_hz = padding_hz
        self.widest_hz = widest_hz
        self.default_slot = default_slot
        self.default_preset = default_preset

    def slots(self, modem: Modem) -> int:
        """How many channels of this bandwidth lie side by side in the band; 0: it does not fit."""
        if modem.bandwidth_hz > self.widest_hz:
            return 0
        return (self.end_hz - self.start_hz + self.spacing_hz) // self._step_hz(modem)

    def frequency_hz(self, modem: Modem, channel_name: bytes, channel_number: int = 0) -> int:
        """Centre frequency for the primary channel's effective name, or for a channel number from 1 up."""
        count = self.slots(modem)
        if not count:
            raise LocalProtocolError(f"{modem.bandwidth_hz} Hz is too wide for {self.name}", "modem")
        number = channel_number or self.default_slot
        slot = (number - 1 if number else djb2(channel_name)) % count
        return self.start_hz + self.padding_hz + modem.bandwidth_hz // 2 + slot * self._step_hz(modem)

    def _step_hz(self, modem: Modem) -> int:
        return self.spacing_hz + 2 * self.padding_hz + modem.bandwidth_hz


def preset(number: int) -> Preset:
    """The preset with a number of Meshtastic's ModemPreset; the deprecated 2 is LONG_FAST."""
    wanted = LONG_FAST if number == 2 else number
    for code, name, channel_name, bandwidth_hz, factor, rate, sensitivity_dbm in _rows(_PRESETS):
        if int(code) == wanted:
            modem = Modem(int(bandwidth_hz), int(factor), int(rate))
            return Preset(wanted, name, channel_name.encode(), modem, float(sensitivity_dbm))
    raise LocalProtocolError(f"modem preset is {number}, allowed 0 to 13 and 16", "modem")


def preset_named(name: str) -> Preset:
    """The preset with a name in Meshtastic's spelling, such as "MEDIUM_FAST"."""
    for row in _rows(_PRESETS):
        if row[1] == name:
            return preset(int(row[0]))
    known = ", ".join([row[1] for row in _rows(_PRESETS)])
    raise LocalProtocolError(f"modem preset is {name!r}, allowed: {known}", "modem")


def presets() -> "list[Preset]":
    """All presets, by number."""
    return [preset(number) for number in sorted([int(row[0]) for row in _rows(_PRESETS)])]


def region(code: int) -> Region:
    """The region with a number of Meshtastic's RegionCode; only those whose limits are known here."""
    for row in _rows(_REGIONS):
        if int(row[0]) == code:
            return Region(code, row[1], *[int(number) for number in row[2:]])
    known = ", ".join([f"{row[0]} ({row[1]})" for row in _rows(_REGIONS)])
    raise LocalProtocolError(f"region code is {code}, known: {known}", "region")


def _rows(table: str) -> "list[list[str]]":
    return [line.split() for line in table.split("\n")]


def custom_modem(bandwidth_code: int, spreading_factor: int, coding_rate: int) -> Modem:
    """A modem from a client's manual settings: bandwidth in kHz, or Meshtastic's code for a fraction."""
    for code, bandwidth_hz in _BANDWIDTH_CODES:
        if code == bandwidth_code:
            return Modem(bandwidth_hz, spreading_factor, coding_rate)
    return Modem(bandwidth_code * 1000, spreading_factor, coding_rate)


def djb2(name: bytes) -> int:
    """The hash that spreads channel names over a band's slots."""
    value = 5381
    for byte in name:
        value = (33 * value + byte) & 0xFFFFFFFF
    return value
