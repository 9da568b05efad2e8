"""What the exporter is spared is the same file: its table of translations, and values that are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.onnx._internal.exporter._registration import ONNXRegistry
from torch.onnx._internal.fx.passes import type_promotion

from fgcompile.compiler.backends.onnx.exporter_internals import PromotionByKnownValues, without_repetition


class OfSeveralDtypes(nn.Module):
    """Sums, comparisons and powers of tensors of three dtypes and of numbers, each of which PyTorch promotes."""

    def forward(self, x: Tensor, n: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Three tensors."""
        mixed = x + n * 2 + torch.where(b, x, 1)
        return mixed.exp() / n, (n > 0.5) & b, torch.sqrt(n) + 3


class OfOne(nn.Module):
    """A convolution with what is behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits ``(N, 4)``."""
        return self.conv(x).relu().mean((2, 3))


NETWORKS = {
    "one dtype": (OfOne(), (torch.randn(2, 3, 8, 8),)),
    "three dtypes": (OfSeveralDtypes(), (torch.randn(3, 4), torch.arange(1, 5), torch.arange(4) > 1)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_is_the_exporters_own(name: str) -> None:
    model, inputs = NETWORKS[name]
    batch = tuple({0: torch.export.Dim.DYNAMIC} if x.ndim > 1 else None for x in inputs)

    def export() -> bytes:
        exported = torch.export.export(model.eval(), inputs, dynamic_shapes=batch)
        converted = torch.onnx.export(exported, dynamo=True, verbose=False, optimize=False)
        assert converted is not None
        return converted.model_proto.SerializeToString(deterministic=True)

    expected = export()
    with without_repetition():
        assert export() == expected
        assert export() == expected
    if name == "three dtypes":
        assert expected.count(b"convert_element_type") > 1


def test_values_are_not_computed_again_and_all_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    own = type_promotion._TypePromotionInterpreter, ONNXRegistry.from_torchlib
    computed = []
    monkeypatch.setattr(PromotionByKnownValues, "call_function", lambda *_: computed.append(True))
    exported = torch.export.export(OfOne().eval(), (torch.randn(2, 3, 8, 8),))
    with without_repetition():
        torch.onnx.export(exported, dynamo=True, verbose=False, optimize=False)
    assert not computed
    assert own == (type_promotion._TypePromotionInterpreter, ONNXRegistry.from_torchlib)


def test_the_table_is_made_once() -> None:
    with without_repetition():
        assert ONNXRegistry().from_torchlib(opset_version=20) is ONNXRegistry.from_torchlib(opset_version=20)
        assert ONNXRegistry.from_torchlib(opset_version=20) is not ONNXRegistry.from_torchlib(opset_version=18)
