"""One Session over every runtime: arrays in, an explanation out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, overload

import numpy as np

from fgcompile.artifact.file import check_artifact, read_artifact, read_tokenizer, weights_folder
from fgcompile.artifact.metadata import BATCH, Metadata
from fgcompile.artifact.names import EXPLAIN, LOGITS, TARGET, is_predicted
from fgcompile.artifact.questions import Asked, check_target, explained_elements, largest, predicted_targets
from fgcompile.artifact.seal import SEAL_SIZE
from fgcompile.artifact.trust import require_trust
from fgcompile.artifact.validation import (
    Array,
    batch_size,
    check_biases,
    check_feeds,
    named_sizes,
    takes_target,
)
from fgcompile.artifact.wishes import numbered
from fgcompile.errors import InputError
from fgcompile.runtime.about import About
from fgcompile.runtime.checked import CheckedBackend, Runs
from fgcompile.runtime.explanation import Explanation, input_gradients, maps_by_input, with_prefix
from fgcompile.runtime.finite import warn_of_overflow
from fgcompile.runtime.given import checked, files_of, given_arrays
from fgcompile.runtime.runtimes import backend_class, check_options
from fgcompile.runtime.source import Provider as Provider  # for whoever loads one
from fgcompile.runtime.source import Source
from fgcompile.runtime.torch_callers import as_arrays, as_tensors, of_array

if TYPE_CHECKING:  # a server of arrays goes without
    from fgcompile.text.encoding import Text
    from fgcompile.text.explanation import TextExplanation, TextExplanations
    from fgcompile.text.questions import TextTarget


class Compiled(Protocol):
    """What compiling returned."""

    @property
    def content(self) -> bytes:
        """The file's bytes."""

    @property
    def folder(self) -> Path | None:
        """Where its weights lie, if they are not in these."""


class _Closed:
    """What a closed session has for a backend."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        raise InputError("the session is closed: load the artifact again")


class Session:
    """An artifact ready to run, from any number of threads, on any number of samples (``runtime.parts``).

    A pickled session opens its file again, or carries the bytes that it was opened from; a copy is the session itself.
    After a fork ONNX Runtime opens it again at the first call; what cannot go on there says so. ``close``, or leaving
    ``with``, lets go of the memory that it holds.

    Attributes:
        metadata: What the artifact says of itself (``fgcompile.artifact.metadata.Metadata``).
        tokenizer: The JSON of the tokenizer that it keeps; None where it keeps none.
    """

    def __init__(
        self, backend: Runs, metadata: Metadata, source: Source | None = None, tokenizer: str | None = None
    ) -> None:
        self.metadata = metadata
        self.tokenizer = tokenizer
        self._backend = backend
        self._source = source
        self._made_from: object = None  # whose weights, where they lie beside it, are there for as long as it is

    def __reduce__(self) -> tuple[object, ...]:
        """Its source, which opens it again (pickle).

        Raises:
            InputError: Its backend is the caller's, not an artifact's.
        """
        if self._source is None:
            raise InputError("the session was not opened from an artifact and cannot be pickled: use fgcompile.load")
        return _open, (self._source,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        described = (
            ", ".join(
                f"{spec['name']} {spec['dtype']} ({', '.join(map(str, spec['shape']))})" for spec in self.metadata[key]
            )
            for key in ("inputs", "outputs")
        )
        return f"Session({self.metadata['model']['name']}, {self.metadata['format']}: {' -> '.join(described)})"

    def close(self) -> None:
        """Lets go of the artifact. Calls that run end; later ones are refused."""
        self._backend = _Closed()

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The artifact's raw outputs by name. Whether numbers are finite is not looked at.

        Args:
            feeds: Each of ``metadata["inputs"]`` by name, ``target`` and ``explain`` among them; optional ones may be
                left out, and ``target`` for what ``explain`` takes for None.

        Raises:
            InputError: A name is missing or unknown; a wrong type, rank, size or dtype; an index or target out of
                range.
        """
        return self._backend.run(self._with_target(check_feeds(feeds, self.metadata)))

    def explain(
        self,
        x: Any,
        target: Asked | str = None,
        biases: Mapping[str, Array] | None = None,
    ) -> Explanation:
        """The model's output and its full-gradient explanation.

        Args:
            x: The input, shape (N, …) or with the batch where layouts had it, or several: a tuple in the artifact's
                order or a mapping by name. NumPy's arrays; or PyTorch's tensors, and then so is all that is returned,
                on the device of the first. Where the artifact takes raw photos, also a picture of Pillow's or the
                path of a file, or a list of them, fitted as the artifact says (``fgcompile.read_photos``), beside
                further inputs too: ``{"x": "photo.jpg", "mask": mask}``.
            target: The class to explain, by number or by its name among the labels: one for all, or one per sample,
                shape (N,). None or -1: the predicted class.
                Of an output of more axes an index for each, (r,), as ("cat", 40, 31), or (N, r), -1 in the last place
                for the largest there and in all for the largest of all. An artifact of T targets takes as many,
                (T[, r]) or (N, T[, r]); None: the T largest, which a call for the logits finds.
            biases: Bias parameters to use instead of the trained ones, by name, where the artifact takes them.

        Raises:
            InputError: An input or target that the artifact does not take; the message says what it takes.

        Warns:
            NonFiniteWarning: The inputs are finite, and an output is not: their numbers overflow on the way.
        """
        files, (x, device) = files_of(x), given_arrays(x, self.metadata, self.tokenizer)
        feeds = checked(x, self.metadata)
        about = About(dict(feeds), self.metadata, files)
        sizes = named_sizes(feeds, self.metadata)
        feeds |= check_biases(as_arrays({} if biases is None else biases)[0], self.metadata)
        classes = check_target(numbered(as_arrays(target)[0], self.metadata), sizes, self.metadata)
        given = {} if target is None or classes is None else {TARGET: classes}
        feeds = self._with_target({**feeds, **given, **self._explaining(True)})
        outputs = self._backend.run(feeds)
        warn_of_overflow(outputs)
        logits = outputs.get("logits")
        explanation = Explanation(
            logits=logits,
            saliency=outputs.get("saliency"),
            saliency_by_input=maps_by_input(outputs, self.metadata),
            target=explained_elements(
                self.metadata, feeds[TARGET] if takes_target(self.metadata) else None, logits, sizes[BATCH]
            ),
            contributions=outputs.get("contributions"),
            residual=outputs.get("residual"),
            input_gradient=input_gradients(outputs),
            bias_gradients=with_prefix(outputs, "bias_gradients."),
            outputs={name: value for name, value in outputs.items() if name != LOGITS and is_predicted(name)},
            about=about,
        )
        return explanation if device is None else as_tensors(explanation, device)

    @overload
    def explain_text(self, text: Text, target: TextTarget = ..., continuation: str | None = ...) -> TextExplanation: ...  # type: ignore[overload-overlap]  # a text is a sequence of texts, too

    @overload
    def explain_text(
        self, text: Iterable[Text], target: TextTarget = ..., continuation: str | None = ...
    ) -> TextExplanations: ...

    def explain_text(
        self, text: Text | Iterable[Text], target: TextTarget = None, continuation: str | None = None
    ) -> TextExplanation | TextExplanations:
        """What the model says of a text, and how much each of its tokens and words adds to that.

        Each text is given to the model by itself. Where the artifact's length is fixed, it is padded behind.

        Args:
            text: A text, or a tuple of its segments, as ``("premise", "hypothesis")``; a list of texts gives a list.
            target: The class, by number or label; where there is one for each token, ``(token, class)``, the token by
                number or as a word of the text. None: the predicted class; of a language model the token that it
                expects behind the text, or in the place of ``[MASK]``; of a tagger its surest tag.
            continuation: What is to come behind the text instead, as ``" dull"``: a token, or what an artifact compiled
                with ``fgcompile.scores.Continuation`` takes.

        Raises:
            InputError: The artifact keeps no tokenizer or takes what no text says; a text is empty or too long; there
                is no such class, token or word.
            MissingPackageError: ``tokenizers`` is not installed.
        """
        from fgcompile.text.explain import explain_texts

        return explain_texts(self, self.tokenizer, text, target, continuation)

    def predict(self, x: Any) -> Any:
        """The model's output alone, shape (N, K).

        An artifact compiled with ``on_demand=True`` then does the work of the model only; any other one explains too,
        and takes the time for it.

        Args:
            x: As for ``explain``.

        Raises:
            InputError: An input that the artifact does not take, or an artifact that does not return the logits.
        """
        if all(spec["name"] != "logits" for spec in self.metadata["outputs"]):
            raise InputError("the artifact does not return the logits: compile it with them among the outputs")
        x, device = given_arrays(x, self.metadata, self.tokenizer)
        feeds = checked(x, self.metadata)
        if self.metadata["target"] == "input":
            feeds[TARGET] = predicted_targets(self.metadata, batch_size(feeds, self.metadata))
        logits = self._backend.run({**feeds, **self._explaining(False)})["logits"]
        warn_of_overflow({LOGITS: logits})
        return logits if device is None else of_array(logits, device)

    def _with_target(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The feeds, whose target is the predicted element or the T largest where the artifact takes one and has none.

        Raises:
            InputError: There are several, and the artifact does not return what they are the largest of.
        """
        if TARGET in feeds or not takes_target(self.metadata):
            return dict(feeds)
        asked = {**feeds, TARGET: predicted_targets(self.metadata, batch_size(feeds, self.metadata))}
        count, on_demand = self.metadata.get("targets"), self.metadata.get("on_demand", False)
        if not isinstance(count, int) or count == 1 or (on_demand and not feeds[EXPLAIN].all()):
            return asked
        if all(spec["name"] != LOGITS for spec in self.metadata["outputs"]):
            raise InputError(
                f"the artifact does not return the logits, which say what the {count} largest are: give target, or "
                "compile it with logits among the outputs"
            )
        return {**asked, TARGET: largest(self._backend.run({**asked, **self._explaining(False)})[LOGITS], count)}

    def _explaining(self, explain: bool) -> dict[str, Array]:
        """The input that says whether to explain, where the artifact takes one."""
        return {EXPLAIN: np.array(explain)} if self.metadata.get("on_demand") else {}


def load(
    path: str | Path | bytes | Compiled,
    providers: Sequence[Provider] | None = None,
    threads: int | None = None,
    trust: bool | None = None,
) -> Session:
    """Checks an artifact's seal and metadata, then loads it into the runtime of its format.

    Args:
        path: The artifact: its file, its bytes, or what ``compile`` returned.
        providers: For ONNX artifacts, ONNX Runtime execution providers in order of preference, each a name or
            ``(name, options)``; by default CUDA where this build of ONNX Runtime has it, then CPU. ``["OpenVINO"]``,
            or ``[("OpenVINO", {"device": "GPU", …})]``, runs the artifact in OpenVINO's own runtime instead. For
            TorchScript ``["cuda"]`` or ``["cuda:N"]``; a ``.pt2`` runs where it was compiled for. On CUDA float32 is
            float32; TF32 has to be asked for: ``[("CUDAExecutionProvider", {"use_tf32": "1"})]`` in ONNX Runtime,
            ``[("cuda", {"use_tf32": "1"})]`` in PyTorch.
        threads: Threads of one operator; by default the runtime decides. For TorchScript and ``.pt2`` this is a
            setting of the whole process, ``torch.set_num_threads``.
        trust: TorchScript and ``.pt2`` are code, which loading runs; an ONNX artifact is data. By default they are
            loaded where the name ends in ``.pt`` or ``.pt2``, or they were compiled here; True loads bytes, and files
            under a name without a suffix of artifacts, too, False never.

    Raises:
        ArtifactError: The artifact is unreadable, damaged, of a newer schema or format, or not fgcompile's; its content
            is not what its suffix says; or it is code, and nobody asked for that.
        InputError: An unknown provider, or a number of threads below 1.
        MissingPackageError: The runtime is not installed.
    """
    if not isinstance(path, str | Path):
        return _load_bytes(path, providers, threads, trust)
    content, metadata = read_artifact(path)
    require_trust(path, metadata["format"], trust)
    check_options(providers, threads)
    folder = weights_folder(content, metadata, path)
    source = Source(str(Path(path).absolute()), content[-SEAL_SIZE:], None, providers, threads, folder)
    return _open(source, (content, metadata))


def _load_bytes(
    given: bytes | Compiled, providers: Sequence[Provider] | None, threads: int | None, trust: bool | None
) -> Session:
    made_here = not isinstance(given, bytes | bytearray | memoryview)
    content = getattr(given, "content", None) if made_here else bytes(given)  # type: ignore[arg-type]
    if not isinstance(content, bytes):
        raise InputError(
            f"{type(given).__name__} is no artifact: give the path of one, its bytes, or what compile returned"
        )
    name, folder = "the artifact", getattr(given, "folder", None)
    metadata = check_artifact(content, name, folder)
    require_trust(name, metadata["format"], True if made_here and trust is None else trust)
    session = open_session(content, metadata, name, providers, threads, folder)
    session._made_from = given if made_here else None
    return session


def open_session(
    content: bytes,
    metadata: Metadata,
    name: str,
    providers: Sequence[Provider] | None = None,
    threads: int | None = None,
    folder: Path | None = None,
) -> Session:
    """As ``load``, for an artifact whose bytes have been checked or were just made.

    ``name`` is for messages, and in the ``folder`` lie weights that are not in the bytes.
    """
    check_options(providers, threads)
    return _open(Source(name, content[-SEAL_SIZE:], (content, metadata), providers, threads, folder))


def _open(source: Source, artifact: tuple[bytes, Metadata] | None = None) -> Session:
    """The session of an artifact; ``artifact`` is what ``source`` would read, where that has been read."""
    content, metadata = artifact or source.read()
    backend = backend_class(metadata["format"], source.providers, source.name)

    elsewhere = () if source.folder is None else (source.folder,)

    def reopen() -> Runs:
        return backend(*source.read(), source.providers, source.threads, *elsewhere)

    first = partial(backend, content, metadata, source.providers, source.threads, *elsewhere)
    tokenizer = read_tokenizer(content, metadata, source.name)
    return Session(CheckedBackend(first, metadata, reopen), metadata, source, tokenizer)
