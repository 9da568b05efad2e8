"""Measures candidates on a workload: memory of each in a fresh process, then the latencies of all in turns.

The figures of a candidate: ``wall`` and ``cpu``, the milliseconds of each call; ``loaded_megabytes`` and
``call_megabytes`` (``benchmarks.latency.memory``); a ``note``. Or why there is no more: ``skipped`` if the candidate
cannot run here, ``failed`` if it does not work.

Nothing is loaded here before all is prepared, so that what a compiler takes does not add to what is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import torch

from benchmarks.harness.failures import reason
from benchmarks.harness.isolated import IsolatedError
from benchmarks.harness.records import Figures
from benchmarks.latency.candidates import CANDIDATES
from benchmarks.latency.memory import memory_of
from benchmarks.latency.preparation import prepare_apart
from benchmarks.latency.timing import Effort, Timing, time_alternately, time_once
from benchmarks.latency.workload import Call, Workload


def measure(
    workload: Workload,
    keys: Sequence[str],
    effort: Effort,
    memory: bool,
    report: Callable[[str], None] = lambda step: None,
) -> dict[str, Figures]:
    """The figures of each candidate; those that fail are reported with the reason and disturb no other.

    Args:
        workload: What is called.
        keys: The candidates.
        effort: How much time to spend.
        memory: Whether to measure memory. Each candidate is then prepared and measured in processes of its own.
        report: Told what is being done.
    """
    workload.set_up()
    figures: dict[str, Figures] = {key: {} for key in keys}
    calls: dict[str, Call] = {}
    for key in keys:
        report(f"prepare {key}")
        if (missing := CANDIDATES[key].missing(workload.device)) is not None:
            figures[key]["skipped"] = missing
            continue
        with _failure_in(figures[key]):
            figures[key] |= _prepare(workload, key, memory)
    for key in keys:
        if "skipped" in figures[key] or "failed" in figures[key]:
            continue
        report(f"load {key}")
        with _failure_in(figures[key]):
            figures[key] |= _start(workload, key, effort, calls)
    report("time all in turns")
    for key, timing in time_alternately(calls, effort, _synchronizer(workload)).items():
        figures[key] |= _rounded(timing)
    return figures


def timing_of(figures: Figures | None) -> Timing | None:
    """The latencies of a candidate that has any."""
    if figures is None or "wall" not in figures:
        return None
    return Timing(tuple(figures["wall"]), tuple(figures["cpu"]))


@contextmanager
def _failure_in(figures: Figures) -> Iterator[None]:
    """Whatever a rival's library raises becomes a line of the table."""
    try:
        yield
    except IsolatedError as error:
        figures["failed"] = str(error)
    except Exception as error:
        figures["failed"] = reason(error)


def _prepare(workload: Workload, key: str, memory: bool) -> Figures:
    """Makes the files of a candidate; the memory of its calls."""
    if not memory:
        CANDIDATES[key].prepare(workload)
        return {}
    prepare_apart(workload, key)
    return dict(memory_of(workload, key))


def _start(workload: Workload, key: str, effort: Effort, calls: dict[str, Call]) -> Figures:
    """Loads a candidate and calls it once; into ``calls`` if it is fast enough to be called again."""
    candidate = CANDIDATES[key]
    call = candidate.load(workload)
    wall, cpu = time_once(call, _synchronizer(workload))
    if wall > 1e3 * effort.longest:
        return {**_rounded(Timing((wall,), (cpu,))), "note": "called once, with no warm-up"}
    figures: Figures = {"note": note} if (note := candidate.note(workload, call)) else {}
    calls[key] = call
    return figures


def _rounded(timing: Timing) -> Figures:
    """As JSON, to the microsecond."""
    return {name: [round(value, 3) for value in values] for name, values in asdict(timing).items()}


def _synchronizer(workload: Workload) -> Call:
    return torch.cuda.synchronize if workload.device == "cuda" else lambda: None
