"""Results on disk, a line of JSON each, so that a run can be stopped and goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.environment import machine, today, versions

PACKAGES = ("torch", "onnxruntime", "captum", "grad-cam", "opencv-python-headless")

Result = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """A file of results, each known by the values of some of its entries.

    Attributes:
        path: The file.
        keys: The names of these entries.
    """

    path: Path
    keys: tuple[str, ...]

    def read(self) -> list[Result]:
        """The last result of each kind, in the order in which they first came."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        results = [json.loads(line) for line in lines]
        return list({tuple(result[key] for key in self.keys): result for result in results}.values())

    def has(self, subject: Mapping[str, Any]) -> bool:
        """Whether there is a result of this kind."""
        return any(all(result[key] == subject[key] for key in self.keys) for result in self.read())

    def append(self, result: Result) -> None:
        """Adds a result, and where, with what and when it was made."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        made = {"machine": machine(), "versions": versions(PACKAGES), "date": today()}
        with self.path.open("a") as file:
            file.write(json.dumps(result | made) + "\n")


def facts(results: Sequence[Result], command: str) -> str:
    """Where, with what, when and how the results were made, in Markdown."""
    lines = [
        f"- {key}: {'; '.join(dict.fromkeys(result[key] for result in results))}"
        for key in ("machine", "versions", "date")
    ]
    return "\n".join([*lines, f"- command: `python -m {command}`"])


def interval(values: NDArray[np.float64]) -> list[list[float]]:
    """The mean over the first axis and its 95 % confidence interval by the percentile bootstrap: ``[[m, l, h], …]``."""
    from scipy.stats import bootstrap  # type: ignore[import-untyped]

    columns = values.reshape(len(values), -1)
    found = []
    for column in columns.T:
        mean = float(column.mean())
        low, high = mean, mean
        if len(column) > 1 and np.ptp(column) > 0:
            low, high = bootstrap((column,), np.mean, n_resamples=1000, method="percentile", rng=0).confidence_interval
        found.append([round(number, 5) for number in (mean, float(low), float(high))])
    return found


def student(values: Sequence[float]) -> list[float]:
    """The mean of a few independent values and its 95 % confidence interval by Student's t: ``[m, l, h]``."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) == 1:
        return [mean, mean, mean]
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return [mean, mean - half, mean + half]
