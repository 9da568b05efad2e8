"""How the evidence's commands end."""

from __future__ import annotations

import sys
from collections.abc import Callable


def run_command(main: Callable[[], int]) -> int:
    """Runs a command; a data set that is not there becomes one line and exit status 2."""
    try:
        return main()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
