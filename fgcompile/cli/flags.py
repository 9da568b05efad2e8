"""Messages of the library with its keywords as the command line has them, so that what they advise can be typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fgcompile.cli.score_names import SCORES

_SAME = "rules|psi|method|precision|format|device|biases|batch|targets|target|fit|page"
_SWITCHES = "dynamic_sizes|on_demand|external_data|trust"

_WORDS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\btarget=([\w.]+)\(\), of fgcompile\.scores", r"--target \1"),
    (r"\btarget=score\b", "--target package.module:function"),
    (
        r"\bor give labels, or a function of the output",
        f"or give --labels, a score as Region:15 (of {', '.join(SCORES)}), or package.module:function",
    ),
    (r"\bname them give labels, a name for each class in order", "name them give --labels FILE, a name a line"),
    (r"\bgive (labels)\b(?! of)", r"give --\1"),
    (rf"\b({_SAME})=(['\"]?)(?!None\b)([\w-]+)\2", r"--\1 \3"),
    (r"\boutput=(['\"]?)([\w./:-]+)\1", r"--explained \2"),
    (r"\boutput=", "--explained"),
    (r"\blayouts=\{(['\"])(.+?)\1: (['\"])(.+?)\3\}", r"--layout \2='\4'"),
    (r"\boutputs=\((.*?)\)", lambda found: "--outputs " + ",".join(re.findall(r"\w+", found[1]))),
    (r"\bpreprocess=Preprocess\(mean, std\)", "--mean and --std"),
    (r"\btokenizer=(PATH)\b", r"--tokenizer \1"),
    (r"\btarget=\(token, class\)", "--target WORD,CLASS"),
    (r" of fgcompile\.read_photos\b", ""),
    (
        r"\bwindow=\((-?)(\S+), (\S+)\)",
        lambda found: f"--window{'=' if found[1] else ' '}{found[1]}{found[2]},{found[3]}",
    ),
    (r"\bcompile with target=None", "compile without --target"),
    (r", or None to let the runtime decide", ", or leave --threads out"),
    (r"\bpass inputs as the model takes them", "give each --input, the shape of one sample, as the model takes it"),
    (r"\bgive them by name, session\.explain", "give them in Python, session.explain"),
    (r"\bpage=", "--page"),
    (r"\bresize=\((\d+), (\d+)\)", r"--resize \1x\2"),
    (r"(?<!-)\bmax_pixels\b", "--max-pixels"),
    (r"\b(session\.explain\w*) takes\b", r"\1 in Python takes"),
    (rf"(?<!-)\b({_SWITCHES})=True\b", lambda found: "--" + found[1].replace("_", "-")),
    (r"(?<!-)\b(dynamic_sizes|on_demand|external_data)\b", lambda found: "--" + found[1].replace("_", "-")),
)
"""What Python's words are on the command line, in the order in which they are sought."""


def as_options(message: str) -> str:
    """The message: ``rules='x'`` is ``--rules x``, ``output=`` is ``--explained``."""
    for pattern, flag in _WORDS:
        message = re.sub(pattern, flag, message)
    return message


def with_options(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records of photos or texts, those that cannot be read with the options to give."""
    return [{**record, "error": as_options(record["error"])} if "error" in record else {**record} for record in records]
