"""matplotlib's colour maps, where it is installed: it is no base dependency."""

from __future__ import annotations

from typing import Any

from fgcompile.errors import InputError, MissingPackageError


def named_colormap(name: str) -> Any:
    """A colour map of matplotlib's.

    Raises:
        InputError: It has none of that name.
        MissingPackageError: It is not installed.
    """
    require_matplotlib(f"colour map {name!r} is none of inferno, viridis and orange-blue: it")
    from matplotlib import colormaps

    if name not in colormaps:
        raise InputError(f"there is no colour map {name!r}: give inferno, viridis, orange-blue, or one of matplotlib's")
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
