"""Spectra of signals as products with constant matrices, windows, and the bands of the mel scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.casts import dtype_of
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.errors import UnsupportedOpError


def dft(x: Tensor, dft_length: Any = None, axis: int = -2, *, inverse: int = 0, onesided: int = 0) -> Tensor:
    """``Σₙ xₙ exp(∓2πi k n / N)`` along an axis of ``x (…, 1 or 2)``, whose last axis are real and imaginary parts.

    ``onesided`` are the frequencies to ``N / 2`` alone; with ``inverse`` what is given, a real signal the result.
    """
    axis = axis % x.ndim
    size = x.shape[axis]
    whole = bool(onesided and inverse)
    length = dft_length if dft_length is not None else 2 * (size - 1) if whole else size
    if not isinstance(length, int):
        raise UnsupportedOpError("it transforms an axis of a dynamic size: fix that size")
    used = length // 2 + 1 if whole else length
    x = functional.pad(x, [0, 0] * (x.ndim - 1 - axis) + [0, used - size]).movedim(axis, -2)
    real = x[..., 0]
    imaginary = x[..., 1] if x.shape[-1] == 2 else None
    shares = np.full(used, 1 / length if inverse else 1.0)
    if whole:
        # Those that are left out are the conjugates of these, but for the first and, of an even length, the last.
        shares[1 : (length + 1) // 2] *= 2
    frequencies = length // 2 + 1 if onesided and not inverse else length
    cosines, sines = (torch.from_numpy(wave).to(x.dtype) for wave in _waves(length, shares, frequencies))
    parts = _transformed(real, imaginary, (cosines, -sines if inverse else sines))
    return torch.stack(parts[:1] if whole else parts, -1).movedim(-2, axis)


def _waves(length: int, shares: Any, frequencies: int) -> tuple[Any, Any]:
    """cos and −sin of ``2π k n / N``, times the shares of each n: ``(n, k)``.

    Products are taken modulo N, which keeps angles exact.
    """
    angles = np.outer(np.arange(len(shares)), np.arange(frequencies)) % length * (2 * np.pi / length)
    return np.cos(angles) * shares[:, None], -np.sin(angles) * shares[:, None]


def _transformed(real: Tensor, imaginary: Tensor | None, waves: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    cosines, sines = waves
    if imaginary is None:
        return real @ cosines, real @ sines
    return real @ cosines - imaginary @ sines, real @ sines + imaginary @ cosines


def stft(
    signal: Tensor, frame_step: int, window: Tensor | None = None, frame_length: int | None = None, *, onesided: int = 1
) -> Tensor:
    """The spectra of frames of ``signal (N, length, 1 or 2)``, each times the window: ``(N, frames, bins, 2)``."""
    length = frame_length if frame_length is not None else signal.shape[1] if window is None else window.shape[0]
    framed = signal.unfold(1, length, frame_step)
    framed = framed if window is None else framed * window
    return dft(framed.movedim(2, -1), None, -2, onesided=onesided)


def _window(*coefficients: float) -> Callable[..., Tensor]:
    """``Σⱼ ± cⱼ cos(2π j n / N)``."""

    def compute(size: int, *, output_datatype: int = 1, periodic: int = 1) -> Tensor:
        angles = np.arange(size) * (2 * np.pi / (size if periodic else size - 1))
        values = sum(c * np.cos(order * angles) for order, c in enumerate(coefficients))
        return torch.from_numpy(np.asarray(values)).to(dtype_of(output_datatype))

    return compute


def mel_weight_matrix(
    num_mel_bins: int,
    dft_length: int,
    sample_rate: int,
    lower_edge_hertz: float,
    upper_edge_hertz: float,
    *,
    output_datatype: int = 1,
) -> Tensor:
    """Triangles over the frequencies, equally wide on the mel scale: ``(dft_length / 2 + 1, num_mel_bins)``."""
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (lower_edge_hertz, upper_edge_hertz))
    mels = low + np.arange(num_mel_bins + 2) * ((high - low) / (num_mel_bins + 2))
    edges = ((dft_length + 1) * 700 * (10 ** (mels / 2595) - 1) // sample_rate).astype(np.int64)
    bins = np.arange(dft_length // 2 + 1)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = np.where(centre == left, bins == centre, (bins - left) / np.maximum(centre - left, 1))
    falling = (right - bins) / np.maximum(right - centre, 1)
    beside = np.where((bins > centre) & (bins < right), falling, 0)
    matrix = np.where((bins >= left) & (bins <= centre), rising, beside)
    return torch.from_numpy(matrix).to(dtype_of(output_datatype))


SIGNALS: dict[str, Operator] = {
    "BlackmanWindow": Operator(_window(0.42, -0.5, 0.08), ("size",)),
    "DFT": Operator(dft, ("dft_length", "axis")),
    "HammingWindow": Operator(_window(25 / 46, -21 / 46), ("size",)),
    "HannWindow": Operator(_window(0.5, -0.5), ("size",)),
    "MelWeightMatrix": Operator(
        mel_weight_matrix,
        ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"),
    ),
    "STFT": Operator(stft, ("frame_step", "frame_length")),
}
