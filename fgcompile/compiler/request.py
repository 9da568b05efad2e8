"""What is asked of the compiler: one frozen value with every option, made complete and checked in one place.

What the compiler decides by itself is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.artifact.characters import unfit_character
from fgcompile.artifact.combinations import FUNCTION, require_consistent
from fgcompile.artifact.fitting import Fit
from fgcompile.artifact.names import DYNAMIC
from fgcompile.artifact.options import Biases as Biases
from fgcompile.artifact.options import Device as Device
from fgcompile.artifact.options import Format as Format
from fgcompile.artifact.options import Method as Method
from fgcompile.artifact.options import Order as Order
from fgcompile.artifact.options import Output as Output
from fgcompile.artifact.options import Precision as Precision
from fgcompile.artifact.options import PsiName as PsiName
from fgcompile.artifact.options import RuleSet as RuleSet
from fgcompile.artifact.options import Terms as Terms
from fgcompile.artifact.wishes import class_of
from fgcompile.compiler.examples import require_batch, with_gradients
from fgcompile.compiler.kinds import flag, in_order, integer, named, one_of, per_channel, real, require_on_scale
from fgcompile.compiler.kinds import numbers_of as numbers_of
from fgcompile.errors import InputError
from fgcompile.text.tokenizer import Kept, keep_tokenizer

OUTPUTS: tuple[Output, ...] = get_args(Output)
"""What can be asked for, in the contract's order."""

Model = nn.Module | ExportedProgram
Targets = int | Literal["dynamic"] | None
Target = int | str | Callable[..., Tensor] | None
"""None: an input of the artifact; an int: a fixed class; ``"predicted"``; or ``score(outputs, …) → (N,)``."""


@dataclass(frozen=True)
class Preprocess:
    """Scaling and normalisation in front of the model: ``x = (black + raw / 255 · (white − black) − mean) / std``.

    The artifact then takes the raw image, uint8 ``(N, H, W, C)``, and the model gets float ``(N, C, H, W)``.

    Attributes:
        mean: One number per channel of the model's, on its scale; or one for all of them.
        std: One positive number per channel, on the same scale; or one for all.
        scale: What black and white are on it: ``(0, 1)``, ``(0, 255)`` or ``(-1, 1)``. Once it is part of a request,
            and in metadata, mean and std are those of ``(0, 1)``, which say the same.
        order: ``"rgb"``, or ``"bgr"`` of a model that takes blue first, as Caffe's do; pictures are red first always.
        fit: What is done to pictures of other sizes before they are given to the artifact; None for the default.
        origin: Who said all this, for whoever inspects the artifact; None for the user.
    """

    mean: Sequence[float] | float
    std: Sequence[float] | float
    scale: tuple[float, float] = (0.0, 1.0)
    order: Order = "rgb"
    fit: Fit | None = None
    origin: str | None = None


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

    It holds values of its own, of plain types: what was given may be an iterator or NumPy's, and may change afterwards.

    Attributes:
        outputs: Names of the outputs; whatever their order, the contract's.
        target: Which score is explained; the name of a class until labels are there, which may be the source's.
        targets: How many elements of the output one call explains, ``"dynamic"`` for any number of them; None for one,
            without an axis of them.
        output: Which of the model's outputs it is computed from, by name or position; None for the only one.
        score_inputs: Examples ``(N, …)`` of the inputs that a callable target takes by name.
        method: FullGrad or one of its variants.
        psi: The post-processing ψ; ``"auto"`` until the model is captured.
        rules: What counts as a constant when the model is differentiated; ``"auto"`` likewise.
        terms: Which terms enter the map.
        biases: Whether the artifact takes the bias parameters.
        noise: The noisy copies of ``smooth_fullgrad``; None for the authors'.
        layouts: How axes of inputs and sites lie over space, by name, where it is not to be inferred.
        preprocess: Preprocessing to fold in front, or None.
        batch: How many samples the artifact takes in a call, None for any number.
        dynamic_sizes: Whether the sizes of space are dynamic too.
        on_demand: Whether an input ``explain`` tells to compute more than the logits.
        precision: The dtype that the network computes in.
        labels: Class names, one per logit.
        tokenizer: What the artifact keeps of a text model's tokenizer.
        format: What the artifact is emitted as.
        device: Where it is to be fast.
        external_data: Whether the weights of an ONNX artifact are to lie beside it.

    Raises:
        InputError: Names the option that is wrong, and what it can be.
    """

    outputs: Sequence[str] = ("logits", "saliency")
    target: Target = None
    targets: Targets = None
    output: str | int | None = None
    score_inputs: Mapping[str, Tensor] = field(default_factory=dict)
    method: Method = "fullgrad"
    psi: PsiName = "auto"
    rules: RuleSet = "auto"
    terms: Terms = "all"
    biases: Biases = "constants"
    noise: Noise | None = None
    layouts: Mapping[str, str] = field(default_factory=dict)
    preprocess: Preprocess | None = None
    batch: int | None = None
    dynamic_sizes: bool = False
    on_demand: bool = False
    precision: Precision = "float32"
    labels: Sequence[str] | None = None
    tokenizer: Kept | None = None
    format: Format = "onnx"
    device: Device = "cpu"
    external_data: bool = False

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            object.__setattr__(self, name, one_of(name, _named(getattr(self, name)), get_args(choices)))
        for name, made in _MADE.items():
            object.__setattr__(self, name, made(name, getattr(self, name)))
        if self.labels is not None:
            object.__setattr__(self, "target", class_of(self.target, self.labels))
        _require_consistent(self)

    @property
    def copies(self) -> Noise:
        """The noisy copies, the authors' where none were asked for."""
        return self.noise or Noise()

    @property
    def score(self) -> Callable[..., Tensor] | None:
        """The target where it is a function of the model's output."""
        return self.target if callable(self.target) else None

    @property
    def tokenizer_text(self) -> str | None:
        """The JSON of the tokenizer that the artifact keeps."""
        return None if self.tokenizer is None else self.tokenizer.text

    def examples(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Examples of all inputs in their order: the model's, then the score's own."""
        return (*inputs, *self.score_inputs.values())


def _named(given: object) -> object:
    """The name of a device or dtype of PyTorch's; anything else stays as it is."""
    if isinstance(given, torch.device):
        return given.type
    return str(given).removeprefix("torch.") if isinstance(given, torch.dtype) else given


_CHOICES: Mapping[str, Any] = {
    "format": Format,
    "device": Device,
    "method": Method,
    "psi": PsiName,
    "rules": RuleSet,
    "terms": Terms,
    "biases": Biases,
    "precision": Precision,
}


# What each option must be by itself, and the value that is kept of it.


def _outputs(_: str, given: object) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    if not names or names == [given]:
        raise InputError(f"outputs is {given!r}: pass a tuple of names, of {', '.join(OUTPUTS)}")
    asked = {one_of("outputs", name, OUTPUTS) for name in names}
    return tuple(name for name in OUTPUTS if name in asked)


def _target(_: str, given: object) -> Target:
    if given is None or callable(given):
        return given
    if isinstance(given, str):
        return str(given)
    return integer("target", given, advice="pass None, a class (int), 'predicted', or a function of the output")


def _targets(what: str, given: object) -> Targets:
    if given is None:
        return None
    if isinstance(given, str) and given == DYNAMIC:
        return "dynamic"
    return integer(what, given, 1, advice="give the number of targets of a call, 1 or more, or 'dynamic' for any")


_MOST_SAMPLES = 2**20
"""Of a fixed batch; a graph of more is none that a machine holds."""


def _batch(what: str, given: object) -> int | None:
    if given is None:
        return None
    advice = f"give the number of samples of a call, from 1 to {_MOST_SAMPLES:,}, or None for any"
    return integer(what, given, 1, _MOST_SAMPLES, advice)


def _output(what: str, given: object) -> str | int | None:
    if given is None or isinstance(given, str):
        return given
    return integer(f"{what}, which is not the name of one,", given)


def _score_inputs(what: str, given: object) -> Mapping[str, Tensor]:
    inputs = named(what, given, Tensor, "tensors (N, …)")
    for name, value in inputs.items():
        require_batch(f"the score's input '{name}'", value)
    return MappingProxyType({name: with_gradients(value) for name, value in inputs.items()})


def _layouts(what: str, given: object) -> Mapping[str, str]:
    return named(what, given, str, "layouts, as 'n c h w'")


def _labels(what: str, given: object) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str | set | frozenset) or not isinstance(given, Iterable):
        raise InputError(f"{what} is {given!r}: pass a list of names, one for each class, in order")
    names = tuple(in_order(what, given) if isinstance(given, Mapping) else given)
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise InputError(f"{what} has {name!r} for class {index}: pass texts, as {str(name)!r}")
        if (character := unfit_character(name)) is not None:
            raise InputError(f"{what} has the control character {character} in class {index}: names are a line of text")
    return tuple(map(str, names))


def _tokenizer(_: str, given: object) -> Kept | None:
    return given if given is None or isinstance(given, Kept) else keep_tokenizer(given)


def _noise(what: str, given: object) -> Noise | None:
    if given is None:
        return None
    if not isinstance(given, Noise):
        raise InputError(f"{what} is {given!r}: pass fgcompile.Noise(samples, spread, seed)")
    noise = Noise(
        integer(f"{what}'s samples", given.samples),
        real(f"{what}'s spread", given.spread),
        integer(f"{what}'s seed", given.seed),
    )
    if noise.samples < 1 or noise.spread < 0 or not -(2**63) <= noise.seed < 2**64:
        raise InputError(f"{noise} cannot be: samples must be 1 or more, spread not negative, and seed of 64 bits")
    return noise


def _preprocess(what: str, given: object) -> Preprocess | None:
    if given is None:
        return None
    if not isinstance(given, Preprocess):
        raise InputError(f"{what} is {given!r}: pass fgcompile.Preprocess(mean, std)")
    mean, std = (per_channel(f"{what}'s {name}", getattr(given, name)) for name in ("mean", "std"))
    if (least := min(numbers_of(std), default=1.0)) <= 0:
        raise InputError(f"{what}'s std has {least:g}, and a standard deviation is positive: give each channel's")
    if given.fit is not None and not isinstance(given.fit, Fit):
        raise InputError(f"{what}'s fit is {given.fit!r}: pass fgcompile.Fit(mode, resize, interpolation)")
    black, white = _scale(what, given.scale)
    require_on_scale(what, numbers_of(mean), numbers_of(std), (black, white))
    order: Any = one_of(f"{what}'s order", given.order, get_args(Order))
    for each in (mean, std):
        if order == "bgr" and isinstance(each, tuple) and len(each) != 3:
            raise InputError(f"{what}'s order is 'bgr', and there are {len(each)} channels: only colours have an order")
    width = white - black
    return Preprocess(
        tuple((value - black) / width for value in mean) if isinstance(mean, tuple) else (mean - black) / width,
        tuple(value / width for value in std) if isinstance(std, tuple) else std / width,
        order=order,
        fit=given.fit,
        origin=given.origin,
    )


def _scale(what: str, given: object) -> tuple[float, float]:
    ends = per_channel(f"{what}'s scale", given)
    if not isinstance(ends, tuple) or len(ends) != 2 or not ends[0] < ends[1]:
        raise InputError(f"{what}'s scale is {given!r}: pass the values of black and white, as (0, 1) or (0, 255)")
    return ends


_MADE: Mapping[str, Callable[[str, object], object]] = {
    "outputs": _outputs,
    "target": _target,
    "targets": _targets,
    "output": _output,
    "score_inputs": _score_inputs,
    "noise": _noise,
    "layouts": _layouts,
    "preprocess": _preprocess,
    "batch": _batch,
    "dynamic_sizes": flag,
    "on_demand": flag,
    "external_data": flag,
    "labels": _labels,
    "tokenizer": _tokenizer,
}


def _require_consistent(request: Request) -> None:
    """Checks what options say of each other."""
    names = ("format", "precision", "on_demand", "external_data", "outputs", "targets", "method", "terms")
    target = FUNCTION if request.score else request.target
    require_consistent({name: getattr(request, name) for name in names} | {"target": target})
    if request.score_inputs and request.score is None:
        raise InputError(
            f"score_inputs has {', '.join(map(repr, request.score_inputs))}, and the target is {request.target!r}: "
            "only a function of the output has inputs of its own"
        )
    if request.noise is not None and request.method != "smooth_fullgrad":
        raise InputError(
            f"noise is of smooth_fullgrad, and the method is {request.method}: leave it out, or change the method"
        )
