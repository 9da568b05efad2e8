"""Serves artifacts with the KServe SDK, in one process or several: loads them, then hands over to ``kserve_server``."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fgcompile.artifact.file import read_artifact
from fgcompile.errors import InputError, MissingPackageError
from fgcompile.runtime.session import Provider, load
from fgcompile.serving.address import Address, require_free
from fgcompile.serving.admission import Limits
from fgcompile.serving.names import name_models
from fgcompile.serving.workers import Report, supervise
from fgcompile.system.leftovers import temporary_folder

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells prometheus_client where processes share their metrics; it looks when it is imported."""


def serve(  # noqa: PLR0913 - public: its keywords are the options
    paths: Sequence[Path],
    address: Address,
    limits: Limits,
    *,
    workers: int = 1,
    concurrency: int = 1,
    providers: Sequence[Provider] | None = None,
    threads: int | None = None,
    report: Report = print,
) -> None:
    """Serves artifacts, each under the stem of its file's name, until the process is told to stop.

    The Open Inference Protocol, version 2, over REST and gRPC; ``/metrics`` for Prometheus.

    Args:
        paths: The artifacts.
        address: Where to listen.
        limits: What one request may ask for.
        workers: Processes, each of which loads the artifacts and takes some of the connections. One that is killed is
            replaced.
        concurrency: Calls that a worker runs side by side, each in memory of its own; further requests wait their turn.
        providers: As for ``fgcompile.load``.
        threads: As for ``fgcompile.load``; by default workers share the cores.
        report: Told what happened to workers.

    Raises:
        ArtifactError: An artifact is damaged, or not one.
        FgcompileError: A worker gave up.
        InputError: Two artifacts have the same name, or the address cannot be listened on.
        MissingPackageError: The extra ``serve`` is not installed.
    """
    artifacts = dict(zip(name_models(paths), paths, strict=True))
    if workers < 1:
        raise InputError(f"the number of workers is {workers}: give 1 or more")
    if concurrency < 1:
        raise InputError(f"the concurrency is {concurrency}: give 1 or more")
    for port in (address.port, address.grpc_port):
        require_free(address.host, port)
    service = _Service(artifacts, address, limits, concurrency, providers, threads)
    if workers == 1:
        _serve(service, shared=False)
        return
    if not hasattr(socket, "SO_REUSEPORT"):
        raise InputError("several workers need ports that can be shared, which this system lacks: serve with one")
    for path in paths:
        read_artifact(path)  # so that a damaged one is refused once
    if threads is None:
        service = replace(service, threads=max(1, (os.cpu_count() or 1) // workers))
    with temporary_folder() as folder:
        os.environ[_METRICS] = folder
        supervise(partial(_serve, service, shared=True), workers, report)


@dataclass(frozen=True)
class _Service:
    """What each worker does; ``serve`` says what the fields are."""

    artifacts: Mapping[str, Path]
    address: Address
    limits: Limits
    concurrency: int
    providers: Sequence[Provider] | None
    threads: int | None


def _serve(service: _Service, *, shared: bool) -> None:
    """Serves in this process, on ports that it shares with others if ``shared``."""
    with _without_arguments():
        try:
            from fgcompile.serving.kserve import server as kserve_server
            from fgcompile.serving.kserve.model import ArtifactModel
        except ImportError as error:
            raise MissingPackageError(f"serving needs {error.name}: pip install 'fgcompile[serve]'") from error
    executor = ThreadPoolExecutor(service.concurrency, "artifact")
    models = []
    for name, path in service.artifacts.items():
        session = load(path, service.providers, service.threads)
        models.append(ArtifactModel(name, session, service.limits, executor))
    kserve_server.run(models, service.address, service.limits, shared)


@contextmanager
def _without_arguments() -> Iterator[None]:
    """While open, the command line is empty: kserve reads it when it is imported."""
    arguments = sys.argv
    sys.argv = arguments[:1]
    try:
        yield
    finally:
        sys.argv = arguments
