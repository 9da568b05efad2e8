"""Every candidate by its key, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.rivals import EAGER_FORWARD, RIVALS
from benchmarks.runtimes import RUNTIMES
from benchmarks.workload import Candidate

CANDIDATES: dict[str, Candidate] = {
    candidate.key: candidate
    for candidate in (*(row for rows in RUNTIMES.values() for row in rows), EAGER_FORWARD, *RIVALS.values())
}
"""In the order of the tables."""


def choose(runtimes: Iterable[str], rivals: Iterable[str]) -> list[str]:
    """The keys of the candidates of some runtimes and of some rivals, with the eager forward if there are any."""
    runtimes, rivals = set(runtimes), set(rivals)
    wanted = {row.key for name in runtimes for row in RUNTIMES[name]} | rivals
    if rivals:
        wanted.add(EAGER_FORWARD.key)
    return [key for key in CANDIDATES if key in wanted]
