"""The pictures of docs/pictures.md: what the small networks learn, and that the maps show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from examples.explanations import draw
from examples.explanations.tasks import learn, signals, table, table_network, volumes


def test_the_table_is_learnt_and_drawn(tmp_path: Path) -> None:
    draw.tables(tmp_path)
    with Image.open(tmp_path / "table.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    lengths = [int((np.ptp(pixels[8 + 22 * row + 11], axis=1) > 100).sum()) for row in range(8)]
    assert set(np.argsort(lengths)[-2:].tolist()) == {2, 5}, "height and load decide"
    assert sorted(lengths)[-2] > 10 * sorted(lengths)[-3]


def test_what_is_learnt_is_learnt() -> None:
    _, right = learn(table_network, table, 300)
    assert right > 0.9


def test_classes_rest_on_what_the_page_says() -> None:
    x, labels = signals(50, 3)
    assert x.shape == (50, 1, 400)
    echoes = [
        sum(x[number, 0, 40 + 75 * beat + 12 : 40 + 75 * beat + 42].max() > 0.25 for beat in range(5))
        for number in range(50)
    ]
    assert np.mean([echoes[number] for number in range(50) if labels[number]]) < np.mean(
        [echoes[number] for number in range(50) if not labels[number]]
    )
    found, bright = volumes(20, 3)
    assert all((found[number] > 1.8).sum() > 50 for number in range(20) if bright[number])
    assert all((found[number] > 1.8).sum() < 10 for number in range(20) if not bright[number])
