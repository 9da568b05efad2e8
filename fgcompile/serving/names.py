"""What clients call the models that artifacts become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fgcompile.errors import InputError
from fgcompile.serving.admission import find_repeated


def name_models(paths: Sequence[Path]) -> list[str]:
    """Each artifact's name: the stem of its file's.

    Raises:
        InputError: Two artifacts have the same, or one has characters that cannot be printed.
    """
    names = [path.stem for path in paths]
    for name in names:
        if not name.isprintable():
            raise InputError(
                f"the artifact {name!r} has characters in its name that cannot be printed: rename the file"
            )
    if twice := find_repeated(names):
        raise InputError(f"two artifacts are called {twice!r}: rename one of the files")
    return names
