"""The one table of operator cases: small functions of float tensors, with the arguments that models give them.

Every registry of the compiler (lowerings, biases) is checked against this table. A row names an operator's use, the
function, and the shapes of its inputs (without the batch, which comes first) and of its constants (weights). To cover a
new operator, add a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True)
class OperatorCase:
    """One use of an operator.

    Attributes:
        name: Unique; what the row shows, e.g. ``"conv2d k3 s2 p1"``.
        function: Maps the inputs, then the constants, to one tensor whose first axis is the batch.
        inputs: Shapes of the activations, without the batch.
        constants: Shapes of the weights.
        family: The kind of operator, which is also the name of its file in ``fgcompile/lowering``.
        positive: Whether the inputs have to be above zero (logarithms, roots).
    """

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[Shape, ...]
    constants: tuple[Shape, ...] = ()
    family: str = ""
    positive: bool = False

    def make_constants(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
        """Random weights, the same ones on every call."""
        generator = torch.Generator().manual_seed(1)
        return tuple(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in self.constants)

    def make_inputs(self, batch: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, ...]:
        """Random inputs ``(batch, *shape)``, the same ones for the same seed."""
        generator = torch.Generator().manual_seed(seed + 2)
        inputs = (torch.randn((batch, *shape), generator=generator, dtype=torch.float64) for shape in self.inputs)
        return tuple((value.abs() + 0.1 if self.positive else value * 2.0).to(dtype) for value in inputs)


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


def _pooling(
    name: str, operator: Callable[..., Tensor], shape: Shape, *positional: object, **arguments: object
) -> OperatorCase:
    def function(x: Tensor) -> Tensor:
        return operator(x, *positional, **arguments)

    return OperatorCase(name, function, (shape,), family="pooling")


MAX_POOLINGS = (
    _pooling("max_pool2d k2", F.max_pool2d, (3, 8, 6), 2),
    _pooling("max_pool2d k2, odd size", F.max_pool2d, (3, 9, 7), 2),
    _pooling("max_pool2d k3 s2 p1", F.max_pool2d, (3, 8, 12), 3, 2, 1),
    _pooling("max_pool2d k3 s2 p1, odd size", F.max_pool2d, (3, 9, 11), 3, 2, 1),
    _pooling("max_pool2d k3 s2", F.max_pool2d, (3, 9, 8), 3, 2),
    _pooling("max_pool2d k3 s2, ceil", F.max_pool2d, (3, 8, 10), 3, 2, ceil_mode=True),
    _pooling("max_pool2d k3 s1 p1", F.max_pool2d, (3, 6, 7), 3, 1, 1),
    _pooling("max_pool2d k3", F.max_pool2d, (3, 9, 9), 3),
    _pooling("max_pool2d k5 s3 p2", F.max_pool2d, (3, 11, 13), 5, 3, 2),
    _pooling("max_pool2d k2 s3, gaps", F.max_pool2d, (3, 11, 9), 2, 3),
    _pooling("max_pool2d k3 s2 p1 d2", F.max_pool2d, (3, 11, 9), 3, 2, 1, 2),
    _pooling("max_pool2d k2x3 s1x2 p0x1 d2x1", F.max_pool2d, (3, 7, 9), (2, 3), (1, 2), (0, 1), (2, 1)),
    _pooling("max_pool2d k3 s2 p1, ceil", F.max_pool2d, (3, 8, 9), 3, 2, 1, ceil_mode=True),
    _pooling("max_pool2d k13 s1 p6", F.max_pool2d, (2, 13, 13), 13, 1, 6),
    _pooling("max_pool1d k3 s2 p1", F.max_pool1d, (3, 11), 3, 2, 1),
    _pooling("max_pool3d k2", F.max_pool3d, (2, 4, 6, 5), 2),
    _pooling("max_pool3d k3 s2 p1", F.max_pool3d, (2, 5, 6, 7), 3, 2, 1),
    _pooling("max_pool3d k1x3x3 s1x2x2 p0x1x1", F.max_pool3d, (2, 3, 6, 6), (1, 3, 3), (1, 2, 2), (0, 1, 1)),
    _pooling("adaptive_max_pool2d 1", F.adaptive_max_pool2d, (3, 5, 6), 1),
    _pooling("adaptive_max_pool2d, tiles", F.adaptive_max_pool2d, (3, 6, 8), (3, 2)),
    _pooling("adaptive_max_pool2d, unequal", F.adaptive_max_pool2d, (3, 7, 10), (3, 4)),
    _pooling("adaptive_max_pool2d, enlarges", F.adaptive_max_pool2d, (3, 3, 8), (5, 4)),
    _pooling("adaptive_max_pool1d, unequal", F.adaptive_max_pool1d, (3, 10), 4),
    _pooling("adaptive_max_pool3d, unequal", F.adaptive_max_pool3d, (2, 4, 5, 6), (2, 3, 4)),
    _pooling("max over space", lambda x: x.flatten(2).amax(2), (3, 4, 5)),
)

AVERAGE_POOLINGS = (
    _pooling("avg_pool2d k2", F.avg_pool2d, (3, 8, 6), 2),
    _pooling("avg_pool2d k2, odd size", F.avg_pool2d, (3, 9, 7), 2),
    _pooling("avg_pool2d k2, ceil", F.avg_pool2d, (3, 9, 7), 2, ceil_mode=True),
    _pooling("avg_pool2d k3 s1 p1", F.avg_pool2d, (3, 6, 7), 3, 1, 1),
    _pooling("avg_pool2d k3 s2 p1, ceil", F.avg_pool2d, (3, 8, 9), 3, 2, 1, ceil_mode=True),
    _pooling("avg_pool2d k3 s2 p1, pads not counted", F.avg_pool2d, (3, 8, 9), 3, 2, 1, True, False),
    _pooling("avg_pool2d, divisor", F.avg_pool2d, (3, 8, 9), 3, 2, 1, False, True, 5),
    _pooling("avg_pool2d k2, divisor", F.avg_pool2d, (3, 8, 6), 2, divisor_override=3),
    _pooling("avg_pool2d k2x3 s2x1", F.avg_pool2d, (3, 8, 6), (2, 3), (2, 1)),
    _pooling("avg_pool2d, global", F.avg_pool2d, (3, 7, 7), 7),
    _pooling("avg_pool1d k2", F.avg_pool1d, (3, 8), 2),
    _pooling("avg_pool1d k3 s2 p1", F.avg_pool1d, (3, 9), 3, 2, 1),
    _pooling("avg_pool3d k2", F.avg_pool3d, (2, 4, 6, 5), 2),
    _pooling("avg_pool3d k3 s2 p1, pads not counted", F.avg_pool3d, (2, 5, 6, 7), 3, 2, 1, True, False),
    _pooling("adaptive_avg_pool2d 1", F.adaptive_avg_pool2d, (3, 5, 6), 1),
    _pooling("adaptive_avg_pool2d, tiles", F.adaptive_avg_pool2d, (3, 6, 8), (3, 2)),
    _pooling("adaptive_avg_pool2d, unequal", F.adaptive_avg_pool2d, (3, 7, 10), (3, 4)),
    _pooling("adaptive_avg_pool2d, enlarges", F.adaptive_avg_pool2d, (3, 3, 8), (7, 4)),
    _pooling("adaptive_avg_pool1d, unequal", F.adaptive_avg_pool1d, (3, 10), 4),
    _pooling("adaptive_avg_pool3d, unequal", F.adaptive_avg_pool3d, (2, 4, 5, 6), (2, 3, 4)),
    _pooling("mean over space", lambda x: x.mean((2, 3)), (3, 4, 5)),
    _pooling("lp_pool2d", lambda x: F.lp_pool2d(x, 2.0, 2), (3, 4, 6)),
)


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
    OperatorCase("atan2", torch.atan2, ((3, 4), (3, 4)), family="activation"),
    _activation("softmax", lambda x: F.softmax(x, -1)),
    _activation("softmax over channels", lambda x: F.softmax(x, 1)),
    _activation("log_softmax", lambda x: F.log_softmax(x, -1)),
    _activation("layer_norm", lambda x, w, b: F.layer_norm(x, (5,), w, b), (4, 5), (5,), (5,)),
    _activation("layer_norm over two axes, plain", lambda x: F.layer_norm(x, (4, 5)), (3, 4, 5)),
    _activation("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b), (4, 3, 5), (4,), (4,)),
    _activation("instance_norm", lambda x, w, b: F.instance_norm(x, weight=w, bias=b), (3, 4, 5), (3,), (3,)),
    _activation(
        "batch_norm", lambda x, m, v, w, b: F.batch_norm(x, m, v.abs(), w, b), (3, 4, 5), (3,), (3,), (3,), (3,)
    ),
    _activation("rms_norm", lambda x, w: F.rms_norm(x, (5,), w), (4, 5), (5,)),
    _activation("normalize", lambda x: F.normalize(x, dim=1)),
)


def _interpolation(mode: str, shape: Shape, size: object = None, **arguments: object) -> OperatorCase:
    def function(x: Tensor) -> Tensor:
        return F.interpolate(x, size, mode=mode, **arguments)

    settings = "".join(f", {key} {value}" for key, value in arguments.items())
    name = f"interpolate {mode} {'×'.join(map(str, shape[1:]))} to {size or ''}{settings}"
    return OperatorCase(name, function, (shape,), family="interpolation")


INTERPOLATIONS = (
    _interpolation("nearest", (2, 5), 8),
    _interpolation("nearest", (2, 4, 5), scale_factor=2),
    _interpolation("nearest", (2, 4, 5), (12, 10)),
    _interpolation("nearest", (2, 4, 5), (7, 3)),
    _interpolation("nearest", (2, 4, 5), scale_factor=1.7),
    _interpolation("nearest", (2, 3, 4, 5), scale_factor=2),
    _interpolation("nearest-exact", (2, 5), 8),
    _interpolation("nearest-exact", (2, 4, 5), (7, 3)),
    _interpolation("nearest-exact", (2, 4, 5), scale_factor=3),
    _interpolation("nearest-exact", (2, 3, 4, 5), (4, 4, 9)),
    _interpolation("linear", (2, 5), 8),
    _interpolation("linear", (2, 5), 8, align_corners=True),
    _interpolation("bilinear", (2, 4, 5), scale_factor=2),
    _interpolation("bilinear", (2, 4, 5), (9, 7), align_corners=True),
    _interpolation("bilinear", (2, 8, 9), (3, 4)),
    _interpolation("bilinear", (2, 4, 5), scale_factor=1.7),
    _interpolation("bilinear", (2, 8, 9), (3, 4), antialias=True),
    _interpolation("bicubic", (2, 4, 5), scale_factor=2),
    _interpolation("bicubic", (2, 4, 5), (9, 7), align_corners=True),
    _interpolation("bicubic", (2, 8, 9), (3, 4), antialias=True),
    _interpolation("trilinear", (2, 3, 4, 5), (5, 6, 7)),
    _interpolation("trilinear", (2, 3, 4, 5), scale_factor=2, align_corners=True),
)


def _indexing(name: str, function: Callable[..., Tensor], *inputs: Shape) -> OperatorCase:
    return OperatorCase(name, function, inputs or ((3, 6, 7),), family="indexing")


INDEXINGS = (
    _indexing("slice", lambda x: x[:, 1:, 2:5]),
    _indexing("slice with a step", lambda x: x[:, :, 1::2, ::3]),
    _indexing("slice with a step to the end", lambda x: x[:, :, ::2, 1:6:2]),
    _indexing("select", lambda x: x[:, 1]),
    _indexing("select last", lambda x: x[:, :, -1]),
    _indexing("class token", lambda x: x[:, 0] * 2.0, (5, 4)),
    _indexing("narrow", lambda x: x.narrow(2, 1, 3)),
    _indexing("split", lambda x: torch.mul(*x.split(3, 2))),
    _indexing("chunk", lambda x: torch.add(*x.chunk(2, 2))),
    _indexing("unbind before the batch", lambda x: torch.mul(*x.reshape(-1, 2, 3).transpose(0, 1)), (6,)),
    _indexing("slice before the batch", lambda x: x.transpose(0, 2)[1:3, ::2].transpose(0, 2)),
    _indexing("unbind", lambda x: x.unbind(1)[0] * x.unbind(1)[2]),
    _indexing("constant index", lambda x: x[:, [0, 2, 0]]),
    _indexing("two constant indices", lambda x: x[:, :, [0, 2, 1], [3, 3, 5]]),
    _indexing("index_select", lambda x: x.index_select(2, torch.arange(4, device=x.device) + 1)),
    _indexing("flip", lambda x: x.flip(2, 3)),
    _indexing("roll", lambda x: x.roll((1, -2), (2, 3))),
    _indexing("cat", lambda x, y: torch.cat([x, y], 1), (3, 4, 5), (2, 4, 5)),
    _indexing("stack", lambda x, y: torch.stack([x, y], 2), (3, 4), (3, 4)),
    _indexing("permute, reshape", lambda x: x.permute(0, 2, 3, 1).flatten(1, 2)),
    _indexing("expand", lambda x: x.unsqueeze(2).expand(-1, -1, 4, -1, -1), (3, 2, 5)),
    _indexing("repeat", lambda x: x.repeat(1, 2, 1, 3), (3, 2, 5)),
    _indexing("repeat_interleave", lambda x: x.repeat_interleave(2, 1), (3, 2, 5)),
    _indexing("diagonal", lambda x: x.diagonal(0, 2, 3), (3, 5, 4)),
    _indexing("diagonal, off", lambda x: x.diagonal(1, 1, 2), (4, 5, 3)),
    _indexing("tril", lambda x: x.tril(), (3, 5, 4)),
    _indexing("cumsum", lambda x: x.cumsum(2)),
    _indexing("cumsum, channels", lambda x: x.cumsum(1)),
    _indexing("pad", lambda x: F.pad(x, (1, 2, 0, 3))),
    _indexing("pad, crops", lambda x: F.pad(x, (-1, 2, 1, -2))),
    _indexing("pad with a value", lambda x: F.pad(x, (1, 0, 0, 1), value=2.0)),
    _indexing("reflection_pad1d", lambda x: F.pad(x, (2, 1), mode="reflect"), (3, 6)),
    _indexing("reflection_pad2d", lambda x: F.pad(x, (2, 1, 3, 0), mode="reflect")),
    _indexing("reflection_pad3d", lambda x: F.pad(x, (2, 1, 1, 0, 0, 1), mode="reflect"), (2, 3, 4, 5)),
    _indexing("replication_pad1d", lambda x: F.pad(x, (2, 1), mode="replicate"), (3, 6)),
    _indexing("replication_pad2d", lambda x: F.pad(x, (2, 1, 3, 0), mode="replicate")),
    _indexing("replication_pad3d", lambda x: F.pad(x, (2, 1, 1, 0, 0, 1), mode="replicate"), (2, 3, 4, 5)),
    _indexing("slice_scatter", lambda x, y: torch.slice_scatter(x, y, 2, 1, 4), (3, 6, 7), (3, 3, 7)),
    _indexing("slice_scatter at the end", lambda x, y: torch.slice_scatter(x, y, 3, -2), (3, 6, 7), (3, 6, 2)),
    _indexing("select_scatter", lambda x, y: torch.select_scatter(x, y, 1, 1), (3, 6, 7), (6, 7)),
    _indexing("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), (8, 3, 4)),
    _indexing("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), (2, 4, 6)),
    _indexing("channel_shuffle", lambda x: F.channel_shuffle(x, 2), (4, 3, 3)),
    _indexing("tensor.unfold", lambda x: x.unfold(2, 3, 1)),
    _indexing("tensor.unfold, two axes", lambda x: x.unfold(2, 2, 2).unfold(3, 3, 2)),
    _indexing("im2col", lambda x: F.unfold(x, 3, padding=1, stride=2)),
    _indexing("im2col, patches", lambda x: F.unfold(x, 2, stride=2), (3, 6, 8)),
    _indexing("amax", lambda x: x.amax(1)),
    _indexing("amax over space", lambda x: x.amax((2, 3), keepdim=True)),
    _indexing("amin", lambda x: x.amin(2)),
    _indexing("max along an axis", lambda x: x.max(2).values),
    _indexing("max along an axis, kept", lambda x: x.max(1, keepdim=True)[0]),
    _indexing("min along an axis", lambda x: x.min(3).values),
    _indexing("median", lambda x: x.median(2).values),
    _indexing("topk", lambda x: x.topk(2, 1).values, (5, 4)),
    _indexing("sort", lambda x: x.sort(2).values),
    _indexing("kthvalue", lambda x: x.kthvalue(2, 2).values),
    _indexing("cummax", lambda x: x.cummax(2).values),
    _indexing("gather", lambda x: x.gather(2, x.argsort(2)[:, :, :2])),
    _indexing("maximum", torch.maximum, (3, 4), (3, 4)),
    _indexing("minimum", torch.minimum, (3, 4), (3, 4)),
    _indexing("where", lambda x, y: torch.where(x > 0, x, y), (3, 4), (3, 4)),
    _indexing("masked_fill", lambda x: x.masked_fill(x > 1, -2.0)),
    _indexing("as_strided window", lambda x: F.pad(x, (1, 1)).unfold(3, 3, 1)),
    _indexing("prod", lambda x: x.prod(2)),
    _indexing("norm", lambda x: x.norm(dim=1)),
    _indexing("std", lambda x: x.std((2, 3))),
    _indexing("logsumexp", lambda x: x.logsumexp(1)),
)


def _fill_empty(x: Tensor) -> Tensor:
    return torch.select_scatter(torch.empty((x.shape[0], 1, 4), dtype=x.dtype), x[:, 0], 1, 0)


def _creation(name: str, function: Callable[..., Tensor]) -> OperatorCase:
    return OperatorCase(name, function, ((3, 4),), family="creation")


CREATIONS = (
    _creation("zeros, ones, empty", lambda x: x + torch.zeros(x.shape) + torch.ones(x.shape) + _fill_empty(x)),
    _creation("full", lambda x: torch.cat([x, torch.full((x.shape[0], 1, 4), 2.0)], 1)),
    _creation("new_zeros, new_ones", lambda x: x + x.new_zeros(x.shape) + x.new_ones(x.shape)),
    _creation("new_full", lambda x: torch.cat([x, x.new_full((x.shape[0], 1, 4), 2.0)], 1)),
    _creation("zeros_like, ones_like", lambda x: x + torch.zeros_like(x) + torch.ones_like(x)),
    _creation("full_like", lambda x: x * torch.full_like(x, 2.0)),
)


def _product(
    name: str, function: Callable[..., Tensor], inputs: tuple[Shape, ...], constants: tuple[Shape, ...] = ()
) -> OperatorCase:
    return OperatorCase(name, function, inputs, constants, family="product")


PRODUCTS = (
    _product("linear", F.linear, ((5,),), ((3, 5), (3,))),
    _product("linear over tokens", F.linear, ((4, 5),), ((3, 5), (3,))),
    _product("linear without bias", F.linear, ((5,),), ((3, 5),)),
    _product("addmm", lambda x, w, b: torch.addmm(b, x, w), ((5,),), ((5, 3), (3,))),
    _product("addmm, scaled", lambda x, w, b: torch.addmm(b, x, w, beta=0.5, alpha=2), ((5,),), ((5, 3), (3,))),
    _product("baddbmm", lambda x, y, b: torch.baddbmm(b, x, y), ((4, 5), (5, 3)), ((1, 4, 3),)),
    _product("mm", lambda x, w: x @ w, ((5,),), ((5, 3),)),
    _product("bmm", torch.bmm, ((4, 5), (5, 3))),
    _product("matmul of four axes", torch.matmul, ((2, 4, 5), (2, 5, 3))),
    _product("matmul with a constant", lambda x, w: w @ x, ((4, 5),), ((3, 4),)),
    _product("einsum", lambda x, y: torch.einsum("bhqd,bhkd->bhqk", x, y), ((2, 4, 5), (2, 3, 5))),
    _product("product of two", torch.mul, ((3, 4), (3, 4))),
    _product("product with itself", lambda x: x * x, ((3, 4),)),
    _product("product with a constant", torch.mul, ((3, 4),), ((4,),)),
    _product("quotient", lambda x, y: x / (y * y + 1), ((3, 4), (3, 4))),
    _product("quotient of a constant", lambda x, w: w / (x * x + 1), ((3, 4),), ((4,),)),
    _product("sum of two", lambda x, y: torch.add(x, y, alpha=2), ((3, 4), (3, 4))),
    _product("sum with a constant", lambda x, w: torch.add(x, w, alpha=2), ((3, 4),), ((4,),)),
    _product("constant plus scaled", lambda x, w: torch.add(w, x, alpha=2), ((3, 4),), ((4,),)),
    _product("difference to a constant", lambda x, w: x - w, ((3, 4),), ((4,),)),
    _product("difference from a constant", lambda x, w: w - x, ((3, 4),), ((4,),)),
    _product("difference from a number", lambda x: 1 - x, ((3, 4),)),
    _product("attention", lambda x: F.scaled_dot_product_attention(x, x * 0.5, x + 1.0), ((2, 4, 6),)),
)

OPERATOR_CASES = (
    *PRODUCTS,
    *CONVOLUTIONS,
    *MAX_POOLINGS,
    *AVERAGE_POOLINGS,
    *ACTIVATIONS,
    *INTERPOLATIONS,
    *INDEXINGS,
    *CREATIONS,
)
"""Every case of the table."""
