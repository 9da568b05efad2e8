"""In ONNX Runtime's order each term is reduced right behind its ``Abs``, while it is in the cache."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from fgcompile.compiler.fullgrad.psi import PSI, PlacedTerm
from fgcompile.compiler.fullgrad.terms import TermValue
from fgcompile.compiler.ir.programs import Batch, Placement

TERMS = 6
SHAPE = (2, 4, 5, 7)


class Summed(nn.Module):
    """ψ of terms whose gradients come one from another, as a backward pass has them; every third without a weight."""

    def forward(self, x: Tensor) -> Tensor:
        placement = Placement("x", "", Batch(0, 1, True), (1,), (2, 3), None, SHAPE[2:])
        gradients = [x.sin()]
        for _ in range(TERMS - 1):
            gradients.append(gradients[-1].sin())
        bias, dense = torch.arange(4.0) + 1, x.cos()
        # The first layer's gradient is the last to be known, and its term the first in the list.
        terms = [
            TermValue("t", gradient, dense if number % 3 == 2 else bias, None if number % 3 == 2 else 1)
            for number, gradient in enumerate(reversed(gradients))
        ]
        return PSI["fullgrad"].summed([PlacedTerm(term, placement) for term in terms], {})


def executed(path: Path, folder: Path, x: Tensor) -> list[str]:
    """The names of the nodes in the order in which ONNX Runtime runs them."""
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    session.run(None, {session.get_inputs()[0].name: x.numpy()})
    events = json.loads(Path(session.end_profiling()).read_text())
    ending = "_kernel_time"
    return [event["name"].removesuffix(ending) for event in events if event["name"].endswith(ending)]


def test_no_term_waits_for_another_to_be_reduced(tmp_path: Path) -> None:
    x, path = torch.randn(SHAPE), tmp_path / "psi.onnx"
    torch.onnx.export(Summed().eval(), (x,), path, dynamo=True, verbose=False, external_data=False)
    nodes = {node.name: node for node in onnx.load(path).graph.node}

    def reductions(value: str) -> set[str]:
        """What reads a value, through its reshapes."""
        readers = [node for node in nodes.values() if value in node.input]
        return set().union(*(reductions(r.output[0]) if r.op_type == "Reshape" else {r.name} for r in readers))

    readers = {name: reductions(node.output[0]) for name, node in nodes.items() if node.op_type == "Abs"}
    done: set[str] = set()
    waiting: set[str] = set()
    most = 0
    for name in executed(path, tmp_path, x):
        done.add(name)
        waiting = {each for each in waiting | ({name} & readers.keys()) if not readers[each] <= done}
        most = max(most, len(waiting))
    assert [len(each) for each in readers.values()] == [3] * TERMS
    assert most == 1
