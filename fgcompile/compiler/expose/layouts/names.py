"""What layouts name, in errors: the inputs and layers that there are, and the one that a pattern was written for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

from fgcompile.errors import InputError

LISTED = 12
"""How many layers an error lists."""


@contextmanager
def naming(name: str) -> Iterator[None]:
    """While it is open, a layout that does not fit is refused by the name that it was written for."""
    try:
        yield
    except InputError as error:
        raise InputError(f"'{name}': {error}") from error


def unknown_names(unknown: Iterable[str], inputs: Sequence[str], sites: Sequence[str]) -> str:
    """The error for names that no input or layer bears: it lists the inputs, and the layers or those most alike."""
    missing = sorted(unknown)
    alike = [name for one in missing for name in get_close_matches(one, sites, 3)]
    listed = list(sites) if len(sites) <= LISTED else list(dict.fromkeys(alike)) or [*sites[:LISTED], "…"]
    return (
        f"layouts name {', '.join(missing)}, but no input or site is called so: "
        f"inputs are {', '.join(inputs)}; layers are {', '.join(listed) or 'none'} (fgcompile inspect lists all)"
    )
