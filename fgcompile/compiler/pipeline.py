"""The stages in order: the only module that knows them all.

model ─capture→ ─rules→ ─expose→ ─fold→ ─differentiate (trace, lower)→ ─optimise→ ─check→ ─emit→ artifact
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.backends import BACKENDS
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.checking.emitted import check_emitted
from fgcompile.compiler.checking.fused import make_checks
from fgcompile.compiler.description import describe_program
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.frontend import capture_in, in_dtype
from fgcompile.compiler.fullgrad.eager import FullGradientTerms, full_gradient_terms
from fgcompile.compiler.fullgrad.gradient_scale import choose_gradient_scale
from fgcompile.compiler.ir.programs import BiasedProgram, CapturedProgram, FusedProgram, ValueSpec
from fgcompile.compiler.ir.turns import one_at_a_time
from fgcompile.compiler.lowering import decomposition_table
from fgcompile.compiler.passes.fold.batch_norm import fold_batch_norm
from fgcompile.compiler.passes.fold.padding import fold_padding
from fgcompile.compiler.passes.optimize.optimize import optimize
from fgcompile.compiler.passes.precision.convert_floats import convert_floats
from fgcompile.compiler.passes.precision.lower_precision import lower_precision
from fgcompile.compiler.request import (
    DEVICES,
    Inputs,
    Model,
    Noise,
    Preprocess,
    Request,
    Target,
    as_inputs,
    check_request,
    one_of,
    require_expressible,
)
from fgcompile.compiler.rules import RULES, apply_rules, warn_of_absorption
from fgcompile.compiler.tracing.portability import require_portable
from fgcompile.compiler.tracing.preservation import LINEAR, preserve_interpolation
from fgcompile.compiler.tracing.trace import floating_dtype, trace
from fgcompile.errors import InputError
from fgcompile.system.files import write_atomically

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


@one_at_a_time()
def compile(
    model: Model,
    example_inputs: Inputs,
    *,
    format: str = "onnx",
    target: Target = None,
    output: str | int | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
    method: str = "fullgrad",
    psi: str = "fullgrad",
    rules: str = "taylor",
    outputs: Sequence[str] = ("logits", "saliency"),
    biases: str = "constants",
    noise: Noise | None = None,
    layouts: Mapping[str, str] | None = None,
    preprocess: Preprocess | None = None,
    dynamic_sizes: bool = False,
    on_demand: bool = False,
    precision: str = "float32",
    labels: Sequence[str] | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Artifact:
    """Compiles a model into one artifact that returns its output and its full-gradient explanation.

    Before it is emitted, the fused graph is checked in float64 against the eager full-gradient, to 1e-9. What was
    emitted is run once, with another batch size, and compared too, where the format's runtime is installed.

    Args:
        model: A module in evaluation mode, or an exported program with a dynamic batch.
        example_inputs: A tensor ``(N, …)`` or a tuple of tensors, as the model takes them; only shapes and dtypes
            matter. The artifact's batch is dynamic, its other sizes are the example's unless ``dynamic_sizes`` is set.
        format: ``"onnx"``, ``"pt2"`` (AOTInductor: native code for this machine, by its C++ compiler), or
            ``"torchscript"``, which PyTorch keeps alive but no longer develops.
        target: None makes the class an input of the artifact; an int fixes it; ``"predicted"`` explains the largest
            logit; a callable maps the model's output to any score ``(N,)`` (``fgcompile.scores`` has common ones).
        output: Which of several outputs is explained, by name or position.
        score_inputs: Examples ``(N, …)`` of inputs that a callable target takes by name, beside the output. The
            artifact takes them after the model's, and they are constants to the explanation.
        method: ``"fullgrad"``; ``"simple_fullgrad"``, whose map takes the layers' gradients without their biases;
            ``"smooth_fullgrad"``, whose terms are means over noisy copies of the input.
        psi: The post-processing ψ: ``"fullgrad"``, the authors'; ``"grad-cam"``, that of pytorch-grad-cam;
            ``"signed"``, none at all, for the signed sum of all terms by place.
        rules: ``"taylor"``: true gradients, as in the paper. ``"libragrad"``: the gradient of the locally linear model,
            in which gates, attention weights and the scales of normalisations are constants; for Transformers.
        outputs: Any of ``"logits"``, ``"saliency"``, ``"contributions"``, ``"residual"``, ``"input_gradient"`` and
            ``"bias_gradients"``; the artifact returns them in this order.
        biases: ``"constants"``, or ``"inputs"``: the artifact takes every bias parameter as an optional input.
        noise: The noisy copies of ``smooth_fullgrad``.
        layouts: How the axes of inputs or sites lie over space where it is not to be inferred, by name (``*`` matches
            others), e.g. ``{"x": "n h w c", "blocks.*": "n (1 + h w) c"}``; ``"none"`` keeps a site out of the map.
        preprocess: Scaling and normalisation in front, so that the artifact takes raw uint8 images ``(N, H, W, C)``.
        dynamic_sizes: Makes the sizes of space dynamic too: height and width of images, the length of signals, the
            depth of volumes; the map has the input's. For models that are convolutional up to a pooling. Where sizes
            must be multiples, as in a U-Net, the metadata says so (``"16*height"``). The graph is then checked at a
            second size, and is slower than one of a fixed size.
        on_demand: Adds a boolean input ``explain``, shape (): where it is false, the artifact returns the logits at the
            price of the model alone, and every other output is empty.
        precision: ``"float32"``; or ``"float16"`` or ``"bfloat16"``, for GPUs: the network, forward and backward, then
            computes in it, and reductions, normalisations and the aggregation in float32, as do inputs and outputs.
        labels: Class names, one per logit, kept in the metadata.
        device: Where the artifact is to be fast: ``"cpu"`` or ``"cuda"``. A ``"pt2"`` runs there alone, and one for
            ``"cuda"`` is compiled on a machine that has it; the other formats run on both.
        progress: Called with the name of each stage as it begins.

    Raises:
        FgcompileError: One of its children, see ``fgcompile.errors``.

    Warns:
        RulesWarning: Under ``"taylor"`` the terms of this model cancel, since it normalises by its own statistics.
    """
    one_of("format", format, tuple(BACKENDS))
    require_expressible(format, precision)
    one_of("device", device, DEVICES)
    request = check_request(
        outputs=outputs,
        target=target,
        output=output,
        method=method,
        psi=psi,
        rules=rules,
        biases=biases,
        noise=noise,
        preprocess=preprocess,
        on_demand=on_demand,
        precision=precision,
    )
    report = progress or (lambda stage: None)
    report("capture")
    extras = dict(score_inputs or {})
    captured = capture_in(torch.float64, model, example_inputs, request, rules, extras, dynamic_sizes)
    examples = [*as_inputs(example_inputs), *extras.values()]
    exposed, program = fuse_captured(captured, request, layouts, report, examples, format, device)
    warn_of_absorption(exposed, [site.name for site in program.sites], rules, stacklevel=3)  # behind the decorator
    report("check")
    checks = make_checks(exposed, program, request, examples)
    completeness = max(check.completeness for check in checks)
    program = _in_precision(program, precision)
    metadata = describe_program(captured, program, request, format, rules, layouts, labels, completeness)
    if format == "pt2":
        metadata["device"] = device
    report("emit")
    # The exporter to ONNX traces once more; AOTInductor makes kernels of an interpolation's parts, and has none for it.
    with preserve_interpolation(LINEAR if format == "onnx" else ()):
        content = BACKENDS[format][1](replace(program, metadata=metadata))
    report("run")
    check_emitted(content, metadata, program, checks)
    return Artifact(content, metadata)


@one_at_a_time()
def fuse(
    model: Model,
    example_inputs: Inputs,
    *,
    rules: str = "taylor",
    layouts: Mapping[str, str] | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
    dynamic_sizes: bool = False,
    format: str = "onnx",
    device: str = "cpu",
    **options: Any,
) -> FusedProgram:
    """The fused program in float64, before it is emitted; arguments as for ``compile``."""
    request = check_request(rules=rules, **options)
    captured = capture_in(torch.float64, model, example_inputs, request, rules, score_inputs, dynamic_sizes)
    examples = [*as_inputs(example_inputs), *(score_inputs or {}).values()]
    return fuse_captured(captured, request, layouts, lambda stage: None, examples, format, device)[1]


@one_at_a_time()
def expose_biases(model: Model, example_inputs: Inputs, layouts: Mapping[str, str] | None = None) -> BiasedProgram:
    """The model with every bias term an explicit input, ``f(x, b_1 … b_L)``.

    ``program.graph_module(*inputs, *program.biases.values())`` returns the model's flat outputs.

    Args:
        model: A module in evaluation mode, or an exported program with a dynamic batch.
        example_inputs: A tensor ``(N, …)`` or a tuple of tensors, as the model takes them.
        layouts: Layouts by hand, as for ``compile``.

    Raises:
        CaptureError: The model cannot be captured.
        InputError: A layout does not fit.
    """
    return expose(capture(model, example_inputs), layouts)


def full_gradient(
    model: Model,
    inputs: Inputs,
    target: Target | Tensor = None,
    rules: str = "taylor",
    output: str | int | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
) -> FullGradientTerms:
    """The exact full-gradient, eager, in the dtype of the inputs, or else of the model (float64: exact completeness).

    Args:
        model: A module in evaluation mode, or an exported program.
        inputs: A tensor ``(N, …)`` or a tuple of tensors, as the model takes them.
        target: None or ``"predicted"`` for the largest logit, a class, an int64 tensor ``(N,)`` of classes (−1 for
            the predicted one), or a callable from the output to a score ``(N,)``.
        rules: ``"taylor"`` or ``"libragrad"``, as for ``compile``.
        output: Which of several outputs is explained, by name or position.
        score_inputs: Inputs of a callable target, by name.

    Raises:
        CaptureError: The model cannot be captured.
        ScoreError: The score is not one scalar per sample that depends on the input.

    Warns:
        RulesWarning: As ``compile``.
    """
    one_of("rules", rules, tuple(RULES))
    given = as_inputs(inputs)
    score = target if callable(target) else None
    with one_at_a_time():
        captured = capture(model, given, score, output, score_inputs)
        dtype = floating_dtype([*given, *captured.graph_module.buffers()])
        exposed = expose(apply_rules(in_dtype(captured, dtype), rules))
    terms = full_gradient_terms(exposed, [*given, *(score_inputs or {}).values()], target, output)
    warn_of_absorption(exposed, terms.bias_gradients, rules, stacklevel=2)
    return terms


def fuse_captured(
    captured: CapturedProgram,
    request: Request,
    layouts: Mapping[str, str] | None,
    report: Progress,
    examples: Sequence[Tensor],
    format: str,
    device: str = "cpu",
) -> tuple[BiasedProgram, FusedProgram]:
    """The captured program with its biases exposed, and the fused one that explains it, both in its own dtype."""
    report("expose")
    exposed = expose(captured, layouts)
    if request.precision == "float16":
        request = replace(request, gradient_scale=choose_gradient_scale(exposed, request, examples))
    report("fold")
    # A folded bias is scaled, and its site has another gradient: what is asked for here are the layers' own.
    own = request.biases == "inputs" or request.method == "simple_fullgrad"
    folded = fold_batch_norm(fold_padding(exposed), with_bias=not own)
    report("differentiate")
    with preserve_interpolation():
        program = trace(folded, request, decomposition_table(format, device))
    report("optimise")
    optimize(program.graph_module)
    require_portable(program.graph_module)
    return exposed, program


def _in_precision(program: FusedProgram, precision: str) -> FusedProgram:
    """The program in float32, its network in half precision if that is asked for."""

    def single(specs: tuple[ValueSpec, ...]) -> tuple[ValueSpec, ...]:
        return tuple(
            replace(
                spec,
                dtype=spec.dtype.replace("float64", "float32"),
                default=None if spec.default is None else spec.default.float(),
            )
            for spec in specs
        )

    graph_module = convert_floats(program.graph_module, torch.float32)
    if precision != "float32":
        graph_module = lower_precision(graph_module, getattr(torch, precision))
    return replace(
        program,
        graph_module=graph_module,
        inputs=single(program.inputs),
        outputs=single(program.outputs),
        dtype=torch.float32,
    )
