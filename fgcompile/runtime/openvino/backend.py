"""ONNX artifacts in OpenVINO's own runtime; needs neither torch, onnx nor ONNX Runtime."""

from __future__ import annotations

import functools
import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.onnx_container import find_beside
from fgcompile.artifact.validation import Array, bias_specs, input_specs
from fgcompile.errors import ArtifactError, InputError, MissingPackageError
from fgcompile.runtime.forked import forked, refuse
from fgcompile.runtime.indices import out_of_range
from fgcompile.runtime.openvino.agreement import Agreement, Run, make_example
from fgcompile.runtime.session import Provider
from fgcompile.system.leftovers import temporary_folder

try:
    import openvino  # type: ignore[import-untyped]  # ships no marker of its types

    from fgcompile.runtime.openvino.forms import take_fast_forms, turn_square_weights
    from fgcompile.runtime.openvino.indices import IN_RANGE, hold_indices
    from fgcompile.runtime.openvino.shapes import ByShape, Compiler, EachShape
except ImportError as error:
    raise MissingPackageError("provider OpenVINO needs its runtime: pip install 'fgcompile[openvino]'") from error
_DEFAULT_DEVICE = "CPU"
_PRECISION = "INFERENCE_PRECISION_HINT"
_DEFAULT_PROPERTIES: dict[str, object] = {
    _PRECISION: "f32",  # else bfloat16 where the processor has it
    "PERFORMANCE_HINT": "LATENCY",
}


class OpenVinoBackend:
    """An artifact in OpenVINO; ``run`` may be called from several threads.

    ``providers`` is ``"OpenVINO"`` alone or with options: ``device``, by default "CPU", and OpenVINO's properties by
    their names. Unless they say otherwise it computes in float32 and for latency: calls that meet take turns, where
    ``{"PERFORMANCE_HINT": "THROUGHPUT"}`` runs them side by side. ``threads`` is ``INFERENCE_NUM_THREADS``.
    """

    def __init__(
        self,
        content: bytes,
        metadata: Metadata,
        providers: Sequence[Provider] | None,
        threads: int | None,
        folder: Path | None = None,
    ) -> None:
        if forked():
            refuse("OpenVINO")
        device, properties = _read_options(providers)
        if threads is not None:
            properties = {"INFERENCE_NUM_THREADS": threads} | properties
        properties = _DEFAULT_PROPERTIES | properties
        core = _core()

        def compile(model: openvino.Model) -> openvino.CompiledModel:
            with _told(device):
                return core.compile_model(model, device, properties)

        with _told(device):
            model = _read(core, content, folder)
            turn_square_weights(model)
            if device == _DEFAULT_DEVICE:
                take_fast_forms(model)
            self._holds_indices, self._out_of_range = hold_indices(model), out_of_range(metadata)
            self._defaults = _take_biases(model, [spec["name"] for spec in bias_specs(metadata)])
        self._inputs = {name for port in model.inputs for name in port.get_names()}
        self._outputs = [spec["name"] for spec in metadata["outputs"]]
        exact = (properties[_PRECISION], metadata.get("precision", "float32")) == ("f32", "float32")
        self._agreement = Agreement(content, metadata, folder) if exact else None
        wanted = [*self._outputs, IN_RANGE] if self._holds_indices else self._outputs
        compiler = Compiler(model, wanted, compile)
        self._graphs: ByShape | EachShape
        if _has_open_space(metadata):
            self._graphs = EachShape(compiler, self._check)
            self.run(make_example(metadata))
        else:
            self._graphs = ByShape(compiler, often=device == _DEFAULT_DEVICE)
            if self._agreement is not None:
                self._agreement.require(self._graphs.general.run, self._defaults | make_example(metadata))

    def _check(self, run: Run, feeds: Mapping[str, Array]) -> None:
        """Passes a graph whose indices lie in range and that computes what ONNX Runtime does."""
        if self._holds_indices and not run(feeds)[IN_RANGE]:
            raise InputError(self._out_of_range)
        if self._agreement is not None:
            self._agreement.require(run, feeds)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The artifact's outputs by name."""
        if unknown := sorted(feeds.keys() - self._inputs):
            raise InputError(f"OpenVINO keeps input {', '.join(unknown)} constant: run the artifact in ONNX Runtime")
        results = self._graphs.run(self._defaults | dict(feeds))
        if self._holds_indices and not results[IN_RANGE]:
            raise InputError(self._out_of_range)
        return {name: results[name] for name in self._outputs}


@contextmanager
def _told(device: str) -> Iterator[None]:
    """OpenVINO's own errors, which are of many kinds, as one that says what to do."""
    try:
        yield
    except Exception as error:  # OpenVINO's own are RuntimeErrors and more
        raise ArtifactError(
            f"OpenVINO {openvino.__version__} cannot load the artifact on {device} ({_reason(error)}): "
            "upgrade it, or choose another device, other options or another provider"
        ) from error


def _has_open_space(metadata: Metadata) -> bool:
    """Whether an input has more open sizes than the batch and a length."""
    return any(sum(isinstance(size, str) for size in spec["shape"]) > 2 for spec in input_specs(metadata))


@functools.cache
def _core() -> openvino.Core:
    """One for the whole process: OpenVINO unloads its device plugins with the last one, and then may crash."""
    return openvino.Core()


def _read(core: openvino.Core, content: bytes, folder: Path | None) -> openvino.Model:
    """The model; weights beside it are looked for where a file is, so that one is made, with a link to them."""
    beside = None if folder is None else find_beside(content)
    if folder is None or beside is None:
        return core.read_model(io.BytesIO(content))
    with temporary_folder() as place:
        _link(folder / beside.name, Path(place) / beside.name)
        (Path(place) / "model.onnx").write_bytes(content)
        return core.read_model(Path(place) / "model.onnx")


def _link(source: Path, target: Path) -> None:
    """The file under another name; a symbolic link would lead out of the folder, which OpenVINO refuses."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:  # another disk
        shutil.copyfile(source, target)


def _read_options(providers: Sequence[Provider] | None) -> tuple[str, dict[str, object]]:
    """The device and the properties that were asked for."""
    if providers is None or len(providers) != 1:
        raise InputError("OpenVINO is a runtime of its own, not an execution provider among others: give it alone")
    (provider,) = providers
    options = {} if isinstance(provider, str) else dict(provider[1])
    return str(options.pop("device", _DEFAULT_DEVICE)), options


def _take_biases(model: openvino.Model, names: Sequence[str]) -> dict[str, Array]:
    """Makes the bias parameters inputs again, which OpenVINO reads as constants; returns their defaults."""
    defaults: dict[str, Array] = {}
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        if node.get_type_name() != "Constant" or name not in names:
            continue
        defaults[name] = np.array(node.data)
        parameter = openvino.op.Parameter(node.get_output_element_type(0), node.get_output_partial_shape(0))
        node.output(0).replace(parameter.output(0))
        parameter.output(0).get_tensor().set_names({name})
        model.add_parameters([parameter])
    return defaults


def _reason(error: Exception) -> str:
    """The last line, which is the innermost: those before it name OpenVINO's own files."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip().rstrip(".") if lines else type(error).__name__
