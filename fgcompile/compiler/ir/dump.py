"""What a compile did, stage by stage: the graph as text in numbered files, where ``FGCOMPILE_DUMP`` names a folder.

Each compile writes into a folder of its own below that one, so that none overwrites another's, of this process or of
others: ``FOLDER/1-ResNet/000-captured.txt``, ``001-convert_floats.txt`` …, the next compile into ``FOLDER/2-…``. There
is one file for each stage and each pass, also for one that changed nothing; ``diff`` shows what a pass did. Without the
variable nothing is written, and no text is made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from fgcompile.errors import OutputError

VARIABLE = "FGCOMPILE_DUMP"
"""The environment variable; empty is as good as unset."""

_LONGEST = 60
"""Characters of a model's name: file systems take names of 255 bytes."""


@dataclass(frozen=True)
class _Dump:
    """The folder of one compile, and the numbers of its files."""

    folder: Path
    numbers: Iterator[int] = field(default_factory=count)

    def write(self, stage: str, text: str) -> None:
        try:
            (self.folder / f"{next(self.numbers):03d}-{stage}.txt").write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{VARIABLE}={self.folder.parent} cannot be written to: {error.strerror}") from error


_current: ContextVar[_Dump | None] = ContextVar("_current", default=None)
"""The dump of the compile that runs here; compiles in other threads have others."""


@contextmanager
def dumping(name: str) -> Iterator[None]:
    """Within it, ``dump`` writes if the variable is set, into a new folder that bears the name.

    Raises:
        OutputError: The folder cannot be made.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        yield
        return
    token = _current.set(_Dump(_new_folder(Path(os.path.expanduser(folder)), name)))
    try:
        yield
    finally:
        _current.reset(token)


def dump(stage: str, text: Callable[[], str]) -> None:
    """Writes the graph as it is after a stage or pass; ``text`` is not called where nothing is to be written."""
    current = _current.get()
    if current is not None:
        current.write(stage, text())


def _new_folder(parent: Path, name: str) -> Path:
    """``1-name``, or the next number that no folder begins with: making it decides who has it.

    The name of a class made by ``type`` may hold anything, also what no file's can.
    """
    name = re.sub(r"[^\w.-]", "_", name)[:_LONGEST]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        numbers = (path.name.partition("-")[0] for path in parent.iterdir())
        taken = [int(number) for number in numbers if number.isdecimal()]
        folder = parent / f"{max(taken, default=0) + 1}-{name}"
        folder.mkdir()
    except FileExistsError:
        if not parent.is_dir():
            raise OutputError(f"{VARIABLE}={parent} is a file: name a folder") from None
        return _new_folder(parent, name)
    except OSError as error:
        raise OutputError(f"{VARIABLE}={parent} cannot be written to: {error.strerror}") from error
    return folder
