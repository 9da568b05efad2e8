"""The command for graphics cards, tried on the processor: order, resuming, time, and what it says without a card."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.card_tests import run_tests
from benchmarks.gpu.rows import KEYS, MODELS, SETTINGS, Run, measure_rows, workloads
from benchmarks.latency.candidates import CANDIDATES
from benchmarks.latency.timing import Effort
from tests.support.networks import ConvNet, randomised

ON_CPU = ("eager.forward", "gradient", "hooks")


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Arguments for a small network in place of the one that they name."""
    (tmp_path / "unet" / "16").mkdir(parents=True)
    torch.save(randomised(ConvNet(classes=10)), tmp_path / "unet" / "16" / "network.pt")
    named = {"models": ["unet"], "size": ["16"], "candidates": ON_CPU, "settings": ["1"], "seconds": ["0.05"]}
    options = [part for name, values in named.items() for part in (f"--{name}", *values)]
    return [
        *options,
        "--device",
        "cpu",
        "--no-memory",
        "--folder",
        str(tmp_path),
        "--results",
        str(tmp_path / "results"),
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_it_says_so_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--results", str(tmp_path / "results"), "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().out.startswith("no CUDA device here")
    assert not (tmp_path / "results").exists()


def test_every_candidate_is_there_and_rows_are_in_order(tmp_path: Path) -> None:
    assert set(KEYS) <= set(CANDIDATES)
    rows = workloads(MODELS, SETTINGS, tmp_path, "cuda", None)
    assert [(row.precision, row.batch) for row in rows[:: len(MODELS)]] == list(SETTINGS)
    assert [row.model for row in rows[: len(MODELS)]] == list(MODELS)
    assert {row.dtype for row in rows} == {"float32", "float16"}


def test_a_row_is_printed_kept_and_not_measured_again(tiny: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([*tiny, "--no-tests"]) == 0
    first = capsys.readouterr().out
    assert first.splitlines()[0] == "unet, batch 1, float32"
    assert "eager PyTorch: full-gradient with hooks" in first
    assert "× forward" in first
    assert "images/s" in first
    assert gpu.main([*tiny, "--no-tests", "--minutes", "0"]) == 0  # in which nothing new is begun
    assert capsys.readouterr().out == first


def test_no_row_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    rows = workloads(["unet"], SETTINGS[:2], tmp_path, "cpu", 16)
    run = Run(tmp_path / "latency.jsonl", ON_CPU, Effort(), False, 1, time.monotonic())
    shown: list[str] = []
    assert measure_rows(rows, run, lambda title: lambda step: None, shown.append) == 2
    assert shown == []


def test_tests_are_named_as_they_end_and_not_run_again(tmp_path: Path) -> None:
    one = tmp_path / "test_one.py"
    one.write_text(
        "import pytest\n\ndef test_good():\n    pass\n\n"
        "@pytest.mark.parametrize('name', ['in place'])\ndef test_bad(name):\n    assert False\n"
    )
    shown: list[str] = []
    arguments = (str(one), "-c", "/dev/null", "--rootdir", str(tmp_path))
    outcomes = run_tests(tmp_path / "tests.jsonl", "cpu", 600, shown.append, arguments)
    assert [name.split("::")[1] for name in outcomes["FAILED"]] == ["test_bad[in place]"]
    assert any("test_bad[in place] FAILED" in line for line in shown)
    one.write_text("def test_good():\n    pass\n")
    assert set(run_tests(tmp_path / "tests.jsonl", "cpu", 600, shown.append, arguments)) == {"PASSED"}
    assert set(run_tests(tmp_path / "tests.jsonl", "cpu", 0, shown.append, arguments)) == {"PASSED"}
    assert shown[-1].endswith("on record")
