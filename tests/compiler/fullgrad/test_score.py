"""Which element a target is: the largest where it says so, the first of equals, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fgcompile.compiler.fullgrad.score import as_indices, largest_places, resolve, score_function


@pytest.mark.parametrize("sizes", [(6,), (2, 3), (2, 3, 4)])
def test_the_largest_are_in_descending_order_and_of_equals_the_first(sizes: tuple[int, ...]) -> None:
    logits = torch.randint(0, 4, (50, *sizes), generator=torch.Generator().manual_seed(0)).float()
    flat = logits.flatten(1)
    expected = [sorted(range(len(row)), key=lambda place, row=row: (-row[place], place)) for row in flat.tolist()]  # type: ignore[misc]
    places = largest_places(logits, 5)
    assert places.tolist() == [order[:5] for order in expected]
    for row, place in zip(as_indices(places, logits).reshape(50, 5, -1).tolist(), places.tolist(), strict=True):
        assert [int(np.ravel_multi_index(index, sizes)) for index in row] == place


@pytest.mark.parametrize(
    ("target", "element"),
    [
        ((1, 2, 3), (1, 2, 3)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 2, -1), (1, 2, 1)),
        ((-1, -1, -1), (0, 1, 2)),
        ((2, 0, 0), None),
        ((0, 3, 0), None),
        ((0, 0, 4), None),
        ((0, -1, 0), None),
        ((-1, 0, 0), None),
        ((0, 900, 9000), None),
    ],
)
def test_an_element_of_several_axes_or_none(target: tuple[int, ...], element: tuple[int, ...] | None) -> None:
    logits = torch.zeros(1, 2, 3, 4)
    logits[0, 0, 1, 2], logits[0, 1, 2, 1] = 5, 4
    place = resolve(torch.tensor([target]), logits)
    assert place.item() == (-1 if element is None else np.ravel_multi_index(element, (2, 3, 4)))
    score = score_function(None, torch.tensor([target]))(logits)
    assert score.item() == (0 if element is None else logits[(0, *element)])
