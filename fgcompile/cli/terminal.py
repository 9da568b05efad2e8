"""What the command line shows: tables on standard output, progress and errors on standard error."""

from __future__ import annotations

import json
import math
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal
from rich.text import Text

from fgcompile.artifact.metadata import Metadata, has_random_weights
from fgcompile.cli import facts
from fgcompile.cli.console import add, err, notes, out, print_facts, show, table_of
from fgcompile.cli.flags import as_options
from fgcompile.cli.stages import Stopwatch
from fgcompile.errors import CaptureWarning, LayoutWarning, RulesWarning, TargetWarning, WeightsWarning
from fgcompile.system.text import as_typed, visible

if TYPE_CHECKING:
    from fgcompile.bench import Bench
    from fgcompile.bulk.options import Summary
    from fgcompile.compiler.checking.report import Report

_STRONGEST = 3
"""Words of a text that a table shows."""

_LONGEST = 60
"""Characters of a text that a table shows."""

_MOST_ERRORS = 10
"""Unreadable images that a bulk run names; the rows name all."""


def warn_of_random_weights(metadata: Metadata) -> None:
    """One line on standard error where maps say nothing of what the model is for."""
    if has_random_weights(metadata):
        text = "the model's weights are random, and so is what its maps show: compile it with --weights FILE"
        err.print(Text.assemble(("fgcompile: warning: ", "bold yellow"), text))


def print_error(error: Exception) -> None:
    """One line on standard error, whatever the message holds; its traceback before it with ``--verbose``."""
    if error.__traceback__ is not None:
        lines = "".join(traceback.format_exception(error)).splitlines()
        notes.print("\n".join(map(visible, lines)))
    line = as_typed(as_options(" ".join(str(error).split())))
    err.print(Text.assemble(("fgcompile: error: ", "bold red"), visible(line)))


def show_warnings_in_one_line() -> None:
    """From now on, fgcompile's own warnings come without the line of Python that they were raised on."""
    show = warnings.showwarning

    def show_in_one_line(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if issubclass(category, CaptureWarning | LayoutWarning | RulesWarning | TargetWarning | WeightsWarning):
            err.print(Text.assemble(("fgcompile: warning: ", "bold yellow"), visible(as_options(str(message)))))
        else:
            show(message, category, *place, **options)

    warnings.showwarning = show_in_one_line


def print_json(value: object) -> None:
    """JSON on standard output, for other programs; NaN and infinity, which JSON does not have, become null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    # A name that is not UTF-8 has lone surrogates, which JSON writes as it writes Python's own escapes.
    print(text.encode("utf-8", "backslashreplace").decode())


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Shows a spinner with the current stage on a terminal, and nothing elsewhere; yields the reporter of stages.

    With ``--verbose`` a line for each stage that is over says how long it took.
    """
    watch = Stopwatch(lambda stage, seconds: notes.print(f"{seconds:8.2f} s  {visible(stage)}"))
    with _spinner(what) as update:
        yield watch.before(update)
    watch.stop()


@contextmanager
def _spinner(what: str) -> Iterator[Callable[[str], None]]:
    if not err.is_terminal or out.quiet:
        yield lambda stage: None
        return
    with err.status(f"{what} …") as status:
        yield lambda stage: status.update(f"{what}: {stage} …")


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Keeps a line for each step of a long command, and on a terminal a spinner beside the current one."""
    if not err.is_terminal:
        yield lambda step: err.print(f"{step} …")
        return
    with err.status("starting …") as status:
        done: list[str] = []

        def report(step: str) -> None:
            if done:
                err.print(Text.assemble(("✓ ", "green"), done.pop()))
            done.append(step)
            status.update(f"{step} …")

        yield report
        if done:
            err.print(Text.assemble(("✓ ", "green"), done.pop()))


def report(event: str | Exception) -> None:
    """A line of what happened, or an error."""
    print_error(event) if isinstance(event, Exception) else print_line(event)


def print_line(text: str) -> None:
    """One line on standard output, never wrapped."""
    out.print(visible(text))


def print_summary(
    metadata: Metadata,
    path: Path,
    weights: Path | None,
    calls: Sequence[str],
    commands: Sequence[str],
    left_out: Sequence[str] = (),
) -> None:
    """What was compiled, with the file of its weights where it has one; how to run it, in Python and in a shell."""
    out.print(Text.assemble(("Compiled ", ""), (visible(metadata["model"]["name"]), "bold"), visible(f" to {path}")))
    print_facts(
        {
            "format": facts.format(metadata),
            "size": facts.size(path, weights),
            **facts.explained(metadata),
            **facts.weights(metadata, ": --weights FILE"),
            **facts.signature(metadata),
            **facts.batch(metadata),
            **facts.choice(metadata),
            **facts.target(metadata),
            "sites": facts.sites(metadata),
            "completeness": facts.completeness(metadata),
            **facts.preprocess(metadata),
            **facts.labels(metadata),
            **facts.tokenizer(metadata),
            **({"left out": "; ".join(left_out)} if left_out else {}),
        }
    )
    out.print("\nRun it:", style="bold")
    out.print("  import fgcompile")
    out.print(visible(f'  session = fgcompile.load("{path}")'))
    from fgcompile.artifact.validation import input_specs

    inputs = "; ".join(map(facts.spec, input_specs(metadata)))
    other = "or " if "photo.jpg" in calls[0] else ""
    comment = "" if "tokenizer" in metadata else f"  # {other}{inputs}"
    for call in calls:
        out.print(visible(f"  explanation = {call}{comment if call == calls[0] else ''}"))
    for command in commands:
        out.print(visible(f"  $ {command}"))


def print_artifact(metadata: Metadata, path: Path, digests: Mapping[str, str]) -> None:
    """Everything an artifact says of itself, and the SHA-256 of its files, as ``sha256sum`` prints it, to be signed."""
    out.print(visible(str(path)), style="bold")
    print_facts(facts.everything(metadata, digests))
    table = table_of("site", "kind", "shape", "layout", "bias terms")
    for site in metadata["sites"]:
        terms = ", ".join(term["name"] for term in site["terms"])
        add(table, site["name"], site["kind"], facts.shape(site["shape"]), site["layout"], terms)
    show(table)
    table = table_of("lowered", "to", "for", "why")
    for lowering in metadata.get("lowerings", []):
        layers = lowering["layers"]
        more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
        add(table, lowering["operator"], lowering["form"], f"{layers[0]}{more}", lowering["reason"])
    show(table)


def print_report(report: Report, path: Path, hint: str | None = None) -> None:
    """The checks of a verification, and what may mend it."""
    table = table_of("check", "measured", "limit", "")
    for check in report.checks:
        verdict = Text("passed", "green") if check.passed else Text("FAILED", "bold red")
        add(table, check.name, f"{check.measured:.2e}", f"{check.limit:.2e}", verdict)
    show(table)
    failed = sum(not check.passed for check in report.checks)
    name = visible(str(path))
    out.print(
        f"{name}: {failed} of {len(report.checks)} checks failed" if failed else f"{name}: verified",
        style="bold red" if failed else "bold green",
    )
    if hint is not None:
        err.print(hint)


def print_explanations(records: Sequence[Mapping[str, Any]]) -> None:
    """For each photo, the explained class, the best classes, and the picture drawn; or why it cannot be read."""
    table = table_of("photo", "explained", "score", "top classes", "picture")
    names = _told_apart([record["image"] for record in records])
    for record in records:
        sample = f"[{record['sample']}]" if "sample" in record else ""
        cells = [f"{names[record['image']]}{sample}", record.get("overlay", "")]
        top = ", ".join(f"{entry['name']} {entry['score']:.2f}" for entry in record.get("top", []))
        for explained in record.get("explained", [] if "error" in record else [record]):
            score = "" if explained["score"] is None else f"{explained['score']:.2f}"
            add(table, cells[0], explained["name"], score, top, cells[1])
            # Said once for a photo, but in a pipe, whose lines are read one by one.
            cells, top = ["" if out.is_terminal else cells[0], ""], ""
    if table.rows:
        show(table)
    _tell_unknown_scores(records)
    for record in records:
        if "error" in record:
            err.print(Text.assemble(("unreadable: ", "bold red"), visible(record["error"])))


def _tell_unknown_scores(records: Sequence[Mapping[str, Any]]) -> None:
    """One line on standard error where a score has no value, and what would give it one."""
    explained = [each for record in records for each in record.get("explained", [record]) if "error" not in record]
    unknown = next((each["name"] for each in explained if each["score"] is None), None)
    if unknown is not None:
        err.print(
            f"{visible(unknown)}: no output says its value: compile with --outputs "
            "logits,saliency,contributions,residual, which add up to it"
        )


def _told_apart(images: Sequence[str]) -> dict[str, str]:
    """Files by as much of the end of their paths as others do not have."""
    parts = {image: Path(image).parts for image in images}
    ends = Counter(own[-count:] for own in parts.values() for count in range(1, len(own) + 1))
    shown = {}
    for image, own in parts.items():
        count = next((count for count in range(1, len(own)) if ends[own[-count:]] == 1), len(own))
        shown[image] = str(Path(*own[-count:]))
    return shown


def tell_passed_over(count: int) -> None:
    """One line on standard error where a folder had pictures that fgcompile wrote."""
    if count and not out.quiet:
        err.print(f"passed over: {own_pictures(count)}: name each to explain it")


def print_texts(records: Sequence[Mapping[str, Any]]) -> None:
    """For each text what is explained, its score and its strongest words, and where the page is; or why it is not."""
    table = table_of("text", "explained", "score", "strongest words", "picture")
    for record in records:
        if "error" in record:
            continue
        words = sorted(record["words"], key=lambda word: -abs(word["score"]))[:_STRONGEST]
        strongest = ", ".join(f"{word['text']} {word['score']:{'+' if record['signed'] else ''}.2f}" for word in words)
        score = "" if record["score"] is None else f"{record['score']:.2f}"
        add(table, _text_of(record), record["name"], score, strongest, Path(record["picture"]).name)
    if table.rows:
        show(table)
    _tell_unknown_scores(records)
    for page in dict.fromkeys(record["page"] for record in records if "page" in record):
        print_line(f"Wrote {page}")
    for record in records:
        if "error" in record:
            line = visible(f"{_text_of(record)!r}: {record['error']}")
            err.print(Text.assemble(("not explained: ", "bold red"), line))


def _text_of(record: Mapping[str, Any]) -> str:
    """The beginning of a record's text."""
    text: str = record["text"] if isinstance(record["text"], str) else " ⇥ ".join(record["text"])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def print_bench(bench: Bench, path: Path) -> None:
    """What an explanation costs, beside the forward pass alone."""
    table = table_of("", "p50", "p90", "p99", "per second", "calls")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, latency in (("explanation", bench.explanation), ("forward alone", bench.forward)):
        if latency is not None:
            percentiles = (_milliseconds(latency.percentile(percent)) for percent in (50, 90, 99))
            table.add_row(name, *percentiles, f"{bench.per_second(latency):.1f}", str(latency.calls))
    show(table)
    if bench.ratio is None or bench.ratio_quartiles is None:
        ratio = f"none: {bench.obstacle}"
    else:
        lower, upper = bench.ratio_quartiles
        ratio = f"{bench.ratio:.2f} forwards an explanation, half of the rounds from {lower:.2f} to {upper:.2f}"
    memory = "unknown" if bench.peak_memory is None else f"{decimal(bench.peak_memory)} at most, loaded and run once"
    versions = ", ".join(f"{name} {version}" for name, version in bench.versions.items())
    print_facts(
        {
            "ratio": ratio,
            "artifact": f"{path}: {bench.model}, {bench.format}",
            "calls": f"batch {bench.batch}, concurrency {bench.concurrency}",
            "runs on": f"provider {', '.join(bench.providers) or 'default'}, threads {bench.threads or 'default'}",
            "memory": memory,
            "machine": f"{bench.processor}, {bench.cores} cores; {versions}",
        }
    )


def print_bulk(summary: Summary) -> None:
    """How many images were explained, and where the rows are."""
    rate = f"{summary.new} new in {summary.seconds:.1f} s, {summary.rate:.1f} a second" if summary.new else "none new"
    facts = {"explained": f"{summary.explained} of {summary.images} images, {rate}"}
    facts["unreadable"] = f"{summary.unreadable}{': their rows say why' if summary.unreadable else ''}"
    if summary.overflowed:
        facts["overflowed"] = f"{summary.overflowed}: their rows have a warning"
    if summary.passed_over:
        facts["passed over"] = f"{summary.passed_over} files in folders, hidden or not named as images"
    if summary.own:
        facts["not explained"] = own_pictures(summary.own)
    out.print(visible(str(summary.results)), style="bold")
    print_facts(facts)
    for error in islice(summary.errors.values(), _MOST_ERRORS):
        err.print(Text.assemble(("unreadable: ", "bold red"), visible(as_options(error))))
    if summary.unreadable > _MOST_ERRORS:
        err.print(f"and {summary.unreadable - _MOST_ERRORS} more")


def own_pictures(count: int) -> str:
    """Pictures that were passed over since fgcompile wrote them."""
    return f"{count} picture{'s' * (count > 1)} that fgcompile wrote"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms" if seconds > 1e-2 else f"{1e3 * seconds:.3f} ms"
