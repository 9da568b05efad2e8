"""The logits of a TorchScript artifact: its frozen graph returns them alone, and dead code is eliminated."""

from __future__ import annotations

import io
import warnings

import torch

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import LOGITS
from fgcompile.bench.torch_internals import as_function, eliminate_dead_code


def cut_torchscript(content: bytes, metadata: Metadata) -> tuple[bytes, list[str]]:
    """The graph of the output ``logits`` as an archive, and the inputs that it takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit, which the artifact is made with
        module = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
        graph = torch.jit.freeze(module.eval()).graph.copy()
    (returned,) = graph.outputs()
    position = [spec["name"] for spec in metadata["outputs"]].index(LOGITS)
    if len(metadata["outputs"]) > 1:
        logits = list(returned.node().inputs())[position]
        graph.eraseOutput(0)
        graph.registerOutput(logits)
    eliminate_dead_code(graph)
    names = ["self", *(spec["name"] for spec in metadata["inputs"])]
    used = [bool(value.uses()) for value in graph.inputs()]
    for index in reversed(range(len(used))):
        if not used[index]:
            graph.eraseInput(index)
    function = as_function(graph)
    return function.save_to_buffer(_extra_files={}), [name for name, kept in zip(names, used, strict=True) if kept]
