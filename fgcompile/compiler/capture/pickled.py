"""Files of ``torch.save``, which are no models to us: weights without code, or a pickle that runs code to be read.

What such a file holds is told by the opcodes of its pickle, none of which is run.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fgcompile.errors import SourceError

PICKLE = "data.pkl"
TORCHSCRIPT = "constants.pkl"
"""What ``torch.jit.save`` writes beside a pickle, and ``torch.save`` does not."""

LONGEST = 2**24
"""Bytes that are looked through; tensors lie elsewhere, or behind."""

OLD_PARTS = 4
"""In PyTorch's older files: a magic number, a version, the machine, and only then what was saved."""

OF_MODULES = "_parameters"
"""An attribute that every pickled module has."""

PLAIN = ("collections", "torch._utils", "torch.storage", "torch", "numpy", "__builtin__", "builtins", "_codecs")
"""Packages of what pickles of tensors name."""

NOT_IMPORTED = ("torch.", "__main__.")
"""Where classes are that are no source by themselves."""


def require_no_pickle(path: Path) -> None:
    """Refuses what ``torch.save`` wrote, and safetensors.

    Raises:
        SourceError: Says what it holds, and how it is given.
    """
    if path.suffix == ".safetensors":
        raise SourceError(_weights_alone(path, "a state dict"))
    names, texts = [], set[str]()
    for operation, argument in _opcodes(path):
        if operation == "GLOBAL":
            names.append(argument.replace(" ", "."))
        elif isinstance(argument, str):
            texts.add(argument)
    if OF_MODULES in texts:
        name = next((name for name in names if not name.startswith(PLAIN) or name.startswith("torch.nn.")), "torch.nn")
        code = "mynet:Net" if name.startswith(NOT_IMPORTED) else ":".join(name.rsplit(".", 1))
        raise SourceError(
            f"{path} is a pickled module, {name}, which cannot be read without running what is in it: give its code, "
            f"as {code}, and --weights of what torch.save(model.state_dict(), …) wrote; from Python torch.load it, if "
            "you trust it, and pass the module"
        )
    if names:
        raise SourceError(_weights_alone(path, "a state dict or checkpoint of torch.save"))


def _weights_alone(path: Path, kind: str) -> str:
    return (
        f"{path} is {kind}, weights without a model: give the model's code, as mynet:Net, and --weights {path}; from "
        "Python build the model, load_state_dict, and pass the module"
    )


def _opcodes(path: Path) -> Iterator[tuple[str, Any]]:
    """The opcodes of a file's pickle and their arguments; none of what is no file of ``torch.save``."""
    content = _pickle(path)
    try:
        for _ in range(OLD_PARTS):
            for operation, argument, _ in pickletools.genops(content):
                yield operation.name, argument
    except (ValueError, EOFError, IndexError):  # an end, or no pickle at all
        return


def _pickle(path: Path) -> io.BytesIO:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2]: name for name in archive.namelist()}
            if PICKLE in names and TORCHSCRIPT not in names:
                return io.BytesIO(archive.open(names[PICKLE]).read(LONGEST))
            return io.BytesIO()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):  # none, or one that is not whole
        pass
    with path.open("rb") as file:
        return io.BytesIO(file.read(LONGEST))
