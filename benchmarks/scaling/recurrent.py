"""What compiling a recurrent network costs, by the number of steps that it is unrolled to."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

import fgcompile
from benchmarks.scaling.compiling import by_stage, peak_memory
from benchmarks.scaling.sweeps import THREADS


class Tagger(nn.Module):
    """A bidirectional LSTM over tokens: ``(N, steps)`` to three logits."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(50, 16), nn.Linear(32, 3)
        self.recurrent = nn.LSTM(16, 16, batch_first=True, bidirectional=True)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.recurrent(self.embedding(tokens))
        return self.head(states.mean(1))


class Reader(nn.Module):
    """Convolutions, then two layers of bidirectional LSTM over the columns: ``(N, 1, 32, 2 steps)`` to ten logits."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, window in ((1, 8, (2, 2)), (8, 16, (2, 1)), (16, 16, (2, 1)), (16, 32, (4, 1))):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(window)]
        self.columns, self.head = nn.Sequential(*layers), nn.Linear(32, 10)
        self.recurrent = nn.LSTM(32, 16, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.recurrent(self.columns(x)[:, :, 0].transpose(1, 2))
        return self.head(states).mean(1)


def measure_recurrent(network: str, steps: int) -> dict[str, Any]:
    """Compiles a network to ONNX; to be called in a fresh process.

    Returns:
        ``processor_seconds`` of this process, checks included, and by ``stages``: other processes on the machine
        change them less than they change the clock's; ``peak_megabytes`` of resident memory; ``megabytes`` of the
        artifact.
    """
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = (Tagger() if network == "BiLSTM" else Reader()).eval()
    x = torch.zeros(2, steps, dtype=torch.int64) if network == "BiLSTM" else torch.zeros(2, 1, 32, 2 * steps)
    begun: list[tuple[str, float]] = []
    artifact = fgcompile.compile(model, x, progress=lambda stage: begun.append((stage, time.process_time())))
    ended = time.process_time()
    return {
        "processor_seconds": ended - begun[0][1],
        "stages": by_stage(begun, ended),
        "peak_megabytes": peak_memory() / 1e6,
        "megabytes": len(artifact.content) / 1e6,
    }
