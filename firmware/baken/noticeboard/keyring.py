"""Who may speak: the provisioned trust list, and the amendments to it that root has signed since."""

from baken.compat import const
from baken.crypto import signing
from baken.table import Lookup
from baken.wire import amendment as wire
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import (
    AUTHORITY_KINDS,
    POINT_KINDS,
    ROOT_KINDS,
    TRUST,
    role_of,
    signature_of,
    signed_bytes,
)
from baken.wire.trust import MAX_AUTHORITIES, MAX_POINTS, TrustList

MAX_AMENDMENTS = const(64)
CHECKS = 1  # raised when a record that was taken in may be refused now: nodes check what they hold once more


class Keyring:
    """`trust` is the TrustList that holds now: the provisioned one with the amendments that have come."""

    def __init__(self, provisioned, fetch):
        """`fetch(record id)` gives the raw amendments that were taken in, None for one that is lost."""
        self._provisioned = provisioned
        self._fetch = fetch
        self._latest = {}  # who -> serial number of the amendment about them, doubled, with 1 if it is a SET
        self._lost = set()  # serial numbers of those that have to come again
        self._needless = {}  # serial number -> that of the one that overtook it
        old = provisioned
        points = _Amended(old.points, self._latest, self._entry)
        self.trust = TrustList(
            old.serial, old.root_public, old.region, old.areas, old.authorities.values(), points
        )

    def __len__(self):
        return len(self._latest) - len(self._lost)

    def __contains__(self, seq):
        return seq not in self._lost and seq in [said >> 1 for said in self._latest.values()]

    def numbers(self):
        """Serial numbers of the amendments held, in order."""
        held = [said >> 1 for said in self._latest.values()]
        return sorted([seq for seq in held if seq not in self._lost])

    def records(self):
        """Raw amendments, in order."""
        found = [self._raw(seq) for seq in self.numbers()]
        return [raw for raw in found if raw is not None]

    def fingerprint(self, amendments):
        """Bytes that name the keys that count under the provisioned list and the amendments with these serial
        numbers, and what is checked.
        """
        numbers = [CHECKS, self._provisioned.serial] + amendments
        return b"".join([self.trust.tag] + [number.to_bytes(4, "big") for number in numbers])

    def is_contained(self, seq):
        """Whether the provisioned list is as new as an amendment with this serial number."""
        return seq <= self._provisioned.serial

    def wants(self, seq):
        """Whether an amendment with this serial number would say something that is not known here."""
        return not (self.is_contained(seq) or seq in self or seq in self._needless)

    def overtaking(self, seq):
        """The raw amendment that made the one with this serial number needless, or None."""
        newer = self._needless.get(seq)
        return None if newer is None else self._raw(newer)

    def lose(self, seq):
        """This amendment can be read no more. What it has taken away stays away, and whom it has set is not
        trusted until it has come again.
        """
        if seq in self:
            self._lost.add(seq)

    def amend(self, raw):
        """Take in an amendment whose signature has been checked, and which `fetch` gives from now on.

        Gives (the Amendment, serial numbers of amendments that it makes needless). RemoteProtocolError when
        there is no room, or when it names an area that the region has not.
        """
        new = wire.decode(raw)
        if self.is_contained(new.seq):
            raise RemoteProtocolError(
                "amendment %d is in list %d" % (new.seq, self._provisioned.serial), "old-trust"
            )
        area = new.entry.area if new.entry and new.action == wire.SET_POINT else None
        if area is not None and area >= len(self._provisioned.areas):
            raise RemoteProtocolError("a point lies in area %d" % area, "trust-area")
        who = _who(new.action in _OF_AUTHORITIES, new.number)
        said = self._latest.get(who)
        before = None if said is None else said >> 1
        if before is not None and before > new.seq:
            self._remember_needless(new.seq, before)
            raise RemoteProtocolError("%d is overtaken by %d" % (new.seq, before), "old-trust")
        self._check_room(new, before)
        needless = []
        if before is not None and before != new.seq:
            needless.append(before)
            self._remember_needless(before, new.seq)
        self._lost.discard(before)
        self._latest[who] = new.seq << 1 | (new.entry is not None)
        if new.action == wire.SET_AUTHORITY:
            self.trust.authorities[new.number] = new.entry
        elif new.action == wire.REVOKE_AUTHORITY:
            self.trust.authorities.pop(new.number, None)
        return new, needless

    def knows(self, kind, origin):
        """Whether anybody may sign records of this kind and origin."""
        role = role_of(kind)
        if role in AUTHORITY_KINDS:
            return origin in self.trust.authorities
        if role in POINT_KINDS:
            return origin in self.trust.points
        return role in ROOT_KINDS and origin == wire.ROOT_ORIGIN

    def key_of(self, kind, origin):
        """The public key that records of this kind and origin are signed with; None: nobody's."""
        role = role_of(kind)
        if role in AUTHORITY_KINDS:
            authority = self.trust.authorities.get(origin)
            return authority.public if authority else None
        if role in POINT_KINDS:
            point = self.trust.points.get(origin)
            return point.signing_public if point else None
        return self.trust.root_public if role in ROOT_KINDS and origin == wire.ROOT_ORIGIN else None

    def check(self, header, unix_s):
        """RemoteProtocolError when the origin of a record may not speak, or not any more at `unix_s` (None:
        the time is unknown).
        """
        role = role_of(header.kind)
        if not self.knows(header.kind, header.origin):
            if role in AUTHORITY_KINDS:
                raise RemoteProtocolError("authority %d is not trusted" % header.origin, "unknown-authority")
            if role in POINT_KINDS:
                raise RemoteProtocolError("point %d is not trusted" % header.origin, "unknown-point")
            raise RemoteProtocolError("record kind %d" % header.kind, "unknown-kind")
        if role in AUTHORITY_KINDS and unix_s is not None:
            expires_s = self.trust.authorities[header.origin].expires_s
            if expires_s and unix_s >= expires_s:
                raise RemoteProtocolError("authority %d has expired" % header.origin, "expired-authority")

    def verify(self, header, raw):
        """RemoteProtocolError when a record is not signed by the one it names as its origin."""
        public = self.key_of(header.kind, header.origin)
        if public is None or not self.is_signed(public, raw):
            raise RemoteProtocolError("signature is wrong", "bad-signature")

    def is_signed(self, public, raw):
        """Whether the holder of the public key `public` has signed a record."""
        return signing.verify(public, signed_bytes(raw, self.trust.tag), signature_of(raw))

    def _check_room(self, new, before):
        if before is None and len(self._latest) >= MAX_AMENDMENTS:
            raise RemoteProtocolError("%d amendments, limit %d" % (len(self._latest), MAX_AMENDMENTS), "full")
        entries, limit = self.trust.points, MAX_POINTS
        if new.action in _OF_AUTHORITIES:
            entries, limit = self.trust.authorities, MAX_AUTHORITIES
        if new.entry is not None and new.number not in entries and len(entries) >= limit:
            raise RemoteProtocolError("%d trusted, limit %d" % (len(entries), limit), "full")

    def _remember_needless(self, seq, newer):
        self._needless[seq] = newer
        if len(self._needless) > MAX_AMENDMENTS:
            del self._needless[min(self._needless)]

    def _raw(self, seq):
        return self._fetch((TRUST, wire.ROOT_ORIGIN, seq, 0))

    def _entry(self, seq):
        """The trust.Point that this amendment sets, or None."""
        raw = self._raw(seq)
        return wire.decode(raw).entry if raw is not None else None


class _Amended(Lookup):
    """The points that are trusted now: those of the list, under what amendments say."""

    def __init__(self, listed, latest, entry):
        self._listed = listed
        self._latest = latest  # as in Keyring
        self._entry = entry

    def __iter__(self):
        for number in self._listed:
            if number in self:
                yield number
        for who, said in self._latest.items():
            if who <= 0xFFFF and said & 1 and who not in self._listed:
                yield who

    def __contains__(self, number):
        said = self._latest.get(_who(False, number))
        return number in self._listed if said is None else bool(said & 1)

    def get(self, key, default=None):
        """The Point, or `default`; also for one whose amendment is lost."""
        said = self._latest.get(_who(False, key))
        if said is None:
            return self._listed.get(key, default)
        point = self._entry(said >> 1) if said & 1 else None
        return default if point is None else point


_OF_AUTHORITIES = (wire.REVOKE_AUTHORITY, wire.SET_AUTHORITY)


def _who(is_authority, number):
    """One number for an authority or a point."""
    return is_authority << 16 | number
