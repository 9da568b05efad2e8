"""Two threads that compile at once get what each would get alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import fgcompile
from fgcompile.compiler.ir.turns import one_at_a_time

PATIENCE = 600
"""Seconds after which a thread is given up."""


class Upsampling(nn.Module):
    """Interpolation between two layers, by the given mode."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.first, self.last = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.interpolate(self.first(x).relu(), scale_factor=2, mode=self.mode)).mean((2, 3))


def test_artifacts_of_two_threads_are_those_of_one() -> None:
    jobs = [(Upsampling("bilinear").eval(), "onnx"), (Upsampling("nearest").eval(), "torchscript")]
    x = torch.zeros(1, 1, 6, 6)
    together = threading.Barrier(len(jobs))

    def compiled(job: tuple[nn.Module, str]) -> bytes:
        together.wait(PATIENCE)
        return fgcompile.compile(job[0], x, format=job[1]).content

    with ThreadPoolExecutor(len(jobs)) as pool:
        at_once = list(pool.map(compiled, jobs, timeout=PATIENCE))
    assert at_once == [fgcompile.compile(model, x, format=format).content for model, format in jobs]


def test_a_second_compile_begins_when_the_first_has_ended() -> None:
    model, x = nn.Linear(2, 2).eval(), torch.zeros(1, 2)
    stages: list[str] = []
    began = threading.Event()

    def compiled(name: str) -> None:
        def note(stage: str) -> None:
            stages.append(name)
            began.set()

        fgcompile.compile(model, x, format="torchscript", progress=note)

    with ThreadPoolExecutor(2) as pool:
        with one_at_a_time():
            waiting = [pool.submit(compiled, name) for name in ("one", "other")]
            assert not began.wait(0.2)
        for each in waiting:
            each.result(PATIENCE)
    assert set(stages) == {"one", "other"}
    assert stages == sorted(stages, key=stages.index)
