"""Runs a function in a fresh process: for figures that what ran before would spoil, and for what may crash.

    python -m benchmarks.harness.isolated module:function ARGUMENTS RESULT

ARGUMENTS is a JSON object of keyword arguments, RESULT the file that receives what the function returns, as JSON.
"""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.failures import ending, reason


class IsolatedError(Exception):
    """What went wrong in the other process, in one line."""


def run_isolated(function: str, arguments: Mapping[str, Any], limit: float) -> Any:
    """What a function returns in a process of its own.

    Args:
        function: ``"package.module:function"``.
        arguments: Its keyword arguments, of JSON's types.
        limit: Seconds after which the process is stopped.

    Raises:
        IsolatedError: The function raised, or the process ended or was stopped without a result.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.harness.isolated", function, json.dumps(arguments)]
        try:
            done = subprocess.run([*command, str(result)], timeout=limit, capture_output=True, text=True, check=False)
        except subprocess.TimeoutExpired as error:
            raise IsolatedError(f"no result after {limit:.0f} s") from error
        if not result.exists():
            raise IsolatedError(ending(done.returncode, done.stderr))
        answer = json.loads(result.read_text())
    if "failed" in answer:
        raise IsolatedError(answer["failed"])
    return answer["returned"]


def main() -> None:
    """Calls the function and writes what it returned or why it failed."""
    function, arguments, result = sys.argv[1:]
    try:
        answer = {"returned": pkgutil.resolve_name(function)(**json.loads(arguments))}
    except Exception as error:  # whatever a library raises is an answer to the question whether this works
        answer = {"failed": reason(error)}
    Path(result).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
