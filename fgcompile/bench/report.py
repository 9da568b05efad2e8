"""The result of a benchmark, as values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgcompile.bench.timing import Latency

_PERCENTILES = (50, 90, 99)


@dataclass(frozen=True)
class Bench:
    """What an artifact's calls took, and those of the forward pass within it.

    Attributes:
        model: The model's name.
        format: The artifact's.
        providers: The names of the providers that were asked for; none for the runtime's default.
        threads: Threads of one operator; None for the runtime's default.
        batch: The samples of one call.
        concurrency: How many calls ran at the same time.
        processor: The processor's model.
        cores: The cores that the process may use.
        versions: Python, fgcompile and the runtimes that are installed.
        peak_memory: The most bytes that the process held when it had loaded the artifact and run it once, all its
            imports included; None where the system does not say.
        explanation: The artifact's calls.
        forward: The forward pass's, in alternation with them; None where it could not be cut out.
        obstacle: Why not.
    """

    model: str
    format: str
    providers: tuple[str, ...]
    threads: int | None
    batch: int
    concurrency: int
    processor: str
    cores: int
    versions: Mapping[str, str]
    peak_memory: int | None
    explanation: Latency
    forward: Latency | None
    obstacle: str | None

    @property
    def ratio(self) -> float | None:
        """The median explanation's time divided by the median forward's."""
        return None if self.forward is None else self.explanation.median / self.forward.median

    @property
    def ratio_quartiles(self) -> tuple[float, float] | None:
        """The spread of the ratio: quartiles of the rounds' own ratios, median by median."""
        if self.forward is None:
            return None
        rounds = zip(self.explanation.rounds, self.forward.rounds, strict=True)
        ratios = [float(np.median(explanation) / np.median(forward)) for explanation, forward in rounds]
        lower, upper = np.percentile(ratios, [25, 75])
        return float(lower), float(upper)

    def per_second(self, latency: Latency) -> float:
        """Throughput in samples, which are explanations or predictions, per second."""
        return self.batch * latency.rate

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-serialisable values; times in milliseconds, memory in megabytes (10⁶ bytes)."""
        return {
            "model": self.model,
            "format": self.format,
            "providers": list(self.providers) or "default",
            "threads": self.threads,
            "batch": self.batch,
            "concurrency": self.concurrency,
            "machine": {"processor": self.processor, "cores": self.cores, "versions": dict(self.versions)},
            "explanation": self._figures(self.explanation),
            "forward": None if self.forward is None else self._figures(self.forward),
            "ratio_p50": self.ratio,
            "ratio_quartiles": self.ratio_quartiles,
            "no_ratio_because": self.obstacle,
            "peak_memory_mb": None if self.peak_memory is None else self.peak_memory / 1e6,
        }

    def _figures(self, latency: Latency) -> dict[str, float]:
        milliseconds = {f"p{percent}_ms": 1e3 * latency.percentile(percent) for percent in _PERCENTILES}
        return {**milliseconds, "per_second": self.per_second(latency), "calls": latency.calls}
