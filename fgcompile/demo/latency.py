"""How long each way of explaining takes: the contenders take turns, so that a busy moment falls on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

_WARM_UPS = 2
_FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Latency:
    """Seconds of one call: median and quartiles over ``rounds`` calls."""

    median: float
    lower: float
    upper: float
    rounds: int


def measure(contenders: Mapping[str, Callable[[], object]], *, rounds: int, budget: float) -> dict[str, Latency]:
    """Times each contender once a round, in alternation.

    Args:
        contenders: What to call, by name. Each is called twice before any is timed.
        rounds: How many rounds to measure.
        budget: Seconds after which no further round is begun, once three are done.
    """
    for call in contenders.values():
        for _ in range(_WARM_UPS):
            call()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    deadline = time.perf_counter() + budget
    for done in range(rounds):
        if done >= _FEWEST_ROUNDS and time.perf_counter() > deadline:
            break
        for name, call in contenders.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: _summarise(seconds) for name, seconds in times.items()}


def _summarise(seconds: list[float]) -> Latency:
    lower, median, upper = (float(value) for value in np.percentile(seconds, [25, 50, 75]))
    return Latency(median, lower, upper, len(seconds))
