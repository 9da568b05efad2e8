"""The reader of ``examples/characters``: its strips, and a map for each character."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from examples.characters.explain import (
    HEIGHT,
    LENGTH,
    WIDTH,
    Reader,
    compile_reader,
    draw_strips,
    explain_characters,
    prepare,
    shares_within,
)


def test_digits_are_in_their_boxes_and_the_same_seed_draws_the_same() -> None:
    strips, again = draw_strips(4, seed=3), draw_strips(4, seed=3)
    np.testing.assert_array_equal(strips.photos, again.photos)
    assert strips.photos.shape == (4, HEIGHT, WIDTH, 1)
    assert (strips.boxes[..., :2] < strips.boxes[..., 2:]).all()
    assert (strips.boxes[:, 1:, 0] > strips.boxes[:, :-1, 2]).all()  # from left to right, none over another
    ink = strips.photos[..., 0].astype(float) ** 4
    assert shares_within(np.repeat(ink[:, None], LENGTH, 1), strips.boxes).sum(1).min() > 0.6


def test_each_character_has_the_map_that_it_has_alone(tmp_path: Path) -> None:
    torch.manual_seed(1)
    reader = Reader().eval()
    session, strips = compile_reader(reader, tmp_path / "reader.onnx"), draw_strips(2, seed=5)
    explanation = explain_characters(session, strips.photos)
    assert explanation.target is not None
    assert explanation.saliency is not None
    read = reader(prepare(strips.photos)).argmax(2).numpy()
    np.testing.assert_array_equal(explanation.target[..., 0], np.broadcast_to(np.arange(LENGTH), read.shape))
    np.testing.assert_array_equal(explanation.target[..., 1], read)
    for position in (0, 3):
        same = [[position, read[sample, position]] for sample in range(2)]
        alone = session.explain(strips.photos, np.repeat(np.array(same)[:, None], LENGTH, 1))
        assert alone.saliency is not None
        np.testing.assert_allclose(alone.saliency[:, 0], explanation.saliency[:, position], rtol=1e-4, atol=1e-6)
