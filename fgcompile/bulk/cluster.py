"""Where the work is done: a Ray of our own on this machine, for one run and on 127.0.0.1, or a cluster that runs."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass

import ray

from fgcompile.artifact.metadata import Metadata
from fgcompile.bulk.options import Workers
from fgcompile.bulk.ray_internals import QUIET, WORKERS_AT_ONCE
from fgcompile.errors import FgcompileError, InputError, first_line
from fgcompile.runtime.runtimes import provider_name
from fgcompile.runtime.source import Provider
from fgcompile.system.machine import cores


@dataclass(frozen=True)
class Pool:
    """The actors of a run.

    Attributes:
        actors: How many there are at most.
        at_once: How many there is room for when the run begins.
        cpus: What Ray reserves for each.
        gpus: Likewise.
    """

    actors: int
    at_once: int
    cpus: int
    gpus: int


@contextmanager
def connect(workers: Workers, metadata: Metadata) -> Iterator[Pool]:
    """Starts Ray or connects to it, and yields the actors to have; a process that is connected stays so.

    Raises:
        InputError: There is no cluster at the address.
    """
    gpus = int(_on_graphics_card(workers.providers or (), metadata))
    if ray.is_initialized():
        yield _shared_pool(workers, gpus)
        return
    for name, value in QUIET.items():  # what is set already stays
        os.environ.setdefault(name, value)
    with redirect_stdout(sys.stderr):  # where Ray prints what happened to its workers
        try:
            yield _start(workers, gpus) if workers.address is None else _join(workers, workers.address, gpus)
        finally:
            ray.shutdown()


def _start(workers: Workers, gpus: int) -> Pool:
    """A Ray of this process's own.

    Raises:
        FgcompileError: It did not start.
    """
    actors = workers.actors or max(1, cores() // workers.threads)
    cpus = actors * workers.threads + _spare(actors)
    os.environ.setdefault(WORKERS_AT_ONCE, str(cpus))
    try:
        ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray's own words for a machine that is too busy to start it in time are an Exception
        raise FgcompileError(f"Ray did not start ({first_line(error)}): try again, or give --address of one") from error
    if gpus and workers.actors is None:
        actors = max(1, int(ray.cluster_resources().get("GPU", 0)))
    return Pool(actors, actors, workers.threads, gpus)


def _join(workers: Workers, address: str, gpus: int) -> Pool:
    """The cluster at an address, which is asked for once; Ray would ask again for minutes."""
    try:
        host, separator, port = address.removeprefix("ray://").rpartition(":")
        if separator and port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"cannot connect to Ray at {address} ({first_line(error)}): is it running, and is "
            "RAY_AUTH_MODE=token if it wants one?"
        ) from error
    return _shared_pool(workers, gpus)


def _spare(actors: int) -> int:
    """CPUs to name beside those of the actors, for listing and writing: it is little work, but where the actors have
    them all, Ray waits for ever."""
    return 1 + actors // 8


def _shared_pool(workers: Workers, gpus: int) -> Pool:
    """As many actors as there is room for, and the others when there will be: a cluster may be busy, or grow."""

    def room(resources: Mapping[str, float]) -> int:
        free = resources.get("GPU", 0) if gpus else (resources.get("CPU", 0) - 1) // workers.threads
        return max(1, int(free))

    actors = workers.actors or room(ray.cluster_resources())
    return Pool(actors, min(actors, room(ray.available_resources())), workers.threads, gpus)


def _on_graphics_card(providers: Sequence[Provider], metadata: Metadata) -> bool:
    """Whether an actor needs a graphics card: Ray shows a process those only that it has asked for."""
    names = [provider_name(provider).lower() for provider in providers]
    return metadata.get("device") == "cuda" or any("cuda" in name or "tensorrt" in name for name in names)
