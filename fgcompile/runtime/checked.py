"""Backends held to what an artifact says: its program's signature when it is opened, and its outputs at every call.

Files that were changed and sealed again get here: what a runtime says of one becomes an ``ArtifactError``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from fgcompile.artifact.metadata import Metadata, TensorSpec
from fgcompile.artifact.validation import Array
from fgcompile.errors import ArtifactError, FgcompileError, InputError, first_line
from fgcompile.runtime.indices import is_out_of_range, out_of_range
from fgcompile.runtime.parts import run_in_parts


class Runs(Protocol):
    """What a backend does once it is open."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""


class CheckedBackend:
    """A backend that returns the outputs which the metadata promise, or raises."""

    def __init__(
        self, open_backend: Callable[[], Runs], metadata: Metadata, reopen: Callable[[], Runs] | None = None
    ) -> None:
        """Opens an artifact.

        Args:
            open_backend: Opens it in its runtime.
            metadata: The artifact's.
            reopen: Opens it once more, in a process that was forked from the one that opened it.

        Raises:
            ArtifactError: The runtime cannot read it; other errors of ours as the backend raises them.
        """
        self._reopen = reopen or open_backend
        try:
            self._opened = os.getpid(), open_backend()
        except (FgcompileError, MemoryError):
            raise
        except Exception as error:  # a runtime raises anything of a program that it did not write
            raise ArtifactError(
                f"the artifact's program cannot be read ({_described(error)}): compile it again"
            ) from error
        self._metadata = metadata
        self._specs = [(spec["name"], np.dtype(spec["dtype"]), spec) for spec in metadata["outputs"]]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The artifact's outputs by name.

        Raises:
            ArtifactError: Its program fails, or returns other tensors than its metadata say.
            InputError: An index that it computes of the inputs is out of range.
        """
        try:
            outputs = run_in_parts(self._here().run, feeds, self._metadata)
        except (FgcompileError, MemoryError):
            raise
        except Exception as error:
            if is_out_of_range(error):
                raise InputError(out_of_range(self._metadata)) from error
            raise ArtifactError(
                f"the artifact failed in its runtime ({_described(error)}): give it other inputs, or compile it again"
            ) from error
        for name, dtype, spec in self._specs:
            array = outputs[name]
            if array.dtype != dtype or array.ndim != len(spec["shape"]) or (array.size and _differs(array, spec)):
                expected = ", ".join(map(str, spec["shape"]))
                raise ArtifactError(
                    f"the artifact's program returns {name} as {array.dtype} {array.shape}, "
                    f"its metadata say {dtype} ({expected}): compile it again"
                )
        return outputs

    def _here(self) -> Runs:
        """The backend of this process. Threads that come at once may each open one: a lock may be held in a fork."""
        process, backend = self._opened
        if process != os.getpid():
            # The one of before the fork stays: letting go of it would wait for threads that are not here.
            _LEFT_BEHIND.append(backend)
            backend = self._reopen()
            self._opened = os.getpid(), backend
        return backend


_LEFT_BEHIND: list[Runs] = []


def require_signature(found: object, metadata: Metadata) -> None:
    """Passes a program that takes and returns what its metadata say; older ones carry no signature.

    Raises:
        ArtifactError: It is another's.
    """
    if found is not None and found != metadata.get("signature"):
        raise ArtifactError(
            "the artifact's program takes or returns other tensors than its metadata say: compile it again"
        )


def _differs(array: Array, spec: TensorSpec) -> bool:
    return any(size != wanted for size, wanted in zip(array.shape, spec["shape"], strict=True) if type(wanted) is int)


def _described(error: Exception) -> str:
    """What a runtime says, in one line: TorchScript says first where an error was raised, and last what it was."""
    lines = str(error).strip().splitlines()
    return (lines[-1].strip() if lines and "TorchScript interpreter" in lines[0] else first_line(error))[:300]
