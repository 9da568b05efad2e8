"""What PyTorch does anew at every capture and export is done once a process: a small test takes a third less time."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch._C import DispatchKey
from torch._export import utils as export_utils
from torch._ops import OperatorBase
from torch.onnx._internal.exporter._registration import ONNXRegistry

_list_operators = export_utils._materialize_cpp_cia_ops
_register: Any = OperatorBase.py_impl
_modules, _operators = 0, 0


def speed_up() -> None:
    """Puts these short cuts in place of PyTorch's functions; none of them changes what is exported."""
    export_utils._materialize_cpp_cia_ops = _list_operators_once
    OperatorBase.py_impl = _register_kernel
    # Each export to ONNX parses the sources of all translations anew, for a second; it changes none of them.
    read_translations: Any = ONNXRegistry.from_torchlib
    ONNXRegistry.from_torchlib = staticmethod(functools.cache(read_translations))


def _list_operators_once() -> None:
    """torch.export lists all operators of C++ fifty times a capture; only a module may bring new ones."""
    global _modules, _operators
    if len(sys.modules) == _modules:
        return
    _modules = len(sys.modules)
    count = len(torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd"))
    if count != _operators:
        _list_operators()
        _operators = count


def _register_kernel(operator: OperatorBase, key: Any) -> Callable[[Any], Any]:
    """PyTorch's own evaluates types for each of the 11,000 kernels that a capture puts in place for a while."""
    if not isinstance(key, DispatchKey) or key == DispatchKey.Python or key in operator.py_kernels:
        return _register(operator, key)

    def register(kernel: Any) -> Any:
        operator.py_kernels[key] = kernel
        operator._dispatch_cache.clear()
        return kernel

    return register


def collect_garbage_seldom() -> None:
    """Modules stay until the end, so that the collector need not go through their half a million objects.

    Graphs are cycles of many small objects: collecting seldom takes a fifth less time, for little memory.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
