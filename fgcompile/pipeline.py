"""The stages in order: the only module that knows them all.

model ─capture→ ─expose→ ─fold→ ─differentiate (trace, lower)→ ─optimise→ ─check→ ─emit→ artifact
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.artifact import Metadata, read_metadata, write_atomically
from fgcompile.backends.onnx import emit_onnx
from fgcompile.backends.torchscript import emit_torchscript
from fgcompile.capture import as_inputs, capture
from fgcompile.check import (
    check_artifact,
    check_program,
    require_complete,
)
from fgcompile.eager import FullGradientTerms, evaluate, full_gradient_terms, regroup
from fgcompile.errors import InputError, MissingPackageError, VerificationError
from fgcompile.expose import expose
from fgcompile.lowering import LINEAR, decomposition_table, preserve_interpolation
from fgcompile.metadata import describe_program
from fgcompile.options import check_request, one_of
from fgcompile.passes.convert_floats import convert_floats
from fgcompile.passes.fold_batch_norm import fold_batch_norm
from fgcompile.passes.optimize import optimize
from fgcompile.program import BiasedProgram, CapturedProgram, FusedProgram, Preprocess, Request, Target, ValueSpec
from fgcompile.rules import RULES, apply_rules, warn_of_absorption
from fgcompile.runtime.session import load, open_session
from fgcompile.shapes import propagate_shapes
from fgcompile.trace import trace
from fgcompile.verification import Report, compare

BACKENDS: dict[str, tuple[str, Callable[[FusedProgram], bytes]]] = {
    "onnx": (".onnx", emit_onnx),
    "torchscript": (".pt", emit_torchscript),
}
"""Each format's file suffix and back end."""

CHECK_CLASSES = (0, -1, -1)
"""The classes that the checks explain, and so their batch size: not the one that back ends trace with."""

CHECK_SEED = 0

Model = nn.Module | ExportedProgram
Inputs = Tensor | Sequence[Tensor]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Artifact:
    """A compiled model: its bytes, and what they say of themselves.

    Attributes:
        content: The file's bytes.
        metadata: The mapping under the key ``fgcompile`` in the file.
    """

    content: bytes
    metadata: Mapping[str, Any]

    def save(self, path: str | Path) -> None:
        """Writes the file, whole or not at all.

        Raises:
            InputError: The file's suffix belongs to another format.
            OutputError: The file cannot be written.
        """
        suffix = BACKENDS[self.metadata["format"]][0]
        if Path(path).suffix != suffix:
            raise InputError(f"'{path}' is not a name for a {self.metadata['format']} artifact: end it in {suffix}")
        write_atomically(path, self.content)


def compile(
    model: Model,
    example_inputs: Inputs,
    *,
    format: str = "onnx",
    target: Target = None,
    method: str = "fullgrad",
    psi: str = "fullgrad",
    rules: str = "taylor",
    outputs: Sequence[str] = ("logits", "saliency"),
    preprocess: Preprocess | None = None,
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Artifact:
    """Compiles a model into one artifact that returns its output and its full-gradient explanation.

    Before it is emitted, the fused graph is checked in float64 against the eager full-gradient, to 1e-9. What was
    emitted is run once, with another batch size, and compared too, where the format's runtime is installed.

    Args:
        model: A module in evaluation mode, or an exported program with a dynamic batch.
        example_inputs: A tensor ``(N, …)`` or a tuple of tensors, as the model takes them; only shapes and dtypes
            matter. The artifact's batch is dynamic.
        format: ``"onnx"`` or ``"torchscript"``.
        target: None makes the class an input of the artifact; an int fixes it; ``"predicted"`` explains the largest
            logit; a callable maps the model's output to any score ``(N,)``.
        method: ``"fullgrad"``.
        psi: The post-processing ψ, ``"fullgrad"``.
        rules: ``"taylor"``: true gradients, as in the paper. ``"libragrad"``: the gradient of the locally linear model,
            in which gates, attention weights and the scales of normalisations are constants; for Transformers.
        outputs: Any of ``"logits"``, ``"saliency"``, ``"contributions"``, ``"residual"``, ``"input_gradient"`` and
            ``"bias_gradients"``; the artifact returns them in this order.
        preprocess: Scaling and normalisation in front, so that the artifact takes raw uint8 images ``(N, H, W, C)``.
        labels: Class names, one per logit, kept in the metadata.
        progress: Called with the name of each stage as it begins.

    Raises:
        FgcompileError: One of its children, see ``fgcompile.errors``.

    Warns:
        RulesWarning: Under ``"taylor"`` the map says little of this model, since it normalises by its own statistics.
    """
    one_of("format", format, tuple(BACKENDS))
    request = check_request(outputs=outputs, target=target, method=method, psi=psi, rules=rules, preprocess=preprocess)
    report = progress or (lambda stage: None)
    captured = apply_rules(_captured(model, example_inputs, report), rules)
    exposed, program = _fused(captured, request, report)
    warn_of_absorption(exposed, [site.name for site in program.sites], rules, stacklevel=2)
    report("check")
    inputs = _noise(program, as_inputs(example_inputs))
    completeness, expected = _checked(exposed, program, request, inputs)
    program = _in_single_precision(program)
    metadata = describe_program(captured, program, request, format, method, rules, labels, completeness)
    report("emit")
    with preserve_interpolation(LINEAR):  # back ends trace once more
        content = BACKENDS[format][1](replace(program, metadata=metadata))
    report("run")
    _check_artifact(content, metadata, program, inputs, expected)
    return Artifact(content, metadata)


def fuse(
    model: Model,
    example_inputs: Inputs,
    *,
    target: Target = None,
    psi: str = "fullgrad",
    rules: str = "taylor",
    outputs: Sequence[str] = ("logits", "saliency"),
    preprocess: Preprocess | None = None,
) -> FusedProgram:
    """The fused program in float64, before it is emitted; arguments as for ``compile``."""
    request = check_request(outputs=outputs, target=target, psi=psi, rules=rules, preprocess=preprocess)
    captured = apply_rules(_captured(model, example_inputs, lambda stage: None), rules)
    return _fused(captured, request, lambda stage: None)[1]


def expose_biases(model: Model, example_inputs: Inputs) -> BiasedProgram:
    """The model with every bias term an explicit input, ``f(x, b_1 … b_L)``.

    ``program.graph_module(*inputs, *program.biases.values())`` returns the model's flat outputs.

    Raises:
        CaptureError: The model cannot be captured.
    """
    return expose(capture(model, example_inputs))


def full_gradient(
    model: Model, inputs: Inputs, target: Target | Tensor = None, rules: str = "taylor"
) -> FullGradientTerms:
    """The exact full-gradient, eager, in the dtype of the model and inputs (use float64 for exact completeness).

    Args:
        model: A module in evaluation mode, or an exported program.
        inputs: A tensor ``(N, …)`` or a tuple of tensors, as the model takes them.
        target: None or ``"predicted"`` for the largest logit, a class, an int64 tensor ``(N,)`` of classes (−1 for
            the predicted one), or a callable from the output to a score ``(N,)``.
        rules: ``"taylor"`` or ``"libragrad"``, as for ``compile``.

    Raises:
        CaptureError: The model cannot be captured.
        ScoreError: The score is not one scalar per sample that depends on the input.

    Warns:
        RulesWarning: As ``compile``.
    """
    one_of("rules", rules, tuple(RULES))
    exposed = expose(apply_rules(capture(model, inputs), rules))
    terms = full_gradient_terms(exposed, as_inputs(inputs), target)
    warn_of_absorption(exposed, terms.bias_gradients, rules, stacklevel=2)
    return terms


def verify(path: str | Path, model: Model, inputs: Inputs | np.ndarray[Any, Any]) -> Report:
    """Compares an artifact with the eager model it was compiled from, on given inputs.

    The model is evaluated eagerly, operator by operator, in float64 and in float32; the artifact's map may be no
    further from the float64 map than three times what eager float32 is (medians over the inputs).

    Args:
        path: The artifact.
        model: The model that it was compiled from.
        inputs: What the *artifact* takes: raw images ``(N, H, W, C)`` if it was compiled with ``preprocess``.

    Raises:
        ArtifactError: The file is damaged or not an artifact.
        InputError: The inputs do not fit, or the artifact explains a callable score, which it does not hold.
    """
    metadata = read_metadata(path)
    if metadata["target"] == "score":
        raise InputError(f"'{path}' explains a score given as a function, which an artifact does not hold")
    arrays = [np.asarray(value) for value in ([inputs] if isinstance(inputs, Tensor | np.ndarray) else inputs)]
    fixed = metadata["target"]
    session = load(path)
    explanation = session.run(_feeds(metadata, arrays))
    preprocess = metadata["preprocess"]
    request = Request(
        outputs=("logits", "saliency", "contributions"),
        target=None if fixed == "input" else fixed,
        psi=metadata["psi"],
        preprocess=None if preprocess is None else Preprocess(tuple(preprocess["mean"]), tuple(preprocess["std"])),
    )
    tensors = [torch.from_numpy(array) for array in arrays]
    example = tensors[0] if request.preprocess is None else tensors[0].permute(0, 3, 1, 2).float()
    captured = apply_rules(capture(model, (example, *tensors[1:])), metadata["rules"])
    exact = _eager(_in_dtype(captured, torch.float64), request, tensors, torch.float64)
    eager = _eager(_in_dtype(captured, torch.float32), request, tensors, torch.float32)
    return compare(explanation, exact, eager)


def _feeds(metadata: Mapping[str, Any], arrays: list[np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    names = [spec["name"] for spec in metadata["inputs"]]
    feeds = dict(zip(names, arrays, strict=False))
    if metadata["target"] == "input":
        feeds["target"] = np.full(len(arrays[0]), -1, dtype=np.int64)
    return feeds


def _eager(
    captured: CapturedProgram, request: Request, inputs: list[Tensor], dtype: torch.dtype
) -> dict[str, np.ndarray[Any, Any]]:
    chosen = torch.full((len(inputs[0]),), -1)
    _, values = evaluate(expose(captured), request, [_as_dtype(value, dtype) for value in inputs], chosen, dtype)
    return {name: value.numpy() for name, value in values.items()}


def _captured(model: Model, example_inputs: Inputs, report: Progress) -> CapturedProgram:
    report("capture")
    return _in_dtype(capture(model, example_inputs), torch.float64)


def _in_dtype(captured: CapturedProgram, dtype: torch.dtype) -> CapturedProgram:
    graph_module = convert_floats(captured.graph_module, dtype)
    propagate_shapes(graph_module)
    return replace(captured, graph_module=graph_module)


def _fused(captured: CapturedProgram, request: Request, report: Progress) -> tuple[BiasedProgram, FusedProgram]:
    report("expose")
    exposed = expose(captured)
    report("fold")
    folded = fold_batch_norm(exposed)
    report("differentiate")
    with preserve_interpolation():
        program = trace(folded, request, decomposition_table())
    report("optimise")
    optimize(program.graph_module)
    return exposed, program


def _checked(
    exposed: BiasedProgram, program: FusedProgram, request: Request, inputs: list[Tensor]
) -> tuple[float, dict[str, Tensor]]:
    """Checks the fused program; returns the completeness error and the eager outputs."""
    chosen = torch.tensor(CHECK_CLASSES)
    eager_request = replace(request, outputs=(*request.outputs, "contributions"))
    result, expected = evaluate(exposed, eager_request, inputs, chosen, torch.float64)
    expected = regroup(program, expected, result)
    given = [*inputs, chosen] if request.target is None else inputs
    check_program(program, given, expected)
    return require_complete(result.score, expected["contributions"]), expected


def _check_artifact(
    content: bytes,
    metadata: dict[str, Any],
    program: FusedProgram,
    inputs: list[Tensor],
    expected: Mapping[str, Tensor],
) -> None:
    """Runs the emitted artifact on the inputs of the check; without its runtime there is nothing to run it in."""
    try:
        session = open_session(content, cast(Metadata, metadata), "the artifact")
    except MissingPackageError:
        return
    given = [_as_dtype(value, program.dtype) for value in inputs]
    if metadata["target"] == "input":
        given.append(torch.tensor(CHECK_CLASSES))
    feeds = {spec["name"]: value.numpy() for spec, value in zip(metadata["inputs"], given, strict=True)}
    try:
        outputs = session.run(feeds)
    except Exception as error:  # whatever a runtime raises
        reason = str(error).strip().splitlines()[0]
        raise VerificationError(
            f"the artifact does not run in its runtime ({reason}): compile to another format, or replace the operator"
        ) from error
    check_artifact(outputs, program, given, expected)


def _noise(program: FusedProgram, examples: Sequence[Tensor]) -> list[Tensor]:
    """Seeded noise for the checks; inputs that are not numbers of an image or signal are the example's."""
    generator = torch.Generator().manual_seed(CHECK_SEED)
    inputs = []
    for spec, example in zip(program.inputs, examples, strict=False):
        shape = [len(CHECK_CLASSES) if isinstance(size, str) else size for size in spec.shape]
        if spec.dtype == "uint8":
            inputs.append(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))
        elif spec.dtype.startswith("float"):
            inputs.append(torch.randn(shape, generator=generator, dtype=torch.float64))
        else:
            inputs.append(example[:1].expand(*shape).clone())
    return inputs


def _in_single_precision(program: FusedProgram) -> FusedProgram:
    def single(specs: tuple[ValueSpec, ...]) -> tuple[ValueSpec, ...]:
        return tuple(replace(spec, dtype=spec.dtype.replace("float64", "float32")) for spec in specs)

    graph_module = convert_floats(program.graph_module, torch.float32)
    return replace(
        program,
        graph_module=graph_module,
        inputs=single(program.inputs),
        outputs=single(program.outputs),
        dtype=torch.float32,
    )


def _as_dtype(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.is_floating_point() else value
