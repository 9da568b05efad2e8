"""Packages of compiled libraries: what they are fed is checked, threads do not mix, loads leave nothing behind."""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

import fgcompile
from fgcompile.errors import InputError
from fgcompile.runtime import unpacked
from fgcompile.runtime.torch_internals import FOLDERS
from tests.compiler.backends.aotinductor.test_emit import OUTPUTS
from tests.support.compiled import compiled

X = np.random.default_rng(5).normal(size=(2, 3, 17, 20)).astype(np.float32)
CLASSES = np.array([0, -1])

folders = pytest.mark.skipif(not FOLDERS, reason="needs PyTorch 2.13, which reads unpacked packages")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("needs a C++ compiler: apt-get install g++")
    path = tmp_path_factory.mktemp("package") / "residual.pt2"
    compiled("residual", "pt2", outputs=OUTPUTS).save(path)  # as other tests of packages, since compiling takes long
    return path


def mapped(folder):
    return {line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if folder in line}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"x": X[:, :, :2, :2]}, "axis 2 must be 17, not 2"),
        ({"x": X.reshape(-1)[:12]}, "x has shape (12,)"),
        ({"x": X[:0], "target": CLASSES[:0]}, "axis 0 (batch) is empty"),
        ({"target": np.array([0, 5])}, "target 5 is out of range"),
        ({"target": CLASSES[:1]}, "target has batch 1, x has 2"),
        ({"x": X.astype(np.float64)}, "x is float64"),
    ],
)
def test_what_the_library_would_not_look_at_is_refused(path, wrong, reason):
    with pytest.raises(InputError) as caught:
        fgcompile.load(path, threads=1).run({"x": X, "target": CLASSES, **wrong})
    assert reason in str(caught.value)


def test_threads_get_what_each_asked_for(path):
    session = fgcompile.load(path, threads=1)
    inputs = [X * scale for scale in (0.5, 1.0, 2.0, -1.0)]
    expected = [session.run({"x": x, "target": CLASSES}) for x in inputs]
    wrong = []

    def call(number):
        for _ in range(50):
            found = session.run({"x": inputs[number], "target": CLASSES})
            wrong.extend(name for name, value in expected[number].items() if not np.array_equal(found[name], value))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@folders
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux, which says what is mapped")
def test_a_package_that_is_loaded_again_is_mapped_once(path):
    with fgcompile.load(path, threads=1) as session:
        first = session.explain(X).saliency
    before = mapped(tempfile.gettempdir())
    assert before
    for _ in range(3):
        with fgcompile.load(path, threads=1) as session:
            np.testing.assert_array_equal(session.explain(X).saliency, first)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(fgcompile.load(path, threads=1))).explain(X).saliency, first
    )
    assert mapped(tempfile.gettempdir()) == before


@folders
def test_what_somebody_cleaned_up_is_unpacked_again(path):
    session = fgcompile.load(path, threads=1)
    folder = unpacked.unpacked(path.read_bytes())
    shutil.rmtree(folder)
    again = fgcompile.load(path, threads=1)
    assert unpacked.unpacked(path.read_bytes()) != folder
    np.testing.assert_array_equal(again.explain(X).saliency, session.explain(X).saliency)


@folders
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which this system has not")
def test_the_folder_goes_with_its_process_and_not_with_a_fork_of_it(tmp_path):
    program = """
import os
from fgcompile.system.leftovers import lasting_folder
folder = lasting_folder()
if os.fork() == 0:
    raise SystemExit  # which runs what is to run at the end
os.wait()
assert folder.is_dir()
print(folder)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert Path(done.stdout.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
