"""An artifact under the name by which clients ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.runtime.session import Session
from fgcompile.serving.admission import Limits, admit, find_repeated
from fgcompile.serving.engine.metrics import RESIDUAL
from fgcompile.serving.protocol.messages import Request
from fgcompile.serving.protocol.tensors import describe
from fgcompile.serving.protocol.texts import DATATYPE, DTYPE
from fgcompile.serving.refusals import UNKNOWN_MODEL, RefusalError
from fgcompile.serving.texts import KNOWN, TEXT, Texts


@dataclass(frozen=True)
class Admitted:
    """A request that may be answered.

    Attributes:
        feeds: What the artifact takes.
        more: Outputs beside its own, which are known before it runs.
    """

    feeds: Mapping[str, Array]
    more: Mapping[str, Array]


def _has_texts(request: Request) -> bool:
    """Whether an input is of texts; refuses any that is not the one for them."""
    names = [name for name, value in request.tensors.items() if value.dtype == DTYPE]
    if other := [name for name in names if name != TEXT]:
        raise InputError(f"{other[0]} has the datatype '{DATATYPE}', which the artifact does not take: send numbers")
    return bool(names)


class Model:
    """A session, which may be unloaded and loaded again.

    Args:
        name: What clients call it.
        open_session: Loads the artifact.
    """

    def __init__(self, name: str, open_session: Callable[[], Session]) -> None:
        self.name = name
        self._open_session = open_session
        self._session: Session | None = None
        self.load()

    @property
    def ready(self) -> bool:
        """Whether it is loaded."""
        return self._session is not None

    @property
    def session(self) -> Session:
        """The artifact.

        Raises:
            RefusalError: It is not loaded.
        """
        if self._session is None:
            raise RefusalError(UNKNOWN_MODEL, f"model {self.name!r} is not loaded")
        return self._session

    @property
    def takes_texts(self) -> bool:
        """Whether clients may send texts."""
        return bool(self._texts.inputs)

    def load(self) -> None:
        """Reads the artifact anew, as it is on the disk now."""
        session = self._open_session()
        self._texts, self._session = Texts(session), session

    def unload(self) -> None:
        """Frees what the artifact takes, once the calls that run have ended."""
        self._session = None

    def describe(self) -> dict[str, list[dict[str, Any]]]:
        """Its inputs and outputs, as the protocol describes tensors."""
        metadata = self.session.metadata
        found = {kind: [describe(spec) for spec in metadata[kind]] for kind in ("inputs", "outputs")}
        return {"inputs": found["inputs"] + self._texts.inputs, "outputs": found["outputs"] + self._texts.outputs}

    def admit(self, request: Request, limits: Limits) -> Admitted:
        """What the artifact takes, from a request, and what is known of its texts.

        Raises:
            InputError: Anything in it that the artifact does not take.
        """
        metadata = self.session.metadata
        known = [spec["name"] for spec in metadata["outputs"]] + (list(KNOWN) if _has_texts(request) else [])
        for output in request.wanted:
            if output.name not in known:
                raise InputError(f"the artifact has no output {output.name!r}: ask for one of {', '.join(known)}")
        if twice := find_repeated([output.name for output in request.wanted]):
            raise InputError(f"the request asks for {twice!r} more than once: ask for each output once")
        if not _has_texts(request):
            return Admitted(admit(request.tensors, metadata, limits), {})
        tensors, more = self._texts.read(request.tensors, limits)
        return Admitted(admit(tensors, metadata, limits), more)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs; records how far from complete the explanations are, where the artifact says so."""
        outputs = self.session.run(feeds)
        if {"residual", "contributions"} <= outputs.keys() and outputs["residual"].size:
            magnitudes = np.abs(outputs["contributions"]).sum(axis=-1)  # of each sample, or of each of its targets
            for value in (np.abs(outputs["residual"]) / np.maximum(magnitudes, np.finfo(np.float32).tiny)).flat:
                RESIDUAL.labels(self.name).observe(float(value))
        return outputs
