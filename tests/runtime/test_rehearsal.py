"""A program that ends its process is refused by who tries it in another; what is data, or trusted, is not tried."""

import ctypes
import os
from pathlib import Path

import pytest

from fgcompile.errors import ArtifactError
from fgcompile.runtime import rehearsal
from tests.support.tiny_artifacts import onnx_artifact, torchscript_artifact


class Crashes:
    """What is unpickled in the other process in place of a path, and ends it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)

    def __reduce__(self) -> tuple[object, ...]:
        return ctypes.string_at, (0,)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.pt"
    path.write_bytes(torchscript_artifact())
    return path


def test_a_program_that_runs_is_passed(artifact: Path) -> None:
    rehearsal.require_sound(artifact)


@pytest.mark.skipif(os.name != "posix", reason="needs signals, which end a process on POSIX")
def test_a_program_that_ends_its_process_is_refused(artifact: Path) -> None:
    with pytest.raises(ArtifactError, match=r"its program ends the process that runs it \(status -11\)"):
        rehearsal.require_sound(Crashes(artifact))  # type: ignore[arg-type]


def test_a_program_that_does_not_end_is_refused(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "PATIENCE", 0.01)
    with pytest.raises(ArtifactError, match="does not end in"):
        rehearsal.require_sound(artifact)


def test_data_and_what_is_trusted_are_not_tried(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal.multiprocessing, "get_context", None)
    rehearsal.require_sound(artifact, trust=True)
    nameless = artifact.rename(artifact.with_suffix(""))
    rehearsal.require_sound(nameless, trust=True)
    with pytest.raises(ArtifactError, match="its name does not say so"):
        rehearsal.require_sound(nameless)
    (data := artifact.with_suffix(".onnx")).write_bytes(onnx_artifact())
    rehearsal.require_sound(data)
