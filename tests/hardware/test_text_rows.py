"""The model that squeezes texts: made anew from its corpus, and worth what is asked of it."""

from pathlib import Path

import pytest

import baken_hardware.demo
from baken_hardware.bench import text_rows, train_text

EXERCISE = Path(baken_hardware.demo.__file__).parent / "scenario" / "bulletins.jsonl"


def test_the_corpus_makes_the_very_model_that_nodes_have():
    made = train_text.module_of(train_text.train(train_text.read_corpus()))
    assert train_text.MODEL_FILE.read_text(encoding="utf-8") == made


def test_another_corpus_makes_another_model():
    texts = train_text.read_corpus()[:40]
    first = train_text.train(texts, 1024, 2)
    assert first.pages == train_text.train(texts, 1024, 2).pages
    assert first.pages != train_text.train(texts[:-1], 1024, 2).pages


def test_the_corpus_holds_no_sentence_of_the_exercise():
    corpus = b"\n".join(train_text.read_corpus()).decode().lower()
    for text, _areas, _references in text_rows.read_exercise(EXERCISE):
        for sentence in text.decode().lower().split(". "):
            if len(sentence.split()) > 4:
                assert sentence.rstrip(".") not in corpus, sentence


def test_squeezing_saves_what_is_required(bits: int):
    measured = text_rows.rows(EXERCISE, bits)
    for row in measured:
        if row.required is not None:
            good = row.value >= row.required if row.better == "higher" else row.value <= row.required
            assert good or (bits == 64 and row.unit == "bytes"), row
    assert {row.measure for row in measured} >= {"text bytes saved", "frames for the bulletins"}


def test_the_document_tells_the_measured_savings():
    said = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    texts = [text for text, _areas, _references in text_rows.read_exercise(EXERCISE)]
    assert f"| {train_text.SLOTS // 2} bytes | {text_rows.saved(texts):.1f} %" in said
    frames = text_rows.frames(text_rows.read_exercise(EXERCISE))
    assert f"The {len(texts)} bulletins take {frames} frames" in " ".join(said.split())


@pytest.mark.parametrize("language", sorted(text_rows.OTHER_LANGUAGES))
def test_another_language_does_not_grow(language: str):
    from baken.wire import packing

    text = text_rows.OTHER_LANGUAGES[language].encode()
    _encoding, pieces = packing.pack(text, 150)
    assert sum(map(len, pieces)) <= len(text)
