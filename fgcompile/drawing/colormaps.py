"""matplotlib's colour maps, where it is installed: it is no base dependency."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from fgcompile.errors import InputError, MissingPackageError


def named_colormap(name: str, own: Sequence[str]) -> Any:
    """A colour map of matplotlib's; ``own`` are those that are here, which messages name.

    Raises:
        InputError: It has none of that name.
        MissingPackageError: It is not installed.
    """
    here = " or ".join(own)
    try:
        from matplotlib import colormaps
    except ImportError as error:
        raise MissingPackageError(
            f"there is no colour map {name!r} here: give {here}, or for one of matplotlib's pip install "
            "'fgcompile[plot]'"
        ) from error
    if name not in colormaps:
        close = " or ".join(get_close_matches(name, [*own, *colormaps], 2))
        raise InputError(
            f"there is no colour map {name!r}: give {here}, or one of matplotlib's{close and f', as {close}'}"
        )
    return colormaps[name]


def require_matplotlib(what: str) -> None:
    """Passes where matplotlib is installed; ``what`` needs it.

    Raises:
        MissingPackageError: It is not.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(f"{what} needs matplotlib: pip install 'fgcompile[plot]'") from error
