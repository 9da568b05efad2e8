"""The demo from end to end, with the smaller of its networks."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from benchmarks.networks.samples import load_digit_network
from fgcompile.demo import run
from fgcompile.demo.networks import Network
from fgcompile.errors import OutputError
from fgcompile.runtime import load


def few_digits() -> Network:
    network = load_digit_network()
    return dataclasses.replace(network, pictures=network.pictures[::4] + network.pictures[-1:])


def test_demo_of_the_digit_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_NETWORKS", (few_digits,))
    steps: list[str] = []
    index = run.run_demo(tmp_path / "demo", steps.append)
    page = index.read_text()
    for link in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert "://" in link or (index.parent / link).is_file(), link
    assert len(list((index.parent / "digits").glob("*.waterfall.png"))) == 6
    assert page.count("✓ right") >= 5
    assert {path.stem for path in (index.parent / "photos").iterdir()} == {"cat", "espresso", "rocket"}
    assert load(index.parent / "digits.pt").metadata["labels"] == list("0123456789")
    assert "Digit network on MNIST: compile for ONNX Runtime" in steps


def test_demo_into_a_file_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    steps: list[str] = []
    with pytest.raises(OutputError, match="cannot be made a folder"):
        run.run_demo(tmp_path / "demo", steps.append)
    assert steps == []
