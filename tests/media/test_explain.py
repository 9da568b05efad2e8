"""Photos in, pictures and records out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fgcompile.artifact.metadata import loads
from fgcompile.errors import InputError, OutputError
from fgcompile.media.explain import explain_photos
from fgcompile.pictures.reading import DEFAULT, Reading
from fgcompile.runtime import Session
from tests.support.tiny_artifacts import dumps, tiny_metadata

BLANK = Image.new("RGB", (9, 9))


class BrightestRow:
    """A backend whose class is the quarter of the photo that is brightest, and whose map is the photo in grey."""

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        grey = feeds["x"].astype(np.float32).mean(3)
        logits = grey.reshape(len(grey), 4, -1).mean(2)
        return {"logits": logits, "saliency": grey[:, np.newaxis], "residual": np.full(len(grey), 1e-6, np.float32)}


def session(**changes: Any) -> Session:
    settings = {
        "inputs": [
            {"name": "x", "dtype": "uint8", "shape": ["batch", 32, 32, 3]},
            {"name": "target", "dtype": "int64", "shape": ["batch"]},
        ],
        "outputs": [{"name": "logits", "dtype": "float32", "shape": ["batch", 4]}],
        "preprocess": {"mean": [0.5] * 3, "std": [0.5] * 3},
        "labels": ["sky", "tree", "grass", "road"],
    }
    return Session(BrightestRow(), loads(dumps(tiny_metadata(**settings | changes)), "artifact"))  # type: ignore[arg-type]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.full((32, 32, 3), 10, np.uint8)
    pixels[8:16] = 250  # the second quarter
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_record_and_picture(photo: Path, tmp_path: Path) -> None:
    (record,) = explain_photos(session(), [photo], tmp_path / "new" / "folder")
    assert record["name"] == "tree"
    assert record["target"] == 1
    assert record["score"] == 250
    assert record["top"][0] == {"index": 1, "name": "tree", "score": 250.0}
    assert record["residual"] == pytest.approx(1e-6)
    assert "saliency" not in record
    with Image.open(record["overlay"]) as image:
        assert image.format == "PNG"


def test_whole_photos_are_drawn_at_their_own_size_with_the_part_that_was_explained(tmp_path: Path) -> None:
    rough = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    whole = Image.fromarray(rough).resize((900, 600), Image.Resampling.BICUBIC)
    whole.save(tmp_path / "large.png")
    (record,) = explain_photos(session(), [tmp_path / "large.png"], tmp_path / "out", overlay=True)
    assert Path(record["whole"]).name == "large-overlay.png"
    with Image.open(record["whole"]) as image:
        assert image.width == 900
        assert 600 < image.height < 680
        pixels = np.asarray(image).astype(int)
    colourful = np.ptp(pixels[:600], axis=2) > 12
    rows, columns = np.flatnonzero(colourful.any(1)), np.flatnonzero(colourful.any(0))
    # 224 of 256 parts of 600 about the middle.
    np.testing.assert_allclose([rows[0], rows[-1], columns[0], columns[-1]], [37, 562, 187, 712], atol=8)
    with Image.open(record["overlay"]) as image:
        assert image.width == 3 * 512 + 8, "beside its map it is made smaller"


def test_what_is_filled_up_is_drawn_at_the_photo_s_own_size(photo: Path, tmp_path: Path) -> None:
    """As wide as it is high then, with the whole photo in the middle."""
    Image.new("RGB", (300, 450), (200, 90, 40)).save(tmp_path / "upright.png")
    reading = Reading(fit="letterbox")
    (record,) = explain_photos(session(), [tmp_path / "upright.png"], tmp_path / "out", overlay=True, reading=reading)
    with Image.open(record["whole"]) as image:
        pixels = np.asarray(image)
    assert 430 <= pixels.shape[1] <= 465  # whole pixels of the artifact's on either side
    assert (pixels[:450].max(axis=(0, 2)) > 60).sum() >= 300
    assert len(pixels) > 450


def test_below_the_map_of_a_score_stands_the_best_class(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr("fgcompile.media.explain.draw_photo", lambda photo, shown, *_: drawn.append(shown) or BLANK)
    inputs = [{"name": "x", "dtype": "uint8", "shape": ["batch", 32, 32, 3]}]
    explain_photos(session(target="score", inputs=inputs), [photo], tmp_path / "out")
    assert (drawn[0].title, drawn[0].detail) == ("score", "tree 250.00")


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 9000), (9000, 1), (31, 33), (20, 2000)])
def test_photos_of_odd_sizes_have_pictures_of_reasonable_ones(size: tuple[int, int], tmp_path: Path) -> None:
    Image.effect_noise(size, 80).convert("RGB").save(tmp_path / "odd.png")
    (record,) = explain_photos(session(), [tmp_path / "odd.png"], tmp_path / "out", overlay=True, targets=[0, 1])
    for key in ("overlay", "whole"):
        with Image.open(record[key]) as image:
            assert image.width * image.height < 4_000_000


def test_colours_and_opacity_are_the_user_s(photo: Path, tmp_path: Path) -> None:
    def pixels(folder: str, **options: Any) -> bytes:
        (record,) = explain_photos(session(), [photo], tmp_path / folder, **options)
        return Path(record["overlay"]).read_bytes()

    drawn = [pixels("a"), pixels("b", colormap="viridis"), pixels("c", alpha=0.2)]
    assert len(set(drawn)) == 3
    assert pixels("d", colormap="inferno", alpha=0.92) == drawn[0]
    for options in ({"colormap": "orange-blue"}, {"alpha": 2.0}):
        with pytest.raises(InputError, match=next(iter(options.values())).__str__()):
            pixels("none", **options)
    assert not (tmp_path / "none").exists()


def test_maps_on_request(photo: Path, tmp_path: Path) -> None:
    (record,) = explain_photos(session(), [photo], tmp_path, npy=True)
    saliency = np.load(record["saliency"])
    assert saliency.shape == (32, 32)
    assert saliency[8:16].min() == 250


def test_a_photo_is_fitted_as_the_artifact_says_or_as_it_is_asked(tmp_path: Path) -> None:
    pixels = np.zeros((64, 32, 3), np.uint8)
    pixels[:16] = 200  # a quarter of the whole, nothing of the central square
    Image.fromarray(pixels).save(tmp_path / "tall.png")

    def score(reading: Reading = DEFAULT, **fit: Any) -> float:
        explainer = session(preprocess={"mean": [0.5] * 3, "std": [0.5] * 3} | fit)
        (record,) = explain_photos(explainer, [tmp_path / "tall.png"], tmp_path / "out", target=0, reading=reading)
        return float(record["score"])

    squash = {"mode": "squash", "interpolation": "box"}
    assert score(fit=squash) == 200
    assert score() == score(Reading(fit="crop"), fit=squash) == 0
    assert score(Reading(fit="squash")) > 150
    boxed = {"mode": "letterbox", "interpolation": "box", "fill": [100, 100, 100]}
    assert score(fit=boxed) == 150  # half of the row is beside the picture
    assert score(fit={"mode": "crop", "interpolation": "box", "resize": [32, 32]}) == 0


def test_chosen_target(photo: Path, tmp_path: Path) -> None:
    (record,) = explain_photos(session(labels=None), [photo], tmp_path, target=3)
    assert (record["target"], record["name"], record["score"]) == (3, "class 3", 10)
    assert record["top"][0]["index"] == 1


def test_photos_of_one_name_do_not_overwrite_each_other(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    other = photo.rename(tmp_path / "again" / "photo.png")
    records = explain_photos(session(), [other, other, other], tmp_path / "out")
    assert [Path(record["overlay"]).name for record in records] == [
        "photo-explained.png",
        "photo-2-explained.png",
        "photo-3-explained.png",
    ]


def test_names_of_several_lines(photo: Path, tmp_path: Path) -> None:
    hostile = photo.rename(tmp_path / "a\nb\x1b[2J.png")
    explain_photos(session(), [hostile], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [r"a\nb\x1b[2J-explained.png"]


def test_names_as_long_as_names_can_be(photo: Path, tmp_path: Path) -> None:
    (record,) = explain_photos(session(), [photo.rename(tmp_path / f"{'é' * 125}.png")], tmp_path / "out", npy=True)
    assert Path(record["saliency"]).is_file()


def test_output_that_is_a_file_is_refused(photo: Path) -> None:
    with pytest.raises(OutputError, match="cannot be made a folder"):
        explain_photos(session(), [photo], photo)


def test_unreadable_photo_leaves_nothing_half_written(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    broken, explained = explain_photos(session(), [tmp_path / "broken.jpg", photo], tmp_path / "out")
    assert broken.keys() == {"image", "error"}
    assert "broken.jpg cannot be read as a picture" in broken["error"]
    assert explained["name"] == "tree"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo-explained.png"]


def test_the_photo_itself_survives_in_its_own_folder(photo: Path) -> None:
    before = photo.read_bytes()
    explain_photos(session(), [photo], photo.parent)
    assert photo.read_bytes() == before


class Scored:
    """A backend of a score: its map is the photo in grey, its terms add up to 3."""

    outputs: tuple[str, ...] = ()

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        grey = feeds["x"].astype(np.float32).mean(3)[:, np.newaxis]
        every = {
            "logits": np.zeros((1, 2, 7), np.float32),
            "saliency": grey,
            "contributions": np.array([[1.0, 1.5]], np.float32),
            "residual": np.array([0.5], np.float32),
        }
        return {name: every[name] for name in ("logits", *self.outputs)}


SCORED = {
    "inputs": [{"name": "x", "dtype": "uint8", "shape": ["batch", 32, 32, 3]}],
    "target": "score",
    "labels": None,
    "preprocess": {"mean": [0.5] * 3, "std": [0.5] * 3},
}


@pytest.mark.parametrize(
    ("outputs", "score"), [(("saliency",), None), (("saliency", "contributions", "residual"), 3.0)]
)
def test_a_score_has_a_map_and_no_class(
    photo: Path, tmp_path: Path, outputs: tuple[str, ...], score: float | None
) -> None:
    backend = Scored()
    backend.outputs = outputs
    scored = Session(backend, loads(dumps(tiny_metadata(**SCORED)), "artifact"))  # type: ignore[arg-type]
    (record,) = explain_photos(scored, [photo], tmp_path / "out")
    assert (record["target"], record["name"], record["score"], record["top"]) == (None, "score", score, [])
    assert Image.open(record["overlay"]).size[1] > 32


def test_artifacts_without_a_map_are_refused(photo: Path, tmp_path: Path) -> None:
    backend = Scored()
    backend.outputs = ()
    scored = Session(backend, loads(dumps(tiny_metadata(**SCORED)), "artifact"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="does not compute a map"):
        explain_photos(scored, [photo], tmp_path / "out")


def test_classes_whose_names_cannot_be_drawn_have_their_numbers_in_pictures(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr("fgcompile.media.explain.draw_photo", lambda photo, shown, *_: drawn.append(shown) or BLANK)
    labels = ["空", "木", "草", "road"]
    (record,) = explain_photos(session(labels=labels), [photo], tmp_path / "out")
    assert (record["name"], drawn[-1].title) == ("木", "class 1")
    explain_photos(session(labels=labels), [photo], tmp_path / "out", target=3)
    assert drawn[-1].title == "road"
    inputs = [{"name": "x", "dtype": "uint8", "shape": ["batch", 32, 32, 3]}]
    explain_photos(session(target="score", inputs=inputs, labels=labels), [photo], tmp_path / "out")
    assert (drawn[-1].title, drawn[-1].detail) == ("score", "class 1 250.00")
