"""Lets torchvision be imported beside a torch that its compiled operators were not built for.

torchvision from PyPI is built for the CUDA build of torch. Beside the CPU build its library does not load, and
importing it fails at ``torchvision::nms``, which it expects to be defined. No classification network calls it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def define_missing_operators() -> None:
    """Defines, without an implementation, the operators that torchvision looks for, where its own library is unusable.

    Call it before torchvision is imported. A second call does nothing, and so does a call where torchvision is not
    installed or loads its operators itself.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        except OSError:
            continue  # built for another torch: what the definitions below stand in for
        return
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name.removeprefix("torchvision::")):
            torch.library.define(name, schema)
