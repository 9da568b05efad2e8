"""How long calls take: the contenders take turns, so that a busy moment falls on all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

_WARM_UPS = 2
_FEWEST_ROUNDS = 3

_CALLS_SIDE_BY_SIDE = 8
"""Calls of each worker in a round: enough that the last ones, which run less crowded, hardly count."""

Call = Callable[[], object]


@dataclass(frozen=True)
class Latency:
    """What repeated calls of one contender took, in seconds.

    Attributes:
        rounds: The seconds of each call, round by round.
        elapsed: The seconds of all rounds together, each from the start of its first call to the end of its last.
    """

    rounds: tuple[tuple[float, ...], ...]
    elapsed: float

    @property
    def calls(self) -> int:
        """The number of calls."""
        return sum(map(len, self.rounds))

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.elapsed

    @property
    def lower(self) -> float:
        """First quartile."""
        return self.percentile(25)

    @property
    def median(self) -> float:
        """Median."""
        return self.percentile(50)

    @property
    def upper(self) -> float:
        """Third quartile."""
        return self.percentile(75)

    def percentile(self, percent: float) -> float:
        """The seconds that this share of the calls stays below."""
        return float(np.percentile(np.concatenate(self.rounds), percent))


def measure(
    contenders: Mapping[str, Call], *, rounds: int | None = None, budget: float = np.inf, concurrency: int = 1
) -> dict[str, Latency]:
    """Times each contender once a round, in alternation; with ``concurrency``, several calls a round, side by side.

    Args:
        contenders: What to call, by name. Each has two rounds before any is timed.
        rounds: How many rounds to measure; None leaves it to the budget.
        budget: Seconds after which no further round is begun, once three are done.
        concurrency: How many threads call a contender at the same time.
    """
    seconds: dict[str, list[tuple[float, ...]]] = {name: [] for name in contenders}
    elapsed = dict.fromkeys(contenders, 0.0)
    with ThreadPoolExecutor(concurrency) as workers:
        for call in contenders.values():
            for _ in range(_WARM_UPS):
                _time_round(call, workers, concurrency)
        deadline = time.perf_counter() + budget
        done = 0
        while rounds is None or done < rounds:
            if done >= _FEWEST_ROUNDS and time.perf_counter() > deadline:
                break
            # In turns, so that what slows the machine for a while slows all alike. Side by side, calls overlap:
            # throughput is that of the time from the first start to the last end, latency that of each call.
            for name, call in contenders.items():
                spans = _time_round(call, workers, concurrency)
                seconds[name].append(tuple(end - start for start, end in spans))
                elapsed[name] += max(end for _, end in spans) - min(start for start, _ in spans)
            done += 1
    return {name: Latency(tuple(seconds[name]), elapsed[name]) for name in contenders}


def _time_round(call: Call, workers: ThreadPoolExecutor, concurrency: int) -> list[tuple[float, float]]:
    """Start and end of each call of one round; all workers begin together."""
    ready = threading.Barrier(concurrency)

    def work() -> list[tuple[float, float]]:
        ready.wait()
        return [_time(call) for _ in range(_CALLS_SIDE_BY_SIDE if concurrency > 1 else 1)]

    futures = [workers.submit(work) for _ in range(concurrency)]
    return [span for future in futures for span in future.result()]


def _time(call: Call) -> tuple[float, float]:
    start = time.perf_counter()
    call()
    return start, time.perf_counter()
