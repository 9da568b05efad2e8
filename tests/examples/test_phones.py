"""Programs of ExecuTorch say what the artifact says in PyTorch, and what says something else is not written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from examples.phones import executorch_program
from examples.phones.executorch_program import Call, Difference, convert, drawn

REASON = "needs executorch: pip install executorch"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A padding, whose gradient crops, and two linear layers, whose weights the backward pass reads again."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU6()),
        *(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3)),
    ).eval()
    path = tmp_path_factory.mktemp("phones") / "model.pt2"
    preprocess = fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3)
    fgcompile.compile(model, torch.zeros(1, 3, 8, 8), format="exported", batch=1, preprocess=preprocess).save(path)
    return path


@pytest.mark.filterwarnings("ignore")
def test_a_program_predicts_and_explains(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("executorch", reason=REASON)
    assert convert(artifact, [drawn(artifact, 1)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["logits", "saliency"]
    assert all("at 0.00%" in line for line in lines[1:])


def test_another_map_is_refused(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [drawn(artifact, 1)]
    logits, saliency = torch.export.load(artifact).module()(*calls[0])
    monkeypatch.setattr(executorch_program, "lower", lambda path, most: b"program")

    def answer(map: Tensor) -> None:
        monkeypatch.setattr(executorch_program, "run", lambda content, calls: ([[logits, map]], 0.001))

    answer(saliency)
    assert convert(artifact, calls) == b"program"
    for wrong in (saliency * 0.9, torch.full_like(saliency, torch.nan), saliency.flip(-1)):
        answer(wrong)
        with pytest.raises(ValueError, match="not written"):
            convert(artifact, calls)


@pytest.mark.filterwarnings("ignore")
def test_an_open_batch_stays_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("executorch", reason=REASON)
    path = tmp_path / "open.pt2"
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)).eval()
    fgcompile.compile(model, torch.zeros(2, 1, 6, 6), format="exported").save(path)
    assert convert(path, [drawn(path, samples) for samples in (1, 3, 2)], most=3)
    assert capsys.readouterr().out.count("at 0.00%") == 2


@pytest.mark.slow
def test_open_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "open.pt2"
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    fgcompile.compile(model, torch.zeros(2, 1, 8, 8), format="exported", dynamic_sizes=True).save(path)
    with pytest.raises(ValueError, match="dynamic_sizes"):
        executorch_program.opened(path, 2)


def test_the_largest_difference_of_all_calls_counts() -> None:
    found, right = Difference(), torch.tensor([1.0, -2.0])
    calls: list[Call] = [[right.clone()], [torch.tensor([1.0, -2.2])], [right.clone()]]
    for (output,) in calls:
        found.add(output, right)
    assert found.largest == pytest.approx(0.1)
    assert found.share == 0.5
