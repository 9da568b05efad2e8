"""What a figure depends on beside the code: the machine, the versions, the day."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
"""Where the tables are written."""


def machine() -> str:
    """The processor's model and the number of cores this process may use."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{models[0] if models else platform.processor() or platform.machine()}, {cores} cores"


def versions(packages: Iterable[str]) -> str:
    """Python's version and those of the packages that are installed, e.g. ``"Python 3.11.4, torch 2.13.0+cpu"``."""
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{package} {metadata.version(package)}")
    return ", ".join(found)


def today() -> str:
    """The date in ISO form."""
    return date.today().isoformat()


def markdown_table(header: list[str], rows: Iterable[list[str]], numbers: bool = True) -> str:
    """A Markdown table, its first column aligned left, the others right if they hold ``numbers``."""
    alignment = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, alignment, *rows])
