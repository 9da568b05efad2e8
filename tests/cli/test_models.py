"""Inputs that a command makes up, and weights that nobody trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from fgcompile.cli.models import noise, random_weights, seeded_model
from fgcompile.cli.source_names import read_name
from tests.support.tiny_artifacts import tiny_metadata


@pytest.mark.parametrize(
    ("tables", "first", "last"),
    [([20], 0, 19), ([20, 5], 0, 4), ([1], 0, 0), (["length"], 1, 1), ([], 1, 1)],
    ids=["one table", "two tables", "one row", "a size of the input", "no table"],
)
def test_tokens_are_of_the_whole_table(tables: list[int | str], first: int, last: int) -> None:
    spec: dict[str, Any] = {"name": "ids", "dtype": "int64", "shape": ["batch", 500]}
    spec["indexes"] = [{"size": size, "from_end": False} for size in tables]
    (ids,) = noise(tiny_metadata(inputs=[spec, *tiny_metadata()["inputs"][1:]]))
    assert (ids.min(), ids.max()) == (first, last)
    assert (ids[0] != ids[1]).any() == (first < last)


SOURCE = """
import torch
from pathlib import Path
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        print("built")

def loaded():
    net = Net()
    net.load_state_dict(torch.load(Path(__file__).with_name("w.pt")))
    return net

def head_of_its_own():
    net = loaded()
    net.head = nn.Linear(3, 2)
    return net

def seeded():
    torch.manual_seed(7)
    return Net()

only = []
def once():
    assert not only
    only.append(Net())
    return only[0]

here = Net()
"""


@pytest.mark.parametrize(
    ("name", "random"),
    [("Net", True), ("loaded", False), ("head_of_its_own", True), ("seeded", True), ("once", False), ("here", False)],
)
def test_weights_of_the_users_own_module_are_random_where_nothing_is_loaded(
    name: str, random: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"net_of_{name}.py").write_text(SOURCE)
    torch.save({f"layer.{key}": value for key, value in torch.nn.Linear(4, 3).state_dict().items()}, tmp_path / "w.pt")
    monkeypatch.syspath_prepend(tmp_path)
    source = read_name(f"net_of_{name}:{name}")
    model = seeded_model(source.text, None)
    printed = capsys.readouterr().out
    assert bool(random_weights(source, None, model)) == random
    assert capsys.readouterr().out == "", printed
    assert not random_weights(source, tmp_path / "w.pt", model)
