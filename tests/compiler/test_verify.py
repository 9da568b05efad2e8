"""What ``verify`` is given is held to what the artifact takes before any runtime sees it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.compiler.description import read_request
from fgcompile.compiler.request import Noise
from fgcompile.errors import CaptureError, InputError
from tests.support.sweeps import few

MODEL = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)).eval()
X = np.random.default_rng(0).standard_normal((3, 2, 4)).astype(np.float32)


class Several(nn.Module):
    """Two outputs."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"first": x.mean(2), "second": x.sum(2)}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("artifact") / "net.onnx"
    fgcompile.compile(MODEL, torch.from_numpy(X)).save(path)
    return path


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (X.astype(np.float64), "float64, the artifact takes float32"),
        (torch.from_numpy(X).bfloat16(), "not a NumPy array"),
        (X[:, :1], "axis 1 must be 2, not 1"),
        (X[:0], "is empty"),
        (X * np.nan, "NaN or infinite"),
        ([X, X], "2 inputs given, the artifact takes 1"),
        ([], "0 inputs given"),
        (None, "NoneType, not a NumPy array"),
        ("photo.png", "inputs given, the artifact takes 1"),
    ],
)
def test_inputs_that_the_artifact_does_not_take_are_refused(path: Path, inputs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fgcompile.verify(path, MODEL, inputs)


@pytest.mark.parametrize(
    "inputs", few([X[:, :, ::-1], [X], torch.from_numpy(X).requires_grad_(), nn.Parameter(torch.from_numpy(X))], 2)
)
def test_arrays_and_tensors_of_any_strides_are_verified(path: Path, inputs: Any) -> None:
    assert fgcompile.verify(path, MODEL, inputs).passed


def test_what_compile_returned_and_bytes_are_verified_too(path: Path) -> None:
    artifact = fgcompile.compile(MODEL, torch.from_numpy(X))
    assert fgcompile.verify(artifact, MODEL, X).passed
    assert fgcompile.verify(path.read_bytes(), MODEL, X).passed
    scored = fgcompile.compile(MODEL, torch.from_numpy(X), target=lambda y: y[:, 0])
    with pytest.raises(InputError, match="the score that the artifact explains was a function"):
        fgcompile.verify(scored, MODEL, X)
    with pytest.raises(InputError, match="Linear is no artifact: give the path of one, its bytes, or what compile"):
        fgcompile.verify(nn.Linear(1, 1), MODEL, X)  # type: ignore[arg-type]


def test_arrays_that_are_not_to_be_written_are_taken_without_a_word(path: Path) -> None:
    """As NumPy has a picture of Pillow's."""
    frozen = X.copy()
    frozen.flags.writeable = False
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*not writable")
            assert fgcompile.verify(path, MODEL, frozen).passed
    finally:
        torch.set_warn_always(before)


@pytest.mark.parametrize("providers", ["CPUExecutionProvider", [3], [("CPUExecutionProvider",)]])
def test_providers_are_a_list_of_names(path: Path, providers: Any) -> None:
    with pytest.raises(InputError, match="provider"):
        fgcompile.verify(path, MODEL, X, providers=providers)


@pytest.mark.parametrize("threads", ["2", 1.5, True, 0])
def test_threads_are_a_number(path: Path, threads: Any) -> None:
    with pytest.raises(InputError, match="threads is"):
        fgcompile.load(path, threads=threads)


def test_metadata_without_optional_keys_are_read_as_a_request(path: Path) -> None:
    metadata = dict(fgcompile.load(path).metadata)
    for key in ("noise", "output", "score_inputs", "biases", "layouts", "on_demand", "precision", "lowerings"):
        metadata.pop(key, None)
    request = read_request(metadata)  # type: ignore[arg-type]
    assert (request.method, request.target, dict(request.layouts), request.noise) == ("fullgrad", None, {}, None)
    assert request.copies == Noise()


def test_of_a_model_with_other_weights_it_is_said_that_they_are(path: Path) -> None:
    torch.manual_seed(1)
    other = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)).eval()
    report = fgcompile.verify(path, other, X)
    assert report.checks[0].name.endswith("weights are not the artifact's")
    assert not report.passed
    other.load_state_dict(MODEL.state_dict())
    assert not [check for check in fgcompile.verify(path, other, X).checks if "another model" in check.name]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (nn.Sequential(nn.Conv1d(4, 3, 3), nn.Flatten()), "does not take inputs of shape"),
        (Several(), "the model has several outputs"),
    ],
)
def test_what_cannot_be_asked_what_the_artifact_was_is_another_model(path: Path, other: nn.Module, says: str) -> None:
    with pytest.raises(
        InputError, match=r"was made from another model, .*: give the one that it was made from$"
    ) as told:
        fgcompile.verify(path, other.eval(), X)
    assert says in str(told.value)
    assert "output=" not in str(told.value)
    with pytest.raises(CaptureError, match=r"in training mode: call \.eval"):
        fgcompile.verify(path, nn.Sequential(nn.Dropout(), MODEL), X)
