"""What squeezing is worth.

Measured on texts that the model never saw: the bulletins of the exercise, a tenth of the corpus under a model
made of the other nine, and sentences in other languages.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from baken.wire import bulletin, packing, squeeze
from baken_hardware.bench import train_text
from baken_hardware.bench.measure import HIGHER, LOWER, Options, Row, Say, micropython
from baken_hardware.demo import scenario

# Short texts of our own in the languages that points ask for.
OTHER_LANGUAGES = {
    "en": "There is no power in the whole area. Stay at home and listen to the radio. Next message at 17:00.",
    "de": "Im ganzen Gebiet gibt es keinen Strom. Bleiben Sie zu Hause und hören Sie Radio.",
    "fr": "Il n'y a plus d'électricité dans la région. Restez chez vous et écoutez la radio.",
    "tr": "Bölgenin tamamında elektrik yok. Evde kalın ve radyo dinleyin. Su güvenli, içebilirsiniz.",
    "pl": "W całym regionie nie ma prądu. Zostańcie w domu i słuchajcie radia. Woda jest bezpieczna.",
    "uk": "У всьому регіоні немає світла. Залишайтеся вдома і слухайте радіо. Вода безпечна.",
    "ar": "لا توجد كهرباء في المنطقة كلها. ابقوا في المنزل واستمعوا إلى الراديو. الماء آمن.",
}

_HEAP = "1024wk"


def read_exercise() -> list[tuple[bytes, int, int]]:
    """(text, areas, references) of each genuine bulletin of the exercise."""
    found = []
    for row in scenario.load_rows("bulletins.jsonl"):
        if row["id"] != scenario.FORGED:
            areas = 0 if row["area"] == "ALL" else len(row["area"].split(","))
            references = len([name for name in row["references"].split(",") if name])
            found.append((row["text"].encode(), areas, references))
    return found


def rows(_: Options, say: Say, bits: int = 32) -> list[Row]:
    """What is saved, and what it costs a node on MicroPython with words of `bits`."""
    say("texts: the bulletins of the exercise, and a model of nine tenths of the corpus")
    bulletins = read_exercise()
    texts = [text for text, _, _ in bulletins]
    code, model, heap, time_us = on_micropython(texts, bits)
    learned, kept_out = train_text.split_corpus(train_text.read_corpus())
    of_others = saved(kept_out, train_text.train(learned))
    growth = max(
        100 * (sum(map(len, packing.pack(text.encode(), 150)[1])) / len(text.encode()) - 1)
        for text in OTHER_LANGUAGES.values()
    )
    parts = f"{bits}-bit"
    return [
        Row("text bytes saved", "exercise", round(saved(texts), 1), "%", HIGHER, 45, 60),
        Row(f"frames for {len(bulletins)} bulletins", "exercise", frames(bulletins), "frames", LOWER, 32, 28),
        Row("text bytes saved", "corpus, tenth kept out", round(of_others, 1), "%", HIGHER),
        Row("growth of a text, worst", "en de fr tr pl uk ar", growth, "%", LOWER, 5, 0),
        Row("expanding a text, mean", parts, round(time_us / 1000, 2), "ms", LOWER),
        Row("heap of the text's code", parts, code, "bytes", LOWER),
        Row("heap of the text's model, not frozen", parts, model, "bytes", LOWER, 24576, 16384),
        Row("garbage of expanding a text, mean", parts, heap, "bytes", LOWER),
    ]


def saved(texts: Sequence[bytes], model: squeeze.Model | None = None) -> float:
    """Per cent of the bytes of `texts` that squeezing saves."""
    squeezed = sum(min(len(squeeze.squeeze(text, model)), len(text)) for text in texts)
    return 100 * (1 - squeezed / sum(map(len, texts)))


def frames(bulletins: Sequence[tuple[bytes, int, int]]) -> int:
    """Radio frames that all bulletins need."""
    return sum(
        len(packing.pack(text, bulletin.text_capacity((0,) * areas, ((1, 1),) * references))[1])
        for text, areas, references in bulletins
    )


def sizes(texts: Sequence[bytes], measured: Sequence[bytes]) -> list[tuple[int, float]]:
    """(bytes of weights, per cent saved on `measured`) of models of three sizes learned from `texts`."""
    return [
        (slots // 2, saved(measured, train_text.train(texts, slots)))
        for slots in (train_text.SLOTS // 2, train_text.SLOTS, train_text.SLOTS * 2)
    ]


def on_micropython(texts: Sequence[bytes], bits: int = 32) -> tuple[int, int, int, int]:
    """Heap of code and of model, mean garbage (bytes) and time (us) of expanding one of `texts`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "squeezed"
        path.write_text("\n".join(squeeze.squeeze(text).hex() for text in texts))
        told = micropython.run("texts", bits, _HEAP, str(path))
    code, model, heap, time_us = map(int, told.split())
    return code, model, heap, time_us
