"""One process that serves: loads the models, listens, and stops when it is told to without losing a request."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fgcompile.runtime.session import Session
from fgcompile.serving.access import Access, open_tls
from fgcompile.serving.address import Address, allow_connections
from fgcompile.serving.admission import Limits
from fgcompile.serving.engine.engine import LOGGER, Engine
from fgcompile.serving.engine.model import Model
from fgcompile.serving.rest.listener import RestListener
from fgcompile.serving.rpc.listener import GrpcListener
from fgcompile.serving.texts import TEXT

GRACE = 30.0
"""Seconds in which requests may end, once the process is told to stop."""

_MARGIN = 5.0

_TURN = 0.0005
"""Seconds after which a thread lets go of Python's lock: answering a probe takes it several times, each after a turn of
those that read large requests."""


@dataclass(frozen=True)
class Process:
    """What it needs.

    Attributes:
        artifacts: How to open each, by the model's name.
        address: Where to listen.
        limits: What requests may cost.
        access: What a client needs.
        tls: The files of certificate and key, where there are some.
        control: Whether clients may load and unload models.
        concurrency: Calls of models side by side.
    """

    artifacts: Mapping[str, Callable[[], Session]]
    address: Address
    limits: Limits
    access: Access
    tls: tuple[Path, Path] | None
    control: bool
    concurrency: int


def run(process: Process, listening: socket.socket, shared: bool) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        process: What it needs.
        listening: REST's socket.
        shared: Whether other processes listen on the same ports.

    Raises:
        ArtifactError: An artifact is damaged, or not one.
        InputError: gRPC's port cannot be listened on, or there may not be so many connections.
    """
    allow_connections(process.limits.connections)
    sys.setswitchinterval(_TURN)
    models = {name: Model(name, opened) for name, opened in process.artifacts.items()}
    runners = ThreadPoolExecutor(process.concurrency, "artifact")
    engine = Engine(models, process.limits, runners, control=process.control)
    asyncio.run(_serve(engine, process, listening, shared))
    runners.shutdown(wait=False, cancel_futures=True)


async def _serve(engine: Engine, process: Process, listening: socket.socket, shared: bool) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    grpc = GrpcListener(engine, process.access, process.address, shared=shared)
    rest = RestListener(engine, process.access, listening, open_tls(*process.tls) if process.tls else None)
    grpc.start()
    await rest.start()
    for line in _told(process, engine):
        LOGGER.info("%s", line)
    await told.wait()
    LOGGER.info("stopping: requests that were accepted are answered, for %g s at most", GRACE)
    engine.draining = True
    _exit_after(GRACE + _MARGIN)
    await asyncio.gather(rest.stop(GRACE), grpc.stop(GRACE))
    LOGGER.info("stopped")


def _told(process: Process, engine: Engine) -> Iterator[str]:
    """Where the models are, and a request to copy."""
    url = f"{'http' if process.tls is None else 'https'}://{process.address.rest}"
    yield f"serving {', '.join(engine.models)}: REST on {url}, gRPC on {process.address.grpc}"
    options = " -H 'Authorization: Bearer TOKEN'" if process.access.token is not None else ""
    options += " --cacert FILE" if process.tls is not None else ""
    for name, model in engine.models.items():
        place = f"curl -s{options} {shlex.quote(f'{url}/v2/models/{quote(name)}')}"
        if model.takes_texts:
            text = {"name": TEXT, "datatype": "BYTES", "shape": [1], "data": ["…"]}
            yield f"explain a text: {place}/infer -d {shlex.quote(json.dumps({'inputs': [text]}, ensure_ascii=False))}"
        else:
            yield f"what {name} takes: {place}"


def _exit_after(seconds: float) -> None:
    """Ends the process then, if it is still there: a call of a model cannot be interrupted."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
