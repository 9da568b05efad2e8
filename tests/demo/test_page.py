"""The page shows what it is given, and refers to nothing that is not beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fgcompile.artifact.metadata import loads
from fgcompile.bench.timing import Latency
from fgcompile.demo.page import Card, CompiledFile, Section, Timing, render_page
from tests.support.tiny_artifacts import dumps, tiny_metadata


@pytest.fixture
def page() -> str:
    metadata = loads(dumps(tiny_metadata()), "artifact")
    files = [CompiledFile("net.onnx", "ONNX Runtime", 37_200_000, 21.0, metadata, checks=12)]
    timings = [
        Timing("Eager PyTorch, forward only", Latency(((0.039,), (0.040,), (0.041,)) * 5, 1.0), None),
        Timing("Eager PyTorch, full-gradient with hooks", Latency(((0.7,), (0.800,), (0.9,)) * 5, 1.0), 0.3),
        Timing("fgcompile artifact in ONNX Runtime", Latency(((0.031,), (0.032,), (0.033,)) * 5, 1.0), 2e-8),
    ]
    cards = [
        Card("net/a.png", "net/a.waterfall.png", "yurt", "yurt", True, 11.7, 0.98, -2.0e-6, 1e-8),
        Card("net/b.png", "net/b.waterfall.png", "<b>jeep</b>", "station wagon", False, 8.1, 0.3, 1e-6, 4e-8),
    ]
    sections = [Section("A network", "From somewhere.", files, timings, cards)] * 2
    return render_page(sections, "a machine", Path("demo"))


def test_pictures_and_artifacts_are_referred_to_by_relative_links(page: str) -> None:
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert {"net/a.png", "net/a.waterfall.png", "net/b.png", "net/b.waterfall.png", "net.onnx"} <= set(links)
    assert [link for link in links if "//" in link] == ["https://arxiv.org/abs/1905.00780"]
    assert "<script" not in page


def test_right_and_wrong_and_completeness(page: str) -> None:
    assert "1 of 2" in page
    assert "✗ labelled station wagon" in page
    assert "residual −2.0e−6 (relative 1.0e−8)" in page


def test_ratios(page: str) -> None:
    assert "25.0×" in page  # 800 ms of hooks against 32 ms
    assert "<td>0.80</td>" in page  # 32 ms against the forward's 40


def test_class_names_are_escaped(page: str) -> None:
    assert "<b>jeep" not in page
    assert "&lt;b&gt;jeep" in page
