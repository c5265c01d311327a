"""Emergency reports and their answers: every replica keeps them safe, none but their readers opens them.

A REPORT stays until an ANSWER names it. The ANSWER stays as long as the report could come back from a replica
that has not heard of it. A second report of a point stands beside the first: nothing is overtaken.

What goes when there is no room: never an open report, so a new one is refused; of answers the oldest.
"""

from baken.compat import const
from baken.table import Lookup, Table
from baken.wire import answer as answers
from baken.wire import report as reports
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import ANSWER, HEADER_SIZE, REPORT, pack_key, unpack_key

MAX_REPORTS = const(64)
MAX_REPORTS_OF_POINT = const(8)  # so that one stolen point key cannot take all places
MAX_ANSWERS = const(64)
_KEY_SIZE = const(5)


class Letters:
    """`reports` and `answers` are read like dictionaries: {(origin, seq): Report or Answer}."""

    def __init__(self):
        self.reports = _Held(reports.FIXED_SIZE, reports.of_clear)
        self.answers = _Held(answers.FIXED_SIZE + 1, _answer)

    def __contains__(self, record_id):
        kind, origin, seq, part = record_id
        return part == 0 and (origin, seq) in self.held(kind)

    def held(self, kind):
        """`reports` or `answers`."""
        return self.reports if kind == REPORT else self.answers

    def acknowledging(self, point, seq):
        """The Answer that acknowledges report `seq` of that point, or None."""
        record_id = self.answer_id(point, seq)
        return None if record_id is None else self.answers.get(record_id[1:3])

    def answer_id(self, point, seq):
        """The record id of an ANSWER to report `seq` of that point, or None."""
        wanted = pack_key((point, seq))
        for row in self.answers.rows:
            if row[_KEY_SIZE : _KEY_SIZE + len(wanted)] == wanted:
                return (ANSWER,) + unpack_key(row, 0) + (0,)
        return None

    def answers_for(self, point):
        """[(key, Answer)] of those that are for this point, by age."""
        found = [(key, answer) for key, answer in self.answers.items() if answer.point == point]
        return sorted(found, key=lambda one: (one[1].time_s, one[0]))

    def check_report(self, report, unix_s):
        """RemoteProtocolError when this report, new here, is not to be taken."""
        if self.acknowledging(report.origin, report.seq):
            raise RemoteProtocolError("report %d is acknowledged" % report.seq, "answered")
        if unix_s is not None and unix_s >= report.expires_s:
            raise RemoteProtocolError("report %d has expired" % report.seq, "expired")
        of_point = len([1 for origin, _ in self.reports if origin == report.origin])
        if len(self.reports) >= MAX_REPORTS or of_point >= MAX_REPORTS_OF_POINT:
            raise RemoteProtocolError(
                "%d reports, %d of point %d, limits %d and %d"
                % (len(self.reports), of_point, report.origin, MAX_REPORTS, MAX_REPORTS_OF_POINT),
                "full",
            )

    def check_answer(self, answer, unix_s):
        """RemoteProtocolError when this answer, new here, is not to be taken."""
        if unix_s is not None and unix_s >= self.keep_until(answer):
            raise RemoteProtocolError("answer %d/%d has expired" % (answer.origin, answer.seq), "expired")
        if len(self.answers) >= MAX_ANSWERS:
            oldest = min([held.time_s for held in self.answers.values()])
            if answer.time_s <= oldest:
                raise RemoteProtocolError("%d answers, limit %d" % (len(self.answers), MAX_ANSWERS), "full")

    def keep_until(self, answer):
        """When an answer may be forgotten."""
        if not answer.ref:
            return answer.expires_s
        held = self.reports.get((answer.point, answer.ref))
        report_end_s = held.expires_s if held else answer.time_s + reports.LIFE_S
        return max(answer.expires_s, report_end_s)

    def add_report(self, report):
        """Keep a checked report."""
        self.reports.add(reports.encode_clear(report))

    def add_answer(self, answer):
        """Keep a checked answer; gives the ids of records that are not needed any more."""
        gone = []
        if answer.ref and (answer.point, answer.ref) in self.reports:
            gone += self.remove(REPORT, [(answer.point, answer.ref)])
        if len(self.answers) >= MAX_ANSWERS:
            oldest = min([(held.time_s, key) for key, held in self.answers.items()])
            gone += self.remove(ANSWER, [oldest[1]])
        self.answers.add(answers.encode_clear(answer) + bytes((answer.has_text,)))
        return gone

    def expire(self, unix_s):
        """Forget what nobody needs at `unix_s`; the ids of the records that went."""
        gone = self.remove(
            ANSWER, [key for key, held in self.answers.items() if unix_s >= self.keep_until(held)]
        )
        return gone + self.remove(
            REPORT, [key for key, held in self.reports.items() if unix_s >= held.expires_s]
        )

    def remove(self, kind, keys):
        """Forget these; their ids."""
        for key in keys:
            self.held(kind).discard(key)
        return [(kind, origin, seq, 0) for origin, seq in keys]

    def next_expiry_s(self):
        """Unix seconds at which `expire` has something to do, or None."""
        times = [held.expires_s for held in self.reports.values()]
        times += [self.keep_until(held) for held in self.answers.values()]
        return min(times) if times else None

    def decode(self, kind, raw):
        """The Report or Answer in a record."""
        return reports.decode(raw) if kind == REPORT else answers.decode(raw)


class _Held(Lookup):
    """What records say before their sealed texts, at most twenty bytes each."""

    def __init__(self, size, make):
        """Of `size` bytes, header first, `make(origin, seq, those behind the header)` makes a value."""
        self.rows = Table(_KEY_SIZE, size - HEADER_SIZE)
        self._make = make

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        for row in self.rows:
            yield unpack_key(row, 0)

    def __contains__(self, key):
        return pack_key(key) in self.rows

    def get(self, key, default=None):
        clear = self.rows.get(pack_key(key))
        return default if clear is None else self._make(key[0], key[1], clear)

    def add(self, clear):
        """Keep what stands in a record."""
        self.rows.set(clear[1 : 1 + _KEY_SIZE], clear[HEADER_SIZE:])

    def discard(self, key):
        """Forget it, if it is held."""
        self.rows.remove(pack_key(key))


def _answer(origin, seq, clear):
    return answers.of_clear(origin, seq, clear[:-1], bool(clear[-1]))
