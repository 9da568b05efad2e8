"""An ``.onnx`` file becomes a module that ``torch.export`` captures like any other.

read (onnx_ir, no code is run) → upgrade (one opset) → fold what is constant → ``OnnxModule``, one child a node

Nothing of the file is a tensor that need not be one: sizes stay Python numbers and symbols (``values``), so that
a reshape by ``Shape``, ``Gather`` and ``Concat`` is no control flow that depends on values. What an operator computes
is a row of a table, one file a family in ``operators/``.
"""
