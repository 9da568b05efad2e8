"""Loads an artifact again and again, and calls it again and again: memory, files and libraries stay as they were.

    python -m benchmarks.trust.endurance [--loads 200] [--calls 10000] [--work FOLDER] [--report-only]

Each format, whole and on demand, in a process of its own: first it is loaded, runs once and is closed, ``loads`` times,
then one session makes ``calls`` calls. What the first tenth of either takes is warming up; what grows behind it is a
leak. Each is a line of ``results/trust_endurance.jsonl``, and is not measured twice. Exit status 1 if anything grew.
Linux only, which says what a process has.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.environment import RESULTS, markdown_table
from benchmarks.harness.isolated import run_isolated
from benchmarks.harness.records import Store, describe
from benchmarks.trust.subjects import KINDS, SIDE, make_subject
from fgcompile.artifact.names import SUFFIXES
from fgcompile.runtime import load

STORE = Store(
    RESULTS / "trust_endurance.jsonl",
    ("format", "kind", "what", "count"),
    ("fgcompile", "torch", "onnxruntime", "numpy"),
)
LIMIT = 3600.0
GROWTH = 4.0
"""MB that memory may differ by: allocators give back late."""

FILES = ("descriptors", "mapped", "temporary")


def loads(path: str, count: int) -> list[dict[str, float]]:
    """What the process has after a tenth of the loads, and after all of them."""

    def once() -> None:
        with load(path, threads=1) as session:
            session.explain(_X, 1)

    return _repeat(once, count)


def calls(path: str, count: int) -> list[dict[str, float]]:
    """What the process has after a tenth of the calls of one session, and after all of them."""
    session = load(path, threads=1)
    return _repeat(lambda: session.explain(_X, 1), count)


_X = np.random.default_rng(0).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
_DONE = {"loads": loads, "calls": calls}


def _repeat(once: Callable[[], object], count: int) -> list[dict[str, float]]:
    found = []
    for number in range(1, count + 1):
        once()
        if number in (max(1, count // 10), count):
            gc.collect()
            found.append(_belongings())
    return found


def _belongings() -> dict[str, float]:
    """The process's memory in MB, its open files, the mapped files that are no installed ones, its temporary files."""
    process = Path("/proc/self")
    memory = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
    mapped = {line.split(maxsplit=5)[5] for line in (process / "maps").read_text().splitlines() if "/" in line}
    folder = tempfile.gettempdir()
    return {
        "memory": int(memory.split()[1]) / 1024,
        "descriptors": len(list((process / "fd").iterdir())),
        "mapped": sum(path.startswith(folder) for path in mapped),
        "temporary": sum(f"-{os.getpid()}-" in name for name in os.listdir(folder)),
    }


def _wanted(count: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    for format in SUFFIXES:
        for kind in KINDS:
            for what in _DONE:
                yield {"format": format, "kind": kind, "what": what, "count": count[what]}


def report(count: Mapping[str, int]) -> bool:
    """Writes the table; whether all of it is flat."""
    kept = STORE.read()
    results = [each for wanted in _wanted(count) for each in kept if wanted.items() <= each.items()]
    flat = bool(results) and all(_is_flat(each) for each in results)
    header = ["format, kind", "what", "MB after a tenth", "MB at the end", "grown, MB"]
    header += ["more open files", "more mapped files", "more temporary files"]
    text = "\n\n".join(
        (
            "# Loads and calls without end",
            describe(results, "python -m benchmarks.trust.endurance"),
            f"{'Flat' if flat else 'NOT flat'}: from the first tenth to the end no more than {GROWTH:g} MB, "
            "and no file that was not there before.",
            markdown_table(header, map(_row, results)),
        )
    )
    (RESULTS / "trust_endurance.md").write_text(text + "\n")
    print(text)
    return flat


def _is_flat(result: Mapping[str, Any]) -> bool:
    first, last = result["found"]
    return last["memory"] - first["memory"] <= GROWTH and all(last[name] <= first[name] for name in FILES)


def _row(result: Mapping[str, Any]) -> list[str]:
    first, last = result["found"]
    memory = [f"{value:.1f}" for value in (first["memory"], last["memory"], last["memory"] - first["memory"])]
    files = [str(last[name] - first[name]) for name in FILES]
    return [f"{result['format']}, {result['kind']}", f"{result['count']:,} {result['what']}", *memory, *files]


def main() -> None:
    """Measures what is missing, and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=200)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--work", type=Path, default=Path("build/trust"), help="where the artifacts are kept")
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args()
    count = {"loads": options.loads, "calls": options.calls}
    for wanted in () if options.report_only else _wanted(count):
        if not STORE.has(wanted):
            path = make_subject(options.work.resolve(), wanted["format"], wanted["kind"])
            function = f"{__spec__.name}:{wanted['what']}"
            found = run_isolated(function, {"path": str(path), "count": wanted["count"]}, LIMIT)
            STORE.append({**wanted, "found": found})
    raise SystemExit(0 if report(count) else 1)


if __name__ == "__main__":
    main()
