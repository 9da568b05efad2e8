"""Every candidate by its key, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.latency.rivals import EAGER_FORWARD, RIVALS
from benchmarks.latency.runtimes import RUNTIMES
from benchmarks.latency.variants import VARIANTS
from benchmarks.latency.workload import Candidate

OTHERS: dict[str, Candidate] = VARIANTS | RIVALS
"""What is measured beside the plain model and the fused artifact, by name on the command line."""

CANDIDATES: dict[str, Candidate] = {
    candidate.key: candidate
    for candidate in (*(row for rows in RUNTIMES.values() for row in rows), EAGER_FORWARD, *OTHERS.values())
}
"""In the order of the tables."""


def choose(runtimes: Iterable[str], others: Iterable[str], device: str = "cpu") -> list[str]:
    """The keys of the candidates of some runtimes and of some others, with the eager forward where it is a rival's.

    Those that are not for the device are left out.
    """
    runtimes, others = set(runtimes), set(others)
    wanted = {row.key for name in runtimes for row in RUNTIMES[name]} | others
    if others & set(RIVALS):
        wanted.add(EAGER_FORWARD.key)
    return [key for key, candidate in CANDIDATES.items() if key in wanted and device in candidate.devices]
