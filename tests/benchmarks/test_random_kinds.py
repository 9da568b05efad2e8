"""Random networks by kind: drawn again alike, their oracle by hand, and that it finds what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.kinds.command import check, main
from benchmarks.exactness.random_graphs.kinds.compare import claims, measure_eager, misses
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece, network, normal
from benchmarks.exactness.random_graphs.kinds.oracle import expect
from benchmarks.exactness.random_graphs.kinds.report import render
from benchmarks.exactness.random_graphs.kinds.table import KINDS, draw_kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_can_be_drawn_again(kind: str) -> None:
    first, again = draw_kind(kind, 3, 14), draw_kind(kind, 3, 14)
    assert first.described == again.described
    inputs = first.make(2, first.sizes[0], 0)
    first, again = (replace(drawn, model=drawn.model.double()) for drawn in (first, again))
    assert torch.equal(first.model(*inputs), again.model(*inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_eager_autograd_takes_every_draw(kind: str) -> None:
    """At each of its sizes, so that whatever the compiler raises is the compiler's."""
    for index in range(40):
        drawn = draw_kind(kind, 1, index)
        for size in drawn.sizes:
            expected = expect(drawn, drawn.make(2, size, 0), torch.tensor([0, 1]))
            assert expected.logits.shape == (2, 3), drawn.described
            assert expected.score.isfinite().all(), drawn.described


def _by_hand() -> Drawn:
    torch.manual_seed(0)
    layers = nn.Linear(3, 4), nn.Linear(4, 3)
    pieces = [
        Piece(lambda x, f: f(x), [layers[0]], pointwise=True),
        Piece(F.relu, pointwise=True),
        Piece(lambda x, f: f(x.mean(1)), [layers[1]]),
    ]
    return Drawn(network(pieces), lambda batch, _, seed: (normal((batch, 5, 3), seed),), ((),), "by hand", channels=2)


def test_the_oracle_is_fullgrad_by_hand() -> None:
    """Of two linear layers: ``δ`` of the first is the head's row where the ReLU is open, over the places."""
    drawn = _by_hand()
    (x,), target = drawn.make(2, (), 0), torch.tensor([2, 0])
    first, head = (getattr(drawn.model.double().pieces[i], "layers")[0] for i in (0, 2))  # noqa: B009 - no attribute of Module's
    hidden = x @ first.weight.mT + first.bias
    delta = head.weight[target][:, None] * (hidden > 0) / 5
    expected = expect(drawn, (x,), target)
    signed = (x * (delta @ first.weight)).sum(2) + (delta * first.bias).sum(2)
    torch.testing.assert_close(expected.gradients[0], (delta @ first.weight).detach())
    torch.testing.assert_close(expected.pieces[0], (delta * first.bias).sum((1, 2)).detach())
    torch.testing.assert_close(expected.pieces[1], torch.zeros(2, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(expected.pieces[2], head.bias[target].detach())
    torch.testing.assert_close(expected.signed, signed.detach())


def test_a_lost_term_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong bias in one layer and its opposite in another keep completeness; the pieces tell."""
    from benchmarks.exactness.random_graphs.kinds import compare

    drawn, true = _by_hand(), compare.fgcompile.full_gradient

    def moved(*arguments: object, **options: object) -> object:
        terms = true(*arguments, **options)  # type: ignore[arg-type]
        gradients: dict[str, Tensor] = {name: value.clone() for name, value in terms.bias_gradients.items()}
        names = [name for name in gradients if name.startswith("pieces.0")], [name for name in gradients if "2" in name]
        gradients[names[0][0]].flatten(1)[:, 0] += 0.1
        gradients[names[1][0]].flatten(1)[:, 0] -= 0.1
        return replace(terms, bias_gradients=gradients)

    assert not misses(measure_eager(drawn), torch.float32)
    monkeypatch.setattr(compare.fgcompile, "full_gradient", moved)
    assert misses(measure_eager(drawn), torch.float32) == ["pieces"]


def test_sizes_are_those_that_the_artifact_claims() -> None:
    metadata = {"inputs": [{"shape": ["batch", 3, "4*height"]}, {"shape": ["batch"]}]}
    assert claims(metadata, (torch.zeros(1, 3, 8),))
    assert not claims(metadata, (torch.zeros(1, 3, 9),))
    assert not claims(metadata, (torch.zeros(1, 2, 8),))


def test_what_is_raised_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.exactness.random_graphs.kinds import command
    from fgcompile.errors import CaptureError, VerificationError

    def raising(error: Exception) -> str:
        def measure(drawn: Drawn) -> dict[str, float]:
            raise error

        monkeypatch.setattr(command, "measure_eager", measure)
        return str(check("inputs", 0, 0)["outcome"])

    assert raising(CaptureError("no")) == "refused"
    assert raising(VerificationError("differs")) == "wrong"
    assert raising(RuntimeError("of PyTorch")) == "crashed"


def test_the_command_goes_on_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.exactness.random_graphs.kinds import command

    arguments = ["--kinds", "inputs", "--count", "9", "--results", str(tmp_path)]
    asked: list[int] = []
    monkeypatch.setattr(command, "_run", lambda store, tasks, jobs: asked.append(len(tasks)))
    main(arguments)
    line = {
        "kind": "inputs",
        "seed": 0,
        "index": 0,
        "outcome": "crashed",
        "reason": "RuntimeError: at 3",
        "seconds": 1.0,
    }
    more = {"figures": {}, "described": "", "format": "onnx", "machine": "m", "versions": "v", "date": "d"}
    (tmp_path / "random_kinds.jsonl").write_text(json.dumps({**line, **more}) + "\n")
    assert main(arguments) == 1
    main([*arguments, "--again"])
    assert asked == [1, 0, 1]
    assert "| inputs | 0 | 0 | 0 | 1 |" in (tmp_path / "random_kinds.md").read_text()


def test_a_report_of_nothing_can_be_written() -> None:
    assert "None yet." in render([])
