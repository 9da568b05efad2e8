"""What is asked of the compiler: one frozen value with every option, made complete and checked in one place.

What the compiler decides by itself is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.errors import InputError

Format = Literal["onnx", "torchscript", "pt2"]
Output = Literal["logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients"]
Method = Literal["fullgrad", "simple_fullgrad", "smooth_fullgrad"]
PsiName = Literal["fullgrad", "grad-cam", "signed"]
RuleSet = Literal["taylor", "libragrad"]
Biases = Literal["constants", "inputs"]
Precision = Literal["float32", "float16", "bfloat16"]
Device = Literal["cpu", "cuda"]

OUTPUTS: tuple[Output, ...] = get_args(Output)
"""What can be asked for, in the contract's order."""

Model = nn.Module | ExportedProgram
Inputs = Tensor | Sequence[Tensor]
Target = int | str | Callable[..., Tensor] | None
"""None: an input of the artifact; an int: a fixed class; ``"predicted"``; or ``score(outputs, …) → (N,)``."""


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
    """What was asked for. Each option is explained at ``fgcompile.compile``, which has the same names and defaults.

    Attributes:
        outputs: Names of the outputs; whatever their order, the contract's.
        target: Which score is explained.
        output: Which of the model's outputs it is computed from, by name or position; None for the only one.
        score_inputs: Examples ``(N, …)`` of the inputs that a callable target takes by name.
        method: FullGrad or one of its variants.
        psi: The post-processing ψ.
        rules: What counts as a constant when the model is differentiated.
        biases: Whether the artifact takes the bias parameters.
        noise: The noisy copies of ``smooth_fullgrad``; None for the authors'.
        layouts: How axes of inputs and sites lie over space, by name, where it is not to be inferred.
        preprocess: Preprocessing to fold in front, or None.
        dynamic_sizes: Whether the sizes of space are dynamic too.
        on_demand: Whether an input ``explain`` tells to compute more than the logits.
        precision: The dtype that the network computes in.
        labels: Class names, one per logit.
        format: What the artifact is emitted as.
        device: Where it is to be fast.

    Raises:
        InputError: Names the option that is wrong, and what it can be.
    """

    outputs: Sequence[str] = ("logits", "saliency")
    target: Target = None
    output: str | int | None = None
    score_inputs: Mapping[str, Tensor] = field(default_factory=dict)
    method: Method = "fullgrad"
    psi: PsiName = "fullgrad"
    rules: RuleSet = "taylor"
    biases: Biases = "constants"
    noise: Noise | None = None
    layouts: Mapping[str, str] = field(default_factory=dict)
    preprocess: Preprocess | None = None
    dynamic_sizes: bool = False
    on_demand: bool = False
    precision: Precision = "float32"
    labels: Sequence[str] | None = None
    format: Format = "onnx"
    device: Device = "cpu"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            one_of(name, getattr(self, name), get_args(choices))
        _require_expressible(self.format, self.precision)
        _require_outputs(self.outputs, self.on_demand)
        _require_target(self.target)
        _require_values(self)
        _require_noise(self.noise, self.method)
        object.__setattr__(self, "outputs", tuple(name for name in OUTPUTS if name in self.outputs))

    @property
    def copies(self) -> Noise:
        """The noisy copies, the authors' where none were asked for."""
        return self.noise or Noise()

    @property
    def score(self) -> Callable[..., Tensor] | None:
        """The target where it is a function of the model's output."""
        return self.target if callable(self.target) else None

    def examples(self, example_inputs: Inputs) -> tuple[Tensor, ...]:
        """Examples of all inputs in their order: the model's, then the score's own."""
        return (*as_inputs(example_inputs), *self.score_inputs.values())


_CHOICES: Mapping[str, Any] = {
    "format": Format,
    "device": Device,
    "method": Method,
    "psi": PsiName,
    "rules": RuleSet,
    "biases": Biases,
    "precision": Precision,
}


def one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    """Checks a named choice.

    Raises:
        InputError: ``value`` is not among ``allowed``.
    """
    if value not in allowed:
        raise InputError(f"{what} is {value!r}, which is not one of {', '.join(map(repr, allowed))}")


def as_inputs(example_inputs: Inputs) -> tuple[Tensor, ...]:
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


def _require_expressible(format: str, precision: str) -> None:
    if (format, precision) == ("onnx", "bfloat16"):
        raise InputError(
            "ONNX's convolution takes no bfloat16 at the opset that runtimes share: use float16, or another format"
        )


def _require_outputs(outputs: Sequence[str], on_demand: bool) -> None:
    if isinstance(outputs, str) or not outputs:
        raise InputError(f"outputs is {outputs!r}: pass a tuple of names, of {', '.join(OUTPUTS)}")
    for name in outputs:
        one_of("outputs", name, OUTPUTS)
    if on_demand and ("logits" not in outputs or len(set(outputs)) < 2):
        raise InputError(
            f"on_demand=True and outputs={tuple(outputs)}: ask for the logits, which are always computed, and for "
            "something of the explanation, which is not"
        )


def _require_target(target: Target) -> None:
    if target is None or target == "predicted" or callable(target):
        return
    if not isinstance(target, int) or isinstance(target, bool):
        raise InputError(f"target is {target!r}: pass None, a class (int), 'predicted', or a function of the output")


def _require_values(request: Request) -> None:
    """Options that are values of a class of ours or a mapping: a tuple or a text in their place has no fields."""
    kinds = {"preprocess": Preprocess, "noise": Noise, "layouts": Mapping, "score_inputs": Mapping}
    for name, kind in kinds.items():
        value = getattr(request, name)
        if value is not None and not isinstance(value, kind):
            wanted = "a mapping by name" if kind is Mapping else f"fgcompile.{kind.__name__}(…)"
            raise InputError(f"{name} is {value!r}: pass {wanted}")


def _require_noise(noise: Noise | None, method: str) -> None:
    if noise is not None and method != "smooth_fullgrad":
        raise InputError(f"noise is of smooth_fullgrad, and the method is {method}: leave it out, or change the method")
    if noise is not None and (noise.samples < 1 or noise.spread < 0):
        raise InputError(f"{noise} cannot be: samples must be 1 or more, and spread not negative")
