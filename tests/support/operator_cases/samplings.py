"""Sampling an image at the places of a grid, constant or computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _sampling(name: str, mode: str, padding: str, aligned: bool) -> OperatorCase:
    def function(x: Tensor, grid: Tensor) -> Tensor:
        return F.grid_sample(x, grid * 0.5, mode, padding, aligned)

    settings = f"{mode}, {padding}{', aligned' if aligned else ''}"
    return OperatorCase(f"{name}, {settings}", function, ((2, 4, 5), (3, 4, 2)), (), "sampling")


def _case(name: str, function: Callable[..., Tensor], inputs: tuple[Shape, ...], *constants: Shape) -> OperatorCase:
    return OperatorCase(name, function, inputs, constants, "sampling")


def _at_constant_places(x: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(x, grid.expand(x.shape[0], -1, -1, -1), align_corners=False)


def _constant_image(grid: Tensor, image: Tensor) -> Tensor:
    return F.grid_sample(image.expand(grid.shape[0], -1, -1, -1), torch.tanh(grid), align_corners=False)


def _transformed(x: Tensor, parameters: Tensor) -> Tensor:
    """A spatial transformer, whose affine map comes from the input too."""
    grid = F.affine_grid(parameters * 0.3, [x.shape[0], 2, 4, 5], align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def _pixels(x: Tensor) -> Tensor:
    """Places that are the very middles of pixels, where the weights have a kink."""
    identity = torch.eye(2, 3, dtype=x.dtype).expand(x.shape[0], -1, -1)
    return F.grid_sample(x, F.affine_grid(identity, [x.shape[0], 2, 4, 5], align_corners=True), align_corners=True)


SAMPLINGS = (
    _sampling("grid_sample", "bilinear", "zeros", False),
    _sampling("grid_sample", "bilinear", "border", True),
    _sampling("grid_sample", "nearest", "zeros", True),
    _sampling("grid_sample", "nearest", "border", False),
    _case("grid_sample at constant places", _at_constant_places, ((2, 4, 5),), (1, 3, 4, 2)),
    _case("grid_sample of a constant image", _constant_image, ((3, 4, 2),), (1, 2, 4, 5)),
    _case("spatial transformer", _transformed, ((2, 4, 5), (2, 3))),
    _case("affine_grid, identity", _pixels, ((2, 4, 5),)),
)
