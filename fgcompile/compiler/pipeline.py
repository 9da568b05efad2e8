"""The stages in order: the only module that knows them all.

model ─capture→ ─rules→ ─expose→ ─fold→ ─differentiate (trace, lower)→ ─optimise→ ─check→ ─emit→ artifact
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fgcompile.artifact.names import LOGITS
from fgcompile.artifact.questions import shown
from fgcompile.compiler.backends import EMITTERS
from fgcompile.compiler.backends.onnx.emit import OPSET
from fgcompile.compiler.capture.binding import model_name
from fgcompile.compiler.capture.bound import Bound, bind
from fgcompile.compiler.capture.onnx.prediction import own_prediction
from fgcompile.compiler.capture.samples import require_scores
from fgcompile.compiler.checking.boxes import warn_of_boxes
from fgcompile.compiler.checking.emitted import check_emitted
from fgcompile.compiler.checking.probabilities import warn_of_probabilities
from fgcompile.compiler.checking.zeros import warn_of_zeros
from fgcompile.compiler.compiled import Artifact, as_artifact
from fgcompile.compiler.description import describe_program
from fgcompile.compiler.examples import Inputs, hold, in_one_batch
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.expose.layouts.astray import warn_of_astray
from fgcompile.compiler.frontend import as_rounded, capture_bound, in_dtype, under_rules
from fgcompile.compiler.fullgrad.eager import FullGradientTerms, full_gradient_terms, require_sum
from fgcompile.compiler.fullgrad.preprocessing import for_channels, warn_of_filling
from fgcompile.compiler.fullgrad.score import floating_dtype
from fgcompile.compiler.fusing import as_asked, check_fused, fuse_bound
from fgcompile.compiler.ir.dump import dumping
from fgcompile.compiler.ir.memory import release_memory, within_memory
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram, without_graph
from fgcompile.compiler.ir.samples import require_samples
from fgcompile.compiler.ir.turns import one_at_a_time
from fgcompile.compiler.labels import require_labels, warn_of_labels, with_own_labels
from fgcompile.compiler.passes.batch.with_batch import with_batch
from fgcompile.compiler.passes.precision.in_precision import in_precision
from fgcompile.compiler.request import (
    Biases,
    Device,
    Format,
    Method,
    Model,
    Noise,
    Precision,
    Preprocess,
    PsiName,
    Request,
    RuleSet,
    Target,
    Targets,
    Terms,
)
from fgcompile.compiler.rules import warn_of_absorption
from fgcompile.compiler.sources import Opened, completed, open_model
from fgcompile.compiler.texts import with_text_inputs
from fgcompile.compiler.tracing.preservation import LINEAR_INTERPOLATIONS, preserve_interpolation
from fgcompile.errors import InputError

Progress = Callable[[str], None]


@one_at_a_time()
def compile(  # noqa: PLR0913 - public: its keywords are the options
    model: Model | str | Path,
    example_inputs: Inputs | None = None,
    *,
    format: Format = "onnx",
    target: Target = None,
    targets: Targets = None,
    output: str | int | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
    method: Method = "fullgrad",
    psi: PsiName = "auto",
    rules: RuleSet = "auto",
    terms: Terms = "all",
    outputs: Sequence[str] = ("logits", "saliency"),
    biases: Biases = "constants",
    noise: Noise | None = None,
    layouts: Mapping[str, str] | None = None,
    preprocess: Preprocess | None = None,
    batch: int | None = None,
    dynamic_sizes: bool = False,
    on_demand: bool = False,
    precision: Precision = "float32",
    labels: Sequence[str] | None = None,
    tokenizer: object = None,
    device: Device = "cpu",
    external_data: bool = False,
    progress: Progress | None = None,
) -> Artifact:
    """Compiles a model into one artifact that returns its output and its full-gradient explanation.

    Before it is emitted, the fused graph is checked in float64 against the eager full-gradient, to 1e-9. What was
    emitted is run and compared too, where the format's runtime is installed; in batches of 1, 2 and 3.

    Args:
        model: A module in evaluation mode, an exported program with a dynamic batch, or the path of a file: an
            ``.onnx`` model, a ``.pt2`` of ``torch.export.save``, or a ``.pt`` of ``torch.jit.save``.
        example_inputs: A tensor or array ``(N, …)``, a tuple of them by position, or a mapping by name, such as a
            tokenizer returns, whose names become the artifact's; a tuple may end in a mapping. Shapes and dtypes
            matter, and to the checks values: integers, and of others whether they are positive, and how wide. The
            batch is dynamic unless ``batch`` is given, other sizes are the example's unless ``dynamic_sizes`` is set.
            None takes what a file says of its inputs; in a mapping for an ``.onnx`` file a number fixes that input.
        format: ``"onnx"``, ``"pt2"`` (AOTInductor: native code for this machine, by its C++ compiler), ``"exported"``
            (a program of ``torch.export``, for ``Artifact.module``), or ``"torchscript"``, which PyTorch no longer
            develops.
        target: None makes the class an input of the artifact, or of an output of more axes an index for each; an int,
            or the name of one, fixes the class (as ``labels`` have it, or the file or configuration itself);
            ``"predicted"`` explains the largest logit; a callable maps the model's output to any score ``(N,)``
            (``fgcompile.scores`` has common ones).
        targets: T explains so many elements in one call: the ``target`` is ``(N, T)`` or ``(N, T, r)``, ``"predicted"``
            takes the T largest, and all that explains has an axis of them behind the batch. ``"dynamic"``: any number.
        output: Which of several outputs is explained, by name or position; of an ``.onnx`` file any tensor, by name.
            By default the only output, or its logits where it is a softmax or sigmoid of them.
        score_inputs: Examples ``(N, …)`` of inputs that a callable target takes by name, constants to the explanation;
            the artifact takes them after the model's. None: those that a score of ``fgcompile.scores`` says it has.
        method: ``"fullgrad"``; ``"simple_fullgrad"``, whose map takes the layers' gradients without their biases;
            ``"smooth_fullgrad"``, whose terms are means over noisy copies of the input.
        psi: The post-processing ψ: ``"fullgrad"``, the authors'; ``"grad-cam"``, that of pytorch-grad-cam;
            ``"signed"``, none at all, for the signed sum of all terms by place; ``"auto"``, as the rules.
        rules: ``"taylor"``: true gradients, as in the paper. ``"libragrad"``: the gradient of the locally linear model,
            in which gates, attention weights and the scales of normalisations are constants. ``"attnlrp"``: that in
            which softmax keeps its Jacobian and products split evenly. ``"auto"`` is the paper's, but libragrad and the
            signed map of a model that normalises by its own statistics on the way to the score: see ``choice`` in the
            metadata.
        terms: ``"all"``: the map has every term that lies over the input. ``"parameters"``: it leaves out those whose
            bias depends on the input, activations' above all, as the authors' code does; ``contributions`` keep them.
        outputs: Any of ``"logits"``, ``"saliency"``, ``"contributions"``, ``"residual"``, ``"input_gradient"``,
            ``"bias_gradients"`` and ``"model"``, the model's other outputs under their own names; the artifact returns
            them in this order.
        biases: ``"constants"``, or ``"inputs"``: the artifact takes every bias parameter as an optional input.
        noise: The noisy copies of ``smooth_fullgrad``.
        layouts: How the axes of inputs or sites lie over space where it is not to be inferred, by name (``*`` matches
            others), e.g. ``{"x": "n h w c", "blocks.*": "n (1 + h w) c"}``; ``"none"`` keeps a site out of the map.
            An input's own says too where its batch is, ``{"x": "l n c"}``; its map and terms have theirs in front.
        preprocess: Scaling and normalisation in front, so that the artifact takes raw uint8 images ``(N, H, W, C)``.
        batch: N makes the artifact take, and return, N samples in a call, of whatever model: of one that takes no free
            batch, since it loops over its samples, say, the graph is then that of one sample, N times. ``Session``
            makes several calls of more. None leaves the batch free, or refuses the model.
        dynamic_sizes: Makes the sizes of space dynamic too: height and width of images, the length of signals and
            sequences; the map has the input's. For models that are convolutional, or attend, up to a pooling. Where
            sizes must be multiples, as in a U-Net, the metadata says so (``"16*height"``). Slower than a fixed one.
        on_demand: Adds a boolean input ``explain``: where it is false, all but the logits is empty and costs nothing.
        precision: ``"float32"``; or ``"float16"`` or ``"bfloat16"``, for GPUs: the network, forward and backward, then
            computes in it, magnitudes of its gradients too, and normalisations, means and what is made of magnitudes in
            float32, as do inputs and outputs. On a CPU ``"float16"`` halves an ONNX file, and runtimes compute in what
            they have.
        labels: Class names, one per logit, kept in the metadata.
        tokenizer: A text model's, which ``Session.explain_text`` needs: a path (``tokenizer.json`` or its folder), a
            ``tokenizers.Tokenizer``, or a fast one of Transformers.
        device: Where the artifact is to be fast: ``"cpu"`` or ``"cuda"``. A ``"pt2"`` runs there alone, and one for
            ``"cuda"`` is compiled on a machine that has it; the other formats run on both.
        external_data: Whether the weights of an ONNX artifact lie beside it, in ``NAME.onnx.data``, as
            ``onnx.save_model(…, save_as_external_data=True)`` writes them. Those above 2 GiB always do.
        progress: Called with the name of each stage as it begins.

    Raises:
        FgcompileError: One of its children, see ``fgcompile.errors``.

    Warns:
        RulesWarning: Under ``"taylor"`` the terms of this model cancel, since it normalises by its own statistics.
        LayoutWarning: Layers have no place in the input, though others behind them have.
        CaptureWarning: The gradient is 0 on every example, as of a clamp that saturates; or others, see ``errors``.
    """
    request = Request(
        outputs=outputs,
        target=target,
        targets=targets,
        output=output,
        score_inputs=score_inputs or {},
        method=method,
        psi=psi,
        rules=rules,
        terms=terms,
        biases=biases,
        noise=noise,
        layouts=layouts or {},
        preprocess=preprocess,
        batch=batch,
        dynamic_sizes=dynamic_sizes,
        on_demand=on_demand,
        precision=precision,
        labels=labels,
        tokenizer=tokenizer,  # type: ignore[arg-type]  # the request makes its own of it
        format=format,
        device=device,
        external_data=external_data,
    )
    if progress is not None and not callable(progress):
        raise InputError(f"progress is {shown(progress)}: give a function that is called with the name of each stage")
    report = progress or (lambda stage: None)
    report("capture")
    with within_memory():
        opened = open_model(model, example_inputs, request)
    request = completed(request, opened)
    with dumping(model_name(opened.model)), within_memory():
        bound = _bound(opened, request)
        request = replace(request, preprocess=for_channels(request.preprocess, bound.inputs))
        fused, checks = as_asked(
            bound, request, lambda bound: check_fused(fuse_bound(bound, opened, request, report), report)
        )
        captured, request = fused.captured, fused.request
        warn_of_absorption(captured.normalised, request.rules, stacklevel=3)  # behind the decorator
        warn_of_labels(captured, request, opened.labels, stacklevel=3)
        warn_of_astray(fused.program.sites, stacklevel=3)
        warn_of_probabilities(captured, request, stacklevel=3)
        warn_of_zeros(fused.exposed, fused.program, request, (fused.examples, checks), stacklevel=3)
        warn_of_filling(request.preprocess, bound.inputs, stacklevel=3)
        warn_of_boxes(checks[0].expected.get(LOGITS), request, stacklevel=3)
        release_memory(captured.graph_module)
        program = with_batch(in_precision(fused.program, request.precision), request.batch)
        del fused
        metadata = describe_program(captured, program, request, max(check.completeness for check in checks))
        prediction = own_prediction(opened.model, request, OPSET)
        program = replace(
            program,
            metadata=metadata,
            prediction=prediction,
            tokenizer=request.tokenizer_text,
            external_data=request.external_data,
        )
        release_memory(captured.graph_module)
        report("emit")
        # The exporter to ONNX traces once more; AOTInductor has no kernels for an interpolation as a whole.
        with preserve_interpolation(LINEAR_INTERPOLATIONS if request.format == "onnx" else ()):
            made = EMITTERS[request.format](program)
        program = without_graph(program)  # whose weights are written
        release_memory(captured.graph_module)
        report("run")
        rounded = partial(as_rounded, captured, request.precision)
        check_emitted(made, program, checks, request, lambda draw: expose(rounded(draw), request.layouts))
        release_memory(captured.graph_module)
        return as_artifact(made, metadata, request.external_data)


def _bound(opened: Opened, request: Request) -> Bound:
    """The opened model, and what it takes by the names that an artifact has for that."""
    return with_text_inputs(replace(bind(opened.model, hold(opened.inputs), request), alone=opened.alone), request)


@one_at_a_time()
def fuse(model: Model | str | Path, example_inputs: Inputs | None = None, **options: Any) -> FusedProgram:
    """The fused program in float64, before it is emitted; options as for ``compile``."""
    request = Request(**options)
    opened = open_model(model, example_inputs, request)
    request = completed(request, opened)
    with dumping(model_name(opened.model)):
        bound = _bound(opened, request)
        request = replace(request, preprocess=for_channels(request.preprocess, bound.inputs))
        return as_asked(bound, request, lambda bound: fuse_bound(bound, opened, request)).program


@one_at_a_time()
def expose_biases(
    model: Model | str | Path, example_inputs: Inputs | None = None, layouts: Mapping[str, str] | None = None
) -> BiasedProgram:
    """The model with every bias term an explicit input, ``f(x, b_1 … b_L)``.

    ``program.graph_module(*inputs, *program.biases.values())`` returns the model's flat outputs.

    Args:
        model: As for ``compile``, like the others; the program takes every input with its batch in front.
        example_inputs: As for ``compile``.
        layouts: As for ``compile``.

    Raises:
        CaptureError: The model cannot be captured.
        InputError: A layout does not fit.
    """
    request = Request(layouts=layouts or {})
    opened = open_model(model, example_inputs, request)
    return expose(capture_bound(bind(opened.model, hold(opened.inputs), request), request), request.layouts)


@torch.inference_mode(False)
def full_gradient(  # noqa: PLR0913 - public: its keywords are the options
    model: Model | str | Path,
    inputs: Inputs,
    target: Target | Tensor = None,
    rules: RuleSet = "auto",
    output: str | int | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
    layouts: Mapping[str, str] | None = None,
) -> FullGradientTerms:
    """The exact full-gradient, eager, in the dtype of the inputs, or else of the model (float64: exact completeness).

    Args:
        model: As for ``compile``.
        inputs: As ``example_inputs`` of ``compile``; gradients are in the order of the model's parameters.
        target: As for ``compile``, None for the largest logit; or an int64 tensor ``(N,)`` of classes, −1 for that.
        rules: As for ``compile``.
        output: As for ``compile``.
        score_inputs: Inputs of a callable target, by name.
        layouts: As for ``compile``: where an input has its batch, ``{"x": "l n c"}``.

    Raises:
        CaptureError: The model cannot be captured.
        InputError: An option is not what it can be, or ``target`` holds no classes of the model.
        ScoreError: The score is not one scalar per sample that depends on the input.
        VerificationError: The terms do not add up to the score.

    Warns:
        RulesWarning: As ``compile``.
    """
    chosen = target if isinstance(target, Tensor) else None
    request = Request(
        target=None if isinstance(target, Tensor) else target,
        rules=rules,
        output=output,
        score_inputs=score_inputs or {},
        layouts=layouts or {},
    )
    opened = open_model(model, inputs, request)
    request = completed(request, opened)
    bound = bind(opened.model, hold(opened.inputs), request)
    with one_at_a_time():
        captured = capture_bound(bound, request)
        require_scores(captured, request.output)
        request = with_own_labels(captured, request, opened.labels)
        require_labels(captured, request)
        dtype = floating_dtype([*bound.inputs, *captured.graph_module.buffers()])
        captured, request = under_rules(in_dtype(captured, dtype), request)
        exposed = expose(captured, request.layouts)
    require_samples(exposed, request.output)
    target = request.target if chosen is None else chosen
    given = in_one_batch(dict(zip((*bound.names, *request.score_inputs), request.examples(bound.inputs), strict=True)))
    terms = full_gradient_terms(exposed, given, target, request.output)
    require_sum(terms)
    warn_of_absorption(captured.normalised, request.rules, stacklevel=3)  # behind the decorator
    return terms
