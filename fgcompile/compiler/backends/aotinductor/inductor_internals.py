"""Every name of Inductor that this back end uses: all of Inductor is private, as of PyTorch 2.11 to 2.13.

Importing it takes a second, so whoever needs it imports it within a function. ``aoti_compile_and_package``, which
PyTorch documents, neither packs two models into one file nor leaves out the sources.
"""

from __future__ import annotations

from torch._inductor import aot_compile, list_options
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.custom_graph_pass import CustomGraphPass
from torch._inductor.exc import InvalidCxxCompiler
from torch._inductor.package.package import package_aoti

__all__ = [
    "PASSES_OPTION",
    "CustomGraphPass",
    "InvalidCxxCompiler",
    "aot_compile",
    "get_cpp_compiler",
    "list_options",
    "package_aoti",
]

PASSES_OPTION = "post_grad_custom_pre_pass"
"""The option that takes a pass to run over the graph of a frozen model, before Inductor's own."""
