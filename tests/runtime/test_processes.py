"""A session goes to other processes: pickled, forked, in the workers of a DataLoader; and it can be closed."""

import copy
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from fgcompile.artifact.file import read_artifact
from fgcompile.artifact.names import SUFFIXES
from fgcompile.errors import ArtifactError, FgcompileError, InputError
from fgcompile.runtime import Session, load
from fgcompile.runtime.session import open_session
from tests.support.tiny_artifacts import onnx_artifact, photo_artifact, tiny_metadata, torchscript_artifact

X = np.random.default_rng(4).normal(size=(2, 3, 4, 4)).astype(np.float32)
SESSIONS = {"onnx": ("onnx", None), "openvino": ("onnx", ["OpenVINO"]), "torchscript": ("torchscript", None)}


def tiny(kind, folder, threads=1):
    format, providers = SESSIONS[kind]
    if kind == "openvino":
        pytest.importorskip("openvino")
    path = (folder / "tiny").with_suffix(SUFFIXES[format])
    path.write_bytes(onnx_artifact() if format == "onnx" else torchscript_artifact())
    return load(path, providers=providers, threads=threads)


def same(session, other):
    np.testing.assert_array_equal(session.explain(X).saliency, other.explain(X).saliency)


# Pickle and copy


@pytest.mark.parametrize("kind", SESSIONS)
def test_a_pickled_session_opens_its_file_again(kind, tmp_path, monkeypatch):
    session = tiny(kind, tmp_path)
    pickled = pickle.dumps(session)
    assert len(pickled) < 1000
    monkeypatch.chdir("/")
    same(session, pickle.loads(pickled))


def test_a_relative_path_is_kept_as_absolute(tmp_path, monkeypatch):
    tiny("onnx", tmp_path)
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(load("tiny.onnx"))
    monkeypatch.chdir("/")
    pickle.loads(pickled).explain(X)


def test_from_bytes_it_carries_them(tmp_path):
    tiny("onnx", tmp_path)
    session = open_session(*read_artifact(tmp_path / "tiny.onnx"), "the artifact")
    shutil.rmtree(tmp_path)
    same(session, pickle.loads(pickle.dumps(session)))


def test_another_artifact_in_its_place_is_refused(tmp_path):
    pickled = pickle.dumps(tiny("onnx", tmp_path))
    (tmp_path / "tiny.onnx").write_bytes(photo_artifact())
    with pytest.raises(ArtifactError, match=r"tiny\.onnx: is another artifact than the session's"):
        pickle.loads(pickled)
    (tmp_path / "tiny.onnx").unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        pickle.loads(pickled)


def test_a_session_of_a_caller_s_backend_says_that_it_cannot():
    with pytest.raises(InputError, match="was not opened from an artifact and cannot be pickled"):
        pickle.dumps(Session(None, tiny_metadata()))


def test_a_copy_is_the_session(tmp_path):
    session = tiny("onnx", tmp_path)
    assert copy.copy(session) is session
    assert copy.deepcopy([session])[0] is session


# Closing


@pytest.mark.parametrize("kind", SESSIONS)
def test_a_closed_session_refuses(kind, tmp_path):
    with tiny(kind, tmp_path) as session:
        session.explain(X)
    for call in (lambda: session.explain(X), lambda: session.predict(X)):
        with pytest.raises(InputError, match=r"^the session is closed: load the artifact again$"):
            call()
    session.close()


# Forks and workers


def in_child(work):
    """What ``work`` returns in a forked process, or the error of ours that it raises."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = work()
        except FgcompileError as error:
            result = error
        os.write(writer, pickle.dumps(result))
        os._exit(0)
    os.waitpid(child, 0)
    return pickle.loads(os.read(reader, 1 << 16))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_onnx_runtime_s_threads_start_again_in_a_fork(tmp_path):
    session = tiny("onnx", tmp_path, threads=2)
    np.testing.assert_array_equal(in_child(lambda: session.explain(X).saliency), session.explain(X).saliency)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_one_thread_of_pytorch_goes_on_in_a_fork_and_several_are_refused(tmp_path):
    before = torch.get_num_threads()
    try:
        alone, several = tiny("torchscript", tmp_path), tiny("torchscript", tmp_path, threads=2)
        refusal = in_child(lambda: several.explain(X).saliency)
        torch.set_num_threads(1)
        np.testing.assert_array_equal(in_child(lambda: alone.explain(X).saliency), alone.explain(X).saliency)
    finally:
        torch.set_num_threads(before)
    assert isinstance(refusal, ArtifactError)
    assert "the threads of PyTorch end there: start it by spawn or forkserver, or compute in one" in str(refusal)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_openvino_is_refused_in_a_fork(tmp_path):
    session = tiny("openvino", tmp_path)
    assert "the threads of OpenVINO end there: start it by spawn" in str(in_child(lambda: session.explain(X).saliency))


class Explained:
    """A dataset that explains its samples."""

    def __init__(self, session):
        self.session = session

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.session.explain(X[index % 2 : index % 2 + 1]).saliency[0]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "start"),
    [("onnx", "fork"), ("torchscript", "fork"), pytest.param("onnx", "spawn", marks=pytest.mark.slow)],
)
def test_workers_of_a_data_loader(kind, start, tmp_path):
    session = tiny(kind, tmp_path)
    loader = DataLoader(Explained(session), batch_size=2, num_workers=2, multiprocessing_context=start, timeout=120)
    for batch in loader:
        np.testing.assert_allclose(batch.numpy(), session.explain(X).saliency, rtol=1e-6)
