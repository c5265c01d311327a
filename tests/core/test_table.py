"""Rows of bytes of one size, found by their keys."""

from _small_region import random_source

from baken.table import Table


def test_a_table_is_what_a_dictionary_would_be():
    rand = random_source(5)
    table = Table(2, 3)
    expected = {}
    for _ in range(3000):
        # Few different bytes, so that keys are found inside of rows too.
        key = bytes((rand(6), rand(40)))
        if rand(3):
            value = bytes((rand(6), rand(40), rand(6)))
            table.set(key, value)
            expected[key] = value
        else:
            table.remove(key)
            expected.pop(key, None)
        assert table.get(key) == expected.get(key) and len(table) == len(expected)
    assert sorted(table) == sorted([key + expected[key] for key in expected])
    for key in expected:
        assert key in table
        table.remove(key)
    assert len(table) == 0 and list(table) == []


def test_a_row_of_another_size_is_refused():
    table = Table(2, 3)
    for key, value in ((b"k", b"abcd"), (b"key", b"ab"), (b"ke", b"ab"), (b"ke", b"abcd")):
        try:
            table.set(key, value)
        except ValueError:
            continue
        raise AssertionError((key, value))
    assert len(table) == 0
