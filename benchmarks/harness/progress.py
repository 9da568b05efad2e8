"""How far a benchmark has come, on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Reporter = Callable[[str], None]


@contextmanager
def show_progress(name: str, total: int) -> Iterator[Callable[[str], Reporter]]:
    """A line on the terminal: call it with the title of what begins, and what it returns with each step of that."""
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total, completed=-1)

        def begin(title: str) -> Reporter:
            progress.update(task, advance=1, description=title)
            return lambda step: progress.update(task, description=f"{title}: {step}")

        yield begin
        progress.update(task, completed=total)
