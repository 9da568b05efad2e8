"""Settings that every test shares: a torchvision that imports, one thread per worker, and fixed seeds."""

from __future__ import annotations

import pytest
import torch

from benchmarks.torchvision_shim import define_missing_operators

define_missing_operators()
torch.set_num_threads(1)  # pytest-xdist runs one worker a core


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)
