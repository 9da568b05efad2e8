"""A bulk run: the images that are not done yet go through Ray Data, and the results are counted on disk."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.data.checkpoint import CheckpointConfig
from ray.exceptions import RayError, RayTaskError

from fgcompile.artifact.elements import plain
from fgcompile.artifact.file import read_artifact, weights_folder
from fgcompile.artifact.fitting import fit_of
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.seal import read_seal
from fgcompile.artifact.trust import require_trust
from fgcompile.artifact.wishes import Wish
from fgcompile.bulk.asking import read_question
from fgcompile.bulk.cluster import Pool, connect
from fgcompile.bulk.folder import Folder, claim
from fgcompile.bulk.options import Summary, Wanted, Workers
from fgcompile.bulk.paths import Found, find_images
from fgcompile.bulk.ray_internals import failure_of_worker
from fgcompile.bulk.stages import Explainer, Task, read_photos, rehearse
from fgcompile.errors import FgcompileError, OutputError, first_line
from fgcompile.pictures.images import photo_shape
from fgcompile.system.files import make_directory

_INTERVAL = 2.0
"""Seconds between two looks at how far a run is."""

_LARGEST_BLOCK = 64
"""The most images of one file of results: a kill costs each actor the few blocks that it has begun."""


def explain_in_bulk(
    wanted: Wanted,
    target: Wish,
    images: Sequence[str],
    output: Path,
    workers: Workers,
    report: Callable[[str], None],
) -> Summary:
    """As ``fgcompile.bulk.explain_in_bulk``, with the ``target`` that is to be read."""
    content, metadata = read_artifact(wanted.artifact)
    require_trust(wanted.artifact, metadata["format"], wanted.trust)
    wanted = replace(wanted, target=read_question(metadata, target, wanted.reading))
    found = find_images(images, without=output)
    paths = found.images
    identity = {
        "artifact": read_seal(content),
        "model": metadata["model"]["name"],
        "target": "the artifact's own" if wanted.target is None else plain(wanted.target),
        "format": wanted.format,
        "reading": wanted.reading.as_dict(),
    }
    with claim(output, identity) as folder:
        # A run goes on where another was cut off: what is on disk counts as done, and only the rest goes to Ray, if
        # anything does. In the end the disk is counted again, not what Ray says.
        before = folder.done()
        left = sorted(set(paths) - before)
        seconds = 0.0
        if left:
            folder.write_listing(left)
            if wanted.format != "parquet":
                make_directory(folder.maps)
            report("starting Ray")
            with connect(workers, metadata) as pool:
                start = time.monotonic()
                shared = ray.put((np.frombuffer(content, np.uint8), metadata))
                beside = weights_folder(content, metadata, wanted.artifact)
                task = Task(shared, wanted, folder.path, workers.providers, workers.threads, beside)
                _rehearse(task, pool)
                rows = _explain(_read_listing(folder), task, metadata, pool, len(left), workers.batch)
                with _watch(folder, len(left), report):
                    _write(rows, folder)
                seconds = time.monotonic() - start
        return _summarise(found, before, folder, seconds)


def _read_listing(folder: Folder) -> Dataset:
    """The images, in a data set that commits what it writes."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False  # it has one for each of its own steps, and none for images
    context.checkpoint_config = CheckpointConfig("path", str(folder.commits), delete_checkpoint_on_success=False)
    with DataContext.current(context):
        return ray.data.read_parquet(str(folder.listing), partitioning=None)


def _explain(images: Dataset, task: Task, metadata: Metadata, pool: Pool, left: int, batch: int) -> Dataset:
    """The rows, in blocks of whole batches: few enough images each that every actor has several blocks to do."""
    # Four blocks an actor even out actors of unequal speed, and a kill costs little. With fewer images than that, a
    # block is one batch, and there are no more actors than blocks.
    batches = min(_LARGEST_BLOCK, left // (4 * pool.actors)) // batch
    block = max(1, batches) * batch
    actors = min(pool.actors, -(-left // block))
    photos = images.repartition(target_num_rows_per_block=block).map_batches(
        read_photos,
        fn_kwargs={
            "shape": photo_shape(metadata),
            "reading": task.wanted.reading,
            "fit": fit_of(metadata["preprocess"]),
        },
        batch_format="pyarrow",
    )
    return photos.map_batches(
        Explainer,
        fn_constructor_args=(task,),
        batch_size=batch,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(min_size=min(pool.at_once, actors), max_size=actors),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
    )


def _rehearse(task: Task, pool: Pool) -> None:
    """Lets one worker load the artifact: what Ray Data raises for its actors is a text, no longer an error of ours.

    Raises:
        FgcompileError: A worker's; or a worker has ended.
    """
    try:
        ray.get(ray.remote(num_cpus=pool.cpus, num_gpus=pool.gpus)(rehearse).remote(task))
    except RayTaskError as error:
        raise (error.cause if isinstance(error.cause, FgcompileError) else error) from None
    except RayError as error:
        reason = first_line(error)
        error.__context__ = error.__traceback__ = None
    else:
        return
    raise FgcompileError(f"a worker ended while it opened the artifact ({reason}): compile it again")


def _write(rows: Dataset, folder: Folder) -> None:
    """Runs it all.

    Raises:
        FgcompileError: A worker failed for good.
    """
    try:
        rows.write_parquet(str(folder.results))
        return
    except RayError as error:
        reason = failure_of_worker(str(error))
        # Tracebacks keep the actors, and what Ray has reserved for them, as long as somebody, a log say, has the error.
        error.__context__ = error.__traceback__ = None
    # Raised here, once nothing holds Ray's error: within the block that one would be its context.
    gc.collect()
    raise FgcompileError(f"Ray stopped the run ({reason}): see to it, and the same command goes on")


@contextmanager
def _watch(folder: Folder, left: int, report: Callable[[str], None]) -> Iterator[None]:
    """While open, reports now and then how many rows are committed."""
    done = threading.Event()
    known: dict[Path, int] = {}

    def watch() -> None:
        while not done.wait(_INTERVAL):
            report(f"{folder.count_new(known)} of {left} images")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _summarise(found: Found, before: Set[str], folder: Folder, seconds: float) -> Summary:
    """Counts the rows on disk.

    Raises:
        OutputError: There is not one row for each image.
    """
    folder.delete_uncommitted()
    paths, errors = found.images, folder.errors()
    if missing := len(set(paths) - errors.keys()):
        raise OutputError(f"{folder.results}: {missing} images have no row: run the same command again")
    unreadable = {path: error for path in paths if (error := errors[path]) is not None}
    return Summary(
        images=len(paths),
        explained=len(paths) - len(unreadable),
        unreadable=len(unreadable),
        errors=unreadable,
        overflowed=folder.overflowed(),
        passed_over=found.passed_over,
        own=found.own,
        new=len(errors) - len(before),
        seconds=seconds,
        results=folder.results,
    )
