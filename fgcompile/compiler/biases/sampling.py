"""Sampling an image at the places of a grid: linear in the image, and piecewise smooth in the grid."""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.biases.rule import Application, Bias, BiasCall, BiasRule, Homogeneous, Implicit

aten = torch.ops.aten


def _tangent_in_grid(application: Application) -> Tensor:
    """``J_grid grid`` by one VJP with ones, each channel an image by itself; PyTorch has no second derivative."""
    image, grid, *modes = (application.arguments[a.name] for a in aten.grid_sampler_2d.default._schema.arguments)
    channels, height, width = image.shape[1:]
    with torch.enable_grad():
        places = grid.unsqueeze(1).expand(-1, channels, -1, -1, -1).flatten(0, 1).detach().requires_grad_()
        samples = aten.grid_sampler_2d.default(image.reshape(-1, 1, height, width), places, *modes)
        (slopes,) = torch.autograd.grad(samples, places, torch.ones_like(samples))
    tangent: Tensor = (slopes * places.detach()).sum(-1)
    return tangent.reshape(-1, *application.output.shape[1:])


def _sampling(call: BiasCall) -> Bias:
    # Linear in the image, so of b = y − J_image image − J_grid grid the first two cancel where the image is active.
    if not call.is_active("grid"):
        return Homogeneous(1)
    if call.is_active("input"):
        return Implicit(lambda application: -_tangent_in_grid(application))
    return Implicit(lambda application: application.output - _tangent_in_grid(application))


SAMPLING: dict[torch._ops.OpOverload, BiasRule] = {
    aten.grid_sampler_2d.default: BiasRule(
        "sampling", _sampling, "closed form: −J_grid grid, by one VJP; nothing for a constant grid"
    ),
}
