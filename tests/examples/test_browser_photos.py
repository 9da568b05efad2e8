"""The page draws whole photos, as ``Explanation.overlay`` does, with what the model saw of them outlined."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fgcompile
from benchmarks.serving.chromium import Page, missing, open_page
from fgcompile.errors import InputError
from fgcompile.pictures.images import read_photo
from tests.examples.conftest import HEIGHT, PLACES, WIDTH, compile_colours, compile_places

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

SHAPE = (HEIGHT, WIDTH, 3)
SIZE = (460, 232)


@pytest.fixture(scope="module")
def page(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("page"), colours) as opened:
        yield opened


@pytest.fixture(scope="module")
def wide(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wide") / "wide.png"
    Image.open(photos[17]).convert("RGB").crop((20, 100, 480, 332)).save(path)
    return path


def drawn(page: Page) -> tuple[np.ndarray, np.ndarray, Any]:
    """The photo and the overlay, (H, W, 3), and the outline: left, top, right and bottom in parts of these."""
    found = page.do("drawn")
    pictures = [Image.open(io.BytesIO(base64.b64decode(found[name]))) for name in ("photo", "overlay")]
    photo, overlay = (np.asarray(each.convert("RGB")).astype(int) for each in pictures)
    return photo, overlay, found["outline"]


def in_python(page: Page, artifact: Path, photo: Path) -> np.ndarray:
    """What ``Explanation.overlay`` draws of the pixels that the page gave to the model."""
    pixels = np.array(page.do("numbers")["pixels"], np.uint8).reshape(1, *SHAPE)
    explanation = fgcompile.load(artifact).explain(pixels)
    return np.asarray(explanation.overlay(photo, caption=False)).astype(int)


def test_the_map_lies_over_the_whole_photo_where_the_model_looked(page: Page, colours: Path, wide: Path) -> None:
    assert page.do("choose", file=wide)["error"] == ""
    photo, overlay, outline = drawn(page)
    np.testing.assert_array_equal(photo, np.asarray(Image.open(wide)))  # at its own size, and no part left out
    # 224/256 of the height, in the artifact's proportions, about the centre
    high = 224 / 256 * SIZE[1]
    sides = [(SIZE[0] - high * WIDTH / HEIGHT) / 2, (SIZE[1] - high) / 2]
    expected = [*sides, SIZE[0] - sides[0], SIZE[1] - sides[1]]
    # The page crops at whole pixels of the scaled photo, which is a quarter as large.
    np.testing.assert_allclose(np.array(outline) * (*SIZE, *SIZE), expected, atol=3)
    left, top, right, bottom = (round(side) for side in expected)
    outside = np.ones(overlay.shape[:2], bool)
    outside[top - 4 : bottom + 4, left - 4 : right + 4] = False
    grey = 0.75 * photo @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(overlay[outside], np.repeat(grey[outside][:, None], 3, axis=1), atol=1)
    seen = overlay[top + 4 : bottom - 4, left + 4 : right - 4]
    python = in_python(page, colours, wide)[top + 4 : bottom - 4, left + 4 : right - 4]
    assert np.abs(seen - python).mean() < 4  # of 255
    assert np.abs(seen[:, 12:] - python[:, :-12]).mean() > 8  # which tells a map that lies 12 pixels beside


@pytest.mark.parametrize("mode", ["squash", "letterbox"])
def test_of_a_photo_that_was_not_cropped_nothing_is_outlined(
    page: Page, colours: Path, wide: Path, tmp_path: Path, mode: str
) -> None:
    fit = fgcompile.Fit(mode, fill=(90, 60, 30))
    artifact = compile_colours(tmp_path / "fitted.onnx", fit=fit)
    page.do("choose", file=wide)
    assert page.do("choose", file=artifact)["error"] == ""
    photo, overlay, outline = drawn(page)
    python = in_python(page, artifact, wide)
    page.do("choose", file=colours)
    assert outline is None
    filled = round((SIZE[0] * HEIGHT / WIDTH - SIZE[1]) / 2) if mode == "letterbox" else 0
    np.testing.assert_allclose(len(photo), SIZE[1] + 2 * filled, atol=6)  # whole pixels of the artifact's
    if mode == "letterbox":
        assert (photo[[0, -1]] == fit.fill).all()
    assert overlay.shape == photo.shape == python.shape
    assert np.abs(overlay - python).mean() < 2


def test_clicks_are_where_the_model_looked(page: Page, colours: Path, wide: Path, tmp_path: Path) -> None:
    places = compile_places(tmp_path / "places.onnx")
    page.do("choose", file=wide)
    page.do("choose", file=places)
    left, top, right, bottom = drawn(page)[2]
    at = [top + (bottom - top) * (40 + 0.5) / HEIGHT, left + (right - left) * (11 + 0.5) / WIDTH]
    seen = page.do("click", at=at)
    assert (seen["error"], len(seen["classes"])) == ("", len(PLACES))
    assert all(name.endswith(", height 40, width 11") for name in seen["classes"])
    beside = page.do("click", at=[0.5, left / 2])
    assert beside["error"] == "the model saw only what is outlined: click within the line"
    assert beside["caption"] == seen["caption"]
    page.do("choose", file=colours)


def test_deep_photos_that_browsers_show_black_are_refused(page: Page, tmp_path: Path) -> None:
    """12 bits in 16 have lost all but 4 in a browser; those that fill their 16 are read as in Python."""
    grey = np.asarray(Image.linear_gradient("L").resize(SIZE)).astype(np.uint16)
    Image.fromarray(grey * 16).save(tmp_path / "grey12in16.png")
    with pytest.raises(InputError, match="leaves its upper bits unused"):
        read_photo(tmp_path / "grey12in16.png", SHAPE)
    said = page.do("choose", file=tmp_path / "grey12in16.png")["error"]
    assert said.startswith("grey12in16.png has 16 bits per channel and leaves the upper ones unused")
    Image.fromarray(grey * 257).save(tmp_path / "grey16.png")
    assert page.do("choose", file=tmp_path / "grey16.png")["error"] == ""
    read = np.reshape(page.do("numbers")["pixels"], SHAPE)
    assert np.abs(read - read_photo(tmp_path / "grey16.png", SHAPE).astype(int)).max() <= 3


def test_what_is_transparent_is_white(page: Page, wide: Path, tmp_path: Path) -> None:
    image = Image.open(wide).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(SIZE))
    image.save(tmp_path / "clear.png")
    page.do("choose", file=tmp_path / "clear.png")
    read = np.reshape(page.do("numbers")["pixels"], SHAPE)
    expected = read_photo(tmp_path / "clear.png", SHAPE).astype(int)
    assert np.abs(read - expected).mean() < 3
    assert drawn(page)[0][0].min() >= 254  # in the first row nothing is left of the photo


def test_large_photos_are_shown_smaller_and_small_ones_larger(page: Page, wide: Path, tmp_path: Path) -> None:
    for size, shown in (((2300, 1150), (1024, 512)), ((120, 60), (448, 224))):
        Image.open(wide).resize(size).save(tmp_path / "sized.png")
        page.do("choose", file=tmp_path / "sized.png")
        assert drawn(page)[0].shape[1::-1] == shown


def test_a_phone_shows_all_of_it(page: Page, wide: Path, tmp_path: Path) -> None:
    for picture in (Image.open(wide), Image.open(wide).rotate(90, expand=True)):
        picture.save(tmp_path / "photo.png")
        page.do("choose", file=tmp_path / "photo.png")
        for size in ((390, 844), (1000, 740)):
            page.do("screenshot", path=tmp_path / "screen.jpg", width=size[0], height=size[1])
            assert page.do("width") == size[0]
            shown = page.do("box", of="#picture")
            np.testing.assert_allclose(shown["width"] / shown["height"], picture.width / picture.height, rtol=0.02)
            assert shown["height"] <= 28 * 16 + 1
