"""The options that are one of a few words, as the command line shows and checks them before torch is imported."""

from __future__ import annotations

from typing import Literal, get_args

from fgcompile.artifact.fitting import FitMode as FitMode
from fgcompile.artifact.fitting import Interpolation as Interpolation
from fgcompile.artifact.options import Biases as Biases
from fgcompile.artifact.options import Device as Device
from fgcompile.artifact.options import Format as Format
from fgcompile.artifact.options import Method as Method
from fgcompile.artifact.options import Order as Order
from fgcompile.artifact.options import Output as Output
from fgcompile.artifact.options import Precision as Precision
from fgcompile.artifact.options import PsiName, RuleSet
from fgcompile.artifact.options import Terms as Terms
from fgcompile.errors import InputError

Psi = PsiName
Rules = RuleSet
Fitting = Literal["crop", "squash", "letterbox", "whole", "tile"]
MapFormat = Literal["parquet", "npz", "png"]
TritonDevice = Literal["auto", "cpu", "gpu"]
TritonBackend = Literal["python"]

OUTPUTS: tuple[str, ...] = get_args(Output)


def parse_outputs(text: str) -> tuple[str, ...]:
    """Names of outputs, separated by commas.

    Raises:
        InputError: One is none.
    """
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in OUTPUTS:
            raise InputError(f"--outputs {text}: {name!r} is not one of {', '.join(OUTPUTS)}")
    return names
