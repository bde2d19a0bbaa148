"""The outputs `replay` and `live` share: their options, and the sinks made from them."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from follower.cache import Cache
from follower.errors import OutputError
from follower.sinks.base import Sink


def add_file_outputs(parser: argparse.ArgumentParser) -> None:
    """Declare the outputs that are files."""
    parser.add_argument("--positions", type=Path, metavar="F.csv", help="write one row per position")
    parser.add_argument("--jsonl", type=Path, metavar="F.jsonl", help="write every event as a line of JSON")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write hyp.npy, p_po_align.npy, o_po_align.npy and positions.csv"
    )


@contextlib.contextmanager
def open_outputs(args: argparse.Namespace, cache: Cache) -> Iterator[list[Sink]]:
    """Open a sink for each output asked for; closing completes them.

    Raises:
        OutputError: a file or folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(sink) for sink in file_sinks(args, cache)]


def file_sinks(args: argparse.Namespace, cache: Cache) -> list[Sink]:
    """Make (not open) the sinks that write files.

    Raises:
        OutputError: `--out` cannot be made.
    """
    from follower.sinks.alignments import AlignmentSink
    from follower.sinks.csv_positions import CsvSink
    from follower.sinks.jsonl import JsonlSink

    sinks: list[Sink] = []
    if args.positions is not None:
        sinks.append(CsvSink(args.positions))
    if args.jsonl is not None:
        sinks.append(JsonlSink(args.jsonl))
    if args.out is not None:
        try:
            args.out.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise OutputError(f"cannot make the folder {args.out}: {e.strerror or e}; choose another") from e
        frame_s = cache.manifest.config.notebook_hop_samples / cache.feature_config.sample_rate_hz
        sinks.append(AlignmentSink(args.out, cache.mix_map, frame_s))
        sinks.append(CsvSink(args.out / "positions.csv"))
    return sinks
