"""Messages of the library with its keywords as the command line has them, so that what they advise can be typed."""

from __future__ import annotations

import re
from collections.abc import Callable

_SAME = "rules|psi|method|precision|format|device|biases|batch|targets|target"
_FLAGS = {"dynamic_sizes": "--dynamic-sizes", "on_demand": "--on-demand", "external_data": "--external-data"}

_WORDS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\btarget=(\w+)\(\), of fgcompile\.scores", r"--target \1"),
    (r"\btarget=score\b", "--target package.module:function"),
    (rf"\b({_SAME})=(['\"]?)(?!None\b)([\w-]+)\2", r"--\1 \3"),
    (r"\boutput=(['\"]?)([\w./:-]+)\1", r"--explained \2"),
    (r"\boutput=", "--explained"),
    (r"\blayouts=\{(['\"])(.+?)\1: (['\"])(.+?)\3\}", r"--layout \2='\4'"),
    (r"\boutputs=\((.*?)\)", lambda found: "--outputs " + ",".join(re.findall(r"\w+", found[1]))),
    (r"(?<!-)\b(dynamic_sizes|on_demand|external_data)(=True)?\b", lambda found: _FLAGS[found[1]]),
)
"""What Python's words are on the command line, in the order in which they are sought."""


def as_options(message: str) -> str:
    """The message: ``rules='x'`` is ``--rules x``, ``output=`` is ``--explained``."""
    for pattern, flag in _WORDS:
        message = re.sub(pattern, flag, message)
    return message
