"""What one process of a run has compiled, the others read: an artifact of several modules is made once a run."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fgcompile

Make = Callable[..., fgcompile.Artifact]

_folder: Path | None = None


def share_in(folder: Path) -> None:
    """Names the folder where all processes of this run leave what they made; without one they do not."""
    global _folder
    folder.mkdir(exist_ok=True)
    _folder = folder


def shared(make: Make) -> Make:
    """The function, called once a process for the same arguments, and once a run where there are several processes."""

    @functools.cache
    def made(*arguments: Any, **options: Any) -> fgcompile.Artifact:
        path = _path(make.__name__, arguments, options)
        if path is not None and path.exists():
            return fgcompile.Artifact(*pickle.loads(path.read_bytes()))
        artifact = make(*arguments, **options)
        if path is not None and artifact.pair is None:  # else its weights lie in another file
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                pickle.dump((artifact.content, artifact.metadata), file)
            os.replace(file.name, path)  # whole for whoever reads it
        return artifact

    @functools.wraps(make)
    def called(*arguments: Any, **options: Any) -> fgcompile.Artifact:
        given = inspect.signature(make).bind(*arguments, **options)
        given.apply_defaults()  # so that a default is the same, whether it is given or not
        return made(*given.args, **given.kwargs)

    return called


def _path(name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Path | None:
    if _folder is None:
        return None
    try:
        key = pickle.dumps((name, arguments, sorted(options.items())))
    except (pickle.PicklingError, AttributeError, TypeError):  # an argument that only this process knows
        return None
    return _folder / hashlib.sha256(key).hexdigest()
