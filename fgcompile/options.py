"""The options of a compilation, checked before any work is done."""

from __future__ import annotations

from collections.abc import Sequence

from fgcompile.errors import InputError
from fgcompile.outputs import OUTPUTS
from fgcompile.program import Preprocess, Request, Target
from fgcompile.psi import PSI
from fgcompile.rules import RULES

METHODS = ("fullgrad",)


def check_request(
    *,
    outputs: Sequence[str] = ("logits", "saliency"),
    target: Target = None,
    method: str = "fullgrad",
    psi: str = "fullgrad",
    rules: str = "taylor",
    preprocess: Preprocess | None = None,
) -> Request:
    """The options as one value.

    Raises:
        InputError: Names the option that is wrong, and what it can be.
    """
    one_of("method", method, METHODS)
    one_of("psi", psi, tuple(PSI))
    one_of("rules", rules, tuple(RULES))
    if isinstance(outputs, str) or not outputs:
        raise InputError(f"outputs is {outputs!r}: pass a tuple of names, of {', '.join(OUTPUTS)}")
    for name in outputs:
        one_of("outputs", name, OUTPUTS)
    if isinstance(target, str):
        one_of("target", target, ("predicted",))
    elif target is not None and not callable(target) and (not isinstance(target, int) or isinstance(target, bool)):
        raise InputError(f"target is {target!r}: pass None, a class (int), 'predicted', or a function of the output")
    return Request(tuple(name for name in OUTPUTS if name in outputs), target, psi, preprocess)


def one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    """Checks a named choice.

    Raises:
        InputError: ``value`` is not among ``allowed``.
    """
    if value not in allowed:
        raise InputError(f"{what} is {value!r}, which is not one of {', '.join(map(repr, allowed))}")
