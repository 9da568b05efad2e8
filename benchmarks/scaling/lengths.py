"""What compiling a network over a signal costs, by the signal's length."""

from __future__ import annotations

import time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from benchmarks.scaling.compiling import peak_memory
from benchmarks.scaling.sweeps import THREADS


class Signal(nn.Module):
    """Whatever along one axis has a matrix of length by length: ``(N, 1, length)`` to three logits."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(1, 4, 9), nn.Conv1d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[2]
        x = F.relu(self.first(F.pad(x, (4, 4), mode="reflect")))
        x = F.adaptive_avg_pool1d(x, length // 7)
        x = F.relu(self.second(F.interpolate(x, length // 3, mode="linear")))
        return self.head(F.avg_pool1d(x, 101, 2, 50).mean(2))


def measure_length(length: int) -> dict[str, Any]:
    """Compiles the network to ONNX; to be called in a fresh process.

    Returns:
        ``seconds``, checks included; ``before_megabytes`` and ``peak_megabytes`` of resident memory, up to before and
        after; ``megabytes`` of the artifact.
    """
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    network, x = Signal().eval(), torch.randn(1, 1, length)
    before, start = peak_memory(), time.perf_counter()
    artifact = fgcompile.compile(network, x, rules="taylor", psi="fullgrad")
    return {
        "seconds": time.perf_counter() - start,
        "before_megabytes": before / 1e6,
        "peak_megabytes": peak_memory() / 1e6,
        "megabytes": len(artifact.content) / 1e6,
    }
