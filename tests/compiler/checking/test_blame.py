"""What a failed comparison is put down to, and what not."""

from __future__ import annotations

import torch

from fgcompile.compiler.checking.blame import saturation


def test_a_gradient_that_vanishes_is_told_and_one_that_tokens_have_not_is_none() -> None:
    vanishing = {"contributions": torch.tensor([[1e-9, 0.5, -0.25], [1e-8, 0.5, 0.25]])}
    assert "saturates on the example" in (saturation(vanishing) or "")
    assert saturation({"contributions": torch.tensor([[0.3, 0.5, -0.25]])}) is None
    # Of ids the input's own term is 0: nothing that float32 would have no digits of.
    assert saturation({"contributions": torch.tensor([[0.0, 0.5, -0.25], [0.0, 0.5, 0.25]])}) is None
