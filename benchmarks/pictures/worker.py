"""The process that reads what nobody should: it explains one file after another, as ``fgcompile explain`` does."""

from __future__ import annotations

import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.pictures.kinds import KINDS
from benchmarks.pictures.mutations import MUTATIONS, mutate
from fgcompile.media.explain import explain_photos
from fgcompile.pictures.reading import Reading
from fgcompile.runtime import load


def case(seed: int, number: int) -> tuple[int, str]:
    """Which kind and which mutation a case has: first every kind as it is, then every pair in turn."""
    names = list(MUTATIONS)
    kind, turn = number % len(KINDS), number // len(KINDS)
    return kind, names[0] if turn == 0 else names[1 + (turn + kind + seed) % (len(names) - 1)]


def work(connection: Connection, artifact: str, seed: int, folder: str) -> None:
    """For each number that comes, an outcome goes back, until None comes.

    An outcome is ``what`` (explained, refused or a fault, and then ``why``), ``seconds`` of the
    processor's and ``megabytes``, the most memory that this process had beyond what it had before.
    """
    session = load(Path(artifact), threads=1)
    contents = [kind.write() for kind in KINDS]
    while (number := connection.recv()) is not None:
        kind, mutation = case(seed, number)
        path = Path(folder) / "file"
        path.write_bytes(mutate(mutation, contents, kind, Random(f"{seed}/{number}")))
        before, start = _start_measuring(), time.process_time()
        outcome = _explain(session, path, Path(folder) / "out", KINDS[kind].options)
        outcome["seconds"] = round(time.process_time() - start, 3)
        outcome["megabytes"] = round(_memory("VmHWM") - before)
        connection.send(outcome)


def _explain(session: Any, path: Path, output: Path, options: dict[str, Any]) -> dict[str, Any]:
    try:
        (record,) = explain_photos(session, [path], output, reading=Reading(**options))
    except BaseException:  # whatever gets through is what is looked for
        return {"what": "traceback", "why": traceback.format_exc()[-2000:]}
    if "error" not in record:
        return {"what": "explained"}
    if "\n" in record["error"]:
        return {"what": "several lines", "why": record["error"]}
    return {"what": "refused"}


def _start_measuring() -> float:
    """Forgets the most memory so far; the memory there is."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> float:
    """A line of Linux's account of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kilobytes) / 1024
