"""A file of any opset as one of a single opset: each form that an operator had before becomes the one that it has now.

What the newer opsets only added is no change here: the table's rows have all of it. ``onnx``'s own version converter is
not used: it leaves the bodies of If, Loop and Scan as they are, needs the values of weights, and knows no other domain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, ShapeInferencePass
from onnx_ir.traversal import RecursiveGraphIterator

from fgcompile.compiler.capture.onnx.operators.resize_axis import SIMPLE
from fgcompile.errors import SourceError, first_line

OPSET = 24
"""The opset whose definitions the table's rows have."""

OLDEST = 7
"""The first one with NumPy's broadcasting."""

Change = Callable[[ir.Node], None]


class _NoFormError(Exception):
    """A node has no form in the present opset; says why."""


def inlined(model: ir.Model, path: Path) -> ir.Model:
    """The model without functions, rewritten in place.

    Functions may be of another opset whose operators are the same; ONNX Runtime reads all nodes by the model's.

    Raises:
        SourceError: A function calls itself, or one is not what calls it say.
    """
    imports = model.graph.opset_imports
    for function in model.functions.values():
        for domain, version in function.opset_imports.items():
            function.opset_imports[domain] = imports.setdefault(domain, version)
    try:
        InlinePass()(model)
    except Exception as error:  # onnx_ir's own, and those of what a function has not
        raise SourceError(f"{path} has functions that cannot be read ({first_line(error)}): export it again") from error
    return model


def upgraded(model: ir.Model, path: Path) -> ir.Model:
    """The model in ``OPSET``, rewritten in place; one of a later opset as it is.

    Raises:
        SourceError: It is of an opset before ``OLDEST``, or has a node that has no form in ``OPSET``.
    """
    version = model.graph.opset_imports.get("", OPSET)
    if version >= OPSET:
        return model
    if version < OLDEST:
        raise SourceError(
            f"{path} is of opset {version}, fgcompile reads {OLDEST} and later: export it again, or try "
            f"onnx.version_converter.convert_version(onnx.load(FILE), {OPSET - 2})"
        )
    nodes = [node for node in RecursiveGraphIterator(model.graph) if node.domain == ""]
    if version < 13 and any(_needs_rank(node) for node in nodes):
        ShapeInferencePass(check_type=False, strict_mode=False)(model)
    for node in nodes:
        for since, change in CHANGES.get(node.op_type, ()):
            if version < since:
                _apply(change, node, version, path)
    model.graph.opset_imports[""] = OPSET
    return model


def _apply(change: Change, node: ir.Node, version: int, path: Path) -> None:
    try:
        change(node)
    except _NoFormError as error:
        raise SourceError(
            f"{path} has a {node.op_type} of opset {version} that {error}: export it again with opset {OPSET}"
        ) from error


def _as_input(name: str, place: int, dtype: Any = np.int64) -> Change:
    """What was an attribute is an input, left out where it was not given."""

    def change(node: ir.Node) -> None:
        value = _popped(node, name)
        if value is not None:
            _set_input(node, place, _constant(node, name, np.array(value, dtype)))

    return change


def _without(name: str, allowed: Sequence[Any]) -> Change:
    """An attribute is gone, whose other values have no form any more."""

    def change(node: ir.Node) -> None:
        value = _popped(node, name)
        if value is not None and allowed and value not in allowed:
            raise _NoFormError(f"has {name}={value}")

    return change


def _renamed(operator: str) -> Change:
    def change(node: ir.Node) -> None:
        node.op_type = operator

    return change


def _value(attribute: str, new: dict[str | None, str]) -> Change:
    """A word of an attribute, or its absence, has another name."""

    def change(node: ir.Node) -> None:
        value = _plain(node, attribute)
        if value in new:
            node.attributes[attribute] = ir.AttrString(attribute, new[value])

    return change


def _change_slice(node: ir.Node) -> None:
    """Starts, ends and axes are inputs, in that order."""
    for place, name in enumerate(("starts", "ends", "axes"), 1):
        _as_input(name, place)(node)


def _change_top_k(node: ir.Node) -> None:
    _set_input(node, 1, _constant(node, "k", np.array([_popped(node, "k")], np.int64)))


def _change_clip(node: ir.Node) -> None:
    for place, name in enumerate(("min", "max"), 1):
        _as_input(name, place, np.float32)(node)


def _change_dft(node: ir.Node) -> None:
    """``axis`` is an input, which was 1 where it was left out."""
    axis = _popped(node, "axis")
    _set_input(node, 2, _constant(node, "axis", np.array(1 if axis is None else axis, np.int64)))


def _change_pad(node: ir.Node) -> None:
    _as_input("pads", 1)(node)
    _as_input("value", 2, np.float32)(node)


def _change_upsample(node: ir.Node) -> None:
    """``Upsample`` is the ``Resize`` of its time."""
    _as_input("scales", 1, np.float32)(node)
    node.op_type = "Resize"


def _change_resize(node: ir.Node) -> None:
    """Scales are the third input; positions were ``i / scale``, the nearest one below, or above where it shrinks."""
    scales = node.inputs[1]
    _set_input(node, 2, scales)
    node.replace_input_with(1, None)
    if _plain(node, "mode") == "bilinear":
        node.attributes["mode"] = ir.AttrString("mode", "linear")
    node.attributes["coordinate_transformation_mode"] = ir.AttrString("coordinate_transformation_mode", "asymmetric")
    node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", SIMPLE)


def _change_softmax(node: ir.Node) -> None:
    """``axis`` was where the tensor became a matrix, whose rows were normalised: all axes from there on at once."""
    axis = _plain(node, "axis")
    axis = 1 if axis is None else axis
    rank = _rank(node)
    node.attributes["axis"] = ir.AttrInt64("axis", -1)
    if axis == -1 or (rank is not None and axis % rank == rank - 1):
        return
    source, output = node.inputs[0], node.outputs[0]
    assert source is not None
    shape = _insert(node, "Shape", [source], "shape")
    node.replace_input_with(0, _insert(node, "Flatten", [source], "flat", axis=axis))
    name = output.name
    output.name = f"{name}/matrix"
    reshaped = ir.node("Reshape", [output, shape], outputs=[ir.Value(name=name, type=output.type, shape=output.shape)])
    output.shape = None
    for user, place in [use for use in output.uses() if use[0] is not reshaped]:
        user.replace_input_with(place, reshaped.outputs[0])
    assert node.graph is not None
    outputs = node.graph.outputs
    for place, value in enumerate(outputs):
        if value is output:
            outputs[place] = reshaped.outputs[0]
    node.append(reshaped)


def _needs_rank(node: ir.Node) -> bool:
    return node.op_type in _SOFTMAX and _rank(node) is None and _plain(node, "axis") != -1


def _rank(node: ir.Node) -> int | None:
    value = node.inputs[0]
    return None if value is None or value.shape is None else len(value.shape)


def _change_groups(node: ir.Node) -> None:
    """Scale and bias were one number a group, and are one a channel now."""
    source, groups = node.inputs[0], _plain(node, "num_groups")
    assert source is not None
    channels = _insert(node, "Shape", [source], "channels", start=1, end=2)
    count = _constant(node, "groups", np.array([groups], np.int64))
    each = _insert(node, "Div", [channels, count], "each")
    shape = _insert(node, "Concat", [count, each], "shape", axis=0)
    whole, last = _constant(node, "whole", np.array([-1], np.int64)), _constant(node, "last", np.array([1], np.int64))
    for place, name in ((1, "scale"), (2, "bias")):
        column = _insert(node, "Unsqueeze", [node.inputs[place], last], f"{name}_column")
        wide = _insert(node, "Expand", [column, shape], f"{name}_wide")
        node.replace_input_with(place, _insert(node, "Reshape", [wide, whole], f"{name}_each"))


def _change_scan(node: ir.Node) -> None:
    raise _NoFormError("runs along the second axis of samples")


def _plain(node: ir.Node, name: str) -> Any:
    attribute = node.attributes.get(name)
    return None if attribute is None else attribute.value


def _popped(node: ir.Node, name: str) -> Any:
    attribute = node.attributes.pop(name, None)
    return None if attribute is None else attribute.value


def _set_input(node: ir.Node, place: int, value: ir.Value | None) -> None:
    if len(node.inputs) <= place:
        node.resize_inputs(place + 1)
    node.replace_input_with(place, value)


def _constant(node: ir.Node, name: str, array: Any) -> ir.Value:
    return _insert(node, "Constant", [], name, value=ir.tensor(array))


def _insert(node: ir.Node, operator: str, inputs: Sequence[ir.Value | None], name: str, **attributes: Any) -> ir.Value:
    """The output of a new node in front of another; its name is the other's, and what it is."""
    output = ir.Value(name=f"{node.outputs[0].name}/{name}")
    node.prepend(ir.node(operator, inputs, attributes, outputs=[output], name=output.name))
    return output


_SOFTMAX = ("Softmax", "LogSoftmax", "Hardmax")

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")

CHANGES: dict[str, tuple[tuple[int, Change], ...]] = {
    "BatchNormalization": ((9, _without("spatial", [1])),),
    "Clip": ((11, _change_clip),),
    "DFT": ((20, _change_dft),),
    "Dropout": ((12, _without("ratio", [])),),
    "GridSample": ((20, _value("mode", {"bilinear": "linear", "bicubic": "cubic"})),),
    "GroupNormalization": ((21, _change_groups),),
    "Pad": ((11, _change_pad),),
    "ReduceSum": ((13, _as_input("axes", 1)),),
    "Resize": ((11, _change_resize),),
    "RoiAlign": ((16, _value("coordinate_transformation_mode", {None: "output_half_pixel"})),),
    "Scan": ((9, _change_scan),),
    "Scatter": ((11, _renamed("ScatterElements")),),
    "Slice": ((10, _change_slice),),
    "Split": ((13, _as_input("split", 1)),),
    "Squeeze": ((13, _as_input("axes", 1)),),
    "TopK": ((10, _change_top_k),),
    "Unsqueeze": ((13, _as_input("axes", 1)),),
    "Upsample": ((10, _change_upsample), (11, _change_resize)),
    **dict.fromkeys(_SOFTMAX, ((13, _change_softmax),)),
    **{f"Reduce{name}": ((18, _as_input("axes", 1)),) for name in _REDUCTIONS},
}
"""Operators whose form changed, the opsets that did, and what brings an older node there."""
