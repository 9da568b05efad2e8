"""Indices that are computed from an input: what PyTorch reads is read, what it refuses is an error, never a map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.artifact.names import SUFFIXES
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import InputError
from tests.support.sweeps import few, quick

Read = Callable[[nn.Module, Tensor, Tensor], Tensor]
OUTPUTS = ("logits", "saliency", "input_gradient")


class Net(nn.Module):
    """Logits (N, 3) of x (N, 5, 4) and integers (N, 3), by what is read of the first at the second."""

    def __init__(self, read: Read, index: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.read, self.index = read, index
        self.table, self.first, self.last = nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        return self.last(self.read(self, self.first(x), self.index(ids)).tanh().mean(1))


def write(net: nn.Module, y: Tensor, i: Tensor) -> Tensor:
    z = y * 1.0
    z[torch.arange(y.shape[0]), i[:, 0]] = y[:, 0] * 2
    return z


def look_up(net: nn.Module, y: Tensor, i: Tensor) -> Tensor:
    table = net.table
    assert isinstance(table, nn.Embedding)
    return table(i) * y[:, :1]


def lose(net: nn.Module, y: Tensor, i: Tensor) -> Tensor:
    return y * F.cross_entropy(y[:, :, 0], i[:, 0], reduction="none", ignore_index=-1)[:, None, None]


READS: dict[str, Read] = {
    "embedding": look_up,
    "gather": lambda net, y, i: y.gather(1, i[..., None].expand(-1, -1, 4)),
    "index": lambda net, y, i: y[torch.arange(y.shape[0])[:, None], i],
    "one_hot": lambda net, y, i: F.one_hot(i, 5).to(y.dtype) @ y,
    "scatter": lambda net, y, i: y.scatter(1, i[:, :1, None].expand(-1, -1, 4), y[:, :1] * 2),
    "write": write,
    "loss": lose,
}


def _expected(model: nn.Module, x: Tensor, ids: Tensor) -> Tensor | None:
    leaf = x.clone().requires_grad_()
    try:
        (gradient,) = torch.autograd.grad(model(leaf, ids).amax(1).sum(), leaf)
    except (IndexError, RuntimeError):  # out of range
        return None
    return gradient


@pytest.mark.parametrize("provider", ["CPUExecutionProvider", "OpenVINO"])
@pytest.mark.parametrize("name", few(READS, 2))
def test_onnx_reads_what_pytorch_does_or_fails(name: str, provider: str, tmp_path: Path) -> None:
    if provider == "OpenVINO":
        pytest.importorskip("openvino", reason="needs OpenVINO: pip install 'fgcompile[openvino]'")
    torch.manual_seed(0)
    model, x = Net(READS[name], lambda ids: ids * 2 % 14 - 1).eval(), torch.randn(2, 5, 4)
    fgcompile.compile(model, (x, torch.tensor([[1, 2, 1]] * 2)), outputs=OUTPUTS).save(tmp_path / "a.onnx")
    session = fgcompile.load(tmp_path / "a.onnx", providers=[provider])
    places = torch.tensor([[1, 2, 2], [0, 1, 1], [3, 3, 1], [6, 1, 1], [4, 4, 2], [8, 1, 2]])
    failed = 0
    for ids in places:
        given = ids.expand(2, -1).contiguous()
        expected = _expected(model, x, given)
        if expected is None:
            failed += 1
            with pytest.raises(InputError, match="an index that the model computes of its inputs is out of range"):
                session.explain((x.numpy(), given.numpy()))
        else:
            found = session.explain((x.numpy(), given.numpy())).input_gradient
            torch.testing.assert_close(torch.as_tensor(found), expected, rtol=1e-4, atol=1e-6)
    assert 0 < failed < len(places)


@pytest.mark.parametrize("format", quick(["torchscript", "exported", "pt2"], "torchscript", "exported"))
def test_other_formats_fail_too(format: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = Net(READS["one_hot"], lambda ids: ids * 2).eval(), torch.randn(2, 5, 4)
    ids = np.ones((2, 3), np.int64)
    path = tmp_path / f"a{SUFFIXES[format]}"
    fgcompile.compile(model, (x, torch.as_tensor(ids)), format=format).save(path)
    session = fgcompile.load(path)
    session.explain((x.numpy(), ids))
    with pytest.raises(InputError, match="an index that the model computes of its inputs is out of range"):
        session.explain((x.numpy(), ids * 3))


@pytest.mark.parametrize(
    ("index", "guarded"),
    few(
        [
            (lambda ids: ids, False),
            (lambda ids: ids % 5, False),
            (lambda ids: ids.clamp(0, 4), False),
            (lambda ids: (ids > 0).long().cumsum(1), False),
            (lambda ids: ids.argsort(1), False),
            (lambda ids: torch.arange(3).expand(ids.shape[0], 3), False),
            (lambda ids: ids % 6, True),
            (lambda ids: ids * (ids > 0), True),
            (lambda ids: torch.where(ids > 9, 0, ids), True),
        ],
        5,
    ),
    ids=["given", "remainder", "clamp", "positions", "order", "constant", "too large", "masked", "where"],
)
def test_only_what_may_be_out_of_range_is_guarded(index: Callable[[Tensor], Tensor], guarded: bool) -> None:
    model = Net(READS["embedding"], index).eval()
    captured = capture(model, (torch.randn(2, 5, 4), torch.ones(2, 3, dtype=torch.int64)))
    tables = captured.graph_module.graph.find_nodes(op="call_function", target=torch.ops.aten.index.Tensor)
    assert bool(list(tables)) == guarded


def test_a_written_input_says_nothing_of_its_range() -> None:
    def shifted(ids: Tensor) -> Tensor:
        result = ids.clone()
        return result.add_(2)

    captured = capture(
        Net(READS["embedding"], shifted).eval(), (torch.randn(2, 5, 4), torch.ones(2, 3, dtype=torch.int64))
    )
    assert captured.indexed == ((), ())
    assert list(captured.graph_module.graph.find_nodes(op="call_function", target=torch.ops.aten.index.Tensor))
