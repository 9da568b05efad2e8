"""A process that opens changed artifacts, one after the other, and says what became of each: a line in, a line out.

    python -m benchmarks.trust.opening ORIGINAL

Each line of its input is the path of a changed artifact, each line of its output a JSON object: ``outcome``,
``detail``, ``grown``, the bytes by which its memory had grown at most, and ``seconds`` of its own time.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from typer.testing import CliRunner

import fgcompile
from benchmarks.trust.subjects import SIDE
from fgcompile.cli import app
from fgcompile.errors import FgcompileError

REFUSED, SAME, OTHER, WRONG, TRACEBACK = "refused", "same outputs", "other numbers", "wrong outputs", "traceback"

_X = np.random.default_rng(0).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
_CLASSES = np.array([1, 3])


def explained(path: Path) -> tuple[dict[str, Any], Any]:
    """Every output of an artifact by name, and its metadata."""
    session = fgcompile.load(path)
    explanation = session.explain(_X, _CLASSES)
    names = ("logits", "saliency", "contributions", "residual", "input_gradient")
    return {name: getattr(explanation, name) for name in names}, session.metadata


def judge(path: Path, original: dict[str, Any]) -> tuple[str, str]:
    """What becomes of a changed artifact, beside what the original returns."""
    try:
        inspected = CliRunner().invoke(app, ["inspect", str(path)], catch_exceptions=False)
        outputs, _ = explained(path)
    except FgcompileError as error:
        return (REFUSED, str(error)[:200]) if "\n" not in str(error) else (TRACEBACK, "an error of several lines")
    except Exception as error:
        return TRACEBACK, "".join(traceback.format_exception_only(error))[:200] + traceback.format_exc()[-400:]
    if inspected.exit_code or "\x1b" in inspected.output:
        return WRONG, "inspect failed, or printed an escape"
    # Metadata that leave an output out give fewer, none of which has another's name.
    shapes = {name: value.shape for name, value in outputs.items() if value is not None}
    if shapes != {name: original[name].shape for name in shapes}:
        return WRONG, f"shapes {shapes}"
    equal = all(
        np.allclose(value, original[name], rtol=1e-5, atol=1e-6, equal_nan=True)
        for name, value in outputs.items()
        if value is not None
    )
    return (SAME, "") if equal else (OTHER, "")


def main() -> None:
    """Answers until its input ends."""
    torch.set_num_threads(1)
    original, _ = explained(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is from now on
        before, started = _memory("VmRSS"), time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            outcome, detail = judge(Path(line.rstrip("\n")), original)
        grown = _memory("VmHWM") - before
        answer = {"outcome": outcome, "detail": detail, "grown": grown, "seconds": time.process_time() - started}
        print(json.dumps(answer), flush=True)


def _memory(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


if __name__ == "__main__":
    main()
