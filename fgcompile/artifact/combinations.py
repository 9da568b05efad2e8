"""Which of the options that an artifact is compiled with exclude each other; the command line asks without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fgcompile.artifact.names import DYNAMIC, LOGITS
from fgcompile.errors import InputError

FUNCTION = "a function"
"""What stands for a target that is one."""


def require_consistent(options: Mapping[str, Any]) -> None:
    """Checks what options say of each other.

    Args:
        options: By the names of ``fgcompile.compile``; ``target`` is None, a class, ``"predicted"`` or ``FUNCTION``.

    Raises:
        InputError: Two of them exclude each other.
    """
    if (options["format"], options["precision"]) == ("onnx", "bfloat16"):
        raise InputError(
            "ONNX's convolution takes no bfloat16 at the opset that runtimes share: use float16, or another format"
        )
    if options["on_demand"] and options["format"] == "exported":
        raise InputError("on_demand=True and format='exported': a traced program has no branch; choose another format")
    if options["external_data"] and options["format"] != "onnx":
        raise InputError(f"external_data is for ONNX, and the format is {options['format']}: leave it out")
    outputs = options["outputs"]
    if options["on_demand"] and (LOGITS not in outputs or len(outputs) < 2):
        raise InputError(
            f"on_demand=True and outputs={outputs}: ask for the logits, which are always computed, and for "
            "something of the explanation, which is not"
        )
    _require_targets(options["target"], options["targets"], options["method"])
    if options["terms"] == "parameters" and options["method"] == "simple_fullgrad":
        raise InputError(
            "terms='parameters' chooses among terms of biases, and the map of simple_fullgrad has none: leave it "
            "out, or change the method"
        )


def _require_targets(target: object, targets: object, method: str) -> None:
    if targets is not None and target not in (None, "predicted"):
        raise InputError(
            f"targets={targets} is for several elements of the output, which target=None takes at run time and "
            f"target='predicted' chooses; the target is {target}"
        )
    if targets == DYNAMIC and (target == "predicted" or method == "smooth_fullgrad"):
        what = "target='predicted' explains" if target == "predicted" else "smooth_fullgrad has noise for"
        raise InputError(f"targets='dynamic' takes any number of targets, and {what} as many as were compiled: give T")
