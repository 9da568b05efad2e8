"""Changes artifacts some thousand times and looks at what becomes of each: refused, or right.

    python -m benchmarks.trust.artifacts [--count 7500] [--work FOLDER] [--report-only]

Three formats, two kinds of artifact each, three kinds of change: raw bytes, bytes within a seal that fits again, and
typed changes of the metadata within such a seal. Every change has a seed of its own, and batches of them are kept in
``results/trust_artifacts.jsonl``, so that a run goes on where it was stopped. Where a process dies or does not answer
in time, the next change gets a new one. With the report comes exit status 1 if anything happened that must not.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.environment import RESULTS, markdown_table
from benchmarks.harness.records import Store, describe
from benchmarks.trust.mutations import MUTATION_KINDS, mutate
from benchmarks.trust.opening import OTHER, REFUSED, SAME, TRACEBACK, WRONG
from benchmarks.trust.subjects import KINDS, make_subject
from fgcompile.artifact.names import SUFFIXES
from fgcompile.errors import ArtifactError
from fgcompile.runtime import rehearsal

STORE = Store(
    RESULTS / "trust_artifacts.jsonl",
    ("format", "kind", "change", "batch"),
    ("fgcompile", "torch", "onnxruntime", "numpy"),
)
BATCH = 50
SECONDS = 5.0
SILENCE = 60.0
STARTING = 600.0
GROWTH = 500 * 2**20
TRIED = "ends or stops the process, refused by the commands"
CRASH, HANG, GROWN = "crash", "slower than 5 s", "grown by 500 MB"
COLUMNS = (REFUSED, SAME, OTHER, TRIED, WRONG, TRACEBACK, CRASH, HANG, GROWN)


class Opener:
    """A process that opens artifacts; another one takes its place when it dies."""

    def __init__(self, original: Path) -> None:
        self._original = original
        self._process: subprocess.Popen[str] | None = None

    def judge(self, path: Path) -> tuple[str, str]:
        """The outcome for a file, and what was said of it."""
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        line = self._line(process, SILENCE)
        if not line:
            self.stop()
            return _tried(path, HANG if line is None else CRASH)
        answer = json.loads(line)
        if answer["grown"] > GROWTH:
            return GROWN, f"{answer['grown']} bytes, {answer['outcome']}"
        # The process's own time: on a machine that others use, five seconds of the clock may be one of work.
        if answer["seconds"] > SECONDS:
            return HANG, f"{answer['seconds']:.1f} s, {answer['outcome']} {answer['detail']}"
        return answer["outcome"], answer["detail"]

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.trust.opening", str(self._original)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes)
        if self._line(self._process, STARTING) != "ready\n":
            raise SystemExit(f"{self._original} cannot be opened unchanged")
        return self._process

    def _line(self, process: subprocess.Popen[str], limit: float) -> str | None:
        """The next line, empty at the end of the output; None where there is none in time."""
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], limit)
        return process.stdout.readline() if ready else None


def _tried(path: Path, otherwise: str) -> tuple[str, str]:
    """What commands say of an artifact whose process ended, or did not answer: they try code in one of its own."""
    rehearsal.PATIENCE = SILENCE
    try:
        rehearsal.require_sound(path)
    except ArtifactError as error:
        return TRIED, str(error)
    return otherwise, "and the commands take it"


def run_batch(opener: Opener, original: Path, change: str, batch: int) -> dict[str, Any]:
    """The outcomes of a batch of changes, and an example of each that must not be."""
    content, counts, examples = original.read_bytes(), Counter[str](), {}
    changed = original.with_name(f"changed{original.suffix}")
    for index in range(batch * BATCH, (batch + 1) * BATCH):
        seed = f"{original.name} {change} {index}"
        changed.write_bytes(mutate(content, change, seed))
        outcome, detail = opener.judge(changed)
        counts[outcome] += 1
        if outcome not in (REFUSED, SAME, OTHER, TRIED):
            examples[seed] = f"{outcome}: {detail}"
    changed.unlink()
    return {"counts": dict(counts), "examples": examples}


def batches(count: int, formats: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What is to be measured: every format, kind and change, a batch of each in turn."""
    each = -(-count // (len(SUFFIXES) * len(KINDS) * len(MUTATION_KINDS) * BATCH))
    for batch in range(each):
        for format in formats:
            for kind in KINDS:
                for change in MUTATION_KINDS:
                    yield {"format": format, "kind": kind, "change": change, "batch": batch}


def report() -> bool:
    """Writes the table; whether nothing happened that must not."""
    results = STORE.read()
    rows: dict[tuple[str, str, str], Counter[str]] = {}
    for result in results:
        row = rows.setdefault((result["format"], result["kind"], result["change"]), Counter())
        row.update(result["counts"])
    cells = [
        [", ".join(key), str(sum(row.values())), *(str(row[column]) for column in COLUMNS)]
        for key, row in sorted(rows.items())
    ]
    total = sum(rows.values(), Counter())
    cells.append(["all", str(sum(total.values())), *(str(total[column]) for column in COLUMNS)])
    examples = [f"- `{seed}`: {text!r}" for result in results for seed, text in result["examples"].items()]
    text = (
        "# Changed artifacts\n\n"
        + describe(results, "python -m benchmarks.trust.artifacts")
        + "\n\n"
        + markdown_table(["format, kind, change", "changes", *COLUMNS], cells)
        + "\n\n"
        + _EXPLANATION
        + ("\n\nWhat must not be:\n\n" + "\n".join(examples) if examples else "")
        + "\n"
    )
    (RESULTS / "trust_artifacts.md").write_text(text)
    print(text)
    return not any(total[column] for column in (WRONG, TRACEBACK, CRASH, HANG, GROWN))


_EXPLANATION = f"""*refused*: an error of `fgcompile.errors`, in one line. *same outputs*: it loads, and every output is
the untouched artifact's. *other numbers*: within a seal that was made anew, other weights or another program are
another artifact, and nobody can know; every output has its name, dtype and shape. *{TRIED}*: a program that PyTorch
trusts ended the process that called `fgcompile.load`, or did not end itself; `fgcompile explain`, `verify`, `bench`,
`batch` and `serve` try it in a process of its own, and refuse it. *wrong outputs*: an output has another's name or
shape, or `fgcompile inspect` fails on what `load` takes. *crash*: the process ended, and no command refuses it."""


def main() -> None:
    """Measures what is missing, and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=7500)
    parser.add_argument("--formats", nargs="+", choices=SUFFIXES, default=list(SUFFIXES))
    parser.add_argument("--work", type=Path, default=Path("build/trust"), help="where the artifacts are kept")
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args()
    openers: dict[Path, Opener] = {}
    for wanted in () if options.report_only else batches(options.count, options.formats):
        if not STORE.has(wanted):
            measure(wanted, options.work, openers)
    for opener in openers.values():
        opener.stop()
    raise SystemExit(0 if report() else 1)


def measure(wanted: Mapping[str, Any], work: Path, openers: dict[Path, Opener]) -> None:
    """Measures one batch and keeps it."""
    original = make_subject(work.resolve(), wanted["format"], wanted["kind"])
    opener = openers.setdefault(original, Opener(original))
    STORE.append({**wanted, **run_batch(opener, original, wanted["change"], wanted["batch"])})


if __name__ == "__main__":
    main()
