"""Maps over whole photos: where they lie, what is marked, and what is no part of a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgcompile.artifact.fitting import Fit
from fgcompile.drawing.blending import style_of
from fgcompile.drawing.panels import draw_overlay, draw_photo
from fgcompile.drawing.photo import Photo
from fgcompile.drawing.scale import Scale
from fgcompile.drawing.subjects import Shown
from fgcompile.drawing.whole import whole_photo
from fgcompile.errors import InputError
from fgcompile.pictures.fitting import fit_image
from fgcompile.pictures.images import read_photo

SHAPE = (64, 64, 3)


def scene(height: int, width: int, seed: int = 0) -> Image.Image:
    """Smooth noise, a white dot on it beside the middle, where every crop has it."""
    rough = np.random.default_rng(seed).integers(0, 160, (6, 8, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))
    row, column = height * 11 // 20, width * 11 // 20
    pixels[row - 4 : row + 5, column - 4 : column + 5] = 255
    return Image.fromarray(pixels)


def brightest(pixels: np.ndarray) -> tuple[float, float]:
    """The middle of what is brightest, row and column."""
    grey = pixels.astype(float).mean(2) if pixels.ndim == 3 else pixels
    rows, columns = np.nonzero(grey >= 0.98 * grey.max())
    return float(rows.mean()), float(columns.mean())


@pytest.mark.parametrize("size", [(300, 451), (200, 200), (451, 300), (90, 300)])
def test_a_map_lies_where_the_photo_was_read(size: tuple[int, int], tmp_path: Path) -> None:
    """The dot is found in the crop that ``read_photo`` makes; a map of it has to fall on it in the whole photo."""
    image = scene(*size)
    image.save(tmp_path / "scene.png")
    crop = read_photo(tmp_path / "scene.png", SHAPE)
    saliency = (crop.astype(float).mean(2) > 0.9 * crop.mean(2).max()).astype(float)
    placed = whole_photo(tmp_path / "scene.png", Photo(crop))
    assert placed.part is not None
    drawn = placed.over(saliency, Scale(0, 1, False), style_of(False))
    assert drawn.size[::-1] == tuple(side * (drawn.width // size[1]) for side in size)
    colourful = np.ptp(np.asarray(drawn).astype(int), axis=2)
    place = np.array(brightest(colourful)) / (drawn.width / size[1])
    np.testing.assert_allclose(place, brightest(np.asarray(image)), atol=0.02 * min(size) + 2)


def test_outside_of_what_was_seen_there_is_no_colour_and_the_part_has_a_frame() -> None:
    image = scene(300, 451)
    pixels = np.asarray(image)
    crop = np.asarray(image.crop((94, 19, 357, 281)).resize((64, 64), Image.Resampling.BICUBIC))
    placed = whole_photo(image, Photo(crop))
    assert placed.part == pytest.approx((94, 19, 357, 281), abs=2)
    drawn = np.asarray(placed.over(np.ones((64, 64)), Scale(0, 1, False), style_of(False))).astype(int)
    left, top, right, bottom = placed.part
    outside = np.ones(drawn.shape[:2], bool)
    outside[top:bottom, left:right] = False
    assert np.ptp(drawn[outside], axis=1).max() <= 1
    assert np.ptp(drawn[top + 8 : bottom - 8, left + 8 : right - 8], axis=2).min() > 40
    assert drawn[top, left:right].min() > 200
    assert pixels.shape == drawn.shape


@pytest.mark.parametrize(
    ("box", "kept"),
    [(None, "all of it, squashed"), ((75, 0, 375, 300), "a square of its height"), ((90, 15, 360, 285), "0.9")],
)
def test_other_crops_are_found_too(box: tuple[int, int, int, int] | None, kept: str) -> None:
    image = scene(300, 451)
    crop = np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC, box))
    placed = whole_photo(image, Photo(crop))
    assert placed.part == box if box is None else placed.part == pytest.approx(box, abs=2), kept
    panel = draw_photo(placed, Shown(np.linspace(0, 5, 64 * 64).reshape(64, 64)), False, style_of(False))
    assert panel.width == 3 * 451 + 8
    middle = np.asarray(panel)[10:290, 451 + 4 : 2 * 451 + 4].astype(int).sum(2)
    assert middle[200, 225] > middle[60, 225] > 0, "the map lies on its part"


def test_photos_that_are_not_the_one_are_refused() -> None:
    crop = np.asarray(scene(300, 300, seed=1).resize((64, 64)))
    with pytest.raises(InputError, match="does not look like what was explained"):
        whole_photo(scene(300, 451), Photo(crop))


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (np.zeros((8, 8, 3)), r"the photo is float64 \(8, 8, 3\): give uint8"),
        (7, "the photo is a int: give a picture"),
        ("nowhere.png", "nowhere.png: no such file"),
        (Image.new("I;16", (8, 8)), "not bytes"),
    ],
)
def test_what_is_no_photo_is_refused(photo: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        whole_photo(photo, Photo(np.zeros(SHAPE, np.uint8)))  # type: ignore[arg-type]


def test_photos_of_every_mode_are_read_upright_on_white() -> None:
    pixels = np.asarray(scene(64, 64))
    seen = Photo(pixels)
    turned = Image.fromarray(pixels[::-1, ::-1])
    turned.getexif()[0x0112] = 3
    clear = Image.fromarray(np.dstack([pixels, np.full((64, 64), 255, np.uint8)]))
    for photo in (turned, clear, Image.fromarray(pixels).quantize(), pixels):
        found = whole_photo(photo, seen)
        assert found.part is None
        np.testing.assert_allclose(found.pixels.astype(int), pixels, atol=90)
        assert np.abs(found.pixels.astype(int) - pixels).mean() < 12


def test_alpha_is_the_map_s_opacity_and_none_is_the_photo_in_grey() -> None:
    photo = Photo(np.asarray(scene(64, 64)))
    shown = Shown(np.linspace(0, 1, 64 * 64).reshape(64, 64), "kite")
    without = np.asarray(draw_overlay(photo, shown, False, style_of(False, alpha=0), caption=False)).astype(int)
    assert np.ptp(without, axis=2).max() <= 1
    colourful = [
        np.ptp(
            np.asarray(draw_overlay(photo, shown, False, style_of(False, alpha=alpha), caption=False)).astype(int),
            axis=2,
        ).mean()
        for alpha in (0.3, 0.6, 1.0)
    ]
    assert colourful[0] < colourful[1] < colourful[2]


def test_captions_come_below_and_leave_the_picture_as_it_is() -> None:
    photo, style = Photo(np.asarray(scene(300, 451))), style_of(False)
    shown = Shown(np.linspace(0, 5, 64 * 64).reshape(64, 64), "kite", "score 1.00")
    bare = draw_overlay(photo, shown, False, style, caption=False)
    whole = draw_overlay(photo, shown, False, style)
    assert bare.size == (451, 300)
    assert np.array_equal(np.asarray(whole)[:300], np.asarray(bare))
    assert whole.height > 340
    panel = draw_photo(photo, shown, False, style)
    assert panel.width == 3 * 451 + 8


@pytest.mark.parametrize("size", [(96, 48), (48, 96)])
def test_a_photo_that_was_letterboxed_is_drawn_with_what_was_added(size: tuple[int, int]) -> None:
    height, width = size
    pixels = np.random.default_rng(1).integers(0, 256, (9, 9, 3), np.uint8)
    whole = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    fit = Fit("letterbox", fill=(114, 114, 114))
    seen = np.asarray(fit_image(Image.fromarray(whole), (32, 32), fit, 2**20))
    placed = whole_photo(whole, Photo(seen), fit)
    assert placed.part is None or placed.part == (0, 0, 96, 96)
    assert placed.pixels.shape == (96, 96, 3)
    start = (96 - min(size)) // 2
    inner = placed.pixels[start : start + height] if height < 96 else placed.pixels[:, start : start + width]
    np.testing.assert_array_equal(inner, whole)
    assert (placed.pixels[0 if height < 96 else slice(None), 0] == 114).all()
    with pytest.raises(InputError, match="does not look like what was explained"):
        whole_photo(whole, Photo(seen))
