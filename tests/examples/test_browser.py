"""``examples/browser`` in headless Chromium: the map of the Python session, and errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fgcompile
from benchmarks.serving.chromium import PACKAGES, SOFTWARE_WEBGPU, Page, missing, open_page, open_site
from fgcompile.drawing.blending import style_of
from fgcompile.drawing.captions import ColourBar
from fgcompile.drawing.scale import number_of, scale_of
from fgcompile.page.site import write_page
from fgcompile.pictures.images import read_photo
from tests.examples.conftest import BIRDS, HEIGHT, PLACES, WIDTH, compile_colours, largest_difference
from tests.support.sweeps import few
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

SHAPE = (HEIGHT, WIDTH, 3)


@pytest.fixture(scope="module")
def page(colours: Path, photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page beside the colour network, with a photo on it."""
    with open_page(tmp_path_factory.mktemp("page"), colours) as opened:
        seen = opened.do("choose", file=photos[17])
        assert seen["error"] == ""
        yield opened


@pytest.mark.slow
def test_the_map_is_that_of_the_session(page: Page, colours: Path, photos: list[Path]) -> None:
    session = fgcompile.load(colours)
    differences = []
    for photo in photos[:4]:
        seen = page.do("drop", file=photo)
        found = page.do("numbers")
        differences.append(largest_difference(session, found))
        predicted = int(np.argmax(found["logits"]))
        assert found["targets"] == [[predicted]]
        assert seen["caption"] == f"{BIRDS[predicted]}, score {max(found['logits']):.2f}".replace("-", "−")
        assert seen["classes"] == [BIRDS[index] for index in np.argsort(-np.array(found["logits"]))]
    print("largest difference, of the map's maximum:", max(differences))
    assert max(differences) < 1e-4


@pytest.mark.slow
def test_another_class_has_another_map(page: Page, colours: Path, photos: list[Path]) -> None:
    session = fgcompile.load(colours)
    page.do("choose", file=photos[17])
    maps = []
    for target, name in enumerate(BIRDS):
        seen = page.do("explain", name=name.upper())
        assert seen["caption"].startswith(f"{name}, score ")
        found = page.do("numbers")
        assert found["targets"] == [[target]]
        assert largest_difference(session, found, target) < 1e-4
        maps.append(np.array(found["saliency"]))
    assert min(np.abs(a - b).max() for a, b in pairwise(maps)) > 1e-3


@pytest.mark.slow
def test_photos_are_read_as_the_command_reads_them(page: Page, photos: list[Path], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "exact.png")
    page.do("choose", file=tmp_path / "exact.png")
    np.testing.assert_array_equal(np.reshape(page.do("numbers")["pixels"], SHAPE), noise)

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.open(photos[0]).crop((0, 0, 400, 300)).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    for path in (photos[17], tmp_path / "turned.jpg"):
        page.do("choose", file=path)
        read = np.reshape(page.do("numbers")["pixels"], SHAPE)
        # of 255; the page crops at whole pixels, which of so small a photo are not so small
        assert np.abs(read - read_photo(path, SHAPE).astype(int)).mean() < 3


@pytest.mark.slow
def test_photos_are_fitted_as_the_artifact_says(photos: list[Path], tmp_path: Path) -> None:
    fit = fgcompile.Fit("letterbox", (HEIGHT + 8, WIDTH + 8), "bilinear", (90, 60, 30))
    artifact = compile_colours(tmp_path / "fitted.onnx", fit=fit)
    (tmp_path / "page").mkdir()
    with open_page(tmp_path / "page", artifact) as opened:
        opened.do("choose", file=photos[17])
        read = np.reshape(opened.do("numbers")["pixels"], SHAPE)
    assert np.abs(read - read_photo(photos[17], SHAPE, fit=fit).astype(int)).mean() < 3


def test_brightness_is_that_of_the_gallery(page: Page, photos: list[Path]) -> None:
    page.do("choose", file=photos[3])
    found = page.do("numbers")
    np.testing.assert_allclose(found["strength"], strength_of(np.array(found["saliency"])), atol=1e-12)
    saliency = np.array(found["saliency"], np.float64)
    np.testing.assert_allclose(found["signed"], strength_of(saliency - saliency.mean(), signed=True), atol=1e-5)


def test_the_scale_has_the_gallery_s_colours_and_numbers(page: Page, photos: list[Path]) -> None:
    page.do("choose", file=photos[3])
    found = page.do("numbers")
    scale = scale_of(np.array(found["saliency"], np.float32))
    assert found["ends"] == [number_of(scale.low), number_of(scale.high)]
    bar = ColourBar(scale, style_of(signed=False)).colours(256)[0]
    np.testing.assert_allclose(
        np.reshape(found["bar"], (256, 4))[:, :3], bar, atol=4
    )  # of 255; d3 has the colours as polynomials


def strength_of(values: np.ndarray, signed: bool = False) -> np.ndarray:
    return scale_of(values, signed).strength(values)


def test_what_is_no_picture_changes_nothing_but_the_error(page: Page, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    before = page.do("choose", file=photos[5])
    seen = page.do("choose", file=tmp_path / "text.jpg")
    assert seen["error"].startswith("text.jpg cannot be read as a picture")
    assert "\n" not in seen["error"]
    assert seen["caption"] == before["caption"]
    assert (before["faded"], seen["faded"]) == (False, True)  # it is not of what was chosen
    after = page.do("explain", name=BIRDS[0])
    assert (after["error"], after["faded"]) == ("", False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text.onnx", "not an fgcompile artifact"),
        ("torchscript.pt", "not an fgcompile artifact"),
        ("arrays.onnx", "compile it with --mean and --std"),
        ("newer.onnx", "made by a newer fgcompile"),
        ("flipped.onnx", "do not match its SHA-256 seal"),
        ("cut.onnx", "not an fgcompile artifact"),
    ],
)
def test_what_is_no_artifact_for_photos_is_refused(
    page: Page, colours: Path, tmp_path: Path, name: str, message: str
) -> None:
    content = bytearray(colours.read_bytes())
    flipped = content.copy()
    flipped[len(content) // 3] ^= 1
    (tmp_path / name).write_bytes(
        {
            "text.onnx": b"not a model",
            "torchscript.pt": b"PK\3\4",
            "arrays.onnx": onnx_artifact(),
            "newer.onnx": onnx_artifact(tiny_metadata(schema=99)),
            "flipped.onnx": flipped,
            "cut.onnx": content[: len(content) // 2],
        }[name]
    )
    before = page.do("look")
    seen = page.do("choose", file=tmp_path / name)
    assert message in seen["error"]
    assert name in seen["error"]
    assert seen["status"] == before["status"]


@pytest.mark.slow
def test_nothing_leaves_the_page(page: Page) -> None:
    traffic = page.do("traffic")
    own = traffic["requests"][0]
    assert all(url.startswith((own, f"blob:{own}")) for url in traffic["requests"])
    assert traffic["complaints"] == []


def test_another_artifact_explains_the_photo_that_is_there(
    page: Page, photos: list[Path], digits: Path, digit_pictures: list[Path], colours: Path
) -> None:
    page.do("choose", file=photos[17])
    seen = page.do("choose", file=digits)
    assert "digits.onnx" in seen["status"]
    assert len(seen["classes"]) == 10
    seen = page.do("choose", file=digit_pictures[0])
    assert seen["classes"][0] == "7"
    found = page.do("numbers")
    np.testing.assert_array_equal(np.reshape(found["pixels"], (28, 28, 1)), read_photo(digit_pictures[0], (28, 28, 1)))
    assert largest_difference(fgcompile.load(digits), found) < 1e-4
    assert "colours.onnx" in page.do("choose", file=colours)["status"]


def test_a_click_asks_about_a_place_of_a_segmenter(page: Page, places: Path, photos: list[Path], colours: Path) -> None:
    session = fgcompile.load(places)
    page.do("choose", file=photos[17])
    assert page.do("choose", file=places)["error"] == ""
    left, top, right, bottom = page.do("drawn")["outline"]
    at = [top + (bottom - top) * (40 + 0.5) / HEIGHT, left + (right - left) * (31 + 0.5) / WIDTH]
    seen = page.do("click", at=at)
    assert seen["error"] == ""
    found = page.do("numbers")
    found["logits"] = np.reshape(found["logits"], (len(PLACES), HEIGHT, WIDTH))
    order = np.argsort(-found["logits"][:, 40, 31])
    assert found["targets"] == [[order[0], 40, 31]]
    assert seen["classes"] == [f"{PLACES[index]}, height 40, width 31" for index in order]
    assert largest_difference(session, found, [int(order[0]), 40, 31]) < 1e-4

    seen = page.do("explain", name=PLACES[order[2]])
    assert seen["caption"].startswith(f"{PLACES[order[2]]}, height 40, width 31, score ")
    found = page.do("numbers")
    found["logits"] = np.reshape(found["logits"], (len(PLACES), HEIGHT, WIDTH))
    assert largest_difference(session, found, [int(order[2]), 40, 31]) < 1e-4
    page.do("choose", file=colours)


@pytest.mark.slow
def test_several_targets_come_along(page: Page, three: Path, photos: list[Path], colours: Path) -> None:
    session = fgcompile.load(three)
    page.do("choose", file=photos[17])
    page.do("choose", file=three)
    found = page.do("numbers")
    order = [int(index) for index in np.argsort(-np.array(found["logits"]))]
    assert found["targets"] == [[index] for index in order[:3]]
    assert largest_difference(session, found, order[:3]) < 1e-4
    seen = page.do("explain", name=BIRDS[order[1]])
    assert seen["caption"].startswith(BIRDS[order[1]])
    assert page.do("numbers")["map"] == 1
    seen = page.do("explain", name=BIRDS[order[4]])
    assert seen["caption"].startswith(BIRDS[order[4]])
    found = page.do("numbers")
    assert found["targets"] == [[index] for index in (order[4], *order[:2])]
    assert largest_difference(session, found, [order[4], *order[:2]]) < 1e-4
    page.do("choose", file=colours)


@pytest.mark.slow
def test_artifacts_on_demand_and_of_a_fixed_class(photos: list[Path], tmp_path: Path) -> None:
    path = compile_colours(tmp_path / "fixed.onnx", target=4, on_demand=True)
    (tmp_path / "page").mkdir()
    with open_page(tmp_path / "page") as page:
        assert "No artifact yet" in page.do("look")["status"]
        page.do("choose", file=photos[0])
        seen = page.do("choose", file=path)
        assert seen["caption"].startswith(f"{BIRDS[4]}, score ")
        assert seen["choosable"] == 0
        assert largest_difference(fgcompile.load(path), page.do("numbers")) < 1e-4


@pytest.mark.parametrize("absent", few([None, "webgpu"], 1))
def test_webgpu_or_what_takes_its_place(colours: Path, photos: list[Path], tmp_path: Path, absent: str | None) -> None:
    with open_page(tmp_path, colours, SOFTWARE_WEBGPU, absent) as page:
        seen = page.do("choose", file=photos[0])
        if "WebGPU" not in seen["status"]:
            pytest.skip("needs a Chromium with a WebGPU adapter")
        assert ("WebAssembly, 1 thread, since WebGPU failed" in seen["status"]) == (absent is not None)
        assert largest_difference(fgcompile.load(colours), page.do("numbers")) < 1e-4


@pytest.mark.slow
def test_a_trained_network_s_maps_are_those_of_the_session(
    efficientnet: Path, photos: list[Path], tmp_path: Path
) -> None:
    session = fgcompile.load(efficientnet)
    differences = []
    with open_page(tmp_path, efficientnet) as page:
        for photo in photos:
            page.do("choose", file=photo)
            differences.append(largest_difference(session, page.do("numbers")))
    print("largest difference, of the map's maximum:", max(differences))
    assert np.median(differences) < 1e-4
    assert max(differences) < 2e-3  # where rounding flips a choice of a ReLU6


def test_a_page_that_was_written_needs_nothing_else(colours: Path, photos: list[Path], tmp_path: Path) -> None:
    write_page(colours, tmp_path / "site", PACKAGES)
    with open_site(tmp_path / "site") as page:
        seen = page.do("choose", file=photos[17])
        assert seen["error"] == ""
        assert largest_difference(fgcompile.load(colours), page.do("numbers")) < 1e-4
        # A phone's screen is as wide as the page.
        page.do("screenshot", path=tmp_path / "phone.jpg", width=390, height=844)
        traffic = page.do("traffic")
    assert traffic["complaints"] == []
    assert len({request.split("/")[2] for request in traffic["requests"] if request.startswith("http")}) == 1
    assert Image.open(tmp_path / "phone.jpg").size == (585, 1266)
