"""Signals, volumes and tables: what of the input is seen, and where the map's colours are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fgcompile.artifact.metadata import Metadata, loads
from fgcompile.drawing.bars import Table
from fgcompile.drawing.blending import style_of
from fgcompile.drawing.inputs import subject_of, to_bytes
from fgcompile.drawing.marks import NONE
from fgcompile.drawing.photo import Photo
from fgcompile.drawing.scale import Scale, number_of, scale_of, scale_of_bars
from fgcompile.drawing.series import Series
from fgcompile.drawing.volume import Volume
from fgcompile.errors import InputError
from tests.support.tiny_artifacts import dumps, tiny_metadata

STYLE = style_of(False)
UNIT = Scale(0, 1, False)


def metadata(**changes: Any) -> Metadata:
    return loads(dumps(tiny_metadata(**changes)), "artifact")


def colour(image: Any) -> np.ndarray:
    """How far from grey each pixel is."""
    return np.ptp(np.asarray(image).astype(int), axis=2)


@pytest.mark.parametrize(
    ("sample", "space", "kind"),
    [
        ((3, 8, 9), (8, 9), Photo),
        ((8, 9, 3), (8, 9), Photo),
        ((8, 9), (8, 9), Photo),
        ((72,), (8, 9), Photo),
        ((2, 5, 8, 9), (5, 8, 9), Volume),
        ((5, 8, 9, 1), (5, 8, 9), Volume),
        ((4, 100), (100,), Series),
        ((100, 4), (100,), Series),
        ((100,), (100,), Series),
        ((3,), (100,), Series),
        ((13,), (13,), Table),
    ],
)
def test_the_kind_is_told_by_the_map_and_the_input(
    sample: tuple[int, ...], space: tuple[int, ...], kind: type[Any]
) -> None:
    values = np.random.default_rng(0).normal(size=sample).astype(np.float32)
    subject = subject_of("x", values, np.ones((2, *space)), metadata())
    assert isinstance(subject, kind)
    assert subject.over(np.ones(space), UNIT, STYLE, NONE).mode == "RGB"


def test_square_photos_of_three_rows_have_their_channels_where_the_artifact_says() -> None:
    sample = np.zeros((3, 3, 3), np.uint8)
    sample[0, :, 0] = 255  # the first channel of the first row, or the first column of the first channel
    raw = metadata(preprocess={"mean": [0.5] * 3, "std": [0.5] * 3}, inputs=[
        {"name": "x", "dtype": "uint8", "shape": ["batch", 3, 3, 3]},
        {"name": "target", "dtype": "int64", "shape": ["batch"]},
    ])  # fmt: skip
    last = subject_of("x", sample, np.ones((1, 3, 3)), raw)
    first = subject_of("x", sample, np.ones((1, 3, 3)), metadata())
    assert isinstance(last, Photo)
    assert isinstance(first, Photo)
    assert last.pixels[0, 1].tolist() == [255, 0, 0]
    assert first.pixels[1, 0].tolist() == [255, 0, 0]


def test_maps_of_more_axes_and_names_that_are_not_as_many() -> None:
    with pytest.raises(InputError, match="a map of 4 axes is not drawn"):
        subject_of("x", np.zeros((2, 2, 2, 2)), np.zeros((1, 2, 2, 2, 2)), metadata())
    with pytest.raises(InputError, match="names are 2, and x has 3 numbers"):
        subject_of("x", np.zeros(3), np.zeros((1, 3)), metadata(), ["a", "b"])
    with pytest.raises(InputError, match="names are those of a table's numbers, and x is none"):
        subject_of("x", np.zeros((1, 3, 3)), np.zeros((1, 3, 3)), metadata(), ["a", "b", "c"])


def test_prepared_values_fill_black_to_white_and_bytes_are_as_they_are() -> None:
    ramp = np.linspace(-2, 7, 1001)
    found = to_bytes(ramp).astype(int)
    assert (found.min(), found.max()) == (0, 255)
    assert found[500] == pytest.approx(127.5, abs=1)
    sample = np.array([3, 9], np.uint8)
    assert to_bytes(sample) is sample
    assert not to_bytes(np.full(5, 3.0)).any()


def test_a_signal_s_colours_are_at_its_places_and_its_line_runs_over_them() -> None:
    strength = np.zeros(400)
    strength[100:110] = 1
    line = np.where(np.arange(400) < 200, -1.0, 1.0)
    image = Series(line[np.newaxis], 400).over(strength, UNIT, STYLE)
    coloured = np.flatnonzero((colour(image)[:140] > 60).any(0))
    np.testing.assert_allclose(coloured[[0, -1]], [160, 175], atol=1)
    light = np.asarray(image).astype(int).min(2) > 220
    low, high = (np.flatnonzero(light[:150, columns].any(1)).mean() for columns in (slice(0, 300), slice(340, 640)))
    assert high < 30 < 120 < low


@pytest.mark.parametrize("length", [1, 2, 640, 1281, 50_000])
def test_signals_of_any_length(length: int) -> None:
    values = np.sin(np.arange(length) / 10)[np.newaxis]
    strength = np.zeros(length)
    strength[length // 2] = -1
    image = Series(values, length).over(strength, Scale(-1, 1, True), style_of(True))
    assert (colour(image) > 60).any(), "one place of very many is seen"
    assert image.width == 640


def test_many_channels_are_rows_of_pixels_and_ids_have_no_line() -> None:
    spectrum = np.zeros((40, 100))
    spectrum[:20] = 1
    rows = np.asarray(Series(spectrum, 100).over(np.zeros(100), UNIT, STYLE)).astype(int)
    assert rows[20, 50].min() > 150 > 30 > rows[280, 50].max()
    assert Series(None, 100).over(np.ones(100), UNIT, STYLE).height < rows.shape[0]


def test_slices_of_a_volume_are_evenly_spaced_and_bear_their_numbers() -> None:
    pixels = np.zeros((40, 160, 160, 3), np.uint8)
    saliency = np.zeros((40, 160, 160))
    saliency[17] = 1  # of 40 slices the eight in the middle of as many parts are 2, 7, 12, 17 …
    image = Volume(pixels).over(saliency, UNIT, STYLE)
    tiles = [colour(image)[row : row + 160, column : column + 160] for row in (0, 162) for column in (0, 162, 324, 486)]
    assert [float(tile[80, 80]) > 60 for tile in tiles] == [False, False, False, True, False, False, False, False]
    assert Volume(pixels[:3]).plain() is not None
    assert image.size == (4 * 160 + 6, 2 * 160 + 2)


def test_a_bar_is_as_long_as_its_value_and_has_the_colour_of_its_sign() -> None:
    maps = np.array([[4.0, -2.0, 1.0]])
    table = subject_of("x", np.array([1.0, 2.0, 3.0]), maps, metadata())
    assert isinstance(table, Table)
    image = np.asarray(table.over(maps[0], scale_of_bars(maps, True), style_of(True))).astype(int)
    lengths = []
    for row in range(3):
        line = image[8 + 22 * row + 11]
        bar = np.flatnonzero(np.ptp(line, axis=1) > 100)
        lengths.append(len(bar))
        orange = line[bar, 0].mean() > line[bar, 2].mean()
        assert orange == (maps[0, row] > 0)
    assert lengths[0] == pytest.approx(2 * lengths[1], abs=3)
    assert lengths[0] == pytest.approx(4 * lengths[2], abs=5)


def test_of_a_long_table_the_largest_are_shown() -> None:
    maps = np.arange(60.0)[np.newaxis] / 60
    table = subject_of("x", np.zeros(60), maps, metadata())
    assert isinstance(table, Table)
    assert list(table.shown) == list(range(59, 35, -1))


@pytest.mark.parametrize("sample", [(3, 8, 9), (2, 5, 8, 9), (4, 50), (13,)])
@pytest.mark.parametrize("signed", [False, True])
def test_maps_that_overflowed_are_drawn_without_a_word(sample: tuple[int, ...], signed: bool) -> None:
    space = sample if len(sample) == 1 else sample[1:]
    maps = np.ones(space)
    maps.flat[:4] = (np.nan, np.inf, -np.inf, 0.5)
    subject = subject_of("x", np.zeros(sample, np.float32), maps[np.newaxis], metadata())
    for saliency in (maps, np.full(space, np.nan), np.zeros(space)):
        scale = subject.scale(saliency, signed)
        assert np.isfinite([scale.low, scale.high]).all()
        assert subject.over(saliency, scale, style_of(signed), NONE).size > (0, 0)


def test_scales_say_their_ends() -> None:
    values = np.linspace(2, 12, 2001)
    scale = scale_of(values)
    assert (scale.low, scale.high) == (2, pytest.approx(11.95))
    assert scale_of(-values, signed=True).high == pytest.approx(11.95)
    assert scale_of_bars(values) == Scale(0, 12, False)
    assert [number_of(value) for value in (0, 1234.5, -0.0001234, 97.66, 0.0936, -2e7, 3e-7)] == [
        "0", "1230", "−0.00012", "97.7", "0.094", "−2e7", "3e−7",
    ]  # fmt: skip
