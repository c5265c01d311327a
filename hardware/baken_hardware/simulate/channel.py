"""The air between the nodes of a map: who receives which frame. One modem setting for all.

The rules are those of `virtual/air.py`, which the virtual boards use; here links are worked out before and
receptions are kept small, so that a thousand nodes cost little. tests/hardware/test_simulate.py drives both
with the same traffic and compares.
"""

from __future__ import annotations

import random

from baken_hardware.simulate.maps import Map
from baken_hardware.virtual.air import CAD_MARGIN_DB, CAPTURE_DB, Modem


class Reception:
    """One frame as one receiver hears it."""

    __slots__ = ("lost", "power_dbm", "receiver", "start_ms")

    def __init__(self, receiver: int, power_dbm: float, start_ms: int, lost: bool) -> None:
        self.receiver = receiver
        self.power_dbm = power_dbm
        self.start_ms = start_ms
        self.lost = lost


class Transmission:
    """A frame on the air."""

    __slots__ = ("cut_off", "end_ms", "frame", "receptions", "sender")

    def __init__(self, sender: int, frame: bytes, end_ms: int) -> None:
        self.sender = sender
        self.frame = frame
        self.end_ms = end_ms
        self.cut_off = False
        self.receptions: list[Reception] = []


class Channel:
    """`fading_db`: deviation of the fading of each frame at each receiver; `loss`: chance that a frame is
    erased there all the same. `begin` starts a frame, `end` tells who received it.
    """

    def __init__(
        self, terrain: Map, modem: Modem, chance: random.Random, fading_db: float = 0.0, loss: float = 0.0
    ) -> None:
        count = len(terrain)
        self.links = terrain.out
        self.modem = modem
        self.noise_dbm = terrain.noise_dbm
        self.received = 0
        self.lost = 0
        self._sensitivity_dbm = terrain.sensitivity_dbm
        self._fading_db = fading_db
        self._loss = loss
        self._uniform = chance.random
        self._gauss = chance.gauss
        self._slot_ms = modem.slot_ms
        self._hearing: list[list[Reception]] = [[] for _ in range(count)]
        self._locked: list[Reception | None] = [None] * count
        self._sending: list[Transmission | None] = [None] * count
        self._powered = [True] * count

    def power(self, node: int, on: bool) -> None:
        """Switch a radio; what it was receiving is lost, what it was sending nobody receives."""
        self._powered[node] = on
        if not on:
            for reception in self._hearing[node]:
                reception.lost = True
            self._locked[node] = None
            transmission = self._sending[node]
            if transmission is not None:
                transmission.cut_off = True
                self._sending[node] = None

    def is_sending(self, node: int) -> bool:
        """Whether a frame of this node is on the air."""
        return self._sending[node] is not None

    def is_busy(self, node: int, now: int) -> bool:
        """What a channel activity detection that ends now says: a frame that is younger than a slot is not
        noticed.
        """
        if self._sending[node] is not None:
            return True
        floor_dbm = self._sensitivity_dbm - CAD_MARGIN_DB
        latest = now - self._slot_ms
        for reception in self._hearing[node]:
            if reception.start_ms < latest and reception.power_dbm >= floor_dbm:
                return True
        return False

    def begin(self, node: int, frame: bytes, now: int) -> Transmission:
        """Start sending."""
        transmission = Transmission(node, frame, now + self.modem.airtime_ms(len(frame)))
        for reception in self._hearing[node]:
            reception.lost = True
        self._locked[node] = None
        self._sending[node] = transmission
        sensitivity_dbm = self._sensitivity_dbm
        lowest_dbm = sensitivity_dbm - CAPTURE_DB
        fading_db, loss = self._fading_db, self._loss
        uniform, gauss = self._uniform, self._gauss
        receptions = transmission.receptions
        for receiver, power_dbm in self.links[node]:
            if fading_db:
                power_dbm += gauss(0.0, fading_db)
            if power_dbm < lowest_dbm or not self._powered[receiver]:
                continue
            lost = False
            hearing = self._hearing[receiver]
            for other in hearing:
                difference_db = other.power_dbm - power_dbm
                if difference_db < CAPTURE_DB:
                    other.lost = True
                if -difference_db < CAPTURE_DB:
                    lost = True
            reception = Reception(receiver, power_dbm, now, lost)
            if (
                power_dbm < sensitivity_dbm
                or self._sending[receiver] is not None
                or self._locked[receiver] is not None
            ):
                reception.lost = True
            else:
                self._locked[receiver] = reception
                if loss and uniform() < loss:
                    reception.lost = True
            hearing.append(reception)
            receptions.append(reception)
        return transmission

    def end(self, transmission: Transmission) -> list[Reception]:
        """A frame is over; the receptions that succeeded."""
        if self._sending[transmission.sender] is transmission:
            self._sending[transmission.sender] = None
        got = []
        for reception in transmission.receptions:
            receiver = reception.receiver
            self._hearing[receiver].remove(reception)
            if self._locked[receiver] is reception:
                self._locked[receiver] = None
            if reception.lost or transmission.cut_off:
                self.lost += 1
            else:
                got.append(reception)
        self.received += len(got)
        return got
