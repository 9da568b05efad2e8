"""Serves artifacts, in one process or several: checks what was asked for, then hands over to ``process``."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fgcompile.errors import InputError, MissingPackageError
from fgcompile.runtime.rehearsal import require_sound
from fgcompile.runtime.session import Provider, Session, load
from fgcompile.serving.access import Access, read_access
from fgcompile.serving.address import Address, open_port, require_free
from fgcompile.serving.admission import Limits
from fgcompile.serving.names import name_models
from fgcompile.serving.workers import Report, supervise
from fgcompile.system.leftovers import temporary_folder

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells prometheus_client where processes share their metrics; it looks when it is imported."""


@dataclass(frozen=True)
class Guard:
    """Who may do what.

    Attributes:
        certificate: The file of a chain of certificates, PEM, for TLS.
        key: The file of its private key.
        token: A file with what clients have to send as ``Authorization: Bearer TOKEN``.
        control: Whether clients may load and unload models.
    """

    certificate: Path | None = None
    key: Path | None = None
    token: Path | None = None
    control: bool = False


def serve(  # noqa: PLR0913 - public: its keywords are the options
    paths: Sequence[Path],
    address: Address,
    limits: Limits,
    guard: Guard = Guard(),
    *,
    workers: int = 1,
    concurrency: int = 1,
    providers: Sequence[Provider] | None = None,
    threads: int | None = None,
    trust: bool = False,
    report: Report = print,
) -> None:
    """Serves artifacts, each under the stem of its file's name, until the process is told to stop.

    The Open Inference Protocol, version 2, over REST and gRPC; ``/metrics`` for Prometheus.

    Args:
        paths: The artifacts.
        address: Where to listen.
        limits: What requests may ask for.
        guard: Who may do what; by default anybody who can connect may ask.
        workers: Processes, each of which loads the artifacts and takes some of the connections. One that is killed is
            replaced.
        concurrency: Calls that a worker runs side by side, each in memory of its own; further requests wait their turn.
        providers: As for ``fgcompile.load``.
        threads: As for ``fgcompile.load``; by default workers share the cores.
        trust: Whether code may be loaded under any name, and without being tried in a process of its own first.
        report: Told what happened to workers.

    Raises:
        ArtifactError: An artifact is damaged, or not one.
        FgcompileError: A worker gave up.
        InputError: Two artifacts have the same name, or the address cannot be listened on.
        MissingPackageError: The extra ``serve`` is not installed.
    """
    artifacts = dict(zip(name_models(paths), paths, strict=True))
    _check(workers, concurrency, guard)
    access = read_access(guard.certificate, guard.key, guard.token)
    require_free(address.host, address.grpc_port)
    service = _Service(artifacts, address, limits, concurrency, guard, access, providers, threads, trust)
    with open_port(address.host, address.port) as listening:
        if workers == 1:
            _serve(service, listening, shared=False)
            return
        for path in paths:
            require_sound(path, providers, threads, trust)  # so that a damaged one is refused once
        if threads is None:
            service = replace(service, threads=max(1, (os.cpu_count() or 1) // workers))
        with temporary_folder() as folder:
            os.environ[_METRICS] = folder
            supervise(partial(_serve, service, listening, shared=True), workers, report, before_stop=listening.close)


def _check(workers: int, concurrency: int, guard: Guard) -> None:
    """Passes numbers of processes and calls that make sense."""
    if workers < 1:
        raise InputError(f"the number of workers is {workers}: give 1 or more")
    if concurrency < 1:
        raise InputError(f"the concurrency is {concurrency}: give 1 or more")
    if workers > 1 and guard.control:
        raise InputError(
            "a client that loads or unloads a model reaches one worker: serve with one, or without control"
        )
    if workers > 1 and not hasattr(socket, "SO_REUSEPORT"):
        raise InputError("several workers need ports that can be shared, which this system lacks: serve with one")


@dataclass(frozen=True)
class _Service:
    """What each worker does; ``serve`` says what the fields are."""

    artifacts: Mapping[str, Path]
    address: Address
    limits: Limits
    concurrency: int
    guard: Guard
    access: Access = field(repr=False)
    providers: Sequence[Provider] | None
    threads: int | None
    trust: bool


def _serve(service: _Service, listening: socket.socket, *, shared: bool) -> None:
    """Serves in this process, on ports that it shares with others if ``shared``."""
    # gRPC's core tells of clients' faults, and quotes their bytes as they are; it reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from fgcompile.serving import logs
        from fgcompile.serving.process import Process, run
    except ImportError as error:
        raise MissingPackageError(f"serving needs {error.name}: pip install 'fgcompile[serve]'") from error
    logs.configure()
    guard = service.guard
    process = Process(
        artifacts={name: partial(_open, path, service, tried=shared) for name, path in service.artifacts.items()},
        address=service.address,
        limits=service.limits,
        access=service.access,
        tls=(guard.certificate, guard.key) if guard.certificate and guard.key else None,
        control=guard.control,
        concurrency=service.concurrency,
    )
    run(process, listening, shared)


def _open(path: Path, service: _Service, *, tried: bool) -> Session:
    """Loads an artifact, now or when a client asks for it; ``tried`` says that this was done for all workers."""
    if not tried:
        require_sound(path, service.providers, service.threads, service.trust)
    return load(path, service.providers, service.threads, trust=service.trust or None)
