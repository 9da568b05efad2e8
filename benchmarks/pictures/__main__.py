"""What becomes of picture files: each kind as it is, against what it holds, and thousands of damaged ones.

Every file is explained as ``fgcompile explain`` does it, in a process that is watched: what raises, ends the process,
takes longer than ``LIMIT`` or more than ``MEMORY`` is counted. A case depends on the seed and its number alone, and
each outcome is a line of ``results/pictures.jsonl``: a run that was stopped goes on. Linux only, for the memory.

    python -m benchmarks.pictures --count 5000
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import fgcompile
from benchmarks.harness.environment import RESULTS, facts, markdown_table, publish
from benchmarks.harness.progress import show_progress
from benchmarks.pictures.kinds import KINDS, SIDE, Kind
from benchmarks.pictures.mutations import MUTATIONS
from benchmarks.pictures.worker import case, work
from fgcompile.errors import FgcompileError
from fgcompile.pictures.images import read_photo
from fgcompile.pictures.reading import Reading

LIMIT = 5.0
"""Seconds of the processor's that a file may take; a process that has had four times as many is stopped."""

PATIENCE = 600.0
"""Seconds of the clock after which a process is stopped, however little of the processor it was given."""

MEMORY = 500
"""MB that a file may take."""

OUTCOMES = RESULTS / "pictures.jsonl"
FAULTS = ("traceback", "several lines", "killed", "hang")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is missing, and writes the report; 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="how many files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args(arguments)
    done = _read(options.seed)
    left = [number for number in range(options.count) if number not in done]
    if left and not options.report_only:
        with tempfile.TemporaryDirectory() as folder, OUTCOMES.open("a") as file:
            for number, outcome in _run(left, options.seed, Path(folder)):
                done[number] = {"seed": options.seed, "number": number, **outcome}
                file.write(json.dumps(done[number]) + "\n")
                file.flush()
    cases = {number: outcome for number, outcome in done.items() if number < options.count}
    return _report(cases, options.seed)


def _read(seed: int) -> dict[int, dict[str, Any]]:
    lines = OUTCOMES.read_text().splitlines() if OUTCOMES.exists() else []
    outcomes = [json.loads(line) for line in lines]
    return {outcome["number"]: outcome for outcome in outcomes if outcome["seed"] == seed}


def _run(numbers: Sequence[int], seed: int, folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    artifact = folder / "small.onnx"
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    example = torch.rand(1, 3, SIDE, SIDE)
    preprocess = fgcompile.Preprocess((0.5,) * 3, (0.5,) * 3)
    fgcompile.compile(model.eval(), example, preprocess=preprocess).save(artifact)
    with show_progress("pictures", len(numbers)) as begin:
        worker = None
        for number in numbers:
            kind, mutation = case(seed, number)
            begin(f"{number} {KINDS[kind].name}, {mutation}")
            worker = worker or _start(artifact, seed, folder)
            outcome = _ask(*worker, number)
            if outcome["what"] in ("killed", "hang"):
                worker = None
            yield number, outcome
        if worker:
            worker[1].send(None)
            worker[0].join()


def _start(artifact: Path, seed: int, folder: Path) -> tuple[BaseProcess, Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, str(artifact), seed, str(folder)), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _ask(process: BaseProcess, connection: Any, number: int) -> dict[str, Any]:
    """One outcome; of a process that ended, or was ended, what that was."""
    none = {"seconds": 0.0, "megabytes": 0}
    connection.send(number)
    start, before = time.monotonic(), _seconds_of(process)
    try:
        while time.monotonic() < start + PATIENCE and _seconds_of(process) < before + 4 * LIMIT:
            if connection.poll(1):
                return dict(connection.recv())
    except (EOFError, FileNotFoundError):
        process.join()
        return {"what": "killed", "why": f"exit status {process.exitcode}", **none}
    spent = _seconds_of(process) - before
    process.kill()
    process.join()
    return {"what": "hang", "why": "no answer", **none, "seconds": spent}


def _seconds_of(process: BaseProcess) -> float:
    """What a process has had of the processor, of itself and of the system: the 14th and 15th of Linux's account."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _report(cases: dict[int, dict[str, Any]], seed: int) -> int:
    faults = [outcome for outcome in cases.values() if outcome["what"] in FAULTS]
    slow = sum(outcome["seconds"] > LIMIT for outcome in cases.values())
    large = sum(outcome["megabytes"] > MEMORY for outcome in cases.values())
    kinds = [_table_row(kind) for kind in KINDS]
    wrong = sum("WRONG" in row[1] for row in kinds)
    count = Counter(outcome["what"] for outcome in cases.values())
    body = [
        f"{len(cases):,} files of {len(KINDS)} kinds, seed {seed}: {count['explained']:,} explained, "
        f"{count['refused']:,} refused in one line, {len(faults)} faults (tracebacks, several lines, processes that "
        f"ended), {slow} slower than {LIMIT:.0f} s of the processor's, {large} that took more than {MEMORY} MB.",
        f"The slowest took {max(outcome['seconds'] for outcome in cases.values()):.1f} s, the largest "
        f"{max(outcome['megabytes'] for outcome in cases.values())} MB. {len(KINDS) - wrong} of {len(KINDS)} kinds "
        "are read as they were written, or refused as they should be.",
        "## Kinds, as they are",
        markdown_table(["kind", "what happens"], kinds, numbers=False),
        "## Damaged",
        markdown_table(["damage", "explained", "refused", "faults"], _by_mutation(cases, seed)),
    ]
    body += [f"```\n{json.dumps(fault)}\n```" for fault in faults[:5]]
    packages = ("fgcompile", "pillow", "pydicom", "numpy", "onnxruntime")
    publish(
        "pictures", "Picture files", facts(f"benchmarks.pictures --count {len(cases)}", packages), "\n\n".join(body)
    )
    return int(bool(faults or slow or large or wrong))


def _by_mutation(cases: dict[int, dict[str, Any]], seed: int) -> Iterator[list[str]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in MUTATIONS}
    for number, outcome in cases.items():
        counts[case(seed, number)[1]][outcome["what"]] += 1
    for name, count in counts.items():
        yield [name, str(count["explained"]), str(count["refused"]), str(sum(count[fault] for fault in FAULTS))]


def _table_row(kind: Kind) -> list[str]:
    """What happens to a file of this kind, held against what it holds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "FILE"
        path.write_bytes(kind.write())
        try:
            photo = read_photo(path, (SIDE, SIDE, 3), Reading(**kind.options))
        except FgcompileError as error:
            said = str(error).replace(f"{path}: ", "").replace(str(path), "it").replace("|", "\\|")
            return [kind.name, f"{'refused' if kind.expected is None else 'WRONG'}: {said}"]
    if kind.expected is None:
        return [kind.name, "WRONG: read"]
    off = int(np.abs(photo.astype(int) - kind.expected).max())
    return [
        kind.name,
        f"read, {off} of 255 levels off at most" if off <= kind.tolerance else f"WRONG: {off} levels off",
    ]


if __name__ == "__main__":
    sys.exit(main())
