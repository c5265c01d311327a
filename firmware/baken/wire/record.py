"""The base of events and records: values named in `__slots__`, compared and shown by value."""


class Record:
    """A plain value. Treat it as frozen: build a new one, never change one you were handed.

    A subclass lists its fields in `__slots__` and sets them in its own `__init__`. The class that is
    instantiated lists all of them: `__slots__` of bases are not looked up.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return False
        for name in _names(self):
            if getattr(self, name) != getattr(other, name):
                return False
        return True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        fields = ", ".join([f"{name}={getattr(self, name)!r}" for name in _names(self)])
        return f"{self.__class__.__name__}({fields})"


def _names(record: Record) -> "list[str]":
    # MicroPython makes no use of slots: compiled firmware goes without, and every object has its dictionary.
    return sorted(getattr(record, "__dict__", None) or record.__slots__)
