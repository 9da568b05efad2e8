"""Retargets a graph's floating-point arithmetic: constants, casts and creations of floats take another dtype.

The compiler computes in float64 from capture to the check before emission, so that the check can be exact; artifacts
compute in float32.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.runner import GraphPass
from fgcompile.compiler.ir.torch_internals import FakeTensor, OpOverload, pytree, schema_of
from fgcompile.compiler.ir.widened import constant_in_dtype

aten = torch.ops.aten

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COMPLEX = (torch.complex32, torch.complex64, torch.complex128)


def convert_floats(dtype: torch.dtype) -> GraphPass:
    """The pass behind which every floating-point value of a graph is of ``dtype``, complex ones of two such numbers."""
    return GraphPass("convert_floats", partial(_convert, dtype=dtype), changes_dtypes=True)


def _convert(graph_module: fx.GraphModule, dtype: torch.dtype) -> bool:
    shared: dict[Any, Tensor] = {}
    for name, buffer in list(graph_module.named_buffers()):
        if buffer.dtype in FLOATS:
            setattr(graph_module, name, constant_in_dtype(buffer, dtype))
        elif buffer.dtype in COMPLEX:
            setattr(graph_module, name, buffer.to(dtype.to_complex()))
    for node in list(graph_module.graph.nodes):
        node.args = fx.node.map_aggregate(node.args, lambda value: _retarget(value, dtype))
        node.kwargs = fx.node.map_aggregate(node.kwargs, lambda value: _retarget(value, dtype))
        if _creates(node) and getattr(node.meta.get("val"), "dtype", None) in FLOATS:
            node.kwargs = {**node.kwargs, "dtype": dtype}  # whose default is PyTorch's, whatever it meets
        elif _makes_floats(node):
            for source in node.all_input_nodes:
                if isinstance(source.meta.get("val"), Tensor):
                    node.replace_input_with(source, insert_call(node, node, aten._to_copy.default, source, dtype=dtype))
        if "val" in node.meta:  # of several values where an operator, as topk, returns them
            # A later trace tells inputs apart by the identity of their values.
            known = {} if node.op == "placeholder" else shared
            node.meta["val"] = pytree.tree_map(partial(_converted, dtype=dtype, known=known), node.meta["val"])
    return True


def _creates(node: fx.Node) -> bool:
    """Whether a call makes a tensor of numbers, as ``arange`` does, and says no dtype."""
    if not isinstance(node.target, OpOverload) or isinstance(node.kwargs.get("dtype"), torch.dtype):
        return False
    arguments = {argument.name for argument in schema_of(node.target).arguments}
    return "dtype" in arguments and not any(isinstance(one.meta.get("val"), Tensor) for one in node.all_input_nodes)


def _makes_floats(node: fx.Node) -> bool:
    """Whether a call makes floats of whole numbers or truths alone, as a quotient does: of PyTorch's default dtype."""
    if not isinstance(node.target, OpOverload) or isinstance(node.kwargs.get("dtype"), torch.dtype):
        return False
    given = [one.meta["val"] for one in node.all_input_nodes if isinstance(one.meta.get("val"), Tensor)]
    whole = bool(given) and not any(value.is_floating_point() or value.is_complex() for value in given)
    return whole and getattr(node.meta.get("val"), "dtype", None) in FLOATS


def _converted(value: Any, dtype: torch.dtype, known: dict[Any, Tensor]) -> Any:
    """The fake tensor in another dtype; one serves all of a shape, since each takes PyTorch a millisecond."""
    if not isinstance(value, FakeTensor) or value.dtype not in (*FLOATS, *COMPLEX):
        return value
    dtype = dtype.to_complex() if value.is_complex() else dtype
    key = (*map(str, (*value.shape, *value.stride())), value.device, dtype)
    if key not in known:
        with value.fake_mode:
            known[key] = value.to(dtype)
    return known[key]


def _retarget(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, torch.dtype) and value in COMPLEX:
        return dtype.to_complex()
    return dtype if isinstance(value, torch.dtype) and value in FLOATS else value
