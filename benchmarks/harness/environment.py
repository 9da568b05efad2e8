"""What a figure depends on beside the code: the machine, the versions, the day."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from importlib import metadata
from pathlib import Path

from fgcompile.system.machine import cores, processor

RESULTS = Path(__file__).parents[1] / "results"
"""Where the tables are written."""


def machine() -> str:
    """The processor's model and the number of cores this process may use."""
    return f"{processor()}, {cores()} cores"


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


def facts(command: str, packages: Iterable[str]) -> dict[str, str]:
    """What a report says first."""
    return {"machine": machine(), "versions": versions(packages), "date": today(), "command": f"`python -m {command}`"}


def publish(name: str, title: str, facts: Mapping[str, str], body: str) -> None:
    """Writes ``results/<name>.md``, and prints it."""
    lines = "\n".join(f"- {fact}: {value}" for fact, value in facts.items())
    report = f"# {title}\n\n{lines}\n\n{body}\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(report)
    print(report)


def markdown_table(header: list[str], rows: Iterable[list[str]], numbers: bool = True) -> str:
    """A Markdown table, its first column aligned left, the others right if they hold ``numbers``."""
    alignment = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, alignment, *rows])
