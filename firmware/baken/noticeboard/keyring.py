"""Who may speak: the provisioned trust list, and the amendments to it that root has signed since."""

from baken.compat import const
from baken.crypto import signing
from baken.wire import amendment as wire
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import AUTHORITY_KINDS, POINT_KINDS, ROOT_KINDS, role_of, signature_of, signed_bytes
from baken.wire.trust import TrustList

MAX_AMENDMENTS = const(64)


class Keyring:
    """`trust` is the TrustList that holds now; it is replaced, never changed, when an amendment comes."""

    def __init__(self, provisioned):
        self.trust = provisioned
        self._provisioned = provisioned
        self._amendments = {}  # serial number -> (Amendment, raw)
        self._needless = {}  # serial number -> that of the one that overtook it

    def __len__(self):
        return len(self._amendments)

    def get(self, seq):
        """Raw amendment with that serial number, or None."""
        held = self._amendments.get(seq)
        return held[1] if held else None

    def numbers(self):
        """Serial numbers of the amendments held, in order."""
        return sorted(self._amendments)

    def records(self):
        """Raw amendments, in order."""
        return [self._amendments[seq][1] for seq in self.numbers()]

    def is_contained(self, seq):
        """Whether the provisioned list is as new as an amendment with this serial number."""
        return seq <= self._provisioned.serial

    def wants(self, seq):
        """Whether an amendment with this serial number would say something that is not known here."""
        return not (self.is_contained(seq) or seq in self._amendments or seq in self._needless)

    def overtaking(self, seq):
        """The raw amendment that made the one with this serial number needless, or None."""
        return self.get(self._needless.get(seq))

    def amend(self, raw):
        """Take in an amendment whose signature has been checked.

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
        needless = [seq for seq, (held, _) in self._amendments.items() if _overtakes(new, held)]
        for held, _ in self._amendments.values():
            if _overtakes(held, new):
                self._needless[new.seq] = held.seq
                raise RemoteProtocolError("%d is overtaken by %d" % (new.seq, held.seq), "old-trust")
        if len(self._amendments) - len(needless) >= MAX_AMENDMENTS:
            raise RemoteProtocolError(
                "%d amendments, limit %d" % (len(self._amendments), MAX_AMENDMENTS), "full"
            )
        for seq in needless:
            del self._amendments[seq]
            self._needless[seq] = new.seq
        self._amendments[new.seq] = (new, raw)
        self._work_out()
        return new, needless

    def key_of(self, kind, origin):
        """The public key that records of this kind and origin are signed with; None: nobody's."""
        role = role_of(kind)
        if role in AUTHORITY_KINDS:
            authority = self.trust.authorities.get(origin)
            return authority.public if authority else None
        if role in POINT_KINDS:
            return self.trust.points.signing_public(origin)
        return self.trust.root_public if role in ROOT_KINDS and origin == wire.ROOT_ORIGIN else None

    def check(self, header, unix_s):
        """RemoteProtocolError when the origin of a record may not speak, or not any more at `unix_s` (None:
        the time is unknown).
        """
        role = role_of(header.kind)
        if self.key_of(header.kind, header.origin) is None:
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
        if not self.is_signed(self.key_of(header.kind, header.origin), raw):
            raise RemoteProtocolError("signature is wrong", "bad-signature")

    def is_signed(self, public, raw):
        """Whether the holder of the public key `public` has signed a record."""
        return signing.verify(public, signed_bytes(raw, self.trust.tag), signature_of(raw))

    def _work_out(self):
        old = self._provisioned
        authorities = dict(old.authorities)
        points = old.points.copy()
        for seq in self.numbers():
            change, _ = self._amendments[seq]
            entries = authorities if change.action in _OF_AUTHORITIES else points
            if change.entry is None:
                entries.pop(change.number, None)
            else:
                entries[change.number] = change.entry
        self.trust = TrustList(
            old.serial, old.root_public, old.region, old.areas, authorities.values(), points
        )


_OF_AUTHORITIES = (wire.REVOKE_AUTHORITY, wire.SET_AUTHORITY)


def _overtakes(new, held):
    """Whether `new` says all that is still to be said of the one whom `held` is about."""
    same_kind = (new.action in _OF_AUTHORITIES) == (held.action in _OF_AUTHORITIES)
    return same_kind and new.number == held.number and new.seq > held.seq
