"""Where PyTorch's runtimes compute: on the CPU, or on a CUDA device, where TF32 has to be asked for.

PyTorch rounds the operands of convolutions on CUDA to TF32's 10 bits unless told not to, by settings of the process. A
session computes in float32, or in TF32 if it was loaded so, whatever those say, and leaves them as they were.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from fgcompile.errors import InputError
from fgcompile.runtime.forked import forked, refuse
from fgcompile.runtime.session import Provider

TF32 = "use_tf32"
"""The option, spelt as ONNX Runtime's of the same meaning."""

_LAUNCHING = threading.Lock()
"""Held while the settings of the process are a session's own; kernels are launched meanwhile, not waited for."""


@dataclass(frozen=True)
class TorchDevice:
    """A device and how products of float32 matrices are computed there.

    Attributes:
        name: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        tf32: Whether a CUDA device may round the operands of convolutions and matrix products to TF32.
    """

    name: str
    tf32: bool = False

    @contextmanager
    def launching(self) -> Iterator[None]:
        """What is called within is launched in the precision of this device; threads take turns on CUDA."""
        if self.name == "cpu":
            yield
            return
        settings = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
        with _LAUNCHING:
            before = [setting.fp32_precision for setting in settings]
            for setting in settings:
                setting.fp32_precision = "tf32" if self.tf32 else "ieee"
            try:
                yield
            finally:
                for setting, precision in zip(settings, before, strict=True):
                    setting.fp32_precision = precision


def use_threads(threads: int | None) -> None:
    """Sets the threads of one operator, for the whole process.

    Raises:
        ArtifactError: There would be several in a process that was forked, which would wait for the others for ever.
    """
    if forked() and (threads or torch.get_num_threads()) > 1:
        refuse("PyTorch", ", or compute in one thread here: torch.set_num_threads(1), and no other threads for load")
    if threads is not None:
        torch.set_num_threads(threads)


def choose_device(providers: Sequence[Provider], kind: str, allowed: Sequence[str]) -> TorchDevice:
    """The device that ``providers`` of ``fgcompile.load`` names.

    Args:
        providers: One device, or one ``(device, {"use_tf32": "1"})``.
        kind: What is loaded, for messages.
        allowed: The devices that it runs on, ``"cuda:N"`` for any number.

    Raises:
        InputError: Another provider, more than one, or another option; or torch finds no CUDA device.
    """
    name, options = _only(providers)
    if re.sub(r"(?<=^cuda:)\d+$", "N", name) not in allowed:
        devices = " or ".join(filter(None, [", ".join(f"['{each}']" for each in allowed[:-1]), f"['{allowed[-1]}']"]))
        raise InputError(f"providers is {providers}, {kind} runs on {devices}")
    values = [str(value) for value in options.values()]
    if options and (name == "cpu" or set(options) != {TF32} or values[0] not in ("0", "1")):
        raise InputError(f"providers is {providers}, the one option is {TF32!r}, '0' or '1', of a CUDA device")
    if name != "cpu" and not torch.cuda.is_available():
        raise InputError(f"providers is {providers}, and torch finds no CUDA device here: leave them out for the CPU")
    return TorchDevice(name, tf32=values == ["1"])


def _only(providers: Sequence[Provider]) -> tuple[str, Mapping[str, object]]:
    """The name and options of the one provider, no name if there is another number of them."""
    provider: Provider = providers[0] if len(providers) == 1 else ""
    return (provider, {}) if isinstance(provider, str) else provider
