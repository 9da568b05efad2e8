"""Where PyTorch's runtimes compute, and in which precision."""

from __future__ import annotations

import pytest
import torch

from fgcompile.errors import InputError
from fgcompile.runtime.session import Provider
from fgcompile.runtime.torch_device import TorchDevice, choose_device

CONVOLUTIONS, PRODUCTS = torch.backends.cudnn.conv, torch.backends.cuda.matmul


@pytest.mark.parametrize(("tf32", "precision"), [(False, "ieee"), (True, "tf32")])
def test_a_session_s_precision_is_set_while_it_launches_and_no_longer(tf32: bool, precision: str) -> None:
    def launch() -> None:
        with TorchDevice("cuda", tf32).launching():
            seen.append((CONVOLUTIONS.fp32_precision, PRODUCTS.fp32_precision))
            raise KeyError

    seen: list[tuple[str, str]] = []
    before = CONVOLUTIONS.fp32_precision, PRODUCTS.fp32_precision
    with pytest.raises(KeyError):
        launch()
    assert seen == [(precision, precision)]
    assert (CONVOLUTIONS.fp32_precision, PRODUCTS.fp32_precision) == before


def test_on_the_cpu_settings_stay_as_they_are() -> None:
    before = CONVOLUTIONS.fp32_precision, PRODUCTS.fp32_precision
    with TorchDevice("cpu").launching(), TorchDevice("cpu").launching():
        assert (CONVOLUTIONS.fp32_precision, PRODUCTS.fp32_precision) == before


@pytest.mark.parametrize(
    "provider",
    [("cuda", {"use_tf32": "2"}), ("cuda", {"tf32": "1"}), ("cuda", {"use_tf32": 1, "x": 1}), ("cpu", {"use_tf32": 1})],
)
def test_other_options_are_refused(provider: Provider) -> None:
    with pytest.raises(InputError, match="the one option is 'use_tf32', '0' or '1', of a CUDA device"):
        choose_device([provider], "it", ["cpu", "cuda"])


@pytest.mark.parametrize(
    ("name", "allowed"), [("cuda:1", ("cpu", "cuda")), ("cuda:x", ("cuda", "cuda:N")), ("", ("cpu",))]
)
def test_other_devices_are_refused(name: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="it runs on"):
        choose_device([name], "it", allowed)


@pytest.mark.parametrize(("value", "tf32"), [("1", True), (1, True), ("0", False)])
def test_tf32_has_to_be_asked_for(monkeypatch: pytest.MonkeyPatch, value: object, tf32: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(["cuda:1"], "it", ["cuda:N"]) == TorchDevice("cuda:1")
    assert choose_device([("cuda:1", {"use_tf32": value})], "it", ["cuda:N"]) == TorchDevice("cuda:1", tf32)
