"""What every test shares: a torchvision that imports, one thread a worker, what takes PyTorch long done once, seeds."""

from __future__ import annotations

import pytest
import torch

from benchmarks.torchvision_shim import define_missing_operators
from tests.support.fast_exports import collect_garbage_seldom, speed_up

define_missing_operators()
torch.set_num_threads(1)  # pytest-xdist runs one worker a core

speed_up()


def pytest_collection_finish() -> None:
    collect_garbage_seldom()


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)
