"""The tests that need a graphics card, each named as it ends, and what came of them on record."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.harness.records import Store
from benchmarks.latency.records import PACKAGES

TESTS = "tests/end_to_end/test_cuda.py"
ROOT = Path(__file__).parents[2]

_ENDED = re.compile(r"^(\S+?::.+?) (PASSED|FAILED|ERROR|SKIPPED)\b")
"""A line of pytest's; names of cases may have spaces."""


def run_tests(
    store: Path,
    device: str,
    limit: float,
    show: Callable[[str], None],
    more: Sequence[str] = (TESTS, "-m", "slow or not slow"),
) -> dict[str, list[str]]:
    """Runs the tests, unless they are on record, of this code with these versions, as passed; their names by outcome.

    Args:
        store: The file of the outcomes.
        device: ``"cuda"``, or ``"cpu"`` where only this is tested.
        limit: Seconds after which they are stopped.
        show: Takes each line as it comes.
        more: Which tests, as pytest's arguments.
    """
    kept, this = Store(store, ("tests", "machine"), PACKAGES), {"tests": more[0], "code": _digest()}
    for result in kept.current(device):
        same = all(result[name] == value for name, value in this.items())
        if same and result["outcomes"] and set(result["outcomes"]) <= {"PASSED", "SKIPPED"}:
            show(f"{more[0]}: {_counts(result['outcomes'])}, on record")
            return dict(result["outcomes"])
    outcomes: dict[str, list[str]] = {}
    command = [sys.executable, "-u", "-m", "pytest", "-v", "-rf", "--tb=short", "-p", "no:cacheprovider", *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        stopper = _stop_after(process, limit)
        for line in process.stdout:
            show(line.rstrip())
            if found := _ENDED.match(line):
                outcomes.setdefault(found[2], []).append(found[1])
        stopper.cancel()
    if process.returncode not in (0, 1):
        outcomes.setdefault("STOPPED", []).append(f"pytest ended with {process.returncode}")
    kept.append({**this, "outcomes": outcomes}, device)
    show(f"{more[0]}: {_counts(outcomes)}")
    return outcomes


def _digest() -> str:
    """Of the code that is tested."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "fgcompile").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _stop_after(process: subprocess.Popen[str], limit: float) -> threading.Timer:
    timer = threading.Timer(limit, process.kill)
    timer.daemon = True
    timer.start()
    return timer


def _counts(outcomes: dict[str, list[str]]) -> str:
    return ", ".join(f"{len(names)} {outcome.lower()}" for outcome, names in outcomes.items()) or "none ran"
