"""At the end of a run: what was skipped, a line for each reason, which says what would make it run."""

from __future__ import annotations

from collections import Counter

import pytest


def say_what_is_skipped(reporter: pytest.TerminalReporter) -> None:
    """Counts the skipped tests, and the files that were skipped as wholes, by their reasons."""
    reasons = Counter(_reason(report) for report in reporter.stats.get("skipped", ()))
    if reasons:
        reporter.section("skipped")
    for reason, count in reasons.most_common():
        reporter.write_line(f"{count:4} {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The third part of where, which line and why."""
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")
