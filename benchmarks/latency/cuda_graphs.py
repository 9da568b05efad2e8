"""PyTorch's calls as replays of CUDA graphs: one launch for all kernels of a call."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import torch

from benchmarks.latency.workload import Call, Workload

WARM_UPS = 3
"""Calls before the capture: TorchScript specialises its graph in the first two."""


def captured(load: Callable[[Workload], Call]) -> Callable[[Workload], Call]:
    """Loads what ``load`` loads, captures one call of it, and returns the call that replays that."""

    @wraps(load)
    def load_captured(workload: Workload) -> Call:
        call = load(workload)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = call()

        def replay() -> object:
            graph.replay()
            return outputs

        return replay

    return load_captured
