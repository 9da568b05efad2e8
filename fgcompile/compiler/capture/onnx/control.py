"""Nodes that have bodies: If, Loop and Scan, taken apart where a graph is built, since one graph has no branches.

What is decided by numbers that are known then is; what is decided by values is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from fgcompile.compiler.capture.onnx.node import Constant
from fgcompile.compiler.capture.onnx.values import Known, Value, as_tensor, is_symbolic, known
from fgcompile.errors import CaptureError

MOST_STEPS = 10_000
"""More steps than anybody unrolls; a loop that never ends has more."""


class Body(Protocol):
    """A graph that a node runs."""

    input_names: tuple[str, ...]
    input_ranks: tuple[int | None, ...]
    output_names: tuple[str, ...]
    reads: tuple[str, ...]

    def run(self, scope: dict[str, Value]) -> list[Value]: ...


class Control(nn.Module):
    """Computes a node that has bodies; these read the scope around it.

    Attributes:
        title: The node's operator and name, as messages have it.
        reads: Names of the scope around it, whose values follow its inputs.
        bodies: The attributes that hold its bodies.
    """

    bodies: tuple[str, ...] = ("body",)

    def __init__(
        self,
        title: str,
        bodies: Mapping[str, Any],
        constants: Mapping[int, Constant],
        inputs: int,
        attributes: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.title, self._count, self._attributes = title, inputs, dict(attributes)
        self._given = {index: one.value for index, one in constants.items()}
        self._bodies = tuple(bodies)
        for name, body in bodies.items():
            self.add_module(name, body)
        self.reads = tuple(dict.fromkeys(name for body in bodies.values() for name in body.reads))
        self.training = False

    def forward(self, *values: Value) -> tuple[Value, ...]:
        """The node's outputs, of its inputs, constants being None there, and of what its bodies read."""
        inputs = [self._given.get(index, value) for index, value in enumerate(values[: self._count])]
        return tuple(self._run(inputs, dict(zip(self.reads, values[self._count :], strict=False))))

    def _run(self, inputs: Sequence[Value], scope: Mapping[str, Value]) -> Sequence[Value]:
        raise NotImplementedError

    def _call(self, name: str, scope: Mapping[str, Value], inputs: Sequence[Value] = ()) -> list[Value]:
        body: Body = getattr(self, name)
        return body.run({**scope, **dict(zip(body.input_names, inputs, strict=False))})

    def _decided(self, value: Value, what: str) -> Any:
        """A number or truth that is known.

        Raises:
            CaptureError: It is computed from values, or from a size that is free.
        """
        if isinstance(value, np.ndarray) and not is_symbolic(value):
            return value.reshape(-1)[0].item()
        by = "a free size, such as the batch's," if is_symbolic(value) else "values"
        raise CaptureError(
            f"{self.title} takes {what} from {by} that the model is given: one graph has no branches; fix that input, "
            "--fix NAME=VALUE, or explain a tensor in front of it, --explained NAME"
        )


class If(Control):
    """One of two branches."""

    bodies = ("then_branch", "else_branch")

    def _run(self, inputs: Sequence[Value], scope: Mapping[str, Value]) -> Sequence[Value]:
        branch = "then_branch" if self._decided(inputs[0], "its condition") else "else_branch"
        return self._call(branch, scope)


class Loop(Control):
    """A body that is computed so many times, or as long as it says; carries values, and stacks others."""

    def _run(self, inputs: Sequence[Value], scope: Mapping[str, Value]) -> Sequence[Value]:
        limit, condition, carried = inputs[0], inputs[1], list(inputs[2:])
        most = None if limit is None else self._decided(limit, "its number of steps")
        goes_on = condition is None or self._decided(condition, "its condition")
        collected: list[list[Value]] = []
        step = 0
        while goes_on and (most is None or step < most):
            state = [self._with_axes(0, known(step).astype(np.int64)), self._with_axes(1, known(True)), *carried]
            results = self._call("body", scope, state)
            # One that no number bounds may end by its condition alone, which then has to be known at each step.
            goes_on = self._goes_on(results[0], most is not None and condition is None)
            carried = results[1 : 1 + len(carried)]
            collected.append(results[1 + len(carried) :])
            step += 1
            self._require_few(step)
        return [*carried, *self._stacked(collected)]

    def _with_axes(self, place: int, number: Known) -> Known:
        """The step or the condition with the axes that the body says: some writers give it one of size 1."""
        body: Body = self.get_submodule("body")  # type: ignore[assignment]  # an OnnxGraph
        return number.reshape((1,) * (body.input_ranks[place] or 0))

    def _goes_on(self, condition: Value, ignored: bool) -> bool:
        # ``trip count`` alone decides where the node is given no condition.
        return ignored or bool(self._decided(condition, "its condition"))

    def _require_few(self, steps: int) -> None:
        if steps >= MOST_STEPS:
            raise CaptureError(f"{self.title} has {MOST_STEPS} steps or more: fgcompile unrolls loops")

    def _stacked(self, collected: Sequence[Sequence[Value]]) -> list[Value]:
        if not collected:
            body: Body = self.get_submodule("body")  # type: ignore[assignment]  # an OnnxGraph
            outputs = len(body.output_names) - len(body.input_names) + 1
            if outputs:
                raise CaptureError(f"{self.title} has no step, and outputs whose shapes only a step would tell")
            return []
        return [stack(each, 0) for each in zip(*collected, strict=True)]


class Scan(Control):
    """A body that is computed for each slice of its inputs; carries states, and stacks the slices that it returns."""

    def _run(self, inputs: Sequence[Value], scope: Mapping[str, Value]) -> Sequence[Value]:
        count = self._attributes["num_scan_inputs"]
        states, scanned = list(inputs[: len(inputs) - count]), [as_tensor(each) for each in inputs[-count:]]
        axes = self._of("scan_input_axes", count)
        backwards = self._of("scan_input_directions", count)
        length = self._length(scanned, axes)
        collected: list[list[Value]] = []
        for step in range(length):
            at = [length - 1 - step if backward else step for backward in backwards]
            slices = [each.select(axis, index) for each, axis, index in zip(scanned, axes, at, strict=True)]
            results = self._call("body", scope, [*states, *slices])
            states = results[: len(states)]
            collected.append(results[len(states) :])
        outputs = list(zip(*collected, strict=True))
        axes, backwards = self._of("scan_output_axes", len(outputs)), self._of("scan_output_directions", len(outputs))
        whole = [each[::-1] if backward else each for each, backward in zip(outputs, backwards, strict=True)]
        return [*states, *(stack(each, axis) for each, axis in zip(whole, axes, strict=True))]

    def _of(self, name: str, count: int) -> list[int]:
        return list(self._attributes.get(name) or [0] * count)

    def _length(self, scanned: Sequence[torch.Tensor], axes: Sequence[int]) -> int:
        size = scanned[0].shape[axes[0]]
        if not isinstance(size, int):
            raise CaptureError(f"{self.title} runs along an axis of a free size: one graph has a fixed number of steps")
        if not 0 < size < MOST_STEPS:
            raise CaptureError(f"{self.title} has {size} steps: fgcompile unrolls 1 to {MOST_STEPS}")
        return size


def stack(values: Sequence[Value], axis: int) -> Value:
    """Values behind each other along a new axis."""
    if all(isinstance(value, np.ndarray) for value in values):
        arrays = [np.asarray(value) for value in values]
        symbols = any(map(is_symbolic, arrays))
        return known(np.stack([each.astype(object) for each in arrays], axis)) if symbols else np.stack(arrays, axis)
    return torch.stack([as_tensor(value) for value in values], axis)


CONTROL: dict[str, type[Control]] = {"If": If, "Loop": Loop, "Scan": Scan}
"""Operators that have bodies."""
