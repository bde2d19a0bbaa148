"""`follower replay`: stream a recording of the piano through the engine as a live stream would come."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from follower.commands.options.engine import EngineOptions
from follower.commands.options.orchestra import PlayOptions, RenderOptions
from follower.commands.options.outputs import OutputOptions
from follower.commands.options.values import whole_number

DESCRIPTION = "Stream a recording of the piano through the engine, block by block, as a live stream would come."
DEFAULT_BLOCK_SAMPLES = 512
AS_FAST_AS_POSSIBLE: Literal["max"] = "max"


@dataclass(frozen=True)
class ReplayOptions:
    """One replay.

    Attributes:
        cache: folder made by offline-prep.
        piano: recording of the solo piano.
        speed: 1.0 is real time, 2.0 twice as fast; None is as fast as possible.
        block_samples: samples per block at the file's rate.
        engine: how the engine follows.
        outputs: where positions go.
        play: what plays the orchestra.
        render: what is written when the replay is over.
    """

    cache: Path
    piano: Path
    speed: float | None
    block_samples: int
    engine: EngineOptions
    outputs: OutputOptions
    play: PlayOptions
    render: RenderOptions


def parse_speed(text: str) -> float | Literal["max"]:
    """Read `--speed`: "realtime" is 1.0, "max" is itself, else a number above 0."""
    if text == AS_FAST_AS_POSSIBLE:
        return AS_FAST_AS_POSSIBLE
    try:
        speed = 1.0 if text == "realtime" else float(text)
    except ValueError:
        speed = -1.0
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not realtime, max or a number above 0")
    return speed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    parser.add_argument("piano", type=Path, metavar="PIANO", help="recording of the solo piano (wav, flac, ogg, mp3)")
    parser.add_argument(
        "--speed",
        type=parse_speed,
        metavar="realtime|max|N",
        help="pace (default: realtime; max when only files are rendered)",
    )
    parser.add_argument(
        "--block",
        type=whole_number(1),
        default=DEFAULT_BLOCK_SAMPLES,
        metavar="N",
        help="samples per block at the file's rate (default: %(default)s)",
    )
    EngineOptions.add_arguments(parser)
    OutputOptions.add_arguments(parser)
    RenderOptions.add_arguments(PlayOptions.add_arguments(parser))


def options_of(values: argparse.Namespace) -> ReplayOptions:
    """Take what was parsed."""
    outputs, play, render = OutputOptions.of(values), PlayOptions.of(values), RenderOptions.of(values)
    somebody_listens = play.play or bool(outputs.osc) or outputs.websocket is not None
    speed = values.speed
    if speed is None:
        speed = AS_FAST_AS_POSSIBLE if render.wanted and not somebody_listens else 1.0
    return ReplayOptions(
        values.cache,
        values.piano,
        None if speed == AS_FAST_AS_POSSIBLE else speed,
        values.block,
        EngineOptions.of(values),
        outputs,
        play,
        render,
    )


def run(options: ReplayOptions) -> int:
    """Carry out the command."""
    from follower.commands.follow import follow
    from follower.commands.orchestra import play_sinks, render_sinks
    from follower.files.source import FileSource
    from follower.piece.reading import load_piece
    from follower.playback.desk import Desk
    from follower.playback.wishes import Wishes

    piece = load_piece(options.cache)
    replayed = FileSource(options.piano, options.block_samples, options.speed)
    desk = Desk(Wishes(volume_db=options.play.volume_db))
    more_sinks = [
        *play_sinks(options.play, piece, desk),
        *render_sinks(options.render, options.play, piece, options.piano, lambda: replayed.heard_s),
    ]
    with replayed as source:
        # Nobody can ask for anything where nobody hears it, and files then hold what they always held.
        practises = options.play.play or options.outputs.websocket is not None or options.outputs.osc_in is not None
        return follow(
            piece,
            source,
            options.engine,
            options.outputs,
            source.duration_s,
            more_sinks,
            desk=desk if practises else None,
        )
