"""Prepared arrays that ``fgcompile explain`` is given: what is read, drawn and said, against the model by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fgcompile.artifact.metadata import loads
from fgcompile.media.arrays import explain_arrays
from fgcompile.runtime import Session
from tests.cli.results import Run, assert_one_line_error
from tests.support.tiny_artifacts import WEIGHT, dumps, tiny_metadata

X = np.random.default_rng(1).normal(size=(3, 3, 4, 4)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    np.save(tmp_path / "one.npy", X[0])
    np.save(tmp_path / "three.npy", X)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_samples_are_explained_one_by_one(run: Run, tiny: Path, folder: Path) -> None:
    result = run("explain", tiny, "one.npy", "three.npy", "-o", "out", "--npy", "--json")
    assert (result.status, result.err) == (0, "")
    records = json.loads(result.out)
    assert [(each["image"], each.get("sample")) for each in records] == [
        *(("one.npy", None), ("three.npy", 0), ("three.npy", 1), ("three.npy", 2))
    ]
    logits = X.mean((2, 3)) @ WEIGHT
    for record, x, own in zip(records, X[[0, 0, 1, 2]], logits[[0, 0, 1, 2]], strict=True):
        assert record["target"] == own.argmax()
        assert record["score"] == pytest.approx(own.max(), abs=1e-6)
        expected = np.abs(WEIGHT[:, own.argmax(), np.newaxis, np.newaxis] * x).sum(0)
        np.testing.assert_allclose(np.load(record["saliency"]), expected, rtol=1e-5)
        with Image.open(record["overlay"]) as image:
            assert image.size[0] > 480  # the array, its map, and both
    assert sorted(path.name for path in Path("out").glob("three*.png")) == [
        f"three-{number}-explained.png" for number in range(3)
    ]
    shown = run("explain", tiny, "three.npy", "-o", "out", "--target", "1")
    assert "three.npy[2]" in shown.out
    several = json.loads(run("explain", tiny, "one.npy", "-o", "out", "--targets", "0;3", "--npy", "--json").out)
    assert [each["target"] for each in several[0]["explained"]] == [0, 3]
    assert np.load(several[0]["saliency"]).shape == (2, 4, 4)


def test_a_file_that_cannot_be_read_does_not_end_the_others(run: Run, tiny: Path, folder: Path) -> None:
    np.save("wide.npy", X[0].astype(np.float64))
    np.save("flat.npy", X[0, 0, 0])
    np.save("none.npy", X[:0])
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    Path("cut.npy").write_bytes(Path("one.npy").read_bytes()[:-8])
    Path("folder.npy").mkdir()
    Image.new("RGB", (4, 4)).save("photo.png")
    names = ["wide", "flat", "none", "objects", "cut", "missing"]
    result = run("explain", tiny, *(f"{name}.npy" for name in names), "photo.png", "one.npy", "-o", "out", "--json")
    assert (result.status, result.err) == (1, "")
    *errors, explained = json.loads(result.out)
    messages = [
        *("use x.astype(np.float32)", "flat.npy: an array of shape (4,), and x is float32 (batch, 3, 4, 4)"),
        *("an array of no samples", "objects.npy cannot be read as an array (it is damaged, or holds Python objects)"),
        *("cut.npy cannot be read", "missing.npy: no such file", "photo.png is no .npy"),
    ]
    for record, message in zip(errors, messages, strict=True):
        assert message in record["error"]
        assert "\n" not in record["error"]
    assert explained["target"] is not None
    assert_one_line_error(run("explain", tiny, "photo.png", "-o", "out"), "takes prepared arrays, not photos")
    assert_one_line_error(run("explain", tiny, ".", "-o", "out"), ". is a folder, and arrays go by name: give '*.npy'")
    assert run("explain", tiny, "t*.npy", "-o", "out").out.count("three.npy[") == 3
    for options in (["--window", "0,1"], ["--box", "x:xyxy"], ["--overlay"], ["--fit", "squash"]):
        refused = run("explain", tiny, "one.npy", *options, "-o", "out")
        assert_one_line_error(refused, f"{options[0]}: only for artifacts of photos")


class Sum:
    """A signal's sum and its own values, or a volume's, with the batch wherever it is."""

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        x = feeds["x"]
        return {"logits": x.reshape(len(x), -1).sum(1, keepdims=True), "saliency": x}


@pytest.mark.parametrize("shape", [(200,), (3, 6, 5)])
def test_signals_and_volumes_are_drawn_as_such(shape: tuple[int, ...], tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 1, *shape]}],
        "outputs": [
            {"name": "logits", "dtype": "float32", "shape": ["batch", 1]},
            {"name": "saliency", "dtype": "float32", "shape": ["batch", 1, *shape]},
        ],
        "target": "predicted",
        "labels": None,
    }
    session = Session(Sum(), loads(dumps(tiny_metadata(**settings)), "artifact"))
    x = np.random.default_rng(0).random((2, 1, *shape), np.float32)
    np.save(tmp_path / "x.npy", x)
    records = explain_arrays(session, [tmp_path / "x.npy"], tmp_path / "out", npy=True)
    assert [record["score"] for record in records] == pytest.approx(x.reshape(2, -1).sum(1).tolist(), rel=1e-6)
    np.testing.assert_array_equal(np.load(records[1]["saliency"]), x[1, 0])
    explanation = session.explain(x)
    for number, record in enumerate(records):
        with Image.open(record["overlay"]) as image:
            assert image.tobytes() == explanation[number].panel().tobytes()
