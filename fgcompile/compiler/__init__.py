"""The compiler: a model becomes an artifact. This is the part that needs torch.

model ─capture→ CapturedProgram ─rules→ ─expose→ BiasedProgram ─passes.fold→ ─fullgrad (tracing, lowering)→ FusedProgram
      ─passes.optimize→ ─checking→ ─passes.precision→ ─backends→ the artifact's bytes

A folder is a stage, and a stage imports no other: ``pipeline`` knows them all. What they exchange is in ``ir``, what
was asked for in ``request``. ``docs/architecture.md`` has the table of imports, to which ``tests/test_imports.py``
holds us.
"""

from importlib.util import find_spec

from fgcompile.errors import MissingPackageError

for _package in ("torch", "onnx", "onnx_ir", "onnxscript", "safetensors"):
    if find_spec(_package) is None:
        raise MissingPackageError(f"the compiler needs {_package}: pip install 'fgcompile[compile]'")
