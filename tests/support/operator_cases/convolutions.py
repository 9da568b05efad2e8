"""Convolutions and transposed convolutions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _convolution(
    name: str, shape: Shape, weight: Shape, *, bias: bool = False, transposed: bool = False, **arguments: object
) -> OperatorCase:
    rank = len(shape) - 1
    kind = "conv_transpose" if transposed else "conv"
    operator = getattr(F, f"{kind}{rank}d")
    outputs = weight[1] * int(str(arguments.get("groups", 1))) if transposed else weight[0]

    def function(x: Tensor, w: Tensor, *b: Tensor) -> Tensor:
        result: Tensor = operator(x, w, *b, **arguments)
        return result

    constants = (weight, (outputs,)) if bias else (weight,)
    return OperatorCase(f"{kind}{rank}d {name}", function, (shape,), constants, "convolution")


CONVOLUTIONS = (
    _convolution("k3 p1", (3, 8, 9), (4, 3, 3, 3), padding=1, bias=True),
    _convolution("k3 p0", (3, 8, 9), (4, 3, 3, 3)),
    _convolution("k1", (3, 5, 5), (4, 3, 1, 1)),
    _convolution("k1 p1, crops", (3, 5, 5), (4, 3, 1, 1), padding=1),
    _convolution("k3x1 p2x0, crops", (2, 6, 5), (3, 2, 1, 3), padding=(2, 0)),
    _convolution("k5x3 p1", (2, 9, 8), (3, 2, 5, 3), padding=(2, 1)),
    _convolution("k3 d2 p2", (2, 9, 8), (3, 2, 3, 3), padding=2, dilation=2),
    _convolution("k4 'same'", (2, 9, 8), (3, 2, 4, 4), padding="same"),
    _convolution("groups 2", (4, 6, 6), (6, 2, 3, 3), padding=1, groups=2),
    _convolution("depthwise", (4, 6, 6), (4, 1, 3, 3), padding=1, groups=4),
    _convolution("depthwise ×2", (3, 6, 6), (6, 1, 3, 3), padding=1, groups=3),
    _convolution("few channels k3 s2 p1", (3, 9, 8), (4, 3, 3, 3), padding=1, stride=2),
    _convolution("k3 s2 p1", (16, 9, 8), (4, 16, 3, 3), padding=1, stride=2),
    _convolution("k3 s2 p0", (16, 9, 8), (4, 16, 3, 3), stride=2),
    _convolution("k4 s2 p1", (16, 8, 8), (4, 16, 4, 4), padding=1, stride=2),
    _convolution("k5 s2 p2", (16, 9, 8), (4, 16, 5, 5), padding=2, stride=2),
    _convolution("k7 s2 p3", (16, 12, 11), (4, 16, 7, 7), padding=3, stride=2),
    _convolution("k3 s2 p3, crops", (16, 7, 8), (4, 16, 3, 3), padding=3, stride=2),
    _convolution("k3x4 s1x2", (16, 7, 9), (4, 16, 3, 4), padding=(1, 0), stride=(1, 2)),
    _convolution("k3x1 s2x1", (16, 7, 6), (4, 16, 3, 1), stride=(2, 1)),
    _convolution("k1 s2", (16, 7, 8), (4, 16, 1, 1), stride=2),
    _convolution("k2 s2", (16, 8, 8), (4, 16, 2, 2), stride=2),
    _convolution("k4 s4", (3, 12, 8), (4, 3, 4, 4), stride=4),
    _convolution("k3 s4, gaps", (3, 12, 9), (4, 3, 3, 3), stride=4),
    _convolution("k3 p0, to one position", (4, 3, 3), (5, 4, 3, 3), bias=True),
    _convolution("k3 s2 p1, to one position", (4, 2, 1), (5, 4, 3, 3), padding=1, stride=2),
    _convolution("k2 s4, to one position, gaps", (4, 3, 3), (5, 4, 2, 2), stride=4),
    _convolution("depthwise, to one position", (4, 3, 2), (4, 1, 3, 3), padding=(0, 1), stride=2, groups=4),
    _convolution("k7 s4 p3", (3, 13, 16), (4, 3, 7, 7), stride=4, padding=3),
    _convolution("k3 s3 d2", (3, 13, 14), (4, 3, 3, 3), stride=3, dilation=2, padding=1),
    _convolution("k3 s2 d2 p2", (16, 9, 10), (4, 16, 3, 3), stride=2, dilation=2, padding=2),
    _convolution("groups 4 s2", (16, 9, 8), (8, 4, 3, 3), stride=2, padding=1, groups=4),
    _convolution("depthwise s2", (16, 9, 8), (16, 1, 3, 3), stride=2, padding=1, groups=16),
    _convolution("depthwise k5 s2", (16, 9, 8), (16, 1, 5, 5), stride=2, padding=2, groups=16),
    _convolution("k3 p1", (3, 9), (4, 3, 3), padding=1),
    _convolution("k5 s2 p2", (16, 9), (4, 16, 5), padding=2, stride=2),
    _convolution("k3 d4 groups", (4, 12), (4, 2, 3), padding=4, dilation=4, groups=2),
    _convolution("k3 p1", (2, 4, 5, 5), (3, 2, 3, 3, 3), padding=1),
    _convolution("k3 s1x2x2", (2, 4, 5, 6), (3, 2, 3, 3, 3), padding=1, stride=(1, 2, 2)),
    _convolution("k2 s2", (3, 5, 4), (3, 2, 2, 2), transposed=True, stride=2, bias=True),
    _convolution("k3 s2 p1 o1", (3, 5, 4), (3, 2, 3, 3), transposed=True, stride=2, padding=1, output_padding=1),
    _convolution("k4 s2 p1 groups", (4, 5, 4), (4, 2, 4, 4), transposed=True, stride=2, padding=1, groups=2),
    _convolution("k3 d3 o2", (3, 5, 4), (3, 2, 3, 3), transposed=True, dilation=3, output_padding=2),
    _convolution("k4 s2", (3, 7), (3, 2, 4), transposed=True, stride=2),
    _convolution("k2 s2", (3, 2, 3, 3), (3, 2, 2, 2, 2), transposed=True, stride=2),
)
