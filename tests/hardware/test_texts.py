"""The model that squeezes texts: made anew from its corpus, and worth what is asked of it."""

from pathlib import Path

import pytest

from baken_hardware.bench import train_text
from baken_hardware.bench.measure import Options, texts


def test_the_corpus_makes_the_very_model_that_nodes_have():
    made = train_text.module_of(train_text.train(train_text.read_corpus()))
    assert train_text.MODEL_FILE.read_text(encoding="utf-8") == made


def test_another_corpus_makes_another_model():
    learned = train_text.read_corpus()[:40]
    first = train_text.train(learned, 1024, 2)
    assert first.pages == train_text.train(learned, 1024, 2).pages
    assert first.pages != train_text.train(learned[:-1], 1024, 2).pages


def test_the_corpus_holds_no_sentence_of_the_exercise():
    corpus = b"\n".join(train_text.read_corpus()).decode().lower()
    for text, _areas, _references in texts.read_exercise():
        for sentence in text.decode().lower().split(". "):
            if len(sentence.split()) > 4:
                assert sentence.rstrip(".") not in corpus, sentence


def test_squeezing_saves_what_is_required(bits: int):
    measured = texts.rows(Options(), print, bits)
    for row in measured:
        assert row.is_met or (bits == 64 and row.unit == "bytes"), row
    assert {row.measure for row in measured} >= {"text bytes saved", "frames for 28 bulletins"}


def test_the_document_tells_the_measured_savings():
    said = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    exercise = texts.read_exercise()
    share = texts.saved([text for text, _areas, _references in exercise])
    assert f"| {train_text.SLOTS // 2} bytes | {share:.1f} %" in said
    frames = texts.frames(exercise)
    assert f"The {len(exercise)} bulletins take {frames} frames" in " ".join(said.split())


@pytest.mark.parametrize("language", sorted(texts.OTHER_LANGUAGES))
def test_another_language_does_not_grow(language: str):
    from baken.wire import packing

    text = texts.OTHER_LANGUAGES[language].encode()
    _encoding, pieces = packing.pack(text, 150)
    assert sum(map(len, pieces)) <= len(text)
