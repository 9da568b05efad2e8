"""Times candidates in turns, in one process, so that whatever else the machine does falls on all of them alike.

Calls that are much alike are timed by ``fgcompile bench``'s own timer, in ``benchmarks.serving`` too. Here are a dozen
that differ a hundredfold, on processors and GPUs, which needs what would only lengthen that one: a slow candidate sits
out rounds, CPU time stands beside the clock's, a device is waited for, and a pause comes before each call.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fgcompile.bench.timing import Call

FEWEST_ROUNDS = 5
WARM_UPS = 5
WARM_UP_SECONDS = 1.0

PAUSE = 0.01
"""Seconds between calls: the worker threads of most runtimes spin for some milliseconds after a call, on the cores that
the next call needs."""


@dataclass(frozen=True)
class Timing:
    """Latencies of repeated calls, wall clock and CPU time of the whole process, in milliseconds."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median wall-clock latency."""
        return statistics.median(self.wall)

    @property
    def cpu_median(self) -> float:
        """Median CPU time."""
        return statistics.median(self.cpu)

    @property
    def spread(self) -> float:
        """The interquartile range of the latencies, relative to their median."""
        lower, upper = np.percentile(self.wall, [25, 75])
        return float(upper - lower) / self.median

    def percentile(self, percent: float) -> float:
        """A percentile of the latencies, between two of them by linear interpolation."""
        return float(np.percentile(self.wall, percent))


@dataclass(frozen=True)
class Effort:
    """How much time to spend.

    Attributes:
        repeats: The most rounds.
        seconds: The time for one candidate, after which it takes part in no more rounds than ``FEWEST_ROUNDS``.
        longest: A candidate whose single call takes longer, in seconds, is not called again.
    """

    repeats: int = 30
    seconds: float = 5.0
    longest: float = 20.0

    def rounds(self, seconds_per_call: float) -> int:
        """In how many rounds a candidate takes part."""
        affordable = int(self.seconds / seconds_per_call)
        return min(self.repeats, max(FEWEST_ROUNDS, affordable))


def time_once(call: Call, synchronize: Call) -> tuple[float, float]:
    """Wall-clock and CPU milliseconds of one call; ``synchronize`` waits for a device to finish."""
    start, cpu_start = time.perf_counter(), time.process_time()
    call()
    synchronize()
    return 1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - cpu_start)


def time_alternately(calls: Mapping[str, Call], effort: Effort, synchronize: Call) -> dict[str, Timing]:
    """Times each call after a warm-up, in turns; one that is slow sits out rounds, evenly spread over the others'."""
    rounds = {name: effort.rounds(_warm_up(call, synchronize)) for name, call in calls.items()}
    total = max(rounds.values(), default=0)
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for i in range(total):
        for name, call in calls.items():
            if (i + 1) * rounds[name] // total > i * rounds[name] // total:
                time.sleep(PAUSE)
                measured[name].append(time_once(call, synchronize))
    return {
        name: Timing(tuple(wall for wall, _ in pairs), tuple(cpu for _, cpu in pairs))
        for name, pairs in measured.items()
    }


def _warm_up(call: Call, synchronize: Call) -> float:
    """Calls until the latency has settled; seconds of the last call."""
    spent = 0.0
    for _ in range(WARM_UPS):
        latest = time_once(call, synchronize)[0] / 1e3
        spent += latest
        if spent > WARM_UP_SECONDS:
            break
    return latest
