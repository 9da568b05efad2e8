"""The one store of results: what counts where several lines say the same, what resumes, and the facts of a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.harness import records
from benchmarks.harness.environment import machine, today, versions
from benchmarks.harness.records import Store, describe


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store in a folder that is not there yet."""
    return Store(tmp_path / "new" / "results.jsonl", ("method", "seed"), ("numpy", "no-such-package"))


def test_the_last_result_of_a_kind_counts_in_the_order_of_the_first(store: Store) -> None:
    assert store.read() == []
    for method, seed, accuracy in (("a", 0, 0.1), ("b", 0, 0.2), ("a", 1, 0.3), ("a", 0, 0.4)):
        store.append({"method": method, "seed": seed, "accuracy": accuracy})
    assert [(r["method"], r["seed"], r["accuracy"]) for r in store.read()] == [
        ("a", 0, 0.4),
        ("b", 0, 0.2),
        ("a", 1, 0.3),
    ]
    assert len(store.path.read_text().splitlines()) == 4


def test_a_result_is_known_by_its_kind_alone(store: Store) -> None:
    store.append({"method": "a", "seed": 0, "accuracy": 0.1})
    assert store.has({"method": "a", "seed": 0, "share": 50})
    assert not store.has({"method": "a", "seed": 1})


def test_each_line_says_where_with_what_and_when(store: Store) -> None:
    store.append({"method": "a", "seed": 0})
    (line,) = store.path.read_text().splitlines()
    facts = {"machine": machine(), "versions": versions(["numpy"]), "date": today()}
    assert json.loads(line) == {"method": "a", "seed": 0, **facts}


@pytest.mark.parametrize("fact", ["machine", "versions"])
def test_what_was_made_otherwise_is_not_current(store: Store, monkeypatch: pytest.MonkeyPatch, fact: str) -> None:
    store.append({"method": "a", "seed": 0})
    assert store.current() == store.read()
    monkeypatch.setattr(records, fact, lambda *_: "other")
    assert store.current() == []
    assert len(store.read()) == 1


def test_a_report_names_each_machine_and_day_once() -> None:
    results = [
        {"machine": place, "versions": "torch 2", "date": day}
        for place, day in (("here", "2026-01-02"), ("there", "2026-01-02"), ("here", "2026-01-03"))
    ]
    assert describe(results, "python -m it").splitlines() == [
        "- machine: here; there",
        "- versions: torch 2",
        "- date: 2026-01-02; 2026-01-03",
        "- command: `python -m it`",
    ]
