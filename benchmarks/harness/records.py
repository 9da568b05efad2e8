"""Results on disk, a line of JSON each, so that a run can be stopped and goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.environment import machine, today, versions

Result = dict[str, Any]
"""What a line holds: what was measured, what came of it, and the ``machine``, ``versions`` and ``date``."""

Figures = dict[str, Any]
"""What is known of one thing that was measured, by name: numbers, and texts where there are none."""


@dataclass(frozen=True)
class Store:
    """A file of results.

    Attributes:
        path: The file.
        kind: The names of the entries that tell one result from another; of those that agree in them, the last counts.
        packages: Those whose versions are kept beside each result.
    """

    path: Path
    kind: tuple[str, ...]
    packages: tuple[str, ...]

    def read(self) -> list[Result]:
        """The last result of each kind, in the order in which they first came."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        results: list[Result] = [json.loads(line) for line in lines]
        return list({json.dumps([result[name] for name in self.kind]): result for result in results}.values())

    def current(self, device: str = "cpu") -> list[Result]:
        """Those that were made on this machine with these versions."""
        here = self._here(device)
        return [result for result in self.read() if all(result[name] == value for name, value in here.items())]

    def has(self, sought: Mapping[str, Any]) -> bool:
        """Whether there is a result of this kind, wherever it was made."""
        return any(all(result[name] == sought[name] for name in self.kind) for result in self.read())

    def append(self, result: Mapping[str, Any], device: str = "cpu") -> None:
        """Adds a result that was made just now; the file is made if need be."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({**result, **self._here(device), "date": today()}) + "\n")

    def _here(self, device: str) -> dict[str, str]:
        graphics = f", {torch.cuda.get_device_name()}" if device == "cuda" else ""
        return {"machine": machine() + graphics, "versions": versions(self.packages)}


def describe(results: Iterable[Mapping[str, Any]], command: str) -> str:
    """The facts that stand above a report: where, with what, when and how its results were made."""
    kept = list(results)
    lines = [
        f"- {fact}: {'; '.join(dict.fromkeys(result[fact] for result in kept))}"
        for fact in ("machine", "versions", "date")
    ]
    return "\n".join([*lines, f"- command: `{command}`"])
