"""Pictures larger than the artifact takes: tiles, whose maps are one map; and whole ones, of any size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fgcompile.artifact.fitting import Fit
from fgcompile.artifact.metadata import Metadata, loads
from fgcompile.errors import InputError
from fgcompile.media.explain import explain_photos
from fgcompile.media.tiles import grid_over, reduced
from fgcompile.pictures.images import in_whole_steps
from fgcompile.pictures.reading import Reading
from fgcompile.runtime import Session
from tests.support.tiny_artifacts import dumps, tiny_metadata

SIDE = 16


class Colours:
    """A backend whose classes are red, green and blue: a logit is a colour's mean, the map that colour's pixels.

    The map of any part of a picture is that part of the picture's map: stitched, the tiles' must be the whole again.
    """

    def __init__(self) -> None:
        self.explained: list[int] = []

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        x = feeds["x"].astype(np.float32)
        logits = x.mean((1, 2))
        target = feeds.get("target", np.full(len(x), -1))
        chosen = np.where(target < 0, logits.argmax(1), target)
        self.explained += chosen.tolist()
        maps = np.stack([each[..., index] for each, index in zip(x, chosen, strict=True)])[:, np.newaxis]
        return {"logits": logits, "saliency": maps}


def session(shape: list[int | str] | None = None, **changes: Any) -> Session:
    example = [1, *shape[1:]] if shape is not None and "height" not in shape else [1, SIDE, SIDE, 3]
    settings = {
        "inputs": [
            {"name": "x", "dtype": "uint8", "shape": shape or ["batch", SIDE, SIDE, 3], "example": example},
            {"name": "target", "dtype": "int64", "shape": ["batch"]},
        ],
        "outputs": [
            {"name": "logits", "dtype": "float32", "shape": ["batch", 3]},
            {"name": "saliency", "dtype": "float32", "shape": ["batch", 1, *(shape or ["", SIDE, SIDE])[1:3]]},
        ],
        "preprocess": {"mean": [0.5] * 3, "std": [0.5] * 3},
        "labels": ["red", "green", "blue"],
        "psi": "signed",
    }
    return Session(Colours(), loads(dumps(tiny_metadata(**settings | changes)), "artifact"))  # type: ignore[arg-type]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Mostly green in the mean, though most tiles are red: 53 by 41."""
    pixels = np.random.default_rng(0).integers(0, 60, (41, 53, 3), dtype=np.uint8)
    pixels[..., 0] += 20
    pixels[20:36, 20:36, 1] = 255
    Image.fromarray(pixels).save(tmp_path / "large.png")
    return tmp_path / "large.png"


def explain(artifact: Session, file: Path, fit: str = "tile", **options: Any) -> dict[str, Any]:
    (record,) = explain_photos(artifact, [file], file.parent / "out", npy=True, reading=Reading(fit=fit), **options)
    return record


def test_the_map_of_tiles_is_the_map_of_the_whole(picture: Path) -> None:
    artifact = session()
    record = explain(artifact, picture)
    pixels = np.asarray(Image.open(picture))
    np.testing.assert_allclose(np.load(record["saliency"]), pixels[..., 1], rtol=1e-5)
    assert (record["name"], record["target"]) == ("green", 1)
    grid = grid_over((41, 53), (SIDE, SIDE))
    tiles = [grid.tile(pixels, corner) for corner in grid.corners()]
    assert record["score"] == pytest.approx(np.mean([tile[..., 1].mean() for tile in tiles]))
    assert [each["name"] for each in record["top"]] == ["green", "red", "blue"]
    asked = artifact._backend.explained  # type: ignore[attr-defined]
    assert set(asked[-len(tiles) :]) == {1}  # one class in all of them, though it is not the largest in each
    assert {int(tile.mean((0, 1)).argmax()) for tile in tiles} == {0, 1}
    with Image.open(record["overlay"]) as drawn:
        assert drawn.width > 3 * 53
    assert sorted(each.name for each in (picture.parent / "out").iterdir()) == [
        "large-explained.png",
        "large-saliency.npy",
    ]


def test_several_classes_have_a_map_each(picture: Path) -> None:
    record = explain(session(), picture, targets="blue,red")
    pixels = np.asarray(Image.open(picture))
    np.testing.assert_allclose(np.load(record["saliency"]), pixels[..., [2, 0]].transpose(2, 0, 1), rtol=1e-5)
    assert [each["name"] for each in record["explained"]] == ["blue", "red"]
    best = explain(session(), picture, top=2)
    assert [each["name"] for each in best["explained"]] == ["green", "red"]


def test_several_classes_of_a_large_picture_stand_in_rows_as_those_of_a_fitted_one(tmp_path: Path) -> None:
    """A photo, two maps and their difference are two by two, wherever they come from; one map is drawn larger."""
    pixels = np.random.default_rng(0).integers(0, 60, (1000, 2000, 3), dtype=np.uint8)
    pixels[:, 1000:, 2] = 255  # blue at the right
    Image.fromarray(pixels).save(tmp_path / "large.png")
    artifact = session(["batch", 500, 500, 3])
    sizes, pictures = {}, {}
    for fit in ("tile", "squash"):
        record = explain(artifact, tmp_path / "large.png", fit, targets="blue;red")
        assert "error" not in record, record
        with Image.open(record["overlay"]) as image:
            sizes[fit], pictures[fit] = image.size, np.asarray(image.convert("RGB"), np.float64)
    assert sizes["tile"][0] == sizes["squash"][0] == 2 * 512 + 4
    blue = pictures["tile"][:256, 516:].mean(2)  # under the map of blue its right half is the bright one
    assert blue[:, 256:].mean() > 2 * blue[:, :256].mean()
    with Image.open(explain(artifact, tmp_path / "large.png", targets="blue")["overlay"]) as image:
        assert image.width == 3 * 1000 + 2 * 4


def test_an_array_of_any_size_is_tiled(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    np.save(tmp_path / "bands.npy", pixels)
    record = explain(session(), tmp_path / "bands.npy", target="blue")
    np.testing.assert_allclose(np.load(record["saliency"]), pixels[..., 2], rtol=1e-5)


def test_weights_add_up_to_one_and_the_tiles_cover_all() -> None:
    for size in ((16, 16), (17, 40), (41, 53), (100, 16)):
        grid = grid_over(size, (16, 16))
        total = np.zeros(size)
        for corner in grid.corners():
            grid.tile(total, corner)[...] += grid.weights(corner, size)
        np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_a_picture_smaller_than_a_tile_is_refused_and_the_others_are_not(tmp_path: Path, picture: Path) -> None:
    Image.new("RGB", (40, 10)).save(tmp_path / "flat.png")
    records = explain_photos(session(), [tmp_path / "flat.png", picture], tmp_path / "out", reading=Reading(fit="tile"))
    assert records[0]["error"].startswith(str(tmp_path / "flat.png"))
    assert "40 by 10 pixels are less than a tile of 16 by 16: use fit='letterbox'" in records[0]["error"]
    assert records[1]["name"] == "green"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"psi": "fullgrad"}, "with psi fullgrad each has a scale of its own: compile the artifact with psi='signed'"),
        (
            {"target": "predicted", "inputs": [{"name": "x", "dtype": "uint8", "shape": ["batch", SIDE, SIDE, 3]}]},
            "compile it without target='predicted'",
        ),
        (
            {
                "target_axes": [{"name": "class", "size": 3}, {"name": "height", "size": 4}],
                "inputs": [
                    {"name": "x", "dtype": "uint8", "shape": ["batch", SIDE, SIDE, 3]},
                    {"name": "target", "dtype": "int64", "shape": ["batch", 2]},
                ],
            },
            "a place within a picture",
        ),
    ],
)
def test_artifacts_whose_maps_cannot_be_stitched_are_refused(
    picture: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        explain(session(**changes), picture)


def test_reduced_pictures_are_means_of_squares() -> None:
    pixels = np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)
    assert reduced(pixels, 9) is pixels
    small = reduced(pixels, 3)
    assert small.shape == (2, 3, 3)
    assert small[1, 2, 0] == int(pixels[3:6, 6:9, 0].mean())
    assert reduced(pixels[..., 0], 4).shape == (2, 3)


def whole(**spec: Any) -> Metadata:
    own = {"name": "x", "dtype": "uint8", "shape": ["batch", "8*height", "8*width", 3], "example": [1, 16, 16, 3]}
    target = {"name": "target", "dtype": "int64", "shape": ["batch"]}
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    return loads(dumps(tiny_metadata(inputs=[own | spec, target], preprocess=preprocess)), "artifact")


def test_whole_pictures_keep_their_size_up_to_the_next_multiple(picture: Path) -> None:
    pixels = np.asarray(Image.open(picture))
    fitted = in_whole_steps(pixels, whole(), Fit(interpolation="box"))
    assert fitted.shape == (40, 56, 3)  # of 41 and 53
    np.testing.assert_array_equal(fitted, np.asarray(Image.open(picture).resize((56, 40), Image.Resampling.BOX)))
    assert in_whole_steps(pixels[:40, :48], whole(), Fit()) is not None
    np.testing.assert_array_equal(in_whole_steps(pixels[:40, :48], whole(), Fit()), pixels[:40, :48])
    with pytest.raises(InputError, match="a height of 40: this artifact takes 32 at most"):
        in_whole_steps(pixels, whole(largest=[0, 32, 99, 0]), Fit())
    with pytest.raises(InputError, match="a width of 56: this artifact takes 64 or more"):
        in_whole_steps(pixels, whole(smallest=[0, 8, 64, 0]), Fit())


def test_an_artifact_of_dynamic_sizes_explains_a_whole_picture(picture: Path) -> None:
    record = explain(session(["batch", "height", "width", 3]), picture, "whole", target="green")
    np.testing.assert_array_equal(np.load(record["saliency"]), np.asarray(Image.open(picture))[..., 1])
    with pytest.raises(
        InputError, match="this artifact takes pictures of 16 × 16 alone: compile it with dynamic_sizes"
    ):
        explain(session(), picture, "whole")
