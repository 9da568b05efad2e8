"""The node cases of ``onnx.backend.test``: a graph of one operator, or its definition by others, and outputs."""

from __future__ import annotations

import contextlib
import inspect
import io
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx.backend.test.case.node import collect_testcases
from onnx.numpy_helper import from_array, to_array

from benchmarks.onnx_cases.left_out import tolerance
from fgcompile.compiler.capture.onnx.operators import OPERATORS
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.compiler.capture.onnx.values import as_tensor
from fgcompile.errors import CaptureError, UnsupportedOpError, first_line


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        name: As ONNX has it.
        operator: Domain and type of the operator that it is about.
        model: Of one node, or its definition by others, where the name says ``_expanded``.
        inputs: In the graph's order: arrays, or what no tensor is.
        outputs: What is expected.
        rtol: Relative and
        atol: absolute tolerance.
    """

    name: str
    operator: tuple[str, str]
    model: onnx.ModelProto
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    rtol: float
    atol: float


@cache
def cases() -> Mapping[tuple[str, str], Sequence[Case]]:
    """All cases, by operator."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        collected = collect_testcases("")
    alone = {case.name: case.model.graph.node[0] for case in collected if len(case.model.graph.node) == 1}
    found = defaultdict(list)
    for case in collected:
        node = alone.get(case.name.partition("_expanded")[0], case.model.graph.node[-1])
        operator = (node.domain, node.op_type)
        for inputs, outputs in case.data_sets:
            found[operator].append(Case(case.name, operator, case.model, inputs, outputs, case.rtol, case.atol))
    return found


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        failure: Why it failed.
        for_another: Whether that is for another operator, which its definition has.
        refused: Whether it was refused, for itself.
    """

    failure: str = ""
    for_another: bool = False
    refused: bool = False


def run(case: Case) -> Outcome:
    """Reads the model as a file, runs it in PyTorch, and compares dtypes, shapes and values.

    Shapes, axes and pads are constants, as files have them; what may be a number or a tensor is tried as both. Where
    a definition by others computes with sizes that it is given, all that can be sizes is constant.
    """
    nodes = case.model.graph.node
    numbers, both = (
        {name for node in nodes for name in _numbers(node, kind)} for kind in ("numbers", "numbers_if_known")
    )
    sizes = {value.name for value, array in zip(case.model.graph.input, case.inputs, strict=True) if _is_size(array)}
    outcome = _run(case, numbers)
    if outcome.refused and not sizes <= numbers:
        numbers |= sizes
        outcome = _run(case, numbers)
    return outcome if both <= numbers or outcome.failure else _run(case, numbers | both)


def _is_size(array: Any) -> bool:
    """Whether these may be sizes: integers, truths, or a single number."""
    return isinstance(array, np.ndarray | np.generic) and (array.dtype.kind in "iub" or array.ndim == 0)


def _run(case: Case, constant: Set[str]) -> Outcome:
    try:
        model, inputs = _with_constants(case.model, case.inputs, constant)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(model, path)
            module = read_onnx(path, logits=False)
        outputs = module(**{name: _tensor(array) for name, array in inputs.items()})
        results = outputs.values() if isinstance(outputs, dict) else [outputs]
        for actual, expected in zip(results, map(_tensor, case.outputs), strict=True):
            atol = tolerance(case.name, case.atol)
            torch.testing.assert_close(actual, expected, rtol=case.rtol, atol=atol, equal_nan=True)
    except (CaptureError, UnsupportedOpError) as error:
        # Its own operator is a row: what is not read is one that its definition has.
        another = "has operators that fgcompile does not read" in str(error)
        return Outcome(first_line(error), for_another=another, refused=not another)
    except Exception as error:  # whatever an operator raises is its failure
        return Outcome(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return Outcome()


def _with_constants(
    model: onnx.ModelProto, inputs: Sequence[Any], constant: Set[str]
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The model with some inputs as constants, and the others."""
    fixed, left = onnx.ModelProto(), {}
    fixed.CopyFrom(model)
    del fixed.graph.input[:]
    for value, array in zip(model.graph.input, inputs, strict=True):
        if value.name in constant:
            fixed.graph.initializer.append(from_array(np.array(array), value.name))
        else:
            fixed.graph.input.append(value)
            left[value.name] = array
    return fixed, left


def _numbers(node: onnx.NodeProto, kind: str) -> list[str]:
    operator = OPERATORS.get((node.domain, node.op_type))
    if operator is None:
        return []
    parameters, wanted = inspect.signature(operator.compute).parameters, getattr(operator, kind)
    return [name for name, parameter in zip(node.input, parameters, strict=False) if name and parameter in wanted]


def _tensor(array: Any) -> torch.Tensor:
    return as_tensor(to_array(array) if isinstance(array, onnx.TensorProto) else np.array(array))
