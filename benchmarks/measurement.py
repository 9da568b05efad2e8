"""Measures candidates on a workload: memory of each in a fresh process, then the latencies of all in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch

from benchmarks.candidates import CANDIDATES
from benchmarks.failures import reason
from benchmarks.isolated import IsolatedError
from benchmarks.memory import memory_of
from benchmarks.preparation import prepare_apart
from benchmarks.timing import Effort, Timing, time_alternately, time_once
from benchmarks.workload import Call, Workload

Figures = dict[str, Any]
"""What is known of a candidate: ``wall`` and ``cpu``, the milliseconds of each call; ``loaded_megabytes`` and
``call_megabytes`` (``benchmarks.memory``); a ``note``. Or why there is no more: ``skipped`` if the candidate cannot run
here, ``failed`` if it does not work."""


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
        report(f"load {key}")
        if (missing := CANDIDATES[key].missing(workload.device)) is not None:
            figures[key]["skipped"] = missing
            continue
        try:
            figures[key] |= _start(workload, key, effort, memory, calls)
        except IsolatedError as error:
            figures[key]["failed"] = str(error)
        except Exception as error:  # whatever a rival's library raises is a line of the table
            figures[key]["failed"] = reason(error)
    report("time all in turns")
    for key, timing in time_alternately(calls, effort, _synchronizer(workload)).items():
        figures[key] |= _rounded(timing)
    return figures


def timing_of(figures: Figures | None) -> Timing | None:
    """The latencies of a candidate that has any."""
    if figures is None or "wall" not in figures:
        return None
    return Timing(tuple(figures["wall"]), tuple(figures["cpu"]))


def _start(workload: Workload, key: str, effort: Effort, memory: bool, calls: dict[str, Call]) -> Figures:
    """Loads a candidate and calls it once; into ``calls`` if it is fast enough to be called again."""
    candidate = CANDIDATES[key]
    if memory:
        prepare_apart(workload, key)
    else:
        candidate.prepare(workload)
    figures: Figures = dict(memory_of(workload, key)) if memory else {}
    call = candidate.load(workload)
    wall, cpu = time_once(call, _synchronizer(workload))
    if wall > 1e3 * effort.longest:
        return {**figures, **_rounded(Timing((wall,), (cpu,))), "note": "called once, with no warm-up"}
    if note := candidate.note(workload, call):
        figures["note"] = note
    calls[key] = call
    return figures


def _rounded(timing: Timing) -> Figures:
    """As JSON, to the microsecond."""
    return {name: [round(value, 3) for value in values] for name, values in asdict(timing).items()}


def _synchronizer(workload: Workload) -> Call:
    return torch.cuda.synchronize if workload.device == "cuda" else lambda: None
