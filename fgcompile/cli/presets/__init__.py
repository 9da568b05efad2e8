"""What a source says of the pictures that its weights were trained on: one file a library.

Nothing is made up: a model without weights has no preset, and what a library leaves open, or would do in a way that no
``Preprocess`` and ``Fit`` say, is left out by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fgcompile.cli.presets.preset import Preset
from fgcompile.cli.presets.timm import read_timm
from fgcompile.cli.presets.torchvision import read_torchvision
from fgcompile.cli.presets.transformers import read_transformers

_READERS: dict[str, Callable[[str, Mapping[str, Any], Path | None, Any], Preset | None]] = {
    "torchvision": read_torchvision,
    "timm": read_timm,
    "transformers": read_transformers,
}


def read_preset(source: str, arguments: Mapping[str, Any], weights: Path | None, model: Any) -> Preset | None:
    """What is known of a source's pictures.

    Args:
        source: As the user names it.
        arguments: Those behind its name.
        weights: The file that was loaded, if one was.
        model: What was built of it.

    Returns:
        None where nothing is known.
    """
    scheme, _, rest = source.partition(":")
    reader = _READERS.get(scheme)
    return None if reader is None else reader(rest.partition("?")[0], arguments, weights, model)
