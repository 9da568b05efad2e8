"""The models and the threads that work for them, whichever protocol asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from fgcompile.artifact.validation import Array
from fgcompile.errors import FgcompileError, InputError
from fgcompile.serving.admission import Limits
from fgcompile.serving.engine.budget import Budget
from fgcompile.serving.engine.metrics import NO_MODEL, POSTPROCESS, PREDICT, PREPROCESS, REFUSED
from fgcompile.serving.engine.model import Admitted, Model
from fgcompile.serving.protocol.messages import Request
from fgcompile.serving.refusals import FAILED, FORBIDDEN, MALFORMED, NOT_READY, UNKNOWN_MODEL, Kind, RefusalError

LOGGER = logging.getLogger("fgcompile.serving")

_SMALL = 1 << 15
"""Bytes that are read or written at once, without another thread."""

_READERS = 2

Result = TypeVar("Result")


class Engine:
    """What answers requests.

    Args:
        models: By name.
        limits: What a request, and all of them together, may cost.
        runners: Its threads run the models: as many calls side by side as it has, and the others wait.
        control: Whether clients may load and unload models.
    """

    def __init__(self, models: Mapping[str, Model], limits: Limits, runners: Executor, *, control: bool = False):
        self.models = models
        self.limits = limits
        self.budget = Budget(limits.memory)
        self.control = control
        self.draining = False
        self._runners = runners
        self._readers = ThreadPoolExecutor(_READERS, "reader")

    @property
    def ready(self) -> bool:
        """Whether every model is loaded, and the server is to stay."""
        return not self.draining and all(model.ready for model in self.models.values())

    def find(self, name: str) -> Model:
        """The model of a name.

        Raises:
            RefusalError: There is none.
        """
        if name not in self.models:
            raise RefusalError(UNKNOWN_MODEL, f"there is no model {name!r}: ask for one of {', '.join(self.models)}")
        return self.models[name]

    async def infer(
        self,
        name: str,
        size: int,
        decode: Callable[[], Request],
        encode: Callable[[Request, Mapping[str, Array]], Result],
    ) -> Result:
        """Runs a model, so that whoever waits for the event loop goes on; dropped, if cancelled, while it waits.

        Args:
            name: The model's.
            size: Bytes of the request.
            decode: Reads the request.
            encode: Makes the answer, from the request and the model's outputs.

        Raises:
            InputError: The request is not for this model; the message says what it takes.
            RefusalError: There is no such model.
        """
        model = self.find(name)

        def read() -> tuple[Request, Admitted]:
            request = decode()
            return request, model.admit(request, self.limits)

        with PREPROCESS.labels(name).time():
            request, admitted = await self.work(size, read)
        with PREDICT.labels(name).time():
            outputs = await asyncio.get_running_loop().run_in_executor(self._runners, model.run, admitted.feeds)
        outputs = {**outputs, **admitted.more}
        with POSTPROCESS.labels(name).time():
            return await self.work(sum(value.nbytes for value in outputs.values()), lambda: encode(request, outputs))

    async def work(self, size: int, call: Callable[[], Result]) -> Result:
        """What a call returns that handles ``size`` bytes: here if they are few, else in another thread."""
        if size <= _SMALL:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    async def switch(self, name: str, load: bool) -> None:
        """Loads or unloads a model.

        Raises:
            RefusalError: Clients may not, there is no such model, or it cannot be loaded.
        """
        if not self.control:
            raise RefusalError(
                FORBIDDEN, "models are not loaded or unloaded by clients: start the server with --model-control"
            )
        model = self.find(name)
        if not load:
            model.unload()
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._runners, model.load)
        except FgcompileError as error:
            raise RefusalError(NOT_READY, f"model {name!r} cannot be loaded: {error}") from error


def refuse(error: Exception, model: str | None, models: Mapping[str, Model]) -> tuple[Kind, str]:
    """The kind of a refusal and what a client is told; counts it, and logs what is a fault of ours."""
    if isinstance(error, InputError):
        error = RefusalError(MALFORMED, str(error))
    if isinstance(error, RefusalError):
        REFUSED.labels(model if model in models else NO_MODEL).inc()
        return error.kind, str(error)
    LOGGER.error("a request failed", exc_info=error)
    return FAILED, "the server failed: its log says why"
