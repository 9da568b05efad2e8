"""``fgcompile bench``: what it shows, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.results import Run, assert_one_line_error
from tests.support.sweeps import few
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata, torchscript_artifact


@pytest.mark.parametrize(
    ("artifact", "name"), few([(onnx_artifact, "tiny.onnx"), (torchscript_artifact, "tiny.pt")], 1)
)
def test_bench_shows_both_and_their_ratio(run: Run, tmp_path: Path, artifact: Callable[[], bytes], name: str) -> None:
    (tmp_path / name).write_bytes(artifact())
    result = run("bench", tmp_path / name, "--repeats", "3", "--batch", "2")
    assert result.status == 0, result.err
    assert result.err == ""
    assert all(text in result.out for text in ("explanation", "forward alone", "forwards an explanation", "batch 2"))
    report = json.loads(run("bench", tmp_path / name, "--repeats", "3", "--json").out)
    assert report["explanation"]["calls"] == report["forward"]["calls"] == 3
    assert report["ratio_p50"] > 0


def test_bench_says_why_there_is_no_ratio(run: Run, tmp_path: Path) -> None:
    (tmp_path / "map.onnx").write_bytes(onnx_artifact(tiny_metadata(outputs=tiny_metadata()["outputs"][1:])))
    result = run("bench", tmp_path / "map.onnx", "--repeats", "3")
    assert result.status == 0, result.err
    assert "none: the artifact does not return its logits" in result.out
    assert "forward alone" not in result.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--concurrency", "0"], "concurrency is 0"),
        (["--batch", "0"], "batch is 0"),
        (["--seconds", "1", "--repeats", "1"], "leave one of them out"),
        (["--provider", "Abacus"], "unknown execution provider Abacus"),
        (["--provider", "OpenVINO", "--provider", "CPUExecutionProvider"], "OpenVINO"),
    ],
)
def test_bench_errors(run: Run, tiny: Path, options: list[str], message: str) -> None:
    assert_one_line_error(run("bench", tiny, *options), message)


def test_code_without_a_suffix_takes_trust(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "downloaded"
    path.write_bytes(torchscript_artifact())
    assert_one_line_error(run("bench", path, "--repeats", "1"), "its name does not say so")
    assert run("bench", path, "--repeats", "1", "--trust").status == 0
    assert run("bench", path.rename(tmp_path / "wrong.onnx"), "--repeats", "1", "--trust").status == 2
