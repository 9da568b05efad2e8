"""How long the stages of a command take."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Takes the time between reports of stages.

    Args:
        tell: Called with a stage and its seconds once it is over.

    Attributes:
        seconds: Of each stage that is over, by name.
    """

    def __init__(self, tell: Callable[[str, float], None] = lambda stage, seconds: None) -> None:
        self.seconds: dict[str, float] = {}
        self._tell = tell
        self._running: tuple[str, float] | None = None

    def before(self, report: Callable[[str], None]) -> Callable[[str], None]:
        """A reporter that takes the time, then reports on."""

        def watched(stage: str) -> None:
            self.stop()
            self._running = (stage, time.perf_counter())
            report(stage)

        return watched

    def stop(self) -> None:
        """Ends the stage that is running."""
        if self._running is not None:
            stage, begun = self._running
            self._running = None
            taken = time.perf_counter() - begun
            self.seconds[stage] = self.seconds.get(stage, 0.0) + taken
            self._tell(stage, taken)
