"""What every test shares: a torchvision that imports, one thread per worker, PyTorch's tables read once, seeds."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch._export import utils as export_utils
from torch.onnx._internal.exporter._registration import ONNXRegistry

from benchmarks.networks.torchvision_shim import define_missing_operators

define_missing_operators()
torch.set_num_threads(1)  # pytest-xdist runs one worker a core

_list_operators = export_utils._materialize_cpp_cia_ops
_listed = 0


def _list_operators_once() -> None:
    """torch.export lists all operators of C++ fifty times whenever it captures: 0.3 s of every test."""
    global _listed
    count = len(torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd"))
    if count != _listed:
        _list_operators()
        _listed = count


export_utils._materialize_cpp_cia_ops = _list_operators_once

# Each export to ONNX parses the sources of all translations anew, for a second; it changes none of them.
_read_translations: Any = ONNXRegistry.from_torchlib
ONNXRegistry.from_torchlib = staticmethod(functools.cache(_read_translations))


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)
