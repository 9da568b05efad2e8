"""Code is tried in a process of its own first: libtorch trusts what it loads, and a program that is damaged ends it.

The process opens an artifact and runs it. What it raises, whoever opens the artifact next sees for themselves:
only how the process ends counts. It finds accidents, and is no defence: code has the rights of its process here too.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fgcompile.artifact.file import read_metadata
from fgcompile.artifact.sample_inputs import make_noise
from fgcompile.artifact.trust import CODE, require_trust
from fgcompile.errors import ArtifactError
from fgcompile.runtime.session import Provider, load

PATIENCE = 600.0
"""Seconds that a program may take to be loaded and to run once."""

_RUNS = 3
"""How often it runs: what is damaged may end a process at one time and not at another."""


def require_sound(
    path: str | Path, providers: Sequence[Provider] | None = None, threads: int | None = None, trust: bool = False
) -> None:
    """Passes an artifact that a process can open and run without ending; one that is data, or trusted, untried.

    Args:
        path: The artifact.
        providers: As for ``fgcompile.load``.
        threads: As for ``fgcompile.load``.
        trust: Whether the caller says that code may be loaded, under whatever name.

    Raises:
        ArtifactError: The artifact is damaged, or not one; it is code, and its name does not say so; or the process
            that opened it ended, or did not answer.
    """
    metadata = read_metadata(path)
    require_trust(path, metadata["format"], trust or None)
    if metadata["format"] not in CODE or trust:
        return
    process = multiprocessing.get_context("spawn").Process(target=_rehearse, args=(path, providers, threads))
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        raise ArtifactError(f"{path}: its program does not end in {PATIENCE:g} s: compile it again")
    if process.exitcode:
        raise ArtifactError(
            f"{path}: its program ends the process that runs it (status {process.exitcode}): compile it again"
        )


def _rehearse(path: str | Path, providers: Sequence[Provider] | None, threads: int | None) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with suppress(Exception):
        session, noise = load(path, providers, threads, trust=True), make_noise(read_metadata(path), 1)
        for _ in range(_RUNS):
            session.explain(noise)
