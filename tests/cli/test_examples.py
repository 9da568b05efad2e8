"""Made-up examples are such as the model takes: ids within its tables, masks of ones, by position or by name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fgcompile.cli.arguments import InputShape, parse_input
from fgcompile.cli.examples import example_inputs
from fgcompile.errors import InputError


class Text(nn.Module):
    """Ids are reshaped before they are looked up, in two tables; a mask is looked up nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.large, self.small, self.kinds = nn.Embedding(50, 3), nn.Embedding(30, 3), nn.Embedding(2, 3)

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor | None = None) -> Tensor:
        ids = ids.view(-1, ids.shape[1])
        hidden = self.large(ids) + self.small(ids)
        hidden = hidden if kinds is None else hidden + torch.nn.functional.embedding(kinds, self.kinds.weight)
        return (hidden * mask[..., None]).sum(1)


def test_ids_are_drawn_from_the_rows_there_are() -> None:
    given = example_inputs(Text().eval(), [parse_input("64:int64")] * 2 + [parse_input("kinds=64:int64")])
    ids, mask, named = given
    assert isinstance(ids, Tensor)
    assert isinstance(named, dict)
    assert 15 < len(ids.unique()) <= 30
    assert ids.max() < 30
    assert mask.eq(1).all()
    assert named["kinds"].unique().tolist() == [0, 1]
    again = example_inputs(Text().eval(), [parse_input("64:int64")] * 2 + [parse_input("kinds=64:int64")])
    assert torch.equal(ids, again[0])


def test_half_of_a_mask_is_true() -> None:
    _ids, mask, _ = example_inputs(
        Text().eval(), [parse_input("6:int64"), parse_input("6:bool"), parse_input("kinds=6:int64")]
    )
    assert mask[1].tolist() == [True, False] * 3


def test_a_program_that_takes_names_brings_its_own_example() -> None:
    ids, mask = torch.tensor([[3, 4]]), torch.ones(1, 2)
    program = torch.export.export(Text().eval(), (ids,), {"mask": mask})
    front, named = example_inputs(program, [])
    assert torch.equal(front, ids)
    assert torch.equal(named["mask"], mask)


def test_the_batch_is_where_the_layout_has_it() -> None:
    shapes = [parse_input("7:int64"), parse_input("7"), parse_input("kinds=7:int64")]
    ids, mask, named = example_inputs(Text().eval(), shapes, {"ids": "l n", "mask": "n l", "kinds": "l n"})
    assert (tuple(ids.shape), tuple(mask.shape), tuple(named["kinds"].shape)) == ((7, 2), (2, 7), (7, 2))
    (only,) = example_inputs(nn.Linear(3, 2).eval(), [parse_input("5x3")], {"x": "l n c"})
    assert only.shape == (5, 2, 3)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("3x8x9", InputShape((3, 8, 9), "float32")),
        ("ids=128:int64", InputShape((128,), "int64", "ids")),
        ("=3x4", None),
        ("a b=3x4", None),
        ("ids=128:int32", InputShape((128,), "int32", "ids")),
        ("ids=128:text", None),
    ],
)
def test_shapes_of_inputs_are_read(text: str, shape: InputShape | None) -> None:
    if shape is None:
        with pytest.raises(InputError, match="--input"):
            parse_input(text)
    else:
        assert parse_input(text) == shape
