"""Draws descriptions: every draw is valid, since the graph is evaluated while it grows.

The evaluation also keeps values near one, by scales, and sets equal elements apart, by offsets, in front of an operator
that picks some of them by their order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from random import Random

import torch
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose, Description, Shape, Step
from benchmarks.exactness.random_graphs.elementwise import OFFSETS
from benchmarks.exactness.random_graphs.families import FAMILIES, OPERATORS
from benchmarks.exactness.random_graphs.network import apply_step, build_layer, sample_inputs

INPUTS: tuple[Shape, ...] = ((3, 8, 8), (2, 7, 9), (4, 6, 5), (3, 11), (4, 8), (6, 5), (2, 4, 5, 4), (6,))
SAMPLES = 8
"""The batch that the graph is evaluated on while it grows."""
LARGEST = 800
"""An operator that would make a value of more elements is followed by no other on that value."""


def draw_description(choose: Choose, most_steps: int = 7) -> Description:
    """One description; the same choices give the same one."""
    shape = choose(INPUTS)
    inputs: tuple[Shape, ...] = (shape,)
    if choose([False, False, True]):
        inputs = (shape, choose([shape, *INPUTS]))
    growth = _Growth(choose, inputs, choose(range(1000)))
    for _ in range(choose(range(1, most_steps + 1))):
        growth.add_step()
    return Description(inputs, tuple(growth.steps), growth.seed)


def draw_seeded(seed: int, index: int) -> Description:
    """The description of a number, for sweeps that can be repeated and resumed."""
    return draw_description(Random(f"{seed}/{index}").choice)


class _Growth:
    """A graph while it grows."""

    def __init__(self, choose: Choose, inputs: Sequence[Shape], seed: int) -> None:
        self.choose = choose
        self.seed = seed
        self.values = sample_inputs(inputs, SAMPLES, seed)
        self.inputs = len(inputs)
        self.steps: list[Step] = []
        self.layers: list[nn.Module] = []

    def add_step(self) -> None:
        """Draws one operator on a recent value, in front of it offsets where it needs them."""
        operand = self._draw_operand()
        if self._repeat_layer(operand):
            return
        candidates = self._candidates(operand)
        family = self.choose(list(candidates))
        name = self.choose(list(candidates[family]))
        operands = self.choose(candidates[family][name])
        if OPERATORS[name].selects and _has_ties(self.values[operand]):
            operands = (self._append(Step(OFFSETS, (operand,))),)
        settings = OPERATORS[name].draw(self.choose, [self._shape(index) for index in operands])
        self._append(Step(name, operands, settings))

    def _shape(self, index: int) -> Shape:
        return tuple(self.values[index].shape[1:])

    def _draw_operand(self) -> int:
        """A value, the latest ones most often; those that have grown too large rest."""
        fitting = [index for index in range(len(self.values)) if math.prod(self._shape(index)) <= LARGEST]
        return self.choose([fitting[-1], fitting[-1], *reversed(fitting)])

    def _candidates(self, operand: int) -> dict[str, dict[str, list[tuple[int, ...]]]]:
        """By family and operator, the operands that it takes, ``operand`` first."""
        found: dict[str, dict[str, list[tuple[int, ...]]]] = {}
        others = [index for index in range(len(self.values)) if index != operand]
        for family, operators in FAMILIES.items():
            for name, operator in operators.items():
                rests = product(others, repeat=operator.arity - 1)
                fitting = [
                    (operand, *rest)
                    for rest in rests
                    if operator.applies([self._shape(index) for index in (operand, *rest)])
                ]
                if fitting:
                    found.setdefault(family, {})[name] = fitting
        return found

    def _repeat_layer(self, operand: int) -> bool:
        """Now and then calls a layer with weights again, where an earlier one takes the same shape."""
        shared = [
            index
            for index, step in enumerate(self.steps)
            if step.layer is None
            and len(step.operands) == 1
            and next(self.layers[index].parameters(), None) is not None
            and self._shape(step.operands[0]) == self._shape(operand)
            and step.operands[0] != operand
        ]
        if not shared or not self.choose([False, False, True]):
            return False
        first = self.choose(shared)
        self._append(Step(self.steps[first].operator, (operand,), self.steps[first].settings, layer=first))
        return True

    def _append(self, step: Step) -> int:
        """Evaluates a step, gives it the scale that it needs, and returns its value's position."""
        shapes = [self._shape(index) for index in step.operands]
        index = len(self.steps)
        layer = build_layer(step, shapes, self.seed + index) if step.layer is None else self.layers[step.layer]
        with torch.no_grad():
            value = apply_step(step, layer, self.values)
            step = Step(step.operator, step.operands, step.settings, step.layer, _scale(value))
            self.values.append(value * step.scale)
        self.steps.append(step)
        self.layers.append(layer)
        return len(self.values) - 1


def _scale(value: Tensor) -> float:
    """The power of two that brings the root mean square near one; 1.0 where it is not far from it, or zero."""
    size = value.square().mean().sqrt().item()
    if size == 0 or 0.25 <= size <= 2:
        return 1.0
    return float(2.0 ** -round(math.log2(size)))


def _has_ties(value: Tensor) -> bool:
    flat = value.flatten(1)
    return any(len(sample.unique()) < len(sample) for sample in flat)
