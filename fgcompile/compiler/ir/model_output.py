"""Which of a model's outputs is explained."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from torch import Tensor

from fgcompile.artifact.names import is_predicted
from fgcompile.compiler.ir.programs import BiasedProgram, CapturedProgram
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.errors import ScoreError

LOGITS = ("logits", "out")
"""What libraries call the output that is meant when they return several."""


def put_together(program: CapturedProgram | BiasedProgram, flat: Iterable[Any]) -> Any:
    """A program's flat outputs in the model's own structure, what is no tensor in its place."""
    constants, tensors = program.output_constants, iter(flat)
    count = program.output_spec.num_leaves
    leaves = [constants[index] if index in constants else next(tensors) for index in range(count)]
    return pytree.tree_unflatten(leaves, program.output_spec)


def explained(structure: Any, output: str | int | None = None) -> Any:
    """The model's output that is explained.

    Args:
        structure: A tensor, or a tuple, mapping or dataclass of outputs.
        output: A name or position in it; None for the only tensor, or the one that is called ``logits`` or ``out``.

    Raises:
        ScoreError: There is no such output, or there are several and none is named.
    """
    if isinstance(structure, Tensor) and output is None:
        return structure
    named = _named(structure)
    if output is not None:
        if output not in named and isinstance(output, int) and 0 <= output < len(named):
            return list(named.values())[output]  # by position, of what has names too
        if output not in named:
            if len(named) == 1:
                raise ScoreError(f"the model has no output {output!r}, it has one alone: leave output= out")
            raise ScoreError(f"the model has no output {output!r}: name one of {', '.join(map(repr, named))}")
        return named[output]
    # What libraries return beside the logits (losses, hidden states, caches) does not make the choice ambiguous;
    # several tensors of which none has a usual name do.
    tensors = [value for value in named.values() if isinstance(value, Tensor)]
    usual = [named[name] for name in LOGITS if name in named]
    if usual or len(tensors) == 1:
        return (usual or tensors)[0]
    if not tensors:
        raise ScoreError("the model returns no tensor: there is nothing to explain")
    raise ScoreError(f"the model has several outputs: name the one explained, output= one of {list(named)}")


def main_output(structure: Any, output: str | int | None = None) -> Tensor:
    """The tensor that the artifact returns as ``logits`` beside a score of its own: as ``explained``, or the first.

    Raises:
        ScoreError: The model returns no tensor.
    """
    tensors = [leaf for leaf in pytree.tree_leaves(structure) if isinstance(leaf, Tensor)]
    named = _named(structure)
    if output is not None or any(name in named for name in LOGITS) or not tensors:
        return cast(Tensor, explained(structure, output))
    return tensors[0]


def other_outputs(structure: Any, chosen: Tensor, taken: Collection[str] = ()) -> dict[str, Tensor]:
    """The tensors that a model returns beside the one that is called ``logits``, by their names.

    A mapping's or dataclass's are its own, ``output_1`` is the second of a tuple; what is nested has its key behind a
    dot. A name that is an explanation's, or ``taken``, has ``model_`` in front.
    """
    own = {}
    for key, value in _named(structure).items():
        name = f"output_{key}" if isinstance(key, int) else str(key)
        leaves, _ = pytree.tree_flatten_with_path(value)
        for path, leaf in leaves:
            if isinstance(leaf, Tensor) and leaf is not chosen:
                full = ".".join([name, *(str(getattr(each, "key", getattr(each, "idx", each))) for each in path)])
                reserved = full == LOGITS[0] or not is_predicted(full) or full in taken
                own[f"model_{full}" if reserved else full] = leaf
    return own


def _named(structure: Any) -> dict[str | int, Any]:
    if isinstance(structure, Mapping):
        return dict(structure)
    if isinstance(structure, tuple | list):
        fields = getattr(structure, "_fields", range(len(structure)))
        return dict(zip(fields, structure, strict=True))
    return {0: structure}


def require_score(value: Any) -> Tensor:
    """A score, which is one scalar per sample, ``(N,)``.

    Raises:
        ScoreError: It is something else.
    """
    if isinstance(value, Tensor) and value.ndim == 1:
        return value
    found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    raise ScoreError(f"the score has shape {found}: it must be one scalar per sample, (N,)")
