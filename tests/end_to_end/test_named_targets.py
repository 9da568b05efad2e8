"""A class fixed by its name, which the source has: the artifact is that of the class's number."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.errors import InputError
from tests.compiler.capture.onnx.files import graph, node
from tests.compiler.capture.onnx.files import model as onnx_model

NAMES = ("square", "circle", "star", "circle segment")
X = torch.rand(2, 6, generator=torch.Generator().manual_seed(0))


def configured(names: Any) -> nn.Module:
    """A model as Transformers makes them: its configuration has the classes' names."""
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)).eval()
    model.config = SimpleNamespace(id2label=dict(enumerate(names)))
    return model  # type: ignore[no-any-return]


def a_file(folder: Path, names: Any) -> Path:
    """An ONNX file as Ultralytics writes them: its metadata have the classes' names."""
    path = folder / "net.onnx"
    model = configured(names)
    nodes = [node("Gemm", "x w b", "h", transB=1), node("Relu", "h", "r"), node("Gemm", "r v c", "y", transB=1)]
    weights = {name: value.detach().numpy() for name, value in zip("wbvc", model.parameters(), strict=True)}
    written = onnx_model(graph(nodes, {"x": ("float32", ["n", 6])}, ["y"], weights))
    written.metadata_props.add(key="names", value=str(dict(enumerate(names))))
    onnx.save(written, path)
    return path


@pytest.mark.parametrize("kind", ["configuration", "file"])
def test_a_name_of_the_source_s_is_its_class(kind: str, tmp_path: Path) -> None:
    source = configured(NAMES) if kind == "configuration" else a_file(tmp_path, NAMES)
    named = fgcompile.compile(source, X, target="circle")
    assert named.metadata["target"] == 1
    assert named.content == fgcompile.compile(source, X, target=1).content
    for unknown, message in (
        ("circel", "target 'circel' is no class of the model: perhaps 'circle'"),
        ("cir", "target 'cir' is the name of several classes: give a number, of 1 'circle', 3 'circle segment'"),
    ):
        with pytest.raises(InputError, match=message):
            fgcompile.compile(source, X, target=unknown)


def test_labels_that_are_given_come_before_the_source_s() -> None:
    model = configured(NAMES)
    assert fgcompile.compile(model, X, target="b", labels=list("abcd")).metadata["target"] == 1
    with pytest.raises(InputError, match="'circle' is no class of the model"):
        fgcompile.compile(model, X, target="circle", labels=list("abcd"))


def test_a_label_that_stands_twice_is_refused() -> None:
    message = "target 'circle' is the name of several classes: give a number, of 1 'circle', 2 'circle'"
    with pytest.raises(InputError, match=message):
        fgcompile.compile(configured(("square", "circle", "circle", "star")), X, target="circle")


def test_names_of_another_number_of_classes_are_none() -> None:
    with pytest.raises(
        InputError, match="target 'circle': the model's configuration names 3 classes, and the model has 4: give"
    ):
        fgcompile.compile(configured(NAMES[:3]), X, target="circle")


def test_the_eager_full_gradient_takes_names_too() -> None:
    model = configured(NAMES).double()
    named, numbered = (fgcompile.full_gradient(model, X.double(), each) for each in ("circle", 1))
    torch.testing.assert_close(named.score, numbered.score, rtol=0, atol=0)
    with pytest.raises(InputError, match="'oval' is no class of the model"):
        fgcompile.full_gradient(model, X.double(), "oval")
