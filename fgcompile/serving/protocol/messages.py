"""A request, whichever protocol brought it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.serving.admission import find_repeated

WARNING = "warning"
"""The parameter of an answer that says that its numbers are not to be used."""


@dataclass(frozen=True)
class Wanted:
    """An output that a client asks for, and whether as bytes rather than numbers of JSON."""

    name: str
    binary: bool


@dataclass(frozen=True)
class Request:
    """What a client asks of a model.

    Attributes:
        id: The client's own, which the answer has too; may be empty.
        tensors: Those sent, by name.
        wanted: The outputs asked for; empty for all of them.
        binary: Whether all of them go as bytes, where none is named.
    """

    id: str
    tensors: Mapping[str, Array]
    wanted: Sequence[Wanted]
    binary: bool


def by_name(tensors: Sequence[tuple[str, Array]]) -> dict[str, Array]:
    """A request's tensors by their names.

    Raises:
        InputError: Two have the same.
    """
    if twice := find_repeated([name for name, _ in tensors]):
        raise InputError(f"the request has {twice!r} more than once: send each input once")
    return dict(tensors)
