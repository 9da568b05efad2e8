"""A file of weights goes into a model whole, or is refused with what does not fit."""

from __future__ import annotations

import warnings
from collections.abc import Container
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fgcompile.errors import SourceError, WeightsWarning

WRAPPERS = ("module", "_orig_mod")
"""What keys say beside a model's own names: in front ``DataParallel`` and its kin, anywhere ``torch.compile``."""

_KEYS_SHOWN = 3


def load_weights(model: nn.Module, path: Path) -> None:
    """Loads a state dict, whose keys may have the prefixes of wrappers that the model does not have.

    Raises:
        SourceError: The file cannot be read, or does not fit the model key for key and shape for shape.

    Warns:
        WeightsWarning: Prefixes were left out.
    """
    own = model.state_dict()
    state = _unwrapped(_read_state(path), own, path)
    mismatched = [
        f"{key} (file {tuple(state[key].shape)}, model {tuple(own[key].shape)})"
        for key in own
        if key in state and own[key].shape != state[key].shape
    ]
    # Keys of the wrong shape stay out of the load, which would raise before it lists the others.
    fitting = {key: value for key, value in state.items() if key not in own or own[key].shape == value.shape}
    result = model.load_state_dict(fitting, strict=False)
    wrong_shape = {text.split(" ", 1)[0] for text in mismatched}
    missing = [key for key in result.missing_keys if key not in wrong_shape]
    faults = [
        f"{len(keys)} {what}: {some(keys)}"
        for what, keys in (
            ("missing", missing),
            ("unexpected", result.unexpected_keys),
            ("of another shape", mismatched),
        )
        if keys
    ]
    if faults:
        raise SourceError(
            f"{path} does not fit {type(model).__name__}: keys {'; '.join(faults)}: "
            "check the architecture and its arguments, or the file"
        )


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():  # nor is a pipe or a device, which might never end
        raise SourceError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and safetensors errors alike; torch's texts advise to trust the file
        raise SourceError(
            f"{path} cannot be read as weights alone ({type(error).__name__}): "
            "save a state dict as .safetensors, or as .pt with torch.save(model.state_dict(), …)"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        found = f"a dict of {some(list(state))}" if isinstance(state, dict) else f"a {type(state).__name__}"
        raise SourceError(f"{path} holds {found}, not a state dict: save model.state_dict() alone")
    return state


def _unwrapped(state: dict[str, Tensor], own: Container[str], path: Path) -> dict[str, Tensor]:
    """The state under the model's own names, where every key that it lacks is one of them but for wrappers."""
    names = {key: key if key in own else ".".join(_without_wrappers(key.split("."))) for key in state}
    removed = {key for key, name in names.items() if name != key}
    if not removed or len(set(names.values())) < len(names) or not any(names[key] in own for key in removed):
        return state
    prefixes = [f"{part}." for part in WRAPPERS if any(part in key.split(".") for key in removed)]
    warnings.warn(
        f"{path}: the keys have {' and '.join(map(repr, prefixes))}, which wrappers put there, and were read without",
        WeightsWarning,
        stacklevel=2,
    )
    return {names[key]: value for key, value in state.items()}


def _without_wrappers(parts: list[str]) -> list[str]:
    """Data parallelism wraps a whole model, ``torch.compile`` any of its parts."""
    kept = [part for part in parts if part != "_orig_mod"]
    while kept[:1] == ["module"]:
        kept = kept[1:]
    return kept


def some(keys: list[Any]) -> str:
    """The first few of many names, in words."""
    shown = ", ".join(str(key) for key in keys[:_KEYS_SHOWN])
    return shown if len(keys) <= _KEYS_SHOWN else f"{shown}, …"
