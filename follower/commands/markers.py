"""`follower markers`: the markers of a piece, printed, or written for other programs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from follower.terminal import clock_text, make_table, print_table

DESCRIPTION = (
    "Print the markers that were set in the practice room, at places of the orchestra recording. They can be written "
    "as CSV, or as a label track that Audacity imports (File, Import, Labels)."
)


@dataclass(frozen=True)
class MarkersOptions:
    """What is done with the markers.

    Attributes:
        cache: folder made by offline-prep.
        csv: file to write a row per marker to; None for none.
        labels: file to write Audacity's labels to; None for none.
    """

    cache: Path
    csv: Path | None
    labels: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    parser.add_argument("--csv", type=Path, metavar="F.csv", help="write name,orchestra_time_s, a row per marker")
    parser.add_argument("--labels", type=Path, metavar="F.txt", help="write them as Audacity's labels")


def options_of(values: argparse.Namespace) -> MarkersOptions:
    """Take what was parsed."""
    return MarkersOptions(values.cache, values.csv, values.labels)


def run(options: MarkersOptions) -> int:
    """Carry out the command.

    Raises:
        InputError: there is no such cache, or its file of markers holds something else.
        OutputError: a file cannot be written.
    """
    from follower.errors import InputError
    from follower.practice.companion import MARKERS, companion_of
    from follower.practice.markers import audacity_text, csv_text, read_markers, write_text

    if not options.cache.is_dir():
        raise InputError(f"there is no cache {options.cache}; name a folder made by offline-prep")
    path = companion_of(options.cache) / MARKERS
    found = read_markers(path) if path.is_file() else {}
    markers = sorted(found.items(), key=lambda item: (item[1], item[0]))
    if options.csv is None and options.labels is None:
        table = make_table(["marker", "at"])
        for name, at_s in markers:
            table.add_row(name, clock_text(at_s))
        print_table(table)
    for file, text in ((options.csv, csv_text), (options.labels, audacity_text)):
        if file is not None:
            write_text(file, text(markers))
            print(f"{len(markers)} markers written to {file}")
    return 0
