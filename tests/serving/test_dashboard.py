"""The dashboard and the alerts ask for what a server tells: metrics, their labels, and bounds of their buckets."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fgcompile.serving.engine import metrics
from tests.docs.test_paths import ROOT

FOLDER = ROOT / "examples" / "deploy"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]

WORDS = {"sum", "rate", "by", "histogram_quantile", "label_values"}
"""Of PromQL and of Grafana's variables: whatever else a query names is a metric or a label."""


def queries() -> Iterator[str]:
    """Of the panels, the variables and the alerts."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    yield from re.findall(r"expr: \|\n +(.+)", (FOLDER / "alerts.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, set[str]]]:
    """The samples of a server that has answered and refused, by name: their labels and the values of these."""
    for histogram, value in ((metrics.RESIDUAL, 1e-7), (metrics.PREPROCESS, 0.1), (metrics.PREDICT, 0.1)):
        histogram.labels("net").observe(value)
    metrics.POSTPROCESS.labels("net").observe(0.1)
    metrics.REFUSED.labels("net").inc()
    samples: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            labels = samples.setdefault(sample.name, defaultdict(set))
            for name, value in sample.labels.items():
                labels[name].add(value)
    return samples


@pytest.mark.parametrize("query", list(queries()))
def test_what_a_query_names_is_told(query: str, told: dict[str, dict[str, set[str]]]) -> None:
    bare = re.sub(r'"[^"]*"|\[[^]]*\]', "", query)
    names = set(re.findall(r"(?<![\w.])[a-z_]+", bare)) - WORDS
    asked = names & told.keys()
    assert asked
    labels = set.union(*(set(told[name]) for name in asked))
    assert names - asked <= labels
    # Each metric with the labels that stand behind it in braces, and the values that are compared for equality.
    for metric, selector in re.findall(r"([a-z_]+)\{([^}]*)\}", query):
        for label, sign, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', selector):
            assert label in told[metric]
            assert sign == "=~" or value in told[metric][label]
    # And those that it is summed by, which the metric of the same sum has.
    for label, metric in re.findall(r"sum by \((\w+)(?:, le)?\) \(rate\(([a-z_]+)", query):
        assert label in told[metric]


def test_legends_name_labels_that_are_left() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept


def test_grafana_finds_what_it_needs() -> None:
    assert {"title", "uid", "schemaVersion", "version", "time", "refresh", "templating", "panels"} <= DASHBOARD.keys()
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]+)", json.dumps(DASHBOARD))) <= variables
    numbers = [panel["id"] for panel in PANELS]
    assert len(set(numbers)) == len(numbers)
    for panel in PANELS:
        assert {"type", "title", "description", "datasource", "gridPos", "fieldConfig", "options"} <= panel.keys()
        letters = [target["refId"] for target in panel["targets"]]
        assert sorted(set(letters)) == letters
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


def test_panels_lie_beside_each_other() -> None:
    places: set[tuple[int, int]] = set()
    for panel in PANELS:
        grid = panel["gridPos"]
        taken = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not taken & places
        places |= taken
    assert max(x for x, _ in places) == 23, "a dashboard is 24 wide"
    assert len(places) == 24 * (1 + max(y for _, y in places)), "there are gaps"
