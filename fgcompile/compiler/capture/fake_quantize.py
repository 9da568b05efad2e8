"""PyTorch's modules of simulated quantisation, as they compute once nothing is observed any more.

Their forward asks flags, which are buffers, whether to observe and whether to quantise: control flow that depends on
values, though no input changes them. While exporting, a module does what its flags say; the straight-through rule is
that of ``quantization``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from fgcompile.compiler.capture.quantization import quantize_by_channel, quantize_by_tensor
from fgcompile.compiler.capture.scored import unwrapped_name
from fgcompile.errors import CaptureError

MODULE = "torch.ao.quantization.fake_quantize"
"""Where they are; a model that has any has imported it."""


def require_frozen_observers(model: nn.Module) -> None:
    """Refuses a model that observes ranges as it runs, also in eval mode, so that its answers change from call to call.

    Raises:
        CaptureError: Names the first layer that does.
    """
    for path, module in _fake_quantizers(model):
        if module.observer_enabled[0] == 1:
            raise CaptureError(
                f"'{unwrapped_name(path) or type(module).__name__}' still observes the range of what it quantises, "
                "also in eval mode, so that an answer depends on those before: "
                "call model.apply(torch.ao.quantization.disable_observer)"
            )


@contextmanager
def writing_out(model: nn.Module) -> Iterator[None]:
    """While it is open, these modules compute by operators that can be captured, and ask no flags."""
    replaced = []
    try:
        for _, module in _fake_quantizers(model):
            module.forward = _forward(module, bool(module.fake_quant_enabled[0] == 1))
            replaced.append(module)
        yield
    finally:
        for module in replaced:
            del module.forward


def _fake_quantizers(model: nn.Module) -> list[tuple[str, Any]]:
    """Those whose forward is PyTorch's own."""
    library: Any = sys.modules.get(MODULE)
    if library is None:
        return []
    own = (library.FakeQuantize.forward, library.FusedMovingAvgObsFakeQuantize.forward)
    return [(path, module) for path, module in model.named_modules() if getattr(type(module), "forward", None) in own]


def _forward(module: Any, enabled: bool) -> Callable[[Tensor], Tensor]:
    observer = module.activation_post_process
    low, high = observer.quant_min, observer.quant_max
    if not enabled:
        return lambda x: x
    if module.is_per_channel:
        return partial(_by_channel, module, low, high)
    return lambda x: quantize_by_tensor(x, module.scale, module.zero_point, low, high)


def _by_channel(module: Any, low: int, high: int, x: Tensor) -> Tensor:
    return quantize_by_channel(x, module.scale, module.zero_point, module.ch_axis, low, high)
