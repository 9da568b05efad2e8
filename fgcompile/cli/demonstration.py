"""``fgcompile demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fgcompile.cli import terminal
from fgcompile.cli.parameters import QuietOption, VerboseOption


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write everything.")] = Path(
        "fgcompile-demo"
    ),
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Compile a trained network, verify it, and explain photos; ends with a page to open."""
    with terminal.steps() as report:
        from fgcompile.demo.extras import check_extras

        check_extras()
        from fgcompile.demo.run import run_demo

        index = run_demo(output, report)
    terminal.print_line(f"Open {index}")
