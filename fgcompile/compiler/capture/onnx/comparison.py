"""A file as it was read, beside ONNX Runtime on the file itself: where the two part, the first node is named."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from fgcompile.artifact.regular import read_regular
from fgcompile.compiler.capture.onnx.by_node import differing_node
from fgcompile.compiler.capture.onnx.facts import examples_at
from fgcompile.compiler.capture.onnx.loading import parsed
from fgcompile.compiler.capture.onnx.model import OnnxModel
from fgcompile.compiler.capture.onnx.rounding import SLACK, moved_by_rounding
from fgcompile.compiler.ir.fixed_batch import ALONE
from fgcompile.compiler.ir.memory import is_out_of_memory
from fgcompile.errors import CaptureWarning, FgcompileError, UnsupportedOpError, VerificationError, first_line

CLOSE = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""How far the two may be apart, relative to the largest number of a tensor: kernels add up in another order, and round
numbers of half precision after each of them or after several."""

BATCHES = (1, 2, 5)
"""The samples that are compared, in this many calls."""

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]


def compare_with_runtime(model: OnnxModel, examples: Mapping[str, Tensor]) -> None:
    """Holds a model to ONNX Runtime on its file, on seeded inputs.

    Args:
        model: As read.
        examples: Of its inputs by name: their shapes, and the values of integers.

    Raises:
        VerificationError: A tensor that is explained differs by more than rounding moves it; names the first node.

    Warns:
        CaptureWarning: ONNX Runtime cannot run the file, so that it was not compared; or rounding moves it far.
    """
    try:
        reference = FileReference(model, model.explained.in_file)
        axes = dict(zip(model.input_names, model.batch_axes, strict=True))
        samples = [ALONE if model.alone else count * (model.file_batch or 1) for count in BATCHES]
        given = [examples_at(count, examples, axes, seed, model.of_bytes) for seed, count in enumerate(samples)]
        found = [model.tensors(feeds, model.explained.in_file) for feeds in given]
        runs = [reference.run(feeds, like) for feeds, like in zip(given, found, strict=True)]
    except ImportError:
        message = f"{model.path} was not compared with ONNX Runtime, which is not installed: pip install onnxruntime"
        warnings.warn(message, CaptureWarning, stacklevel=2)
        return
    except FgcompileError:  # what we do not compute, which would be said of ONNX Runtime
        raise
    except Exception as error:  # of a file that ONNX Runtime refuses, in its own classes
        if is_out_of_memory(error):
            raise
        message = f"{model.path} was not compared with ONNX Runtime, which does not run it ({first_line(error)})"
        warnings.warn(message, CaptureWarning, stacklevel=2)
        return
    close = _closeness(model)
    apart = [
        (distance(ours[name], value), name, feeds)
        for feeds, ours, expected in zip(given, found, runs, strict=True)
        for name, value in expected.items()
    ]
    worst = max(apart, key=lambda each: each[0])
    if worst[0] > close and model.quantised:
        # Levels on a border are rounded to either, and from there on all others follow: each node counts, once.
        _require_nodes(model, given[0])
    elif worst[0] > close:
        _judge(model, *worst)


def _judge(model: OnnxModel, apart: float, name: str, feeds: Mapping[str, Tensor]) -> None:
    """Whether a tensor that differs from ONNX Runtime's was read wrongly, or rounding moves it as far."""
    rounding = moved_by_rounding(model, feeds, name) if isfinite(apart) else 0.0
    if apart > SLACK * rounding:
        raise VerificationError(_parting(model, feeds, name, apart))
    warnings.warn(
        f"'{name}' of {model.path} is {apart:.1e} from what ONNX Runtime makes it: rounding moves it by {rounding:.1e} "
        "on seeded inputs, so that more cannot be told; compare real ones, fgcompile verify ARTIFACT --source FILE",
        CaptureWarning,
        stacklevel=3,
    )


def on_file(model: object, feeds: Mapping[str, Tensor]) -> Array | None:
    """What ONNX Runtime makes the explained tensor of a file; None of other models, and where it is not said which."""
    if not isinstance(model, OnnxModel) or len(model.explained.in_file) != 1:
        return None
    name, samples = model.input_names[0], model.file_batch or 1
    if feeds[name].shape[model.batch_axes[0]] % samples or not all(map(_are_bytes, map(feeds.get, model.of_bytes))):
        return None
    try:
        (result,) = FileReference(model, model.explained.in_file).run(feeds).values()
    except Exception:  # what ONNX Runtime does not run has been said while compiling
        return None
    return None if result.dtype.kind in "iu" else result  # levels, of which we explain the numbers


def _are_bytes(value: Tensor | None) -> bool:
    return value is not None and bool((value == value.to(torch.uint8)).all())


def rounding_on_file(model: object, feeds: Mapping[str, Tensor]) -> float:
    """How far the explained tensor of a file may be from ONNX Runtime's by rounding alone."""
    assert isinstance(model, OnnxModel)
    return SLACK * moved_by_rounding(model, feeds, model.explained.in_file[0])


class FileReference:
    """ONNX Runtime on a file, at any batch: one of a fixed batch is called for part after part."""

    def __init__(self, model: OnnxModel, names: Sequence[str], fused: bool = True) -> None:
        self._model, self._names = model, list(names)
        proto, folder = parsed(read_regular(model.path), model.path)
        proto.graph.node.extend(model.explained.made)
        keep(proto.graph, names)
        content = proto.SerializeToString()
        try:
            self._session = _session(content, folder, fused)
        except ImportError:
            raise
        except Exception:  # ONNX Runtime does not rewrite every form of such a product
            self._session = _session(content, folder, fused, exact=False)
        self._dtypes = {spec.name: _dtype(spec.type) for spec in self._session.get_inputs()}

    def run(self, feeds: Mapping[str, Tensor], like: Mapping[str, Tensor] | None = None) -> Arrays:
        """The tensors by name, of inputs by name; parts are joined to the shapes of others, if these are given."""
        model = self._model
        axes = dict(zip(model.input_names, model.batch_axes, strict=True))
        count = feeds[model.input_names[0]].shape[axes[model.input_names[0]]]
        step = 1 if model.apart or model.alone else model.file_batch or count
        parts = []
        for start in range(0, count, step):
            part = {name: value.narrow(axes[name], start, step).numpy() for name, value in feeds.items()}
            # Bytes are real numbers here, and all real numbers of 32 bits.
            part = {name: value.astype(self._dtypes.get(name, value.dtype)) for name, value in part.items()}
            parts.append(self._session.run(self._names, {**part, **self._others(step)}))
        shapes = {name: tuple(value.shape) for name, value in (like or {}).items()}
        joined = {name: values for name, *values in zip(self._names, *parts, strict=True)}
        return {name: self._joined(name, values, shapes.get(name)) for name, values in joined.items()}

    def _joined(self, name: str, parts: Sequence[Array], shape: tuple[int, ...] | None) -> Array:
        """One sample after the other, along the axis that has them in a shape, or in the file's output."""
        first, axis = parts[0], self._model.sample_axes.get(name, 0)
        if len(parts) == 1 or first.shape == shape:  # or the same for all samples
            return first
        wanted = shape if shape is not None and len(shape) == first.ndim else first.shape
        grown = [at for at, size in enumerate(first.shape) if size != wanted[at]]
        return np.concatenate(parts, grown[0] if grown else axis)

    def _others(self, batch: int) -> Arrays:
        """Inputs that are fixed, and those that what is compared does not need."""
        others = {}
        for spec in self._session.get_inputs():
            if spec.name not in self._model.input_names:
                shape = [size if isinstance(size, int) else batch for size in spec.shape]
                others[spec.name] = np.full(shape, self._model.fixed.get(spec.name, 0), self._dtypes[spec.name])
        return others


def _session(content: bytes, folder: object, fused: bool, exact: bool = True) -> Any:
    """A session that computes sums of products of 8 bits exactly, unless it is not to.

    Without VNNI, x86 adds two products in 16 bits, which clip: ONNX Runtime then gives other numbers than the operators
    are defined to have, but where it is told to turn the signed factor into an unsigned one.
    """
    import onnxruntime  # type: ignore[import-untyped]  # ships no types; compiling does not need it

    options, levels = onnxruntime.SessionOptions(), onnxruntime.GraphOptimizationLevel
    options.log_severity_level = 4
    if not fused:
        # All tensors are outputs, which leaves nothing to fuse; without it nothing is turned either.
        options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if exact else levels.ORT_DISABLE_ALL
    if exact:
        options.add_session_config_entry("session.x64quantprecision", "1")
        # Products with levels of 4 bits would round their other factor to 8 otherwise.
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _dtype(kind: str) -> np.dtype[Any]:
    """NumPy's of a type of tensors as ONNX Runtime says it."""
    return np.dtype(_DTYPES.get(kind, kind.removeprefix("tensor(").removesuffix(")")))


_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}


def keep(graph: onnx.GraphProto, names: Sequence[str]) -> None:
    """Leaves of a graph what computes some tensors, and these as its outputs."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    waiting, kept = list(names), set[int]()
    while waiting:  # nodes may be in any order
        index = makers.get(waiting.pop())
        if index is not None and index not in kept:
            kept.add(index)
            waiting.extend(_read(graph.node[index]))
    nodes = [onnx.NodeProto.FromString(graph.node[index].SerializeToString()) for index in sorted(kept)]
    typed = {value.name: value for value in graph.output}
    outputs = [typed.get(name, onnx.ValueInfoProto(name=name)) for name in names]
    del graph.node[:], graph.output[:]
    graph.node.extend(nodes)
    graph.output.extend(outputs)


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """The names of what a node reads, its bodies included."""
    yield from node.input
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from _read(inner)
            yield from (value.name for value in body.output)


def _closeness(model: OnnxModel) -> float:
    """How far a model may be from its file, by the coarsest numbers that it computes with."""
    return max(CLOSE.get(dtype, 0) for dtype in {torch.float32, *model.dtypes()})


def distance(found: Tensor, expected: Array) -> float:
    """How far apart two tensors are, relative to the largest number of both; infinitely where their shapes differ."""
    array = found.detach().numpy()
    if array.shape != expected.shape:
        return float("inf")
    if not array.size or np.array_equal(array, expected, equal_nan=array.dtype.kind == "f"):
        return 0.0
    same = (array == expected) | (np.isnan(array) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0, np.abs(array.astype(np.float64) - expected.astype(np.float64)))
    size = max(np.abs(each[np.isfinite(each)].astype(np.float64)).max(initial=0.0) for each in (array, expected))
    return float(np.nan_to_num(apart, nan=np.inf, posinf=np.inf).max() / max(size, np.finfo(np.float32).tiny))


def _parting(model: OnnxModel, feeds: Mapping[str, Tensor], name: str, apart: float) -> str:
    """What is said of a file that was read otherwise than ONNX Runtime does."""
    beginning = f"'{name}' of {model.path} is {apart:.1e} from what ONNX Runtime makes it"
    node = _first_node(model, feeds)
    where = "" if node is None else f", beginning with {node}"
    return f"{beginning}{where}: fgcompile reads an operator wrongly; please report this"


def _require_nodes(model: OnnxModel, feeds: Mapping[str, Tensor]) -> None:
    """Holds each node of a quantised file to ONNX Runtime's, given the same numbers."""
    try:
        reference = FileReference(model, [name for name in model.titles() if name in names_in_file(model)], fused=False)
        expected = reference.run(feeds)
    except Exception as error:  # an inner tensor that ONNX Runtime does not give out
        message = (
            f"{model.path} was not compared with ONNX Runtime, which does not give its levels ({first_line(error)})"
        )
        warnings.warn(message, CaptureWarning, stacklevel=4)
        return
    node, rows = differing_node(model, feeds, expected) or (None, 0)
    # It is one sample that is compared.
    if node is not None and node.startswith("DynamicQuantize") and rows > 1:
        raise UnsupportedOpError(
            f"{node} of {model.path} finds its range at run time among values whose first axis is not the samples': "
            "each sample is given its own range, and cannot be told apart there; quantise the file statically, or "
            "explain a tensor in front of it"
        )
    if node is not None:
        raise VerificationError(
            f"{node} of {model.path} computes something else than in ONNX Runtime: "
            "fgcompile reads an operator wrongly; please report this"
        )


def names_in_file(model: OnnxModel) -> set[str]:
    """The tensors of the file itself: older forms of operators were read as several."""
    proto = onnx.load(str(model.path), load_external_data=False)
    return {name for node in proto.graph.node for name in node.output}


def _first_node(model: OnnxModel, feeds: Mapping[str, Tensor]) -> str | None:
    """The first node whose results differ, in the file's order."""
    titles = model.titles()
    found, close = model.tensors(feeds, titles), _closeness(model)
    try:
        expected = FileReference(model, list(titles)).run(feeds, found)
    except Exception:  # an inner tensor that ONNX Runtime does not give out
        return None
    return next((titles[name] for name in titles if not distance(found[name], expected[name]) <= close), None)
