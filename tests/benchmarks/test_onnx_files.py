"""Files of two layers are compiled, compared and reported; what is refused has its cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.onnx_files import large
from benchmarks.onnx_files.__main__ import models, outcome, render
from benchmarks.onnx_files.measure import measure
from benchmarks.onnx_files.options import OPTIONS, options_for

FACTS = {"machine": "m", "versions": "v", "date": "d", "options": ""}


def saved(path: Path, operator: str) -> Path:
    """Features beside an input that nothing reads, a layer, and an operator; the batch is one."""
    weight = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node(operator, ["m"], ["y"])]
    takes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "unread")]
    returns = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])]
    graph = helper.make_graph(nodes, "g", takes, returns, [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.slow
def test_a_file_is_compared_in_its_logits(tmp_path: Path) -> None:
    figures = measure(str(saved(tmp_path / "a.onnx", "Softmax")), [], 300)
    assert figures["explained"] == "m"
    assert outcome(figures) == "right"


@pytest.mark.slow
def test_a_refusal_is_the_cause(tmp_path: Path) -> None:
    figures = measure(str(saved(tmp_path / "a.onnx", "NonZero")), [], 300)
    assert outcome(figures) == "refused"
    assert "NonZero" in figures["reason"]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"logits": 1e-6, "residual": 1e-12}, "right"),
        ({"logits": 1e-2, "residual": 1e-12}, "differs"),
        ({"logits": 1e-6, "residual": 1e-3}, "differs"),
        ({"reason": "no"}, "refused"),
        ({"reason": "traceback: no"}, "failed"),
    ],
)
def test_outcomes(figures: dict[str, Any], expected: str) -> None:
    assert outcome(figures) == expected


def test_the_report_counts_files_and_the_large_one_apart() -> None:
    right = {"seconds": 3.2, "explained": "z", "logits": 1e-7, "residual": 0.0}
    size = {"size": 10**8, "before": 10**8, "peak": 3 * 10**8, "seconds": 1.0}
    results = [("b", right), ("a", {"seconds": 1, "reason": "no a|b"}), ("a file of 350 MB", size)]
    report = render([{**FACTS, "file": name, "figures": figures} for name, figures in results])
    assert "1 of 2 files compile and are right." in report
    assert "no a\\|b" in report
    assert "2.00 times the file's size" in report


def test_options_are_found_by_the_end_of_a_path(tmp_path: Path) -> None:
    assert all(end.endswith(".onnx") for end in OPTIONS)
    assert options_for(Path("/a/persian/decoder.onnx")) != options_for(Path("/a/encoder.onnx")) == []
    assert "state=l n c" in options_for(Path("silero_vad_half.onnx"))
    for name in ("one/a.onnx", "two/b.onnx"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert list(models([tmp_path])) == ["one/a.onnx", "two/b.onnx"]


def test_a_large_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "WIDTH", 20)
    large.write(str(tmp_path / "large.onnx"))
    figures = large.read(str(tmp_path / "large.onnx"))
    assert figures["peak"] >= figures["before"] > figures["size"] > 0
