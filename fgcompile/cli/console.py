"""The two streams that the command line writes to, and tables on them: drawn on a terminal, with tabs in a pipe."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fgcompile.system.text import visible

# Names of layers, files and classes are the user's: never markup.
out = Console(markup=False, highlight=False, soft_wrap=True)
err = Console(markup=False, highlight=False, soft_wrap=True, stderr=True)
notes = Console(markup=False, highlight=False, soft_wrap=True, stderr=True, quiet=True)
"""What is only said with ``--verbose``."""


def set_quiet(wanted: bool) -> None:
    """From now on nothing is shown but errors, warnings and JSON, if wanted."""
    out.quiet = out.quiet or wanted


def set_verbose(wanted: bool) -> None:
    """From now on it is said how long stages take, and where an error came from, if wanted."""
    notes.quiet = notes.quiet and not wanted


def reset() -> None:
    """Neither."""
    out.quiet, notes.quiet = False, True


def show(table: Table) -> None:
    """A table; in a pipe its cells as they are, a tab between two, for other programs to take apart."""
    if out.is_terminal or out.quiet:
        out.print(table)
        return
    rows = [[str(cell) for cell in column.cells] for column in table.columns]
    headers = [str(column.header) for column in table.columns]
    for row in ([headers] if table.show_header else []) + [list(row) for row in zip(*rows, strict=True)]:
        print("\t".join(row), file=out.file)


def table_of(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add(table: Table, *cells: str | Text) -> None:
    """A row, of which no cell can break the table."""
    table.add_row(*(cell if isinstance(cell, Text) else visible(cell) for cell in cells))


def print_facts(facts: Mapping[str, str]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        add(table, f"  {name}" if out.is_terminal else name, value)
    show(table)
