"""Measures compiling language models with random weights, and explaining their next token, by length.

    python -m benchmarks.language [--only PATTERN] [--folder FOLDER] [--again] [--report-only]

Needs the extra ``cpu`` and the group ``zoo``, and Linux. One thread. Each measurement is a line of
``results/language.jsonl`` and is not made again on this machine with these versions; ``results/language.md`` is made of
all lines. The model of 1.1 billion parameters is measured where ``--only`` names it: it needs 16 GB of memory to
itself, and 12 GB of disk in the folder for temporary files or in ``--folder``.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness.environment import RESULTS
from benchmarks.harness.isolated import IsolatedError, run_isolated
from benchmarks.harness.progress import show_progress
from benchmarks.harness.records import Store
from benchmarks.language.measure import LENGTHS
from benchmarks.language.report import report
from benchmarks.language.subjects import LARGE, SUBJECTS

PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime")
STORE = Store(RESULTS / "language.jsonl", ("name", "machine", "versions"), PACKAGES)
LIMIT = 4 * 3600.0
"""Seconds for one step of one model."""


def main(arguments: list[str] | None = None) -> int:
    """Measures what is asked for and not yet known, and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.language",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="PATTERN", help="models whose name matches; the largest has to be named")
    parser.add_argument("--folder", type=Path, help="where checkpoints and artifacts are written meanwhile")
    parser.add_argument("--again", action="store_true", help="measure what has been measured again")
    parser.add_argument("--report-only", action="store_true", help="measure nothing, write the report again")
    options = parser.parse_args(arguments)
    if options.folder is not None and not options.folder.is_dir():
        parser.error(f"--folder {options.folder} is no folder")
    known = set() if options.again else {result["name"] for result in STORE.current()}
    wanted = [name for name in SUBJECTS if _is_wanted(name, options.only) and name not in known]
    wanted = [] if options.report_only else wanted
    with show_progress("language models", len(wanted)) as begin:
        for name in wanted:
            begin(name)
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                STORE.append({"name": name, **_measured(name, Path(folder))})
            (RESULTS / "language.md").write_text(report(STORE.read()))
    (RESULTS / "language.md").write_text(report(STORE.read()))
    return 0


def _is_wanted(name: str, pattern: str | None) -> bool:
    return name not in LARGE if pattern is None else fnmatch.fnmatch(name, pattern)


def _measured(name: str, folder: Path) -> dict[str, Any]:
    """The figures of each step, or why there are none of a step and those behind it."""
    checkpoint, output = str(folder / "checkpoint"), str(folder / "model.onnx")
    found: dict[str, Any] = {}
    steps = {
        "parameters": ("write", {"name": name, "folder": checkpoint}),
        "compiling": ("compile_checkpoint", {"folder": checkpoint, "output": output}),
        "verified": ("verify_artifact", {"folder": checkpoint, "output": output}),
    }
    for step, (function, given) in steps.items():
        try:
            found[step] = run_isolated(f"benchmarks.language.measure:{function}", given, LIMIT)
        except IsolatedError as error:
            return {**found, "failed": f"{step}: {error}"}
    if SUBJECTS[name].family == "Llama":
        found["explained"] = {str(length): _explained(output, length) for length in LENGTHS}
    return found


def _explained(output: str, length: int) -> dict[str, Any]:
    """The figures of one length, or why there are none, in a process of its own: what is too long ends no other."""
    given = {"output": output, "length": length}
    try:
        figures: dict[str, Any] = run_isolated("benchmarks.language.measure:explain_length", given, LIMIT)
    except IsolatedError as error:
        return {"failed": str(error)}
    return figures


if __name__ == "__main__":
    sys.exit(main())
