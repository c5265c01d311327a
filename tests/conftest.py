"""Shared by all tests: which runtimes take part, and a Hypothesis that finds the same examples each time."""

import platform

import hypothesis
import pytest

from baken_hardware.virtual import interpreter

hypothesis.settings.register_profile("baken", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("baken")


def pytest_report_header() -> list[str]:
    """The three runtimes, or the reason why one is missing."""
    runtimes = [f"CPython {platform.python_version()}"]
    for bits in (64, 32):
        try:
            runtimes.append(str(interpreter.find(bits)))
        except interpreter.InterpreterError as error:
            runtimes.append(f"MicroPython {bits}-bit MISSING: {error}")
    return [f"runtime: {runtime}" for runtime in runtimes]


@pytest.fixture(params=[64, 32], ids=["micropython-64", "micropython-32"])
def bits(request: pytest.FixtureRequest) -> int:
    """The word size of a real MicroPython; a missing one skips the test, and fails it where CI=true."""
    try:
        interpreter.find(request.param)
    except interpreter.InterpreterError as error:
        if request.param == 64 or interpreter.gaps_are_errors():
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    return request.param
