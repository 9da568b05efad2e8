"""Latencies are taken in turns and within a budget."""

from __future__ import annotations

import time

from fgcompile.demo.latency import measure


def test_contenders_take_turns_after_warming_up() -> None:
    calls: list[str] = []
    latencies = measure({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=5, budget=10)
    assert calls == ["a"] * 2 + ["b"] * 2 + ["a", "b"] * 5
    assert latencies["a"].rounds == 5
    assert latencies["a"].lower <= latencies["a"].median <= latencies["a"].upper


def test_budget_ends_the_rounds_but_three() -> None:
    latencies = measure({"slow": lambda: time.sleep(0.01)}, rounds=100, budget=0)
    assert latencies["slow"].rounds == 3
    assert latencies["slow"].median >= 0.01
