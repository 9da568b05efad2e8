"""Many images at once, on Ray Data: what ``fgcompile batch`` does, on one machine or on a cluster.

``paths`` finds the images, ``asking`` says what is asked of each, ``folder`` keeps the results so that a killed run can
go on, ``stages`` is what the workers do, ``rows`` what they write, ``cluster`` where they are; ``run`` knows them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from fgcompile.artifact.wishes import Wish
from fgcompile.bulk.options import MAP_FORMATS, Summary, Wanted, Workers
from fgcompile.bulk.ray_internals import LOOPBACK
from fgcompile.errors import InputError, MissingPackageError
from fgcompile.pictures.reading import DEFAULT, Reading


def require_ray() -> None:
    """Refuses bulk runs where Ray is not installed, without importing it.

    Raises:
        MissingPackageError: It is not.
    """
    if find_spec("ray") is None:
        raise MissingPackageError("bulk runs need ray: pip install 'fgcompile[ray]'")


def explain_in_bulk(  # noqa: PLR0913 - public: its keywords are the options
    artifact: Path,
    images: Sequence[str],
    output: Path,
    *,
    target: Wish = None,
    format: str = "parquet",
    reading: Reading = DEFAULT,
    workers: Workers | None = None,
    trust: bool | None = None,
    report: Callable[[str], None] = lambda stage: None,
) -> Summary:
    """Explains images, each exactly once, however often the run is killed and started again.

    Args:
        artifact: One with ``preprocess`` whose outputs include the logits and the saliency.
        images: Files, folders and patterns.
        output: The folder of the results, which workers on other machines must see too. Where it holds some already,
            of the same artifact, target, format and reading, only what is missing is explained.
        target: The explained class by its number or its name; of an output of more axes an index for each, ``(2, 40,
            31)`` or ``"cat,40,31"``. None for the predicted one, or the artifact's own.
        format: One of ``MAP_FORMATS``.
        reading: What the images' files do not say by themselves.
        workers: Who does it.
        trust: As for ``fgcompile.load``.
        report: Called now and then with how far the run is.

    Raises:
        ArtifactError: The artifact is damaged, or not one.
        InputError: There are no such images, the artifact takes no photos or explains several targets in a call, there
            is no such target, an option is out of range, or ``output`` holds results of something else.
        MissingPackageError: The extra ``ray`` is not installed.
        OutputError: ``output`` cannot be written.
    """
    if format not in MAP_FORMATS:
        raise InputError(f"format is {format!r}: choose one of {', '.join(MAP_FORMATS)}")
    workers = workers or Workers()
    if workers.address is None:
        os.environ.setdefault(*LOOPBACK)  # before Ray is imported
    require_ray()
    try:
        from fgcompile.bulk import run
    except ImportError as error:
        raise MissingPackageError(f"bulk runs need {error.name or 'ray'}: pip install 'fgcompile[ray]'") from error
    wanted = Wanted(artifact, None, format, reading, trust)
    return run.explain_in_bulk(wanted, target, images, output, workers, report)
