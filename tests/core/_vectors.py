"""Reads the vector files in tests/vectors on either runtime, and says with which cause a call was refused."""

_FOLDER = (__file__.rpartition("/")[0] or ".") + "/../vectors/"


def rows(name, kind):
    """The rows of a vector file that start with `kind`, each a list of its other columns."""
    found = []
    with open(_FOLDER + name) as file:
        for line in file:
            columns = line.split()
            if columns and columns[0] == kind:
                found.append(columns[1:])
    assert found, f"{name} has no rows of kind {kind}"
    return found


def from_hex(text):
    """The bytes of a column; - is the empty string."""
    return b"" if text == "-" else bytes.fromhex(text)


def cause_of(error, call, *arguments):
    """The cause with which the call was refused; fails when it was not, or with another class of error."""
    try:
        call(*arguments)
    except error as refusal:
        return refusal.cause
    raise AssertionError(f"nothing was refused: {arguments}")


def is_refused(error, call, *arguments):
    """Whether the call raises this class of error."""
    try:
        call(*arguments)
    except error:
        return True
    return False


class Random:
    """Repeatable numbers for tests (xorshift, 32 bits); `random` differs between the runtimes."""

    def __init__(self, seed):
        self._state = seed

    def below(self, limit):
        """A number from 0 to limit - 1."""
        state = self._state
        state = (state ^ state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state = (state ^ state << 5) & 0xFFFFFFFF
        self._state = state
        return state % limit

    def bytes(self, length):
        """Any bytes."""
        return bytes([self.below(256) for _ in range(length)])
