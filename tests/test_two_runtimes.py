"""Differential test: thousands of frames, true, damaged and random, mean the same on every runtime, frame by
frame.
"""

import contextlib
import functools
import io

import differential
import pytest
import upy_process


@functools.cache
def _lines_here() -> list[str]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        differential.main([])
    return output.getvalue().splitlines()


def _lines_on_micropython(bits: int, *arguments: str) -> list[str]:
    done = upy_process.run(bits, upy_process.TESTS / "differential.py", *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def _outcome_here(codec: str, index: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        differential.main([codec, index])
    return output.getvalue()


def test_both_runtimes_make_the_same_of_every_frame(bits: int):
    here = _lines_here()
    there = _lines_on_micropython(bits)
    assert len(there) == len(here)
    parted = [line.split()[:2] for line, other in zip(here, there, strict=True) if line != other]
    if parted:
        codec, index = parted[0]
        on_micropython = "\n".join(_lines_on_micropython(bits, codec, index))
        pytest.fail(
            f"{len(parted)} of {len(here)} frames differ, the first is {codec} {index}:\n"
            f"CPython\n{_outcome_here(codec, index)}\nMicroPython {bits}-bit\n{on_micropython}",
            pytrace=False,
        )


@pytest.mark.parametrize("codec", differential.CODECS, ids=lambda codec: codec[0])
def test_the_frames_reach_both_ends_of_each_codec(codec):
    """A comparison says little unless enough frames are understood, and enough refused."""
    outcomes = [differential.outcome(codec, frame) for frame in differential.frames(codec)]
    refused = sum(outcome.startswith("RemoteProtocolError") for outcome in outcomes)
    understood = sum(" -> x" in outcome for outcome in outcomes)
    assert understood >= len(outcomes) // 5
    assert refused >= len(outcomes) // 20 or codec[0] in ("stream", "channel")
    assert len(set(outcomes)) >= len(outcomes) // 5


def test_a_true_frame_is_encoded_again_to_the_same_bytes():
    """For codecs with one way to write a thing, what was decoded encodes to the frame it came from."""
    for codec in differential.CODECS:
        if codec[0] in ("bulletin", "status", "trust", "tally", "record-header", "stream"):
            continue  # signed, in parts, or with bytes that the decoded form leaves out
        if codec[0] in ("agreement", "signature"):
            continue  # nothing is encoded
        random = differential.Random(3)
        for _ in range(100):
            frame = codec[2](random)
            assert differential.encode_again(codec, frame) == frame, codec[0]
