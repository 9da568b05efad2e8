"""A text fills a model's inputs by their names; a row of integers alone is its ids, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.examples import Inputs
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import InputError
from tests.support.texts import VOCABULARY, wordpiece

ROW = torch.ones(2, 6, dtype=torch.int64)


class Bag(nn.Module):
    """The mean of its tokens' embeddings."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.head = nn.Embedding(len(VOCABULARY), 4), nn.Linear(4, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.words(ids).tanh().mean(1))


class Masked(Bag):
    """The same, with a mask that is called by a name of its own."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head((self.words(ids).tanh() * mask.unsqueeze(-1)).mean(1))


@pytest.mark.parametrize("given", [ROW, {"ids": ROW}])
def test_the_only_row_of_integers_is_the_ids(given: Inputs, tmp_path: Path) -> None:
    model, path = Bag().eval(), tmp_path / "bag.onnx"
    fgcompile.compile(model, given, tokenizer=wordpiece(), dynamic_sizes=True, target=1).save(path)
    session = fgcompile.load(path)
    assert [spec["name"] for spec in session.metadata["inputs"]] == ["input_ids"]
    ids = torch.tensor([[VOCABULARY[word] for word in ("[CLS]", "du", "##ll", "[SEP]")]])
    found = session.explain_text("dull")
    assert found.score == pytest.approx(model(ids)[0, 1].item(), abs=1e-5)
    assert fgcompile.verify(path, model, given).passed


def test_without_a_tokenizer_names_are_the_models() -> None:
    assert fuse(Bag().eval(), {"ids": ROW}).inputs[0].name == "ids"
    assert fuse(Bag().eval(), ROW).inputs[0].name == "x"


@pytest.mark.parametrize(
    ("model", "inputs", "says"),
    [
        (Masked(), (ROW, ROW), r"the model takes 'ids' \(batch, 6\), and a tokenizer fills input_ids, .*: call"),
        (Masked(), {"ids": ROW, "mask": ROW}, "the model takes 'ids'"),
        (nn.Flatten(), torch.ones(2, 3, 4), r"the model takes 'x' \(batch, 3, 4\), .* leave the tokenizer out"),
        (nn.Linear(6, 2), torch.ones(2, 6), r"the model takes 'x' \(batch, 6\)"),
    ],
)
def test_what_no_text_says_is_told_before_compiling(model: nn.Module, inputs: Inputs, says: str) -> None:
    stages: list[str] = []
    with pytest.raises(InputError, match=says):
        fgcompile.compile(model.eval(), inputs, tokenizer=wordpiece(), progress=stages.append)
    assert stages == ["capture"]
