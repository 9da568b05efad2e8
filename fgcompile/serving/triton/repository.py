"""Writes a model repository: a folder for each artifact, with its configuration and a numbered folder a version.

REPOSITORY/resnet18/config.pbtxt
REPOSITORY/resnet18/labels.txt
REPOSITORY/resnet18/1/model.onnx
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from fgcompile.artifact.characters import unfit_character
from fgcompile.artifact.file import read_artifact, weights_file
from fgcompile.artifact.metadata import Metadata
from fgcompile.errors import InputError, OutputError
from fgcompile.serving.names import name_models
from fgcompile.serving.triton.configuration import (
    LABELS,
    PYTHON,
    WARMED,
    Deployment,
    Runtime,
    choose_runtime,
    configure,
)
from fgcompile.serving.triton.textproto import dump
from fgcompile.system.files import sync_folder, write_atomically
from fgcompile.system.leftovers import new_partial, remove_leftovers

_PACKAGE = Path(__file__).parents[2]
_MODULES = (
    "__init__.py",
    "_version.py",
    "errors.py",
    *(
        f"artifact/{name}.py"
        for name in (
            *("__init__", "characters", "dtypes", "elements", "file", "fitting", "kinds", "metadata", "names"),
            *("onnx_beside", "onnx_container", "onnx_rewriting", "onnx_skeleton"),
            *("pair", "protobuf", "questions", "regular"),
            *("schema", "seal", "signature", "sizes", "trust", "validation", "wishes", "zip_container"),
        )
    ),
    *(
        f"runtime/{name}.py"
        for name in (
            *(
                "__init__",
                "about",
                "checked",
                "depicted",
                "explanation",
                "finite",
                "given",
                "indices",
                "onnxruntime",
                "onnxruntime_binding",
            ),
            *("onnxruntime_signature", "parts", "runtimes", "session", "source", "torch_callers"),
        )
    ),
    *(
        "serving/__init__.py",
        "serving/admission.py",
        "system/__init__.py",
        "system/files.py",
        "system/leftovers.py",
        "system/text.py",
    ),
)
"""What ``model.py`` imports of this package, by way of others too."""


def write_models(paths: Sequence[Path], repository: Path, deployment: Deployment) -> list[Path]:
    """Adds artifacts to a model repository, each under the stem of its file's name.

    A model that is there already gets one more version, which Triton serves instead of the last.

    Args:
        paths: The artifacts.
        repository: The folder, made where there is none.
        deployment: How they are to be served.

    Returns:
        Each version's folder.

    Raises:
        ArtifactError: An artifact is damaged, or not one.
        InputError: Two artifacts have the same name, or Triton cannot run one as it was asked to.
        OutputError: The repository cannot be written.
    """
    names = name_models(paths)
    models = []
    for path in paths:
        content, metadata = read_artifact(path)
        runtime = choose_runtime(metadata, str(path), deployment)
        weights = weights_file(content, metadata, path)
        configuration = configure(metadata, runtime, deployment)
        if deployment.max_delay and not configuration["max_batch_size"]:
            raise InputError(
                f"{path}: Triton puts no requests for it together, since its batch is fixed, or not in front of all "
                "that it takes, so that the longest delay, --max-delay, is of no use: leave it out"
            )
        models.append((content, weights, metadata, runtime, dump(configuration)))
    try:
        folders = [_require_inside(repository, name) for name in names]
        return [_write(folder, *model) for folder, model in zip(folders, models, strict=True)]
    except OSError as error:
        raise OutputError(f"{repository}: cannot be written ({error.strerror}): give another folder") from error


def _require_inside(repository: Path, name: str) -> Path:
    """The folder of a model, which lies in the repository itself."""
    folder = repository / name
    if name in ("", ".", "..") or unfit_character(name) is not None or name.startswith(".fgcompile-"):
        raise InputError(f"an artifact is called {name!a}, which is no name for a model: rename the file")
    for inside in (folder, folder / "warmup", folder / LABELS, folder / "config.pbtxt"):
        if inside.is_symlink():
            raise OutputError(f"{inside}: is a link, which may lead out of the repository: remove it")
    return folder


def _write(
    folder: Path, content: bytes, weights: Path | None, metadata: Metadata, runtime: Runtime, configuration: str
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes | Path] = {runtime.file: content}
    if weights is not None:  # under the name that the model has for them
        files[weights.name] = weights
    if runtime is PYTHON:
        files["model.py"] = Path(__file__).with_name("python_model.py").read_bytes()
        files |= {f"{_PACKAGE.name}/{module}": (_PACKAGE / module).read_bytes() for module in _MODULES}
    if metadata["labels"]:
        write_atomically(folder / LABELS, "".join(f"{label}\n" for label in metadata["labels"]).encode())
    if metadata.get("on_demand"):
        (folder / "warmup").mkdir(exist_ok=True)
        write_atomically(folder / "warmup" / WARMED, b"\1")
    version = _add_version(folder, files)
    write_atomically(folder / "config.pbtxt", configuration.encode())
    return version


def _add_version(folder: Path, files: Mapping[str, bytes | Path]) -> Path:
    """The next numbered folder, which a server that looks meanwhile sees whole or not at all."""
    versions = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
    remove_leftovers(folder)
    partial = new_partial(folder)
    try:
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, partial / name)
            else:
                write_atomically(partial / name, content)
        version = partial.rename(folder / str(max(versions, default=0) + 1))
        sync_folder(folder)
        return version
    finally:
        shutil.rmtree(partial, ignore_errors=True)
