"""What every test shares: a torchvision that imports, one thread a worker, what takes PyTorch long done once, seeds."""

from __future__ import annotations

import os

import pytest
import torch

from benchmarks.networks.torchvision_shim import define_missing_operators
from tests.support.fast_exports import collect_garbage_seldom, speed_up
from tests.support.shared import share_in
from tests.support.skipped import say_what_is_skipped
from tests.support.whole import mark_whole

define_missing_operators()
torch.set_num_threads(1)  # pytest-xdist runs one worker a core

speed_up()


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_whole(items)


def pytest_collection_finish() -> None:
    collect_garbage_seldom()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    say_what_is_skipped(terminalreporter)


@pytest.fixture(scope="session", autouse=True)
def _shared_artifacts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The workers of pytest-xdist have a folder each, all in one."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        share_in(tmp_path_factory.getbasetemp().parent / "shared")


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)
