"""The options of a compilation, checked before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.errors import InputError

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


Model = nn.Module | ExportedProgram


Inputs = Tensor | Sequence[Tensor]


def as_inputs(example_inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The inputs as a tuple of tensors with a common batch dimension.

    Raises:
        InputError: There is none, one is not a tensor, or one has no batch dimension.
    """
    inputs = (example_inputs,) if isinstance(example_inputs, Tensor) else tuple(example_inputs)
    if not inputs:
        raise InputError("example_inputs is empty: pass a tensor (N, …) or a tuple of tensors")
    for index, value in enumerate(inputs):
        if not isinstance(value, Tensor):
            raise InputError(f"example input {index} is {type(value).__name__}, not a tensor: pass tensors (N, …)")
        if value.ndim == 0 or value.shape[0] == 0:
            raise InputError(f"example input {index} has shape {tuple(value.shape)}: it needs a batch of at least 1")
    return inputs


@dataclass(frozen=True)
class Preprocess:
    """Scaling and normalisation in front of the model: ``x = (raw / 255 − mean) / std``.

    The artifact then takes the raw image, uint8 ``(N, H, W, C)``, and the model gets float ``(N, C, H, W)``.

    Attributes:
        mean: One number per channel, on the scale where white is 1.
        std: One positive number per channel, on the same scale.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


Target = int | str | Callable[..., Tensor] | None
"""None: an input of the artifact; an int: a fixed class; ``"predicted"``; or ``score(outputs, …) → (N,)``."""


@dataclass(frozen=True)
class Noise:
    """The noisy copies of ``smooth_fullgrad``: ``x + σ ε_k`` with ``σ = spread · (max x − min x)`` per sample.

    Attributes:
        samples: The number of copies, 25 in the authors' code.
        spread: σ relative to the range of each sample, 0.15 in the authors' code.
        seed: Of the standard normal ``ε_k``, which are constants of the artifact.
    """

    samples: int = 25
    spread: float = 0.15
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """What the fused program is to compute.

    Attributes:
        outputs: Names of the outputs, in the contract's order.
        target: Which score is explained.
        output: Which of the model's outputs it is computed from, by name or position; None for the only one.
        method: ``"fullgrad"`` or one of its variants.
        psi: The name of the post-processing ψ.
        noise: The noisy copies of ``smooth_fullgrad``.
        biases: ``"constants"``, or ``"inputs"`` where the artifact takes the bias parameters.
        preprocess: Preprocessing to fold in front, or None.
        on_demand: Whether an input ``explain`` tells to compute more than the logits.
        precision: ``"float32"``, or the half precision that the network computes in.
        gradient_scale: A power of two that gradients bear on their way through half precision.
    """

    outputs: tuple[str, ...] = ("logits", "saliency")
    target: Target = None
    output: str | int | None = None
    method: str = "fullgrad"
    psi: str = "fullgrad"
    noise: Noise = Noise()
    biases: str = "constants"
    preprocess: Preprocess | None = None
    on_demand: bool = False
    precision: str = "float32"
    gradient_scale: float = 1.0
