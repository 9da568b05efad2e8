"""The options of a compilation, checked before any work is done."""

from __future__ import annotations

from collections.abc import Sequence

from fgcompile.errors import InputError
from fgcompile.program import Noise, Preprocess, Request, Target

OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")
"""What can be asked for, in the contract's order."""

METHODS = ("fullgrad", "simple_fullgrad", "smooth_fullgrad")
PSI_NAMES = ("fullgrad", "grad-cam", "signed")
RULE_SETS = ("taylor", "libragrad")
BIASES = ("constants", "inputs")
PRECISIONS = ("float32", "float16", "bfloat16")
DEVICES = ("cpu", "cuda")


def check_request(
    *,
    outputs: Sequence[str] = ("logits", "saliency"),
    target: Target = None,
    output: str | int | None = None,
    method: str = "fullgrad",
    psi: str = "fullgrad",
    rules: str = "taylor",
    biases: str = "constants",
    noise: Noise | None = None,
    preprocess: Preprocess | None = None,
    on_demand: bool = False,
    precision: str = "float32",
) -> Request:
    """The options as one value.

    Raises:
        InputError: Names the option that is wrong, and what it can be.
    """
    one_of("method", method, METHODS)
    one_of("psi", psi, PSI_NAMES)
    one_of("rules", rules, RULE_SETS)
    one_of("biases", biases, BIASES)
    one_of("precision", precision, PRECISIONS)
    if isinstance(outputs, str) or not outputs:
        raise InputError(f"outputs is {outputs!r}: pass a tuple of names, of {', '.join(OUTPUTS)}")
    for name in outputs:
        one_of("outputs", name, OUTPUTS)
    if isinstance(target, str):
        one_of("target", target, ("predicted",))
    elif target is not None and not callable(target) and (not isinstance(target, int) or isinstance(target, bool)):
        raise InputError(f"target is {target!r}: pass None, a class (int), 'predicted', or a function of the output")
    if noise is not None and method != "smooth_fullgrad":
        raise InputError(f"noise is of smooth_fullgrad, and the method is {method}: leave it out, or change the method")
    if noise is not None and (noise.samples < 1 or noise.spread < 0):
        raise InputError(f"{noise} cannot be: samples must be 1 or more, and spread not negative")
    if on_demand and ("logits" not in outputs or len(set(outputs)) < 2):
        raise InputError(
            f"on_demand=True and outputs={tuple(outputs)}: ask for the logits, which are always computed, and for "
            "something of the explanation, which is not"
        )
    return Request(
        outputs=tuple(name for name in OUTPUTS if name in outputs),
        target=target,
        output=output,
        method=method,
        psi=psi,
        noise=noise or Noise(),
        biases=biases,
        preprocess=preprocess,
        on_demand=on_demand,
        precision=precision,
    )


def require_expressible(format: str, precision: str) -> None:
    """Passes combinations that a format can express.

    Raises:
        InputError: Names the one that it cannot, and another way.
    """
    if (format, precision) == ("onnx", "bfloat16"):
        raise InputError(
            "ONNX's convolution takes no bfloat16 at the opset that runtimes share: use float16, or another format"
        )


def one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    """Checks a named choice.

    Raises:
        InputError: ``value`` is not among ``allowed``.
    """
    if value not in allowed:
        raise InputError(f"{what} is {value!r}, which is not one of {', '.join(map(repr, allowed))}")
