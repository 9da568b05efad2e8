"""A language model's cache of keys and values is no output to explain: it is switched off while the model is captured.

Models of Transformers have a ``config`` that says ``use_cache``, and ask it where the call does not say.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from fgcompile.compiler.request import Model
from fgcompile.errors import CaptureWarning


@contextmanager
def without_cache(model: Model) -> Iterator[None]:
    """While it is open, no configuration of the model's parts asks for a cache.

    Warns:
        CaptureWarning: One did, of a model that returns one: encoders' configurations say so too, by default.
    """
    parts = model.modules() if isinstance(model, nn.Module) else ()
    configs = {id(config): config for part in parts if (config := getattr(part, "config", None)) is not None}
    caching = [config for config in configs.values() if getattr(config, "use_cache", None) is True]
    if any(map(_returns_cache, caching)):
        warnings.warn(
            f"{type(model).__name__} returns a cache of keys and values (use_cache=True), which is no output to "
            "explain: it is captured without; set model.config.use_cache = False to do so yourself",
            CaptureWarning,
            stacklevel=2,
        )
    for config in caching:
        config.use_cache = False
    try:
        yield
    finally:
        for config in caching:
            config.use_cache = True


def _returns_cache(config: Any) -> bool:
    """Whether its models return keys and values, by what it says of outputs that are not to be read."""
    unread = getattr(config, "keys_to_ignore_at_inference", None) or ()
    return "past_key_values" in unread or getattr(config, "is_decoder", False) is True
