"""`offline-prep batch`: prepare the pieces of a catalogue, on all cores or on a cluster."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from follower.cli import EXIT_BAD_INPUT, CommandParser
from follower.cluster import Finished, cluster, default_workers
from follower.errors import ConfigError
from follower.terminal import progress_bar
from offline_prep.stores import MARK


@dataclass(frozen=True)
class BatchOptions:
    """Which pieces are to be prepared, where to, by whom.

    Attributes:
        catalog: table of the pieces, see `offline_prep.catalog`.
        out: the library: a folder or an address for fsspec.
        scheduler: address of a Dask scheduler; None starts one on this computer.
        workers: processes, where it is started here.
        force: prepare even what has not changed.
        quiet: print failures and warnings only.
        progress_lines: print the progress as lines of JSON, for a program.
    """

    catalog: Path
    out: str
    scheduler: str | None
    workers: int
    force: bool
    quiet: bool
    progress_lines: bool


@dataclass(frozen=True)
class Prepared:
    """What a worker did for one piece.

    Attributes:
        unchanged: it was there, made from the same recordings with the same settings.
        fit: how well the recordings fit each other, in a word.
        warnings: what a person should know.
    """

    unchanged: bool
    fit: str
    warnings: tuple[str, ...]


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = CommandParser(
        prog="offline-prep batch",
        description="Prepare the pieces of a catalogue, each into a cache of its own in the library. What is there "
        "and up to date is left, so the same command goes on after an interruption. A piece that fails is reported, "
        "the others are prepared, and the exit code is 2.",
    )
    parser.add_argument(
        "catalog",
        type=Path,
        metavar="CATALOG.csv",
        help="table with the columns name, orchestra, mix and, if wanted, mix_piano, mix_orchestra; every worker must "
        "reach the recordings under these paths, relative ones from the catalogue's folder",
    )
    parser.add_argument(
        "--out", required=True, metavar="LIBRARY", help="folder, or an address like s3://bucket/pieces (fsspec)"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler, e.g. tcp://10.0.0.5:8786 (default: one of our own, here)",
    )
    parser.add_argument(
        "--workers", type=int, default=default_workers(), metavar="N",
        help="processes of our own scheduler (default: one for each core, %(default)s)",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="prepare again even what has not changed")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary; failures and warnings only")
    parser.add_argument("--progress-lines", action="store_true", help="print the progress as lines of JSON")
    return parser


def options_of(values: argparse.Namespace) -> BatchOptions:
    """Take what was parsed.

    Raises:
        ConfigError: no process is to work.
    """
    if values.workers < 1:
        raise ConfigError(f"--workers is {values.workers}; give 1 or more")
    return BatchOptions(
        values.catalog,
        values.out,
        values.scheduler,
        values.workers,
        values.force,
        values.quiet or values.progress_lines,
        values.progress_lines,
    )


def run(options: BatchOptions) -> int:
    """Prepare the pieces; returns the exit code."""
    from offline_prep.catalog import read_catalog
    from offline_prep.stores import check_library

    entries = read_catalog(options.catalog)
    check_library(options.out)
    # A worker has another current folder.
    library = options.out if MARK in options.out else str(Path(options.out).resolve())
    inputs = {e.name: replace(e.inputs, **{r: p.resolve() for r, p in e.inputs.by_role().items()}) for e in entries}
    tasks = {name: (library, name, found, options.force) for name, found in inputs.items()}
    counts = {"prepared": 0, "up to date": 0, "failed": 0}
    with cluster(options.scheduler, min(options.workers, len(tasks))) as workers, progress_bar(options.quiet) as bar:
        if not options.quiet:
            print(f"dashboard: {workers.dashboard}", file=sys.stderr)
        for number, finished in enumerate(workers.run(prepare, tasks), 1):
            kind = _kind(finished)
            counts[kind] += 1
            _tell(finished, kind, f"{number}/{len(tasks)}", options)
            bar(finished.name, number / len(tasks))
            if options.progress_lines:
                done = {"piece": finished.name, "outcome": kind, "message": finished.failure}
                print(json.dumps(done | {"share": round(number / len(tasks), 4)}), flush=True)
    if not options.quiet:
        print(f"{options.out}: {', '.join(f'{n} {kind}' for kind, n in counts.items())}")
    return EXIT_BAD_INPUT if counts["failed"] else 0


def prepare(library: str, name: str, inputs: object, force: bool) -> Prepared:
    """Prepare one piece, in a worker.

    Raises:
        FollowerError: it cannot be prepared.
    """
    from offline_prep.compute import Inputs
    from offline_prep.stores import store_piece

    assert isinstance(inputs, Inputs)
    made = store_piece(library, name, inputs, force)
    return Prepared(made.unchanged, str(made.manifest.alignment.get("fit", "")), made.warnings)


def _kind(finished: Finished[Prepared]) -> str:
    if finished.result is None:
        return "failed"
    return "up to date" if finished.result.unchanged else "prepared"


def _tell(finished: Finished[Prepared], kind: str, count: str, options: BatchOptions) -> None:
    if finished.result is None:
        print(f"failed: {finished.name}: {finished.failure}", file=sys.stderr)
        return
    for warning in finished.result.warnings:
        print(f"warning: {finished.name}: {warning}", file=sys.stderr)
    if not options.quiet and not sys.stderr.isatty():
        fit = f" ({finished.result.fit})" if finished.result.fit else ""
        print(f"{count} {finished.name}: {kind}{fit}", flush=True)
