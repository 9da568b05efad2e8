"""The options that are one of a few words, as the command line shows and checks them before torch is imported.

``tests/cli/test_choices.py`` holds them to what the compiler takes.
"""

from __future__ import annotations

from typing import Literal, get_args

from fgcompile.errors import InputError

Format = Literal["onnx", "torchscript", "pt2", "exported"]
Method = Literal["fullgrad", "simple_fullgrad", "smooth_fullgrad"]
Psi = Literal["auto", "fullgrad", "grad-cam", "signed"]
Rules = Literal["auto", "taylor", "libragrad", "attnlrp"]
Terms = Literal["all", "parameters"]
Biases = Literal["constants", "inputs"]
Precision = Literal["float32", "float16", "bfloat16"]
Device = Literal["cpu", "cuda"]
Order = Literal["rgb", "bgr"]
FitMode = Literal["crop", "squash", "letterbox"]
Fitting = Literal["crop", "squash", "letterbox", "whole", "tile"]
Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Output = Literal["logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients", "model"]
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
