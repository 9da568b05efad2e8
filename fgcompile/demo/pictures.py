"""Labelled pictures that come from PyPI: the samples in foolbox's data folder, the class in each file's name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fgcompile.demo.extras import find_package


@dataclass(frozen=True)
class Picture:
    """A picture and its true class."""

    path: Path
    label: int


def find_pictures(data_set: str) -> tuple[Picture, ...]:
    """The 20 samples of ``"imagenet"`` or ``"mnist"``, whose names read ``<data set>_<number>_<class>.<suffix>``."""
    paths = sorted((find_package("foolbox") / "data").glob(f"{data_set}_*_*.*"))
    return tuple(Picture(path, int(path.stem.rpartition("_")[2])) for path in paths)
