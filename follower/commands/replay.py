"""`follower replay`: stream a recording of the piano through the engine as a live stream would come."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from follower.commands.outputs import add_outputs
from follower.commands.playback_options import add_render_options, play_sinks, render_sinks, renders
from follower.commands.session import add_engine_options, follow
from follower.errors import InputError

DEFAULT_BLOCK_SAMPLES = 512


def parse_speed(text: str) -> float | None:
    """Read `--speed`: "realtime" is 1.0, "max" is None, else a number above 0."""
    if text in ("realtime", "max"):
        return 1.0 if text == "realtime" else None
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not realtime, max or a number above 0")
    return speed


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "replay",
        help="replay a recording of the piano as a simulated live stream",
        description="Stream a recording of the piano through the engine, block by block, as a live stream would come.",
    )
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    parser.add_argument("piano", type=Path, metavar="PIANO", help="recording of the solo piano (wav, flac, ogg, mp3)")
    parser.add_argument(
        "--speed",
        type=parse_speed,
        default=argparse.SUPPRESS,
        metavar="realtime|max|N",
        help="pace (default: realtime; max when only files are rendered)",
    )
    parser.add_argument(
        "--block",
        type=int,
        default=DEFAULT_BLOCK_SAMPLES,
        metavar="N",
        help="samples per block at the file's rate (default: %(default)s)",
    )
    add_engine_options(parser)
    add_outputs(parser)
    add_render_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from follower.files.source import FileSource
    from follower.piece.reading import load_piece

    if args.block < 1:
        raise InputError(f"--block is {args.block}; give 1 or more")
    piece = load_piece(args.cache)
    heard_live = args.play or args.osc or args.ws is not None
    speed = args.speed if "speed" in args else None if renders(args) and not heard_live else 1.0
    more_sinks = [*play_sinks(args, piece), *render_sinks(args, piece, args.piano)]
    with FileSource(args.piano, args.block, speed) as source:
        return follow(args, piece, source, source.duration_s, more_sinks)
