"""A benchmark reports both contenders, in milliseconds and per second, and refuses what cannot be measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgcompile.artifact.names import SUFFIXES
from fgcompile.bench import Bench, bench
from fgcompile.bench.timing import Latency
from fgcompile.errors import ArtifactError, InputError
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata, torchscript_artifact


@pytest.fixture(params=["onnx", "torchscript"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"tiny{SUFFIXES[request.param]}"
    path.write_bytes(onnx_artifact() if request.param == "onnx" else torchscript_artifact())
    return path


def changed(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "changed.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata(**changes)))
    return path


@pytest.mark.parametrize("concurrency", [1, 2])
def test_both_contenders_are_measured_in_the_same_rounds(path: Path, concurrency: int) -> None:
    stages: list[str] = []
    result = bench(path, batch=3, repeats=4, concurrency=concurrency, report=stages.append)
    assert stages == ["load", "cut out the forward pass", "measure"]
    assert (result.batch, result.concurrency, result.model, result.obstacle) == (3, concurrency, "Tiny", None)
    assert result.forward is not None
    assert len(result.explanation.rounds) == len(result.forward.rounds) == 4
    assert result.explanation.calls == result.forward.calls == (4 if concurrency == 1 else 4 * 2 * 8)
    assert result.versions["onnxruntime"]
    assert result.cores >= 1


def test_seconds_end_the_measurement(path: Path) -> None:
    assert bench(path, seconds=1e-9).explanation.calls == 3


def test_the_report_is_json(path: Path) -> None:
    report = bench(path, repeats=3, threads=1).as_dict()
    assert list(report) == [
        "model",
        "format",
        "providers",
        "threads",
        "batch",
        "concurrency",
        "machine",
        "explanation",
        "forward",
        "ratio_p50",
        "ratio_quartiles",
        "no_ratio_because",
        "peak_memory_mb",
    ]
    assert list(report["explanation"]) == ["p50_ms", "p90_ms", "p99_ms", "per_second", "calls"]
    assert report["providers"] == "default"
    assert report["threads"] == 1


def test_figures_follow_from_the_times() -> None:
    explanation = Latency(((0.2, 0.4), (0.3, 0.3)), elapsed=0.7)
    forward = Latency(((0.1, 0.1), (0.15, 0.15)), elapsed=0.25)
    result = Bench("Net", "onnx", (), None, 5, 2, "a processor", 4, {}, 10**8, explanation, forward, None)
    report = result.as_dict()
    assert report["explanation"]["p50_ms"] == pytest.approx(300)
    assert report["explanation"]["per_second"] == pytest.approx(5 * 4 / 0.7)
    assert report["ratio_p50"] == pytest.approx(0.3 / 0.125)
    assert report["ratio_quartiles"] == pytest.approx([2.25, 2.75])
    assert report["peak_memory_mb"] == 100


def test_without_logits_there_is_no_ratio(tmp_path: Path) -> None:
    result = bench(changed(tmp_path, outputs=tiny_metadata()["outputs"][1:]), repeats=3)
    assert (result.forward, result.ratio, result.ratio_quartiles) == (None, None, None)
    assert result.as_dict()["no_ratio_because"] == "the artifact does not return its logits"
    assert result.explanation.calls == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency is 0: give 1 or more"),
        ({"repeats": 0}, "repeats is 0: give 1 or more"),
        ({"seconds": 0.0}, "seconds is 0.0: give a positive number"),
        ({"seconds": float("nan")}, "seconds is nan: give a positive number"),
        ({"seconds": 1.0, "repeats": 1}, "leave one of them out"),
        ({"batch": 0}, "batch is 0: give 1 or more"),
        ({"threads": 0}, "threads is 0: give 1 or more"),
        ({"providers": ["AbacusExecutionProvider"]}, "unknown execution provider Abacus"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bench(changed(tmp_path), **options)


def test_a_fixed_batch_is_the_only_one(tmp_path: Path) -> None:
    inputs = [
        {"name": "x", "dtype": "float32", "shape": [2, 3, 4, 4]},
        {"name": "target", "dtype": "int64", "shape": [2]},
    ]
    path = changed(tmp_path, inputs=inputs)
    assert bench(path, repeats=3).batch == 2
    with pytest.raises(InputError, match="batch is 4, the artifact takes a batch of 2 only"):
        bench(path, batch=4)


def test_what_is_not_an_artifact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(np.random.default_rng(0).bytes(100))
    with pytest.raises(ArtifactError, match="is not an fgcompile artifact"):
        bench(tmp_path / "other.onnx")
