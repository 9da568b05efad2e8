"""What a model returns when it is tried: tensors, or else there is nothing to explain, and numbers in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from torch import Tensor, nn

from fgcompile.compiler.capture.scored import unwrapped_name
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.compiler.ir.weights import ADVICE, BUFFER, PARAMETER, not_numbers
from fgcompile.errors import CaptureError, ScoreError

LONGEST = 40
"""Of a value that is shown as it is, in characters."""


def require_tensors(returned: Any, name: str) -> None:
    """Refuses what holds no tensor that a graph could return.

    Raises:
        ScoreError: Says what the model ``name`` returned.
    """
    if any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(returned)):
        return
    forgotten = " (its forward may lack a return)" if returned is None else ""
    register = ", or register its class by torch.export.register_dataclass" if is_dataclass(returned) else ""
    raise ScoreError(
        f"{name} returns {_describe(returned)}{forgotten}, in which no tensor is found to explain: "
        f"return logits (N, K), or a tuple or dict that has them{register}"
    )


def require_weights(returned: Any, model: nn.Module, name: str) -> None:
    """Refuses a model that returns NaN or infinity where its own weights hold some.

    Raises:
        CaptureError: Names the parameter or buffer.
    """
    floats = (leaf for leaf in pytree.tree_leaves(returned) if isinstance(leaf, Tensor) and leaf.is_floating_point())
    if all(leaf.isfinite().all() for leaf in floats):
        return
    parameters = ((PARAMETER, path, value) for path, value in model.named_parameters())
    buffers = ((BUFFER, path, value) for path, value in model.named_buffers())
    named = (
        (kind, unwrapped_name(path).removeprefix("converted."), value) for kind, path, value in (*parameters, *buffers)
    )
    if found := not_numbers(named):
        raise CaptureError(f"{name} returns NaN or infinite numbers, since its {found}: {ADVICE}")


def _describe(returned: Any) -> str:
    kind = type(returned).__name__
    if returned is None or isinstance(returned, bool | int | float | str):
        shown = repr(returned)
        return shown if len(shown) <= LONGEST else f"a {kind}"
    if isinstance(returned, Mapping | list | tuple | set) and not returned:
        return f"an empty {kind}"
    if isinstance(returned, Mapping | list | tuple):
        values = returned.values() if isinstance(returned, Mapping) else returned
        return f"a {kind} of {', '.join(sorted({type(value).__name__ for value in values}))}"
    return f"an object of class {kind}"
