"""A program that is not what its metadata say is refused when it is opened, or at the call that shows it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import fgcompile
from fgcompile.artifact.metadata import dumps
from fgcompile.artifact.names import METADATA_FILE
from fgcompile.artifact.seal import seal_zip
from fgcompile.artifact.signature import PROGRAM_SIGNATURE, SIGNATURE, sign
from fgcompile.errors import ArtifactError
from tests.support.tiny_artifacts import TinyModule, onnx_artifact, tiny_metadata, torchscript_artifact

X = np.ones((2, 3, 4, 4), np.float32)


def opened(content: bytes, path: Path) -> fgcompile.Session:
    path.write_bytes(content)
    return fgcompile.load(path)


@pytest.mark.parametrize(
    ("key", "index", "changes", "message"),
    [
        ("outputs", 0, {"name": "elsewhere"}, "has no output 'elsewhere'"),
        ("outputs", 0, {"dtype": "float64"}, "has output logits as"),
        ("outputs", 1, {"shape": ["batch", 1, 4]}, "has output saliency as"),
        ("inputs", 0, {"shape": ["batch", 3, 40, 4]}, "has input x as"),
        ("inputs", 0, {"name": "y"}, "has no input 'y'"),
    ],
)
def test_a_graph_is_held_to_its_metadata(
    key: str, index: int, changes: dict[str, object], message: str, tmp_path: Path
):
    metadata = tiny_metadata(labels=None)
    metadata[key][index] |= changes  # type: ignore[index]
    with pytest.raises(ArtifactError, match=message):
        opened(onnx_artifact(metadata), tmp_path / "a.onnx")


def test_names_of_outputs_that_change_places_are_refused_by_a_program_without_names(tmp_path: Path) -> None:
    metadata = tiny_metadata("torchscript", labels=None)
    metadata["outputs"] = [
        {**spec, "name": other["name"]}
        for spec, other in zip(metadata["outputs"], reversed(metadata["outputs"]), strict=True)  # type: ignore[call-overload]
    ]
    session = opened(torchscript_artifact(dumps(metadata)), tmp_path / "a.pt")
    assert session.explain(X, 1).logits.ndim == 4  # nobody can know: this program carries no signature
    signed = dict(tiny_metadata("torchscript"))
    module = TinyModule()
    setattr(module, PROGRAM_SIGNATURE, sign(signed))
    for said, refused in ((signed, False), (metadata, True)):
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = dumps({**said, SIGNATURE: sign(said)})
            torch.jit.save(torch.jit.script(module), buffer, _extra_files={METADATA_FILE: text})
        if refused:
            with pytest.raises(ArtifactError, match="takes or returns other tensors than its metadata say"):
                opened(seal_zip(buffer.getvalue()), tmp_path / "b.pt")
        else:
            opened(seal_zip(buffer.getvalue()), tmp_path / "b.pt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "float64"}, "returns logits as float32"),
        ({"shape": ["batch", 7]}, r"its metadata say float32 \(batch, 7\)"),
    ],
)
def test_an_output_that_is_another_is_refused_at_the_call(changes: dict[str, object], message: str, tmp_path: Path):
    metadata = tiny_metadata("torchscript", labels=None)
    metadata["outputs"][0] |= changes  # type: ignore[index]
    session = opened(torchscript_artifact(metadata), tmp_path / "a.pt")
    with pytest.raises(ArtifactError, match=message):
        session.explain(X, 1)


def test_a_runtime_that_fails_is_one_line(tmp_path: Path) -> None:
    metadata = tiny_metadata("torchscript")
    metadata["inputs"][0]["shape"] = ["batch", 4, 4, 4]  # type: ignore[index]
    session = opened(torchscript_artifact(metadata), tmp_path / "a.pt")
    with pytest.raises(ArtifactError, match="failed in its runtime") as caught:
        session.explain(np.ones((2, 4, 4, 4), np.float32), 1)
    assert "\n" not in str(caught.value)
