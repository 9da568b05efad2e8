"""The commands of the evidence, on a few images: results are kept, and the report is made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.evidence import example_maps, intervals, pixel_perturbation, remove_and_retrain, sanity_checks
from benchmarks.evidence.command import run_command
from benchmarks.evidence.subjects import of_fashion
from examples.vision_transformer.mosaics import Garments, load_samples


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Garments:
    """A few samples in place of the data set."""
    samples = load_samples()
    few = Garments(samples.images[::10], samples.labels[::10])
    monkeypatch.setitem(pixel_perturbation.SUBJECTS, "fashion", lambda data: of_fashion(few))  # type: ignore[arg-type]
    monkeypatch.setattr(remove_and_retrain, "read_fashion", lambda folder, split: few)
    monkeypatch.setattr(remove_and_retrain, "garments", lambda folder: of_fashion(few))
    monkeypatch.setattr(sanity_checks, "load_samples", lambda: few)
    monkeypatch.setattr(sanity_checks, "EPOCHS", 1)
    return few


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_pixel_perturbation(few: Garments, tmp_path: Path) -> None:
    arguments = [
        "--subjects",
        "fashion",
        "--methods",
        "fullgrad",
        "random",
        "--images",
        "8",
        "--results",
        str(tmp_path),
    ]
    assert pixel_perturbation.main(arguments) == 0
    results = read(tmp_path / "pixel_perturbation.jsonl")
    assert [(r["method"], r["fill"], r["images"]) for r in results] == [
        (method, fill, 8) for method in ("fullgrad", "random") for fill in ("black", "mean")
    ]
    assert pixel_perturbation.main(arguments) == 0
    assert read(tmp_path / "pixel_perturbation.jsonl") == results
    report = (tmp_path / "evidence.md").read_text()
    assert "### fashion, 8 images, removed pixels black" in report
    assert (tmp_path / "perturbation-fashion-mean.png").stat().st_size > 1e4


def test_remove_and_retrain(few: Garments, tmp_path: Path) -> None:
    arguments = ["--methods", "random", "--shares", "50", "--seeds", "0", "1", "--train", "20", "--test", "10"]
    assert remove_and_retrain.main([*arguments, "--epochs", "1", "--results", str(tmp_path)]) == 0
    results = read(tmp_path / "remove_and_retrain.jsonl")
    assert [(r["method"], r["share"], r["seed"], r["seen"]) for r in results] == [
        *(("none", 0, seed, "image") for seed in (0, 1)),
        *(("random", 50, seed, "image") for seed in (0, 1)),
        ("random", 50, 0, "mask"),
    ]
    assert "20 training images, 10 test images, 1 epochs, 2 seeds" in (tmp_path / "evidence.md").read_text()


def test_sanity_checks(few: Garments, tmp_path: Path) -> None:
    assert sanity_checks.main(["--methods", "random", "--results", str(tmp_path)]) == 0
    results = read(tmp_path / "sanity_checks.jsonl")
    assert [(r["check"], r["step"]) for r in results] == sanity_checks.steps()
    assert "| random |" in (tmp_path / "evidence.md").read_text()


@pytest.mark.slow
def test_example_maps(few: Garments, tmp_path: Path) -> None:
    for module, package in (("captum", "captum"), ("pytorch_grad_cam", "grad-cam")):
        pytest.importorskip(module, reason=f"needs {package}: pip install {package}")
    assert example_maps.main(["--subjects", "fashion", "--images", "0", "7", "--results", str(tmp_path)]) == 0
    with Image.open(tmp_path / "maps-fashion.jpg") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert picture.width > 4 * picture.height
    assert np.ptp(pixels, axis=2).max() > 100  # the maps are coloured
    assert "(maps-fashion.jpg)" in (tmp_path / "evidence.md").read_text()


def test_a_missing_data_set_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--subjects", "fashion", "--data", str(tmp_path), "--results", str(tmp_path)]
    assert run_command(lambda: pixel_perturbation.main(arguments)) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(f"no Fashion-MNIST in {tmp_path}: `apt-get")


def test_intervals_hold_the_mean() -> None:
    mean, low, high = intervals.student([1.0, 2.0, 3.0])
    assert (mean, round(low, 2), round(high, 2)) == (2.0, -0.48, 4.48)
