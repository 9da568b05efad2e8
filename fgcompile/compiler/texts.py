"""Which inputs of a model a text fills, where the artifact keeps a tokenizer: told before anything is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from fgcompile.artifact.metadata import BATCH
from fgcompile.compiler.capture.binding import Named
from fgcompile.compiler.capture.bound import Bound
from fgcompile.compiler.request import Request
from fgcompile.errors import InputError
from fgcompile.text.inputs import IDS, ROLES, role_of


def with_text_inputs(bound: Bound, request: Request) -> Bound:
    """The bound model with its only input ``(N, L)`` of integers called ``input_ids``, whatever its parameter is.

    A file's names stay: what else was made of the file has them too.

    Raises:
        InputError: It takes something that no text says.
    """
    if request.tokenizer is None:
        return bound
    if len(bound.names) == 1 and _is_row_of_integers(bound.inputs[0]) and not isinstance(bound.model, Named):
        bound = replace(bound, names=(IDS,))
    for name, value in zip(bound.names, bound.inputs, strict=True):
        if role_of(name) is None or value.ndim != 2:
            raise InputError(f"the model takes '{name}' ({_shape(value.shape)}), {_WANTED}")
    if not any(IDS in name for name in bound.names):
        raise InputError(f"the model takes {', '.join(map(repr, bound.names))} and no {IDS}, {_WANTED}")
    return bound


_WANTED = (
    f"and a tokenizer fills {', '.join(ROLES)}, of shape (batch, length): call the model's inputs so, as forward's "
    "parameters, or leave the tokenizer out and give arrays to explain"
)


def _is_row_of_integers(value: Tensor) -> bool:
    return value.ndim == 2 and not value.is_floating_point() and not value.is_complex()


def _shape(sizes: Sequence[int]) -> str:
    return ", ".join([BATCH, *map(str, sizes[1:])])
