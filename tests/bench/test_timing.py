"""Latencies are taken in turns and within a budget."""

from __future__ import annotations

import threading
import time

from fgcompile.bench.timing import Latency, measure


def test_contenders_take_turns_after_warming_up() -> None:
    calls: list[str] = []
    latencies = measure({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=5, budget=10)
    assert calls == ["a"] * 2 + ["b"] * 2 + ["a", "b"] * 5
    assert latencies["a"].calls == 5
    assert latencies["a"].lower <= latencies["a"].median <= latencies["a"].upper


def test_budget_ends_the_rounds_but_three() -> None:
    latencies = measure({"slow": lambda: time.sleep(0.01)}, rounds=100, budget=0)
    assert latencies["slow"].calls == 3
    assert latencies["slow"].median >= 0.01


def test_contenders_are_called_side_by_side() -> None:
    together = threading.Barrier(3)  # passes calls on by threes
    running: list[str] = []

    def call() -> None:
        together.wait(timeout=10)
        running.append(threading.current_thread().name)

    latency = measure({"call": call}, rounds=4, concurrency=3)["call"]
    assert len(set(running)) == 3
    assert latency.calls == 4 * 3 * 8
    assert {len(calls) for calls in latency.rounds} == {3 * 8}


def test_rate_counts_the_calls_of_all_threads() -> None:
    latency = Latency(((1.0, 1.0, 2.0, 2.0), (1.0, 1.0, 2.0, 2.0)), elapsed=4.0)
    assert latency.rate == 2.0
    assert (latency.lower, latency.median, latency.upper) == (1.0, 1.5, 2.0)
    assert latency.percentile(100) == 2.0
