"""What a bulk run can be asked for, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fgcompile.artifact.questions import whole
from fgcompile.errors import InputError
from fgcompile.pictures.reading import DEFAULT, Reading

MAP_FORMATS = ("parquet", "npz", "png")
"""What becomes of the maps: a column of the results, a file of arrays for each image, or a picture for each."""


@dataclass(frozen=True)
class Wanted:
    """What is computed of each image: a folder holds results of one such.

    Attributes:
        artifact: Its path.
        target: The index of the explained element on each axis behind the batch, ``(k,)`` for a class; None for the
            predicted one, or the artifact's own.
        format: One of ``MAP_FORMATS``.
        reading: What the images' files do not say by themselves.
        trust: As for ``fgcompile.load``.
    """

    artifact: Path
    target: tuple[int, ...] | None
    format: str
    reading: Reading = DEFAULT
    trust: bool | None = None


@dataclass(frozen=True)
class Workers:
    """Who explains the images. None of it changes the results but for float32 rounding.

    Attributes:
        actors: How many processes hold the artifact; None for as many as there are cores, or graphics cards.
        threads: Threads of one operator, in each of them.
        batch: Images of one call. More than one pays on graphics cards; a processor gets slower by it.
        providers: As for ``fgcompile.load``.
        address: Ray's, of a running cluster; None starts Ray on this machine, for this run alone.
    """

    actors: int | None = None
    threads: int = 1
    batch: int = 1
    providers: Sequence[str] | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("actors", self.actors), ("threads", self.threads), ("batch", self.batch)):
            if value is not None and whole(value, name) < 1:
                raise InputError(f"{name} is {value}: give 1 or more")


@dataclass(frozen=True)
class Summary:
    """What a run left behind.

    Attributes:
        images: How many were asked for, each counted once.
        explained: Those of them with a map, of this run and of earlier ones.
        unreadable: Those that cannot be read; their rows say why.
        errors: The same by image: why.
        overflowed: Those that were explained, and whose numbers overflowed; their rows have a warning.
        passed_over: Files in the folders that were asked for that are hidden or not named as images.
        own: Pictures there that fgcompile wrote, which are passed over too.
        new: Rows of this run.
        seconds: What this run took, without starting Ray.
        results: The folder of the rows, Parquet files.
    """

    images: int
    explained: int
    unreadable: int
    errors: Mapping[str, str]
    overflowed: int
    passed_over: int
    own: int
    new: int
    seconds: float
    results: Path

    @property
    def rate(self) -> float:
        """Images a second, of this run."""
        return self.new / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "images_per_second": self.rate, "results": str(self.results)}
