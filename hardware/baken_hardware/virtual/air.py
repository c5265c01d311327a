"""One shared radio channel: who hears which frame. Sans-IO: times are milliseconds given by the caller.

Rules, as in the usual LoRa mesh simulators:
  - A receiver that is free locks on the first frame at or above its sensitivity until that frame ends, also
    on one that will be lost.
  - A frame is received when the receiver is locked on it, does not transmit at any time during it, and hears
    it at least CAPTURE_DB above each overlapping frame, taken singly; of two that differ by less both are
    lost.
  - Starting to transmit destroys whatever is being received, and a frame that began meanwhile cannot be
    caught any more.
  - A radio that is tuned while a frame is on the air has missed its preamble: it cannot receive it, but the
    frame keeps the channel busy for it and disturbs others (activity detection finds the symbols of a payload
    as well: Semtech AN1200.48).
  - Per frame and receiver a normally distributed fading is added to the mean power, and an erasure with a
    fixed probability stands for everything else. Both come from the seed, the sender, the sender's frame
    count and the receiver, so they do not depend on what other radios do.
  - The channel is busy for a radio that transmits, or hears, at CAD_MARGIN_DB below its sensitivity or
    better, a frame that began more than a slot ago. A younger frame is not noticed yet, even when the
    receiver is about to lock on it: two radios that start within one slot collide.
  - Radios with another frequency, bandwidth or spreading factor neither hear nor disturb each other
    (spreading factors are taken as perfectly orthogonal). Another sync word disturbs, but is not received.

Use: `transmit` starts a frame; `deadline` says when the next one ends; `advance(now_ms)` ends it and returns
what came of it. Call `advance(now_ms)` before anything else that happens at `now_ms`: a frame that ends when
another begins does not overlap it.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from baken.wire import modem as modems

CAPTURE_DB = 6.0
CAD_MARGIN_DB = 3.0
# Weaker than this below sensitivity a frame can neither be received (fading included in the power) nor
# disturb one.
_IGNORED_DB = CAPTURE_DB


@dataclass(frozen=True)
class Modem:
    """What two radios must share to hear each other, and what decides how long a frame takes."""

    frequency_hz: int
    bandwidth_hz: int
    spreading_factor: int
    coding_rate: int = 5
    preamble_symbols: int = 16
    sync_word: int = 0x2B
    power_dbm: int = 22

    @property
    def channel(self) -> tuple[int, int, int]:
        """Radios with the same value share the air."""
        return self.frequency_hz, self.bandwidth_hz, self.spreading_factor

    @property
    def symbol_ms(self) -> float:
        """Duration of one symbol."""
        return (1 << self.spreading_factor) * 1000 / self.bandwidth_hz

    @property
    def slot_ms(self) -> int:
        """Contention slot: one activity detection, propagation, turn-around and the processor's time."""
        return int(2.5 * self.symbol_ms + 7.6)

    @property
    def detection_ms(self) -> int:
        """Duration of one channel activity detection."""
        return math.ceil(2.5 * self.symbol_ms)

    def airtime_ms(self, length: int) -> int:
        """Time on air of a frame of `length` bytes, rounded up to whole milliseconds."""
        modem = modems.Modem(
            self.bandwidth_hz, self.spreading_factor, self.coding_rate, self.preamble_symbols
        )
        return math.ceil(modem.airtime_us(length) / 1000)


@dataclass(eq=False)
class Transmission:
    """A frame on the air."""

    sender: str
    number: int
    frame: bytes
    modem: Modem
    start_ms: int
    end_ms: int
    cut_off: bool = False
    receptions: list[_Reception] = field(default_factory=list)


@dataclass(eq=False)
class _Reception:
    """One transmission as one receiver hears it. `lost` names why it will not be received."""

    transmission: Transmission
    receiver: _Radio
    power_dbm: float
    lost: str = ""


@dataclass(eq=False)
class _Radio:
    name: str
    modem: Modem | None = None
    sensitivity_dbm: float = 0.0
    connected: bool = True
    sending: Transmission | None = None
    locked: _Reception | None = None
    hearing: list[_Reception] = field(default_factory=list)


@dataclass(frozen=True)
class Sent:
    """A transmission has left the antenna."""

    sender: str
    transmission: Transmission


@dataclass(frozen=True)
class Received:
    """A radio got a frame."""

    receiver: str
    sender: str
    frame: bytes
    power_dbm: float
    snr_db: float


class AirError(Exception):
    """The caller asked for something that a radio cannot do."""


class Air:
    """The channel and the radios on it.

    `mean_power_dbm(sender, receiver, power_dbm)` gives the mean power between two named radios (None: out of
    reach); it is asked once per pair and power. `noise_dbm` and `sensitivity_dbm` come from the caller's link
    budget.
    """

    def __init__(
        self,
        mean_power_dbm: Callable[[str, str, int], float | None],
        sensitivity_dbm: Callable[[int, int], float],
        noise_dbm: Callable[[int], float],
        seed: int = 0,
        fading_db: float = 0.0,
        loss: float = 0.0,
        airtime_ms: Callable[[Modem, int], int] = Modem.airtime_ms,
    ) -> None:
        if not 0 <= loss <= 1:
            raise AirError(f"loss is {loss}, limits 0..1")
        self.counters: Counter[str] = Counter()
        self._mean_power_dbm = mean_power_dbm
        self._sensitivity_dbm = sensitivity_dbm
        self._noise_dbm = noise_dbm
        self._airtime_ms = airtime_ms
        self._seed = seed
        self._fading_db = fading_db
        self._loss = loss
        self._radios: dict[str, _Radio] = {}
        # By name, not by radio: a board that restarts must not meet the chances of its first frames again.
        self._counts: Counter[str] = Counter()
        self._on_air: list[Transmission] = []
        self._powers: dict[tuple[str, str, int], float | None] = {}

    # Radios.

    def add(self, name: str) -> None:
        """Put a radio on the air; it hears nothing until it is configured."""
        if name in self._radios:
            raise AirError(f"radio {name} is on the air already")
        self._radios[name] = _Radio(name)

    def remove(self, name: str) -> None:
        """Take a radio off the air at once: what it was sending is received by nobody."""
        radio = self._radio(name)
        if radio.sending is not None:
            radio.sending.cut_off = True
        self._forget_receptions(radio, "off")
        del self._radios[name]

    def configure(self, name: str, modem: Modem) -> None:
        """Tune a radio; what it was receiving is lost, a frame being sent goes on as it began."""
        radio = self._radio(name)
        if radio.modem == modem:
            return
        self._forget_receptions(radio, "retuned")
        radio.modem = modem
        radio.sensitivity_dbm = self._sensitivity_dbm(modem.spreading_factor, modem.bandwidth_hz)
        self._join(radio)

    def connect(self, name: str, connected: bool) -> None:
        """Screw the antenna on or off: without it a radio works, but nobody hears it and it hears nobody."""
        radio = self._radio(name)
        if radio.connected == connected:
            return
        radio.connected = connected
        if connected:
            self._join(radio)
        else:
            self._forget_receptions(radio, "off")
            if radio.sending is not None:
                radio.sending.cut_off = True

    def modem(self, name: str) -> Modem | None:
        """How a radio is tuned; None before `configure`."""
        return self._radio(name).modem

    # Sending and listening.

    def transmit(self, name: str, frame: bytes, now_ms: int) -> Transmission:
        """Start sending; AirError when the radio is not configured or already sending."""
        sender = self._radio(name)
        if sender.modem is None:
            raise AirError(f"radio {name} is not configured")
        if sender.sending is not None:
            raise AirError(f"radio {name} is sending until {sender.sending.end_ms} ms")
        end_ms = now_ms + self._airtime_ms(sender.modem, len(frame))
        transmission = Transmission(name, self._counts[name], frame, sender.modem, now_ms, end_ms)
        transmission.cut_off = not sender.connected
        self._counts[name] += 1
        self.counters["transmitted"] += 1
        self.counters["airtime_ms"] += end_ms - now_ms
        for reception in sender.hearing:
            reception.lost = reception.lost or "half-duplex"
        sender.locked = None
        sender.sending = transmission
        self._on_air.append(transmission)
        if sender.connected:
            for radio in self._radios.values():
                if radio is not sender:
                    self._begin_reception(radio, transmission)
        return transmission

    def channel_busy(self, name: str, now_ms: int) -> bool:
        """What a channel activity detection that ends now says."""
        radio = self._radio(name)
        if radio.sending is not None:
            return True
        if radio.modem is None:
            return False
        floor_dbm = radio.sensitivity_dbm - CAD_MARGIN_DB
        slot_ms = radio.modem.slot_ms
        return any(
            reception.power_dbm >= floor_dbm and now_ms - reception.transmission.start_ms > slot_ms
            for reception in radio.hearing
        )

    # Time.

    def deadline(self) -> int | None:
        """When the next frame ends; None when the air is quiet."""
        return min((transmission.end_ms for transmission in self._on_air), default=None)

    def advance(self, now_ms: int) -> list[Sent | Received]:
        """End every frame that is over by now; in order of end time, then of sending."""
        ended = [transmission for transmission in self._on_air if transmission.end_ms <= now_ms]
        if not ended:
            return []
        self._on_air = [transmission for transmission in self._on_air if transmission.end_ms > now_ms]
        ended.sort(key=lambda transmission: transmission.end_ms)
        events: list[Sent | Received] = []
        for transmission in ended:
            sender = self._radios.get(transmission.sender)
            if sender is not None and sender.sending is transmission:
                sender.sending = None
                events.append(Sent(transmission.sender, transmission))
            for reception in transmission.receptions:
                received = self._end_reception(reception)
                if received is not None:
                    events.append(received)
        return events

    # Receptions.

    def _join(self, radio: _Radio) -> None:
        """Let a radio hear what is on the air already."""
        for transmission in self._on_air:
            if transmission.sender != radio.name and not transmission.cut_off:
                self._begin_reception(radio, transmission, "no-preamble")

    def _begin_reception(self, radio: _Radio, transmission: Transmission, lost: str = "") -> None:
        modem = radio.modem
        if modem is None or not radio.connected or modem.channel != transmission.modem.channel:
            return
        mean_dbm = self._mean(transmission.sender, radio.name, transmission.modem.power_dbm)
        if mean_dbm is None:
            return
        fade, draw = self._chance(transmission, radio.name)
        power_dbm = mean_dbm + self._fading_db * fade
        if power_dbm < radio.sensitivity_dbm - _IGNORED_DB:
            return
        reception = _Reception(transmission, radio, power_dbm, lost)
        for other in radio.hearing:
            if other.power_dbm - power_dbm < CAPTURE_DB:
                other.lost = other.lost or "collision"
            if power_dbm - other.power_dbm < CAPTURE_DB:
                reception.lost = reception.lost or "collision"
        if power_dbm < radio.sensitivity_dbm:
            reception.lost = "weak"
        elif radio.sending is not None:
            reception.lost = "half-duplex"
        elif lost or radio.locked is not None:
            reception.lost = reception.lost or "locked"
        else:
            radio.locked = reception
            if draw < self._loss:
                reception.lost = reception.lost or "erased"
            if modem.sync_word != transmission.modem.sync_word:
                reception.lost = "sync-word"
        radio.hearing.append(reception)
        transmission.receptions.append(reception)

    def _end_reception(self, reception: _Reception) -> Received | None:
        radio = reception.receiver
        transmission = reception.transmission
        if reception in radio.hearing:
            radio.hearing.remove(reception)
        if radio.locked is reception:
            radio.locked = None
        cause = reception.lost or ("cut-off" if transmission.cut_off else "")
        if cause:
            self.counters[f"lost-{cause}"] += 1
            return None
        self.counters["received"] += 1
        snr_db = reception.power_dbm - self._noise_dbm(transmission.modem.bandwidth_hz)
        return Received(radio.name, transmission.sender, transmission.frame, reception.power_dbm, snr_db)

    def _forget_receptions(self, radio: _Radio, cause: str) -> None:
        for reception in radio.hearing:
            reception.lost = reception.lost or cause
        radio.hearing.clear()
        radio.locked = None

    # Chance and geometry.

    def _mean(self, sender: str, receiver: str, power_dbm: int) -> float | None:
        key = (sender, receiver, power_dbm)
        if key not in self._powers:
            self._powers[key] = self._mean_power_dbm(sender, receiver, power_dbm)
        return self._powers[key]

    def _chance(self, transmission: Transmission, receiver: str) -> tuple[float, float]:
        """A standard normal and a uniform [0, 1) number that belong to this frame and this receiver."""
        if not self._fading_db and not self._loss:
            return 0.0, 1.0
        state = zlib.crc32(f"{transmission.sender}>{receiver}".encode()) << 32
        state += transmission.number * 0x9E3779B97F4A7C15 + self._seed * 0xD1342543DE82EF95
        first, second, third = _mix(state + 1), _mix(state + 2), _mix(state + 3)
        normal = math.sqrt(-2 * math.log(first)) * math.cos(2 * math.pi * second)
        return normal, third

    def _radio(self, name: str) -> _Radio:
        radio = self._radios.get(name)
        if radio is None:
            raise AirError(f"radio {name} is not on the air")
        return radio


def _mix(state: int) -> float:
    """A number in (0, 1) from an integer: the output function of SplitMix64 (Steele, Lea, Flood, OOPSLA
    2014).
    """
    mask = 0xFFFFFFFFFFFFFFFF
    state = (state * 0x9E3779B97F4A7C15) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return ((state ^ (state >> 31)) + 0.5) / (mask + 2)
