"""`follower live`: follow the piano at a microphone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from follower.commands.outputs import add_outputs
from follower.commands.playback_options import add_play_options, play_sinks
from follower.commands.session import add_engine_options, follow
from follower.session.controls import ControlQueue

if TYPE_CHECKING:
    from follower.session.source import Source


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "live",
        help="follow the piano at a microphone",
        description="Follow the piano at a microphone until Ctrl-C. A device that goes away is waited for.",
    )
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    add_microphone_options(parser)
    parser.add_argument(
        "--source", metavar="MODULE:CLASS[=ARG]", help="a source of your own instead of an audio device"
    )
    add_engine_options(parser)
    add_outputs(parser)
    add_play_options(parser)
    return parser


def add_microphone_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that choose and open an audio input."""
    group = parser.add_argument_group("audio input")
    group.add_argument("--device", metavar="D", help="number or part of the name, see follower devices")
    group.add_argument("--rate", type=int, metavar="HZ", help="sample rate (default: the device's own)")
    group.add_argument("--channels", type=int, metavar="N", help="channels, averaged (default: 1 or 2)")
    group.add_argument("--block", type=int, default=256, metavar="N", help="samples per block (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from follower import kernels
    from follower.piece.reading import load_piece

    piece = load_piece(args.cache)
    kernels.warmup()  # before the microphone is open: what it hears meanwhile would be late
    with _source(args) as source:
        print(f"listening at {source.sample_rate_hz} Hz; Ctrl-C ends", file=sys.stderr)
        controls = ControlQueue()
        return follow(args, piece, source, more_sinks=play_sinks(args, piece, controls.put), controls=controls)


def _source(args: argparse.Namespace) -> Source:
    if args.source is not None:
        from follower.session import plugins

        source: Source = plugins.create(args.source)
        return source
    from follower.audio.microphone import MicrophoneSource

    if args.play:  # looking for devices anew would end the output's stream
        return MicrophoneSource(args.device, args.rate, args.channels, args.block, rescan=None)
    return MicrophoneSource(args.device, args.rate, args.channels, args.block)
