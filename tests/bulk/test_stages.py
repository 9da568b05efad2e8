"""What a worker does with images that are none."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pa = pytest.importorskip("pyarrow", reason="needs Ray: pip install 'fgcompile[ray]'")
pytest.importorskip("ray", reason="needs Ray: pip install 'fgcompile[ray]'")

import torch  # noqa: E402
from torch import nn  # noqa: E402

import fgcompile  # noqa: E402
from fgcompile.artifact.file import read_artifact  # noqa: E402
from fgcompile.artifact.fitting import Fit  # noqa: E402
from fgcompile.bulk import asking, explain_in_bulk, stages  # noqa: E402
from fgcompile.bulk.options import Wanted  # noqa: E402
from fgcompile.bulk.stages import Explainer, Task, read_photos  # noqa: E402
from fgcompile.errors import InputError  # noqa: E402
from fgcompile.media.explain import explain_photos  # noqa: E402
from fgcompile.pictures.images import read_photo  # noqa: E402
from fgcompile.pictures.reading import Reading  # noqa: E402
from tests.support.by_samples import compile_by_samples  # noqa: E402
from tests.support.tiny_artifacts import WEIGHT, photo_artifact  # noqa: E402

SHAPE = (16, 16, 3)


def test_damaged_images_have_an_error_and_the_others_a_photo(tmp_path: Path) -> None:
    generator = random.Random(0)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    files = []
    for suffix in ("bmp", "gif", "jpg", "png", "tif", "webp"):
        whole = tmp_path / f"whole.{suffix}"
        noise.save(whole)
        content = whole.read_bytes()
        files.append(whole)
        for number in range(100):
            damaged = bytearray(content)
            for _ in range(generator.randint(1, 20)):
                damaged[generator.randrange(min(len(damaged), 400))] = generator.randrange(256)
            files.append(tmp_path / f"damaged-{number}.{suffix}")
            files[-1].write_bytes(damaged[: generator.randint(0, len(damaged))] if number % 2 else damaged)
    (tmp_path / "no-access").mkdir()
    files += [tmp_path / "missing.jpg", tmp_path / "no-access"]
    table = read_photos(pa.table({"path": [str(file) for file in files]}), SHAPE)
    assert table["path"].to_pylist() == [str(file) for file in files]
    errors = 0
    for row in table.to_pylist():
        assert (row["photo"] is None) != (row["error"] is None)
        if row["photo"] is None:
            errors += 1
            assert Path(row["path"]).name in row["error"]
        else:
            assert row["photo"] == read_photo(Path(row["path"]), SHAPE).tobytes()
        if "whole" in row["path"]:
            assert row["photo"] is not None
    assert errors > 300


def test_the_options_of_reading_reach_the_photos(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16), 1000, np.uint16)).save(tmp_path / "deep.png")
    paths = pa.table({"path": [str(tmp_path / "deep.png")]})
    assert "window=" in read_photos(paths, SHAPE).to_pylist()[0]["error"]
    (row,) = read_photos(paths, SHAPE, Reading(window=(0, 2000))).to_pylist()
    assert row["photo"] == bytes([128] * 768)


def test_photos_are_fitted_as_the_artifact_says(tmp_path: Path) -> None:
    pixels = np.zeros((64, 16, 3), np.uint8)
    pixels[:16] = 200
    Image.fromarray(pixels).save(tmp_path / "tall.png")
    paths = pa.table({"path": [str(tmp_path / "tall.png")]})
    (row,) = read_photos(paths, SHAPE, fit=Fit("squash", interpolation="box")).to_pylist()
    assert row["photo"] == bytes([200] * 4 * 48 + [0] * 12 * 48)


@pytest.mark.parametrize("fit", ["tile", "whole"])
@pytest.mark.parametrize("format", ["parquet", "npz", "png"])
def test_photos_of_any_size_have_maps_of_their_own_size(
    fit: str, format: str, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, metadata = read_artifact(large)
    monkeypatch.setattr(stages.ray, "get", lambda _: (np.frombuffer(content, np.uint8), metadata))
    (tmp_path / "maps").mkdir()
    for name, size in (("one", (40, 33)), ("two", (21, 50)), ("small", (9, 9))):
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    wanted = Wanted(large, (1,), format, Reading(fit=fit))
    task = Task(None, wanted, tmp_path, ["CPUExecutionProvider"], 1)  # type: ignore[arg-type]
    paths = pa.table({"path": [str(tmp_path / f"{name}.png") for name in ("one", "two", "small", "none")]})
    one, two, small, none = Explainer(task)(read_photos(paths, SHAPE, wanted.reading)).to_pylist()
    assert (one["height"], one["width"], two["height"], two["width"]) == (40, 33, 21, 50)
    assert one["target"] == two["target"] == 1
    assert "none.png: no such file" in none["error"]
    assert small["error"] is None if fit == "whole" else "less than a tile" in small["error"]
    (record,) = explain_photos(
        fgcompile.load(large), [tmp_path / "one.png"], tmp_path, target=1, npy=True, reading=wanted.reading
    )
    assert one["score"] == pytest.approx(record["score"], rel=1e-5)
    if format == "parquet":
        np.testing.assert_allclose(np.reshape(one["saliency"], (40, 33)), np.load(record["saliency"]), rtol=1e-4)
    elif format == "npz":
        found = np.load(tmp_path / one["file"])["saliency"]
        np.testing.assert_allclose(found, np.load(record["saliency"]), rtol=1e-4)
    else:
        assert Image.open(tmp_path / one["file"]).height > 40


@pytest.mark.parametrize(("fit", "message"), [("tile", "psi='signed'"), ("whole", "dynamic_sizes=True")])
def test_what_cannot_be_fitted_so_is_refused_before_ray_starts(fit: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(photo_artifact())
    with pytest.raises(InputError, match=message):
        explain_in_bulk(tmp_path / "net.onnx", ["none.png"], tmp_path / "out", reading=Reading(fit=fit))
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("error")
def test_the_row_of_an_image_on_which_numbers_overflow_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = tmp_path / "huge.onnx"
    artifact.write_bytes(photo_artifact(weight=np.float32(1e37) * WEIGHT))
    content, metadata = read_artifact(artifact)
    monkeypatch.setattr(stages.ray, "get", lambda _: (np.frombuffer(content, np.uint8), metadata))
    for name, level in (("black", 0), ("white", 255)):
        Image.fromarray(np.full((16, 16, 3), level, np.uint8)).save(tmp_path / f"{name}.png")
    paths = pa.table({"path": [str(tmp_path / f"{name}.png") for name in ("black", "white", "none")]})
    task = Task(None, Wanted(artifact, None, "parquet"), tmp_path, ["CPUExecutionProvider"], 1)  # type: ignore[arg-type]
    black, white, none = Explainer(task)(read_photos(paths, SHAPE)).to_pylist()
    assert (black["warning"], none["warning"]) == (None, None)
    assert "values that are NaN or infinite: float32 overflowed" in white["warning"]


def test_an_artifact_of_two_samples_a_call_explains_any_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = np.random.default_rng(0).integers(0, 256, (3, *SHAPE), dtype=np.uint8)
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"{number}.png")
    compile_by_samples(2).save(tmp_path / "two.onnx")
    content, metadata = read_artifact(tmp_path / "two.onnx")
    monkeypatch.setattr(stages.ray, "get", lambda _: (np.frombuffer(content, np.uint8), metadata))
    task = Task(None, Wanted(tmp_path / "two.onnx", None, "parquet"), tmp_path, ["CPUExecutionProvider"], 1)  # type: ignore[arg-type]
    paths = pa.table({"path": [str(tmp_path / f"{number}.png") for number in range(3)]})
    rows = Explainer(task)(read_photos(paths, SHAPE)).to_pylist()
    with compile_by_samples(None).session() as session:
        expected = session.explain(photos)
    assert expected.saliency is not None
    assert [row["target"] for row in rows] == np.ravel(expected.target).tolist()
    for row, saliency in zip(rows, expected.saliency, strict=True):
        np.testing.assert_allclose(row["saliency"], saliency.ravel(), rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of signed maps that takes photos of any size, and in tiles of 16 by 16."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    scale = fgcompile.Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)
    path = tmp_path_factory.mktemp("bulk") / "large.onnx"
    fgcompile.compile(network, torch.randn(1, 3, 16, 16), preprocess=scale, psi="signed", dynamic_sizes=True).save(path)
    return path


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)).eval()
    scale = fgcompile.Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)
    path = tmp_path_factory.mktemp("bulk") / "segmenter.onnx"
    labels = ["sky", "road", "car"]
    fgcompile.compile(network, torch.randn(1, 3, 16, 16), preprocess=scale, labels=labels).save(path)
    return path


@pytest.mark.parametrize(
    ("wish", "target", "name"),
    [
        ("car,5,3", [2, 5, 3], "car at (5, 3)"),
        ([1, 4, 15], [1, 4, 15], "road at (4, 15)"),
        ((0, 4, -1), None, None),
        (None, None, None),
    ],
)
def test_an_element_of_more_axes_is_explained_of_every_image(
    segmenter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: object, target: object, name: str | None
) -> None:
    content, metadata = read_artifact(segmenter)
    monkeypatch.setattr(stages.ray, "get", lambda _: (np.frombuffer(content, np.uint8), metadata))
    photos = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), dtype=np.uint8)
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"{number}.png")
    wanted = Wanted(segmenter, asking.read_target(wish, metadata), "parquet")  # type: ignore[arg-type]
    task = Task(None, wanted, tmp_path, ["CPUExecutionProvider"], 1)  # type: ignore[arg-type]
    paths = pa.table({"path": [str(tmp_path / f"{number}.png") for number in range(2)]})
    rows = Explainer(task)(read_photos(paths, SHAPE)).to_pylist()
    explained = fgcompile.load(segmenter).explain(photos, None if wish is None else np.array(wanted.target))
    assert explained.saliency is not None
    assert explained.logits is not None
    assert explained.target is not None
    for row, saliency, logits, element in zip(
        rows, explained.saliency, explained.logits, explained.target, strict=True
    ):
        assert row["target"] == element.tolist() == (target or row["target"])
        assert row["label"] == (name or row["label"])
        assert row["score"] == pytest.approx(float(logits[tuple(element)]), rel=1e-5)
        np.testing.assert_allclose(row["saliency"], saliency.ravel(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("-1,5,3", "leaves an index to each image: give all, or -1 in the last place or in all"),
        ("car,16,3", "give as height an index from 0 to 15"),
        ("car,5", "give 3 indices, class, height, width"),
        ("ship,5,3", "'ship' is no class of the artifact"),
    ],
)
def test_what_is_no_element_of_every_image_is_refused(segmenter: Path, wish: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        asking.read_target(wish, read_artifact(segmenter)[1])


def test_artifacts_of_several_targets_are_refused_by_their_number(segmenter: Path) -> None:
    metadata = read_artifact(segmenter)[1]
    for targets, said in ((3, "explains 3 targets in a call"), ("dynamic", "explains any number of targets in a call")):
        with pytest.raises(InputError, match=said):
            asking.require_maps({**metadata, "targets": targets})  # type: ignore[typeddict-item]


@pytest.mark.parametrize("format", ["parquet", "png"])
def test_of_a_fixed_score_a_row_has_the_name_and_the_value(
    format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)).eval()
    scale = fgcompile.Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)
    path, region = tmp_path / "region.onnx", fgcompile.scores.Region("road", rows=(0, 8))
    labels = ["sky", "road", "car"]
    fgcompile.compile(network, torch.randn(1, 3, 16, 16), preprocess=scale, labels=labels, target=region).save(path)
    content, metadata = read_artifact(path)
    asking.require_maps(metadata)
    assert asking.read_target(None, metadata) is None
    with pytest.raises(InputError, match="target"):
        asking.read_target("road", metadata)
    monkeypatch.setattr(stages.ray, "get", lambda _: (np.frombuffer(content, np.uint8), metadata))
    photo = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    (tmp_path / "maps").mkdir()
    task = Task(None, Wanted(path, None, format), tmp_path, ["CPUExecutionProvider"], 1)  # type: ignore[arg-type]
    (row,) = Explainer(task)(read_photos(pa.table({"path": [str(tmp_path / "photo.png")]}), SHAPE)).to_pylist()
    output = network(torch.from_numpy(photo).permute(2, 0, 1)[None] / 127.5 - 1).detach()
    assert (row["target"], row["label"]) == (None, "Region(index=road, rows=(0, 8))")
    assert row["score"] == pytest.approx(output[0, 1, :8].mean().item(), rel=1e-4)
    assert row["predicted"] == np.stack(np.unravel_index(output[0].numpy().argmax(), output.shape[1:])).tolist()
    assert format == "parquet" or (tmp_path / row["file"]).exists()
