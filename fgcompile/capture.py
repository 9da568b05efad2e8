"""The first stage: a model becomes one flat graph of ATen operators with a dynamic batch, and sizes if wanted.

``torch.export`` captures, then everything is decomposed to core ATen *except* the operators that are one row of the
bias table: normalisations, softmax, activations and interpolation stay whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram, ShapesCollection
from torch.export.graph_signature import InputKind

from fgcompile.attention import LOWEST
from fgcompile.decompositions import DECOMPOSITIONS
from fgcompile.dynamic_sizes import Sizes, find_dynamic_sizes, require_free_sizes
from fgcompile.errors import CaptureError, FgcompileError, InputError
from fgcompile.fixed_sizes import find_fixed_size
from fgcompile.layers import free_name
from fgcompile.preparation import prepare
from fgcompile.program import CapturedProgram
from fgcompile.requirements import require_explainable, require_same_outputs
from fgcompile.scored import Scored, unwrapped, unwrapped_name
from fgcompile.shapes import VIEWS

aten = torch.ops.aten

KEPT_WHOLE = (
    aten.detach,
    aten.linear,
    aten.silu,
    aten.silu_,
    aten.mish,
    aten.mish_,
    aten.celu,
    aten.celu_,
    aten.selu,
    aten.selu_,
    aten.relu6,
    aten.relu6_,
    aten.hardswish,
    aten.hardswish_,
    aten.hardsigmoid,
    aten.hardsigmoid_,
    aten.softplus,
    aten.log_sigmoid,
    aten.log_sigmoid_forward,
    aten.softshrink,
    aten.hardshrink,
    aten.threshold,
    aten.threshold_,
    aten._prelu_kernel,
    aten.upsample_nearest1d,
    aten.upsample_nearest2d,
    aten.upsample_nearest3d,
    aten.upsample_linear1d,
    aten.upsample_bilinear2d,
    aten.upsample_trilinear3d,
    aten.upsample_bicubic2d,
    aten.reflection_pad1d,
    aten.reflection_pad2d,
    aten.reflection_pad3d,
    aten.replication_pad1d,
    aten.replication_pad2d,
    aten.replication_pad3d,
    aten._upsample_nearest_exact1d,
    aten._upsample_nearest_exact2d,
    aten._upsample_nearest_exact3d,
    aten.im2col,
    aten.col2im,
)
"""Operators that torch.export would decompose, but that are one row of the bias table, or that stop the gradient."""

ASSERTIONS = (
    aten._assert_async.msg,
    aten._assert_scalar.default,
    aten._assert_tensor_metadata.default,  # of a dtype that another precision changes
)
"""Operators that return nothing, which the graph does without."""

CONTIGUOUS = torch.contiguous_format
TRIED_BATCH = 2
"""The batch size that the model is run with before it is captured."""

TRACED_BATCH = 5
"""The batch size of the example while capturing: sizes 0 and 1 are specialised by torch.export.

So is one that equals a constant which PyTorch compares it with, as a stride in the backward of a product: 5 is rarely
one.
"""


def capture(
    model: nn.Module | ExportedProgram,
    example_inputs: Tensor | Sequence[Tensor],
    score: Callable[..., Tensor] | None = None,
    output: str | int | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
    dynamic_sizes: bool = False,
) -> CapturedProgram:
    """Captures ``model`` as a flat graph of ATen operators whose batch dimension is symbolic.

    Args:
        model: A module in evaluation mode, or an exported program with a dynamic batch.
        example_inputs: A tensor ``(N, …)``, or a tuple of tensors, as the model takes them; any N ≥ 1.
        score: A function of the model's output ``(N,)`` to capture with it.
        output: Which of the model's outputs the score takes.
        score_inputs: Examples of the score's own inputs ``(N, …)``, by name.
        dynamic_sizes: Whether the spatial sizes of the inputs are symbolic too; an exported program brings its own.

    Raises:
        CaptureError: The model is in training mode, its control flow depends on values, it fixes the batch size,
            or a spatial size that is to be dynamic, its samples depend on each other, or it draws random numbers.
        InputError: ``example_inputs`` is empty, not of tensors, not what the model takes, or too small to be varied.
        ScoreError: The score cannot be computed, or is not ``(N,)``.
    """
    inputs = as_inputs(example_inputs)
    name = type(model).__name__
    if isinstance(model, nn.Module):
        require_evaluation_mode(model)
    extras = dict(score_inputs or {})
    if score is not None:
        scored = Scored(model, score, output, list(extras))
        given = (*inputs, *as_inputs(list(extras.values()))) if extras else inputs
        captured = _flat(_export(scored, given, name, dynamic_sizes), name, scored.input_names(len(given)))
        captured = dataclasses.replace(
            captured, inputs=captured.inputs[: len(inputs)], score_inputs=tuple(extras), scored=True
        )
    else:
        exported = model if isinstance(model, ExportedProgram) else _export(model, inputs, name, dynamic_sizes)
        captured = _flat(exported, name)
    require_explainable(captured)
    if isinstance(model, nn.Module):
        require_same_outputs(captured, model if score is None else scored, inputs if score is None else given)
    if dynamic_sizes:
        require_free_sizes(captured)
    return captured


def _flat(exported: ExportedProgram, name: str, input_names: Sequence[str] | None = None) -> CapturedProgram:
    """The program in core ATen, its parameters as attributes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)  # of PyTorch's own use of its own names
        decomposed = prepare(exported).run_decompositions(_decompositions())
    return _unlift(decomposed, name, input_names)


def _decompositions() -> dict[Any, Any]:
    """PyTorch's decompositions into core ATen and our own, without those of the operators that are kept whole."""
    table: Any = torch.export.default_decompositions()  # the table and packets are untyped
    packets: Any = KEPT_WHOLE
    kept = {getattr(packet, overload) for packet in packets for overload in packet.overloads()}
    return {operator: rule for operator, rule in table.items() if operator not in kept} | DECOMPOSITIONS


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


def require_evaluation_mode(model: nn.Module) -> None:
    """Refuses a module any part of which is in training mode, where dropout and batch statistics are random.

    Raises:
        CaptureError: Names the first such part.
    """
    for path, module in model.named_modules():
        if module.training:
            part = f"its part '{path}' is" if path else "it is"
            raise CaptureError(f"{type(model).__name__} cannot be compiled while {part} in training mode: call .eval()")


def _export(model: nn.Module, inputs: tuple[Tensor, ...], name: str, dynamic_sizes: bool) -> ExportedProgram:
    examples = tuple(
        value[:1].expand(TRIED_BATCH, *value.shape[1:]).clone(memory_format=CONTIGUOUS) for value in inputs
    )
    try:
        with torch.no_grad():
            model(*examples)
    except FgcompileError:
        raise
    except Exception as error:
        sizes = ", ".join(str(tuple(value.shape)) for value in inputs)
        raise InputError(
            f"{name} does not take inputs of shape {sizes}: {_first_line(error)}; pass inputs as the model takes them"
        ) from error
    free: Sizes = find_dynamic_sizes(model, examples) if dynamic_sizes else [{} for _ in examples]
    # torch.export looks at shapes only.
    traced = tuple(value.new_empty((TRACED_BATCH, *value.shape[1:])) for value in inputs)

    def export(values: tuple[Tensor, ...]) -> ExportedProgram:
        # Pairs sizes with tensors whatever the signature, ``*inputs`` included.
        shapes = ShapesCollection()  # type: ignore[no-untyped-call]
        for value, dimensions in zip(values, free, strict=True):
            shapes[value] = {0: Dim("batch"), **dimensions}
        dynamic = shapes.dynamic_shapes(model, values)  # type: ignore[no-untyped-call]
        # A failed export prints the graph that it had so far. The fast path is one operator for a whole layer.
        with contextlib.redirect_stderr(io.StringIO()), _without_fast_path():
            return torch.export.export(model, values, dynamic_shapes=dynamic, strict=False)

    failures: list[tuple[Exception, tuple[Tensor, ...]]] = []
    for values in (traced, examples):  # the second is of a size that the model has shown to take
        try:
            return export(values)
        except Exception as error:
            failures.append((error, values))
    for failure, values in failures:
        if _fixes_batch(failure):
            raise CaptureError(_explain_fixed_batch(name, find_fixed_size(partial(export, values)))) from failure
    failure, _ = failures[0]
    raise CaptureError(_explain(name, failure)) from failure


@contextlib.contextmanager
def _without_fast_path() -> Iterator[None]:
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _fixes_batch(error: Exception) -> bool:
    text = str(error)
    return "batch" in text and ("constant" in text or "specializ" in text or "Constraints violated" in text)


def _explain_fixed_batch(name: str, place: str | None) -> str:
    where = "" if place is None else f" at {place}"
    return (
        f"{name} fixes its batch size to a constant{where}, so an artifact could not serve other batches: write sizes "
        "as x.shape[0] or -1 instead of numbers or len(x), and replace an operator that needs them fixed"
    )


def _explain(name: str, error: Exception) -> str:
    text = str(error)
    if "data-dependent" in text or "Dynamic control flow" in text or "GuardOnDataDependent" in type(error).__name__:
        return (
            f"{name} has control flow that depends on values and cannot be captured: {_first_line(error)}; "
            "replace it by torch.where or torch.cond"
        )
    return f"torch.export cannot capture {name}: {_first_line(error)}; see 'Troubleshooting' in PyTorch's export guide"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__


def _unlift(exported: ExportedProgram, name: str, input_names: Sequence[str] | None) -> CapturedProgram:
    """Turns the lifted parameters, buffers and constants back into attributes, and drops all but the user's outputs."""
    signature = exported.graph_signature
    root = nn.Module()
    graph = fx.Graph()
    values: dict[fx.Node, fx.Node] = {}
    inputs: list[str] = []
    specs = {spec.arg.name: spec for spec in signature.input_specs}
    for node in exported.graph.nodes:
        if node.op == "placeholder":
            spec = specs[node.name]
            if spec.kind == InputKind.USER_INPUT:
                inputs.append(node.name if input_names is None else input_names[len(inputs)])
                values[node] = graph.placeholder(inputs[-1])
            elif spec.kind == InputKind.TOKEN:
                effect = next(iter(node.users)).args[1]
                raise CaptureError(f"{name} calls '{effect}', which acts by side effects: replace what calls it")
            else:
                values[node] = _attribute(exported, spec.target, root, graph)
            values[node].meta["val"] = node.meta.get("val")
        elif node.op == "output":
            wanted = set(signature.user_outputs)
            flat = [value for value in node.args[0] if isinstance(value, fx.Node) and value.name in wanted]
            graph.output(tuple(values[value] for value in flat))
        elif node.target not in ASSERTIONS:
            values[node] = graph.node_copy(node, lambda n: values[n])
            if node.target in VIEWS:
                values[node].target = aten.reshape.default
            values[node].meta["nn_module_stack"] = unwrapped(node.meta.get("nn_module_stack"))
    _bound_infinities(graph, root)
    graph.eliminate_dead_code()
    graph_module = fx.GraphModule(root, graph, class_name="CapturedProgram")
    return CapturedProgram(graph_module, tuple(inputs), exported.call_spec.out_spec, name)


def _bound_infinities(graph: fx.Graph, root: nn.Module) -> None:
    """Masks of −∞ become the lowest number: what is masked has a gradient of zero, and 0 · ∞ would be NaN."""
    for node in graph.nodes:
        if node.target is aten.linalg_vector_norm.default:
            continue  # whose order may be ∞
        node.args = fx.node.map_aggregate(node.args, _bounded)
        node.kwargs = fx.node.map_aggregate(node.kwargs, _bounded)
    for name, buffer in list(root.named_buffers()):
        if buffer.is_floating_point() and buffer.isinf().any():
            setattr(root, name, buffer.clamp(LOWEST, -LOWEST))


def _bounded(value: Any) -> Any:
    infinite = isinstance(value, float) and math.isinf(value)
    return math.copysign(LOWEST, value) if infinite else value


def _attribute(exported: ExportedProgram, target: str, root: nn.Module, graph: fx.Graph) -> fx.Node:
    tensor: Any = exported.state_dict[target] if target in exported.state_dict else exported.constants[target]
    name = re.sub(r"\W", "_", f"constant_{unwrapped_name(target)}")  # it becomes an argument's, and a path may not
    attribute = free_name(name, dict(root.named_buffers()))
    root.register_buffer(attribute, tensor.detach())
    return graph.get_attr(attribute)
