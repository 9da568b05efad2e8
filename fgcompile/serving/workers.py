"""Several processes that do the same work; one that is killed is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from fgcompile.errors import FgcompileError

Report = Callable[[str | FgcompileError], None]
"""Tells the operator of what happened, or of an error; it is sent to a new interpreter, so it has to be picklable."""

_GRACE = 40.0
"""Seconds that workers have to finish their requests: more than they take themselves."""


def supervise(
    work: Callable[[], None], count: int, report: Report, before_stop: Callable[[], None] = lambda: None
) -> None:
    """Runs ``count`` workers until this process is told to stop, or one of them gives up.

    A worker that a signal ends (a lack of memory, a crash, an operator) is replaced, and so is one that has done what
    it was told to by SIGTERM, which ends with status 0. One that could not do its work says why; another would fare no
    better, so the rest are stopped too.

    Args:
        work: What each does, until SIGTERM; it is sent to a new interpreter, so it has to be picklable.
        count: How many.
        report: Told which worker was replaced, and why one gave up.
        before_stop: Called before the workers are told to stop.

    Raises:
        FgcompileError: A worker gave up.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    workers = [_start(work, report) for _ in range(count)]
    try:
        while True:
            wait([worker.sentinel for worker in workers])
            for worker in [worker for worker in workers if not worker.is_alive()]:
                if worker.exitcode is not None and worker.exitcode > 0:
                    raise FgcompileError(f"worker {worker.pid} ended with status {worker.exitcode}: see what it said")
                workers.remove(worker)
                workers.append(_start(work, report))
                ended = "was killed" if worker.exitcode else "was told to stop"
                report(f"Worker {worker.pid} {ended}: {workers[-1].pid} replaces it")
    except KeyboardInterrupt:
        pass
    finally:
        before_stop()
        _stop(workers)


def _start(work: Callable[[], None], report: Report) -> BaseProcess:
    worker = multiprocessing.get_context("spawn").Process(target=_run, args=(work, report))
    worker.start()
    return worker


def _stop(workers: list[BaseProcess]) -> None:
    for worker in workers:
        worker.terminate()
    end = time.monotonic() + _GRACE
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
        worker.kill()


def _run(work: Callable[[], None], report: Report) -> None:
    """A worker's whole life, which is no longer than that of the process that started it."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        work()
    except FgcompileError as error:
        report(error)
        sys.exit(2)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
