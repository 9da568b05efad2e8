"""Fused graphs against eager autograd in float64, at several batch sizes: the oracle of tests of whole networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fgcompile.compiler.pipeline import fuse

BATCHES = (1, 2, 5)
Shape = tuple[int, ...]
Ids = Mapping[str, Any]
"""An input of integers: ``shape`` for each sample, and ``ids``, how many there are."""


def first_logit(output: Tensor) -> Tensor:
    """The first class's logit ``(N,)``."""
    return output[:, 0]


def assert_right(
    model: nn.Module,
    *inputs: Shape | Ids,
    score: Callable[[Any], Tensor] = first_logit,
    rules: Sequence[str] = ("taylor",),
    other_sizes: Sequence[Sequence[Shape]] = (),
) -> None:
    """Holds logits and completeness to the eager model, and the gradient too under the true derivatives.

    Args:
        model: In any dtype; it is compared in float64.
        inputs: The shape of each, without the batch.
        score: What is explained.
        rules: The rule sets.
        other_sizes: Shapes of the inputs at which dynamic sizes are tried; where there are any, the sizes are dynamic.
    """
    model = model.double().eval()
    floats = not all(isinstance(shape, Mapping) for shape in inputs)
    outputs = ("logits", "contributions", *["input_gradient"] * floats)
    for name in rules:
        options: dict[str, Any] = {"rules": name, "outputs": outputs, "dynamic_sizes": bool(other_sizes)}
        program = fuse(model, draw(inputs, 2), target=score, **options)
        names = [spec.name for spec in program.outputs]
        for shapes in (inputs, *other_sizes):
            for batch in BATCHES:
                _compare(model, program.graph_module, names, draw(shapes, batch), score, name == "taylor")


def draw(shapes: Sequence[Shape | Ids], batch: int) -> tuple[Tensor, ...]:
    """Inputs ``(batch, …)``: N(0, 1) in float64, or ids."""
    return tuple(
        torch.randint(shape["ids"], (batch, *shape["shape"]))
        if isinstance(shape, Mapping)
        else torch.randn(batch, *shape, dtype=torch.float64)
        for shape in shapes
    )


def _compare(
    model: nn.Module,
    fused: nn.Module,
    names: Sequence[str],
    inputs: Sequence[Tensor],
    score: Callable[[Any], Tensor],
    true_derivatives: bool,
) -> None:
    leaves = [value.clone().requires_grad_(value.is_floating_point()) for value in inputs]
    output = model(*leaves)
    explained = score(output)
    with torch.no_grad():
        found = dict(zip(names, fused(*inputs), strict=True))
    if isinstance(output, Tensor):
        torch.testing.assert_close(found["logits"], output.detach(), rtol=1e-9, atol=1e-9)
    terms = found["contributions"]
    error = (terms.sum(1) - explained.detach()).abs() / terms.abs().sum(1)
    assert error.max() <= 1e-9
    of = [leaf for leaf in leaves if leaf.requires_grad]
    gradients = [value for name, value in found.items() if name.startswith("input_gradient")]
    if true_derivatives and of:
        expected = torch.autograd.grad(explained.sum(), of, materialize_grads=True)
        torch.testing.assert_close(gradients, list(expected), rtol=1e-9, atol=1e-9)
