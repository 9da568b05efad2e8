"""Activations, softmax and normalisations."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _activation(
    name: str, function: Callable[..., Tensor], shape: Shape = (3, 4, 5), *constants: Shape, positive: bool = False
) -> OperatorCase:
    return OperatorCase(name, function, (shape,), constants, "activation", positive)


ACTIVATIONS = (
    _activation("relu", lambda x: F.relu(x)),
    _activation("relu6", lambda x: F.relu6(x)),
    _activation("hardtanh", lambda x: F.hardtanh(x, -0.5, 1.5)),
    _activation("clamp", lambda x: x.clamp(-0.5, 1.5)),
    _activation("clamp below", lambda x: x.clamp(min=-0.5)),
    _activation("leaky_relu", lambda x: F.leaky_relu(x, 0.1)),
    _activation("prelu", F.prelu, (3, 4, 5), (3,)),
    _activation("prelu, one weight", F.prelu, (3, 4, 5), (1,)),
    _activation("rrelu", lambda x: F.rrelu(x, training=False)),
    _activation("elu", lambda x: F.elu(x, 0.7)),
    _activation("selu", lambda x: F.selu(x)),
    _activation("celu", lambda x: F.celu(x, 0.7)),
    _activation("gelu", F.gelu),
    _activation("gelu tanh", lambda x: F.gelu(x, approximate="tanh")),
    _activation("quick gelu", lambda x: x * torch.sigmoid(1.702 * x)),
    _activation("silu", lambda x: F.silu(x)),
    _activation("mish", lambda x: F.mish(x)),
    _activation("sigmoid", torch.sigmoid),
    _activation("tanh", torch.tanh),
    _activation("softplus", lambda x: F.softplus(x, 2.0, 3.0)),
    _activation("logsigmoid", F.logsigmoid),
    _activation("hardswish", lambda x: F.hardswish(x)),
    _activation("hardsigmoid", lambda x: F.hardsigmoid(x)),
    _activation("hardshrink", F.hardshrink),
    _activation("softshrink", lambda x: F.softshrink(x)),
    _activation("tanhshrink", F.tanhshrink),
    _activation("softsign", F.softsign),
    _activation("threshold", lambda x: F.threshold(x, 0.5, -1.0)),
    _activation("glu", lambda x: F.glu(x, 1), (4, 3, 5)),
    _activation("abs", torch.abs),
    _activation("exp", torch.exp),
    _activation("sin", torch.sin),
    _activation("cos", torch.cos),
    _activation("erf", torch.erf),
    _activation("log", torch.log, positive=True),
    _activation("sqrt", torch.sqrt, positive=True),
    _activation("rsqrt", torch.rsqrt, positive=True),
    _activation("reciprocal", torch.reciprocal, positive=True),
    _activation("square", torch.square),
    _activation("pow 3", lambda x: x**3),
    _activation("pow 1.5", lambda x: x**1.5, positive=True),
    _activation("logit, clamped", lambda x: torch.logit(torch.sigmoid(x), 0.2)),
    _activation("logit", lambda x: torch.logit(torch.sigmoid(x))),
    *(_activation(f.__name__, f) for f in (torch.tan, torch.atan, torch.sinh, torch.cosh, torch.expm1, torch.neg)),
    *(_activation(f.__name__, f, positive=True) for f in (torch.log2, torch.log10, torch.log1p)),
    _activation("asin", lambda x: torch.asin(torch.tanh(x) * 0.9)),
    _activation("acos", lambda x: torch.acos(torch.tanh(x) * 0.9)),
    _activation("number to a power", lambda x: 2.0**x),
    OperatorCase("power", torch.pow, ((3, 4), (3, 4)), family="activation", positive=True),
    OperatorCase("power of a constant", lambda x, w: w.abs() ** x, ((3, 4),), ((3, 4),), "activation"),
    OperatorCase("power, broadcast", torch.pow, ((3, 4), (3, 1)), family="activation", positive=True),
    OperatorCase("atan2", torch.atan2, ((3, 4), (3, 4)), family="activation"),
    OperatorCase("atan2, broadcast", torch.atan2, ((3, 1), (3, 4)), family="activation"),
    _activation("softmax", lambda x: F.softmax(x, -1)),
    _activation("softmin", lambda x: F.softmin(x, 1)),
    _activation("logaddexp", lambda x: torch.logaddexp(x, 1 - x)),
    _activation("xlogy", lambda x: torch.xlogy(x, x), positive=True),
    _activation("hypot", lambda x: torch.hypot(x, x + 3)),
    _activation("remainder", lambda x: torch.remainder(x, 1.5)),
    _activation("softmax over channels", lambda x: F.softmax(x, 1)),
    _activation("log_softmax", lambda x: F.log_softmax(x, -1)),
    _activation("layer_norm", lambda x, w, b: F.layer_norm(x, (5,), w, b), (4, 5), (5,), (5,)),
    _activation("layer_norm over two axes, plain", lambda x: F.layer_norm(x, (4, 5)), (3, 4, 5)),
    _activation("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b), (4, 3, 5), (4,), (4,)),
    _activation("group_norm, transposed", lambda x, w: F.group_norm(x.transpose(2, 3), 2, w), (4, 3, 5), (4,)),
    _activation("instance_norm", lambda x, w, b: F.instance_norm(x, weight=w, bias=b), (3, 4, 5), (3,), (3,)),
    _activation(
        "batch_norm", lambda x, m, v, w, b: F.batch_norm(x, m, v.abs(), w, b), (3, 4, 5), (3,), (3,), (3,), (3,)
    ),
    _activation("rms_norm", lambda x, w: F.rms_norm(x, (5,), w), (4, 5), (5,)),
    _activation("normalize", lambda x: F.normalize(x, dim=1)),
)
