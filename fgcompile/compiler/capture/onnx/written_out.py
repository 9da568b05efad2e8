"""A softmax or sigmoid that a file has as the operators it is defined by, as converters from JAX write it."""

from __future__ import annotations

import onnx_ir as ir

from fgcompile.compiler.capture.onnx.numbers import numbers_of

_SHAPING = ("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Expand", "Tile")
"""Operators that stand between a sum or maximum and what it is taken from."""

_BOUNDING = ("Max", "Clip")
"""Operators that stand behind a maximum: of nothing it is -inf."""


def written_logits(quotient: ir.Node) -> tuple[ir.Value, str] | None:
    """What the softmax or sigmoid takes that a node is the last of, and its name.

    A softmax is ``exp(l − m) / Σ exp(l − m)`` along one axis but the first, m their largest or nothing, or
    ``exp(l − log Σ exp(l))``; a sigmoid is ``1 / (1 + exp(−l))``.
    """
    if _is(quotient, "Exp"):
        return _named(_logarithm(quotient.inputs[0]), "Softmax")
    if quotient.domain or quotient.op_type not in ("Div", "Reciprocal"):
        return None
    *above, below = quotient.inputs
    if _is_sigmoid(above, below):
        negative = _exponent(next((each for each in _given(below) if _exponent(each) is not None), None))
        negation = None if negative is None else negative.producer()
        return _named(negation.inputs[0], "Sigmoid") if negation is not None and _is(negation, "Neg") else None
    exponent = _exponent(above[0]) if above else None
    total = _behind(below, "ReduceSum")
    if exponent is None or total is None or total.inputs[0] is not above[0] or not _is_along_one(total):
        return None
    return _named(_unshifted(exponent), "Softmax")


def sigmoid_beside_rest(beside: ir.Node) -> ir.Value | None:
    """What the sigmoid takes that stands beside its rest, ``(1 − σ(l), σ(l))``: two classes."""
    if not _is(beside, "Concat") or len(beside.inputs) != 2 or beside.attributes.get_int("axis", 0) not in (1, -1):
        return None
    rest, probability = beside.inputs
    difference, sigmoid = (None if each is None else each.producer() for each in (rest, probability))
    if difference is None or sigmoid is None or not (_is(difference, "Sub") and _is(sigmoid, "Sigmoid")):
        return None
    whole, part = difference.inputs
    return sigmoid.inputs[0] if part is probability and _number(whole) == 1 else None


def _logarithm(value: ir.Value | None) -> ir.Value | None:
    """The logits whose logarithms of probabilities a value is."""
    node = None if value is None else value.producer()
    if node is None or not _is(node, "Sub"):
        return None
    logits, total = node.inputs
    found = _behind(total, "ReduceLogSumExp")
    return logits if found is not None and found.inputs[0] is logits and _is_along_one(found) else None


def _named(value: ir.Value | None, operator: str) -> tuple[ir.Value, str] | None:
    return None if value is None else (value, operator)


def _is_sigmoid(above: list[ir.Value | None], below: ir.Value | None) -> bool:
    addition = None if below is None else below.producer()
    return (
        all(_number(each) == 1 for each in above)
        and addition is not None
        and _is(addition, "Add")
        and any(_number(each) == 1 for each in addition.inputs)
    )


def _given(value: ir.Value | None) -> tuple[ir.Value | None, ...]:
    node = None if value is None else value.producer()
    return () if node is None else tuple(node.inputs)


def _unshifted(exponent: ir.Value) -> ir.Value:
    """Logits whose own maximum was taken off, which no probability depends on."""
    node = exponent.producer()
    if node is None or not _is(node, "Sub"):
        return exponent
    logits, largest = node.inputs
    found = _behind(largest, "ReduceMax", _BOUNDING)
    return logits if found is not None and logits is not None and found.inputs[0] is logits else exponent


def _behind(value: ir.Value | None, operator: str, bounding: tuple[str, ...] = ()) -> ir.Node | None:
    """The node of an operator that a value is only another shape of."""
    node = None if value is None else value.producer()
    while node is not None and not _is(node, operator):
        if node.domain or node.op_type not in (*_SHAPING, *bounding):
            return None
        # A bound may be given in front of what it bounds.
        producers = [each.producer() for each in node.inputs if each is not None]
        computed = [each for each in producers if each is not None and not _is(each, "Constant")]
        node = computed[0] if computed else None
    return node


def _exponent(value: ir.Value | None) -> ir.Value | None:
    node = None if value is None else value.producer()
    return node.inputs[0] if node is not None and _is(node, "Exp") else None


def _is(node: ir.Node, operator: str) -> bool:
    return node.op_type == operator and not node.domain


def _is_along_one(total: ir.Node) -> bool:
    """Whether a sum is along one axis, and not over the samples."""
    axes = total.attributes.get_ints("axes")
    if axes is None and len(total.inputs) > 1:
        given = _constant(total.inputs[1])
        axes = None if given is None else [int(axis) for axis in numbers_of(given).ravel()]
    value = total.inputs[0]
    rank = len(value.shape) if value is not None and value.shape is not None else None
    return axes is not None and len(axes) == 1 and axes[0] not in (0, None if rank is None else -rank)


def _number(value: ir.Value | None) -> float | None:
    tensor = _constant(value)
    return float(numbers_of(tensor).item()) if tensor is not None and tensor.size == 1 else None


def _constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    if value is None:
        return None
    node = value.producer()
    if node is not None and _is(node, "Constant"):
        return node.attributes.get_tensor("value")
    return value.const_value
