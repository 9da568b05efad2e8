"""A model together with the score that is explained, so that what the score computes has biases too.

A score that is a function of the model's output is part of ``f``: completeness holds for it only if its operators are
exposed like the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.compiler.capture.binding import argument_names, input_names
from fgcompile.compiler.ir.model_output import explained, require_score
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.errors import FgcompileError, ScoreError, first_line

PREFIX = "wrapped_model"
"""What the layers' names begin with in the wrapped model."""


class Scored(nn.Module):
    """``(outputs, score(outputs, extras))``: the model's inputs first, then the score's own, which are constants to it.

    Args:
        model: The model.
        score: Maps the output, and its own inputs by name, to ``(N,)``.
        output: Which of the model's outputs the score takes; None for all that there is.
        extras: The names of the score's own inputs.
    """

    def __init__(
        self,
        model: nn.Module | ExportedProgram,
        score: Callable[..., Tensor],
        output: str | int | None,
        extras: Sequence[str],
    ) -> None:
        super().__init__()
        self.wrapped_model = model.module() if isinstance(model, ExportedProgram) else model
        self._call = model.call_spec.in_spec if isinstance(model, ExportedProgram) else None
        self._names = input_names(model) if self._call is not None and self._call.child(1).num_leaves else None
        self.training = False
        self._score, self._output, self._extras = score, output, tuple(extras)

    @property
    def own(self) -> int:
        """How many inputs are the score's own, the last ones."""
        return len(self._extras)

    def forward(self, *inputs: Tensor) -> tuple[Any, Tensor]:
        count = len(inputs) - len(self._extras)
        args, keywords = (
            (inputs[:count], {}) if self._call is None else pytree.tree_unflatten(inputs[:count], self._call)
        )
        outputs = self.wrapped_model(*args, **keywords)
        own = {name: value.detach() for name, value in zip(self._extras, inputs[count:], strict=True)}
        return outputs, self._scored(outputs if self._output is None else explained(outputs, self._output), own)

    def _scored(self, outputs: Any, own: dict[str, Tensor]) -> Tensor:
        try:
            score = self._score(outputs, **own)
        except FgcompileError:
            raise
        except Exception as error:  # the user's own function may raise anything
            raise ScoreError(f"the score cannot be computed from the model's output: {first_line(error)}") from error
        return require_score(score)

    def input_names(self, count: int) -> list[str]:
        """The names of ``count`` inputs: the model's parameters', then the score's."""
        own = count - len(self._extras)
        names = argument_names(self.wrapped_model, own) if self._names is None else self._names
        return [*names, *self._extras]


def unwrapped_name(name: str) -> str:
    """A layer's or parameter's name in the model itself."""
    # Twice where a model that takes its inputs by name has a score too.
    while name == PREFIX or name.startswith(f"{PREFIX}."):
        name = name.removeprefix(PREFIX).removeprefix(".")
    return name


def unwrapped(stack: Mapping[str, tuple[str, Any]] | None) -> dict[str, tuple[str, Any]]:
    """A node's modules, outermost first, by their names in the model itself; the score's own code is ``score``."""
    modules = {key: (unwrapped_name(path), kind) for key, (path, kind) in (stack or {}).items()}
    wrapped = any(kind in (Scored, f"{__name__}.Scored") for _, kind in modules.values())
    if wrapped and len(modules) == 1:
        return {"score": ("score", "")}
    return modules
