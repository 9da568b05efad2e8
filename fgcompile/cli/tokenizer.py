"""The tokenizer that ``fgcompile compile`` keeps: the one that is named, or the one beside a model of Transformers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fgcompile.cli.arguments import InputShape
from fgcompile.errors import CaptureWarning
from fgcompile.text.inputs import role_of
from fgcompile.text.tokenizer import FILE

_SCHEME = "transformers:"


def find_tokenizer(given: Path | None, source: str, model: Any, shapes: Sequence[InputShape]) -> Path | None:
    """The tokenizer that an artifact is to keep.

    Args:
        given: The one that was named.
        source: What the model was built from: beside one of Transformers its own may lie.
        model: The model.
        shapes: What it is given, by position or name, whoever said so: a tokenizer of its own is kept where texts fill
            all of it.

    Returns:
        Its path; None where there is none.

    Warns:
        CaptureWarning: One lies there, and what reads it is not installed.
    """
    if given is not None:
        return given
    beside = left_beside(source)
    if beside is None or not _takes_texts(model, shapes):
        return None
    if find_spec("tokenizers") is None:
        warnings.warn(
            f"{beside} is left out, so that the artifact takes ids and no texts: pip install 'fgcompile[text]'",
            CaptureWarning,
            stacklevel=2,
        )
        return None
    return beside


def left_beside(source: str) -> Path | None:
    """The tokenizer that lies beside a model of Transformers, whether it is kept or not."""
    if not source.startswith(_SCHEME):
        return None
    path = Path(source.removeprefix(_SCHEME).partition("?")[0])
    beside = (path if path.is_dir() else path.parent) / FILE
    return beside if beside.is_file() else None


def _takes_texts(model: Any, shapes: Sequence[InputShape]) -> bool:
    from fgcompile.compiler.sources import input_names

    names = input_names(model)
    given = [shape.name or next(iter(names[index : index + 1]), "") for index, shape in enumerate(shapes)]
    return bool(given) and all(role_of(name) is not None for name in given)
