"""Elementary functions by element."""

from __future__ import annotations

import torch

from fgcompile.compiler.capture.onnx.operators.elementwise import unary
from fgcompile.compiler.capture.onnx.operators.operator import Operator

FUNCTIONS: dict[str, Operator] = {
    "Acos": unary(torch.acos),
    "Acosh": unary(torch.acosh),
    "Asin": unary(torch.asin),
    "Asinh": unary(torch.asinh),
    "Atan": unary(torch.atan),
    "Atanh": unary(torch.atanh),
    "Cos": unary(torch.cos),
    "Cosh": unary(torch.cosh),
    "Erf": unary(torch.erf),
    "Exp": unary(torch.exp),
    "Log": unary(torch.log),
    "Sin": unary(torch.sin),
    "Sinh": unary(torch.sinh),
    "Tan": unary(torch.tan),
}
