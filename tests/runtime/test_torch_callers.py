"""What PyTorch's users write: tensors in and out, names of classes, artifacts that open themselves."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import ArtifactError, InputError

X = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = ("bald eagle", "kite", "red kite, milan", "vulture")
OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.conv(x).relu().mean((2, 3)))
        return out


@pytest.fixture(scope="module")
def artifact() -> fgcompile.Artifact:
    torch.manual_seed(2)
    return fgcompile.compile(Net().eval(), X[:2].numpy(), outputs=OUTPUTS, labels=LABELS, device=torch.device("cpu"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def session(artifact: fgcompile.Artifact) -> fgcompile.Session:
    return artifact.session()


def test_tensors_give_tensors_with_the_numbers_of_arrays(session: fgcompile.Session) -> None:
    arrays, tensors = session.explain(X.numpy(), np.array([0, 1, 2])), session.explain(X, torch.tensor([0, 1, 2]))
    for name in ("logits", "saliency", "target", "contributions", "residual", "input_gradient"):
        found = getattr(tensors, name)
        assert isinstance(found, Tensor), name
        np.testing.assert_array_equal(found.numpy(), getattr(arrays, name))
    assert isinstance(arrays.logits, np.ndarray)
    for kind in ("bias_gradients", "saliency_by_input"):
        found, expected = getattr(tensors, kind), getattr(arrays, kind)
        assert list(found) == list(expected)
        assert all(isinstance(value, Tensor) for value in found.values())
    assert isinstance(session.predict(X), Tensor)
    assert isinstance(session.explain({"x": X.requires_grad_()}).logits, Tensor)
    X.requires_grad_(False)


def test_a_tensor_of_another_dtype_is_refused_as_an_array_is(session: fgcompile.Session) -> None:
    with pytest.raises(InputError, match="float64"):
        session.explain(X.double())
    with pytest.raises(InputError, match=r"bfloat16, which NumPy has not: pass \.float\(\)"):
        session.explain(X.bfloat16())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("kite", [1, 1, 1]),
        ("bald", [0, 0, 0]),
        (["vulture", "kite", 0], [3, 1, 0]),
        (("red kite, milan", -1, "Kite"), [2, None, 1]),
        ("predicted", [None] * 3),
    ],
)
def test_classes_by_name(session: fgcompile.Session, target: object, expected: list[int | None]) -> None:
    explanation = session.explain(X.numpy(), target)  # type: ignore[arg-type]
    assert explanation.logits is not None
    assert explanation.target is not None
    best = explanation.logits.argmax(1)
    assert explanation.target.tolist() == [best[n] if each is None else each for n, each in enumerate(expected)]


def test_a_name_of_no_class_is_refused(session: fgcompile.Session) -> None:
    with pytest.raises(InputError, match="'buzzard' is no class of the artifact"):
        session.explain(X.numpy(), "buzzard")
    with pytest.raises(InputError, match="'buzzard' is no class of the artifact"):
        session.explain(X.numpy(), ["kite", "buzzard", "kite"])


def test_names_of_several_targets() -> None:
    artifact = fgcompile.compile(Net().eval(), X[:2], targets=2, labels=LABELS)
    explanation = artifact.session().explain(X.numpy(), ["kite", "vulture"])
    assert explanation.target is not None
    assert explanation.target.tolist() == [[1, 3]] * 3


def test_an_artifact_its_bytes_and_its_file_are_the_same_session(artifact: fgcompile.Artifact, tmp_path: Path) -> None:
    artifact.save(tmp_path / "a.onnx")
    sessions = [
        fgcompile.load(each) for each in (artifact, artifact.content, tmp_path / "a.onnx", str(tmp_path / "a.onnx"))
    ]
    sessions += [artifact.session(threads=1), pickle.loads(pickle.dumps(sessions[1])), copy.copy(sessions[0])]
    maps = [each.explain(X.numpy(), 1).saliency for each in sessions]
    for each in maps[1:]:
        np.testing.assert_allclose(each, maps[0], rtol=1e-5)


def test_bytes_are_checked_as_a_file_is(artifact: fgcompile.Artifact) -> None:
    with pytest.raises(ArtifactError, match="the artifact: is damaged"):
        fgcompile.load(artifact.content[:100] + b"!" + artifact.content[101:])
    with pytest.raises(InputError, match="dict is no artifact: give the path of one, its bytes, or what"):
        fgcompile.load({})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="threads is 0"):
        artifact.session(threads=0)


def test_code_opens_itself_and_as_bytes_only_where_it_is_trusted() -> None:
    script = fgcompile.compile(Net().eval(), X[:2], format="torchscript")
    assert script.session().explain(X).saliency is not None
    with pytest.raises(ArtifactError, match="trust=True"):
        fgcompile.load(script.content)
    assert fgcompile.load(script.content, trust=True).explain(X.numpy()).saliency is not None
    with pytest.raises(ArtifactError, match="trust is False"):
        fgcompile.load(script, trust=False)


def test_what_a_notebook_shows_is_a_line(artifact: fgcompile.Artifact, session: fgcompile.Session) -> None:
    assert repr(session) == (
        "Session(Net, onnx: x float32 (batch, 3, 8, 8), target int64 (batch) -> "
        "logits float32 (batch, 4), saliency float32 (batch, 1, 8, 8), contributions float32 (batch, 3), "
        "residual float32 (batch), input_gradient float32 (batch, 3, 8, 8), "
        "bias_gradients.conv float32 (batch, 4, 6, 6), bias_gradients.head float32 (batch, 4))"
    )
    for x in (X, X.numpy()):
        assert repr(session.explain(x, 1)) == (
            "Explanation(logits (3, 4), saliency (3, 1, 8, 8), target [1, 1, 1], contributions (3, 3), residual (3,), "
            "input_gradient (3, 3, 8, 8), bias_gradients conv, head)"
        )
    assert len(repr(artifact)) < 100


def test_examples_may_be_arrays_and_options_pytorchs_own() -> None:
    metadata = fgcompile.compile(Net().eval(), (np.zeros((1, 3, 8, 8), np.float32),), precision=torch.float32).metadata  # type: ignore[arg-type]
    assert (metadata["precision"], metadata["inputs"][0]["dtype"]) == ("float32", "float32")
    by_name = fgcompile.compile(Net().eval(), {"x": np.zeros((1, 3, 8, 8), np.float32)})  # type: ignore[dict-item]
    assert by_name.metadata["inputs"][0]["name"] == "x"
    terms = fgcompile.full_gradient(Net().eval(), X.numpy())  # type: ignore[arg-type]
    assert terms.output.shape == (3, 4)
    with pytest.raises(InputError, match="an example input is an array of <U1: pass numbers"):
        fgcompile.compile(Net().eval(), np.array(["a"]))  # type: ignore[arg-type]
