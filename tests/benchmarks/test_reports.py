"""The reports of the latency and scaling benchmarks, from records made up here."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.exactness import precision
from benchmarks.harness.records import Figures
from benchmarks.latency import report as latency_report
from benchmarks.latency.records import Record
from benchmarks.scaling import __main__ as scaling
from fgcompile.runtime import Explanation


def figures(milliseconds: float, **more: object) -> Figures:
    """Five calls that took about so long."""
    wall = [milliseconds * factor for factor in (0.9, 1.0, 1.0, 1.0, 1.1)]
    return {
        "wall": wall,
        "cpu": [2 * value for value in wall],
        "call_megabytes": 12.3,
        "loaded_megabytes": 300.0,
        **more,
    }


def record(model: str, batch: int = 1, machine: str = "a machine", device: str = "cpu") -> Record:
    """A record in which the artifact costs 2.5 forward passes, and a rival 20."""
    subject = {"model": model, "batch": batch, "threads": 1, "device": device, "size": None, "precision": "float32"}
    found = {
        "onnxruntime.forward": figures(10),
        "onnxruntime.fused": figures(25),
        "openvino.fused": {"failed": "InputError: no | such provider"},
        "eager.forward": figures(20),
        "hooks": figures(400, note="terms do not add up"),
        "compiled": {"skipped": "not installed: a compiler"},
    }
    return Record(subject, found, machine, "torch 2", "2026-01-02")


def test_latency_report_has_a_table_for_each_setting(tmp_path: Path) -> None:
    gpu = record("resnet18", machine="a machine, a GPU", device="cuda")
    latency_report.write_report(tmp_path, [gpu, record("resnet18", batch=8), record("resnet18"), record("vgg16_bn")])
    report = (tmp_path / "latency.md").read_text()
    titles = [line for line in report.splitlines() if line.startswith("## ")]
    assert titles == [
        "## In short",
        "## Batch 1, 1 thread, a machine",
        "## Batch 8, 1 thread, a machine",
        "## Batch 1, 1 thread, a machine, a GPU",
    ]
    assert "| method | resnet18 | vgg16_bn |" in report
    assert "| fused artifact, ONNX Runtime | 2.50 | 2.50 |" in report
    assert "- machine: a machine; a machine, a GPU" in report
    assert "- date: 2026-01-02\n" in report
    assert {path.name for path in tmp_path.iterdir()} == {"latency.md", "latency.png", "latency.svg"}


def test_latency_row_has_ratios_and_remarks() -> None:
    report = latency_report.render([[record("resnet18")]])
    assert (
        "| resnet18 | eager PyTorch | full-gradient with hooks | 400.0 | 432.0 | 438.4 | 0% | 20.00 | 20.00 | 16.00 "
        "| 12 | 300 | 5 | terms do not add up |"
    ) in report
    nothing = " – |" * 10
    assert f"| resnet18 | OpenVINO | fused artifact |{nothing} failed: InputError: no \\| such provider |" in report
    assert f"| full-gradient by torch.compile |{nothing} skipped: not installed: a compiler |" in report


def test_latency_report_without_records_says_what_it_would_say(tmp_path: Path) -> None:
    latency_report.write_report(tmp_path, [])
    assert "# Latency of an explanation" in (tmp_path / "latency.md").read_text()


def test_scaling_report_has_a_table_and_a_plot_for_each_sweep(tmp_path: Path) -> None:
    def at(model: str, batch: int, size: int, milliseconds: float) -> Record:
        subject = {"model": model, "batch": batch, "threads": 1, "device": "cpu", "size": size, "precision": "float32"}
        found = {"onnxruntime.forward": figures(milliseconds), "onnxruntime.fused": figures(2 * milliseconds)}
        return Record(subject, found, "a machine", "torch 2", "2026-01-02")

    def compiled(model: str, found: Figures) -> Record:
        return Record({"model": model, "compiling": True}, {"compiling": found}, "a machine", "torch 2", "2026-01-02")

    costs = {
        "parameters": 11_700_000,
        "seconds": 20.0,
        "again_seconds": 18.0,
        "stages": {"capture": 4.0, "check": 16.0},
        "peak_megabytes": 1500.0,
        "megabytes": 90.0,
        "forward_seconds": 5.0,
        "forward_megabytes": 47.0,
    }
    long: Figures = {"seconds": 6.5, "before_megabytes": 265.0, "peak_megabytes": 601.0, "megabytes": 4.41}
    store = tmp_path / "scaling.jsonl"
    broken = at("resnet18", 2, 224, 30)
    broken.figures["onnxruntime.fused"] = {"failed": "out of memory"}
    measured = [
        compiled("vit_l_16", {"failed": "killed by SIGKILL"}),
        compiled("resnet18", costs),
        Record({"length": 64_000}, {"length": long}, "a machine", "torch 2", "2026-01-02"),
        Record({"length": 8_000}, {"length": {"failed": "killed by SIGKILL"}}, "a machine", "torch 2", "2026-01-02"),
        at("resnet18", 8, 224, 80),
        broken,
        at("resnet18", 1, 224, 10),
        at("resnet50", 1, 224, 30),
    ]
    store.write_text("".join(json.dumps(asdict(each)) + "\n" for each in measured))
    assert scaling.main(["--report-only", "--results", str(tmp_path)]) == 0
    report = (tmp_path / "scaling.md").read_text()
    batches = report.partition("## ResNet-18 by batch")[2].partition("![")[0].splitlines()[4:]
    assert batches == [
        "| 1 | ONNX Runtime | 10.0 | 20.0 | 2.00 | 12 | 12 |  |",
        "| 2 | ONNX Runtime | 30.0 | – | – | 12 | – | out of memory |",
        "| 8 | ONNX Runtime | 80.0 | 160.0 | 2.00 | 12 | 12 |  |",
        "",
    ]
    assert "| 50 | ONNX Runtime | 30.0 | 60.0 |" in report
    assert "| network | parameters, M | compiling, s | again, s | capture, s | check, s |" in report
    assert "| resnet18 | 11.7 | 20.0 | 18.0 | 4.0 | 16.0 | 1500 | 90 | 5.0 | 47 |  |" in report
    assert "| vit_l_16 | – | – | – | – | – | – | – | – | – | killed by SIGKILL |" in report
    lengths = report.partition("by its length")[2].splitlines()
    assert lengths[-2:] == ["| 8,000 | – | – | – | – | killed by SIGKILL |", "| 64,000 | 6.5 | 265 | 601 | 4.41 |  |"]
    for name in ("batch", "size", "depth", "compiling"):
        assert (tmp_path / f"scaling_{name}.svg").exists()


def test_plots_are_the_same_bytes_for_the_same_figures(tmp_path: Path) -> None:
    def draw(name: str) -> bytes:
        (tmp_path / name).mkdir()
        latency_report.write_report(tmp_path / name, [record("resnet18")])
        return (tmp_path / name / "latency.svg").read_bytes()

    assert draw("first") == draw("second")


def _explanation(logits: list[float], saliency: list[float], residual: float) -> Explanation:
    return Explanation(
        logits=np.array([logits], np.float32),
        saliency=np.array([[[saliency]]], np.float32),
        saliency_by_input={},
        target=np.array([0]),
        contributions=np.array([[3.0, -1.0]], np.float32),
        residual=np.array([residual], np.float32),
        input_gradient=None,
        bias_gradients={},
    )


def test_half_precision_is_compared_picture_by_picture() -> None:
    single = [_explanation([2.0, 1.0], [0.0, 4.0], 0.0), _explanation([1.0, 4.0], [2.0, 0.0], 0.04)]
    half = [_explanation([2.0, 3.0], [1.0, 4.0], -0.4), _explanation([1.0, 3.0], [0.0, 2.0], 0.0)]
    assert precision.compare(single, half) == {
        "same_class": 1,
        "logits": 1.0,  # 2 of 2 in the first, 1 of 4 in the second
        "map_mean": (0.125 + 1.0) / 2,
        "map_largest": (0.25 + 1.0) / 2,
        "correlation": pytest.approx(0.0),  # of 1 and −1
        "residual": pytest.approx(0.1),
        "residual_single": pytest.approx(0.01),
    }
