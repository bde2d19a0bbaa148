"""`follower replay`: stream a recording of the piano through the engine as a live stream would come."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from follower.commands.options.engine import EngineOptions
from follower.commands.options.orchestra import PlayOptions, RenderOptions
from follower.commands.options.outputs import OutputOptions
from follower.commands.options.values import whole_number
from follower.errors import ConfigError, InputError
from follower.inference.methods import DEFAULT_METHOD

DESCRIPTION = (
    "Stream a recording of the piano through the engine, block by block, as a live stream would come. Or a blackbox "
    "that live, replay or serve has kept: its positions come again bit for bit; whether they do is said at the end."
)
DEFAULT_BLOCK_SAMPLES = 512
AS_FAST_AS_POSSIBLE: Literal["max"] = "max"


@dataclass(frozen=True)
class ReplayOptions:
    """One replay.

    Attributes:
        cache: folder made by offline-prep; None for the one that the blackbox names.
        piano: recording of the solo piano, or a blackbox.
        speed: 1.0 is real time, 2.0 twice as fast; None is as fast as possible.
        block_samples: samples per block at the file's rate.
        engine: how the engine follows.
        outputs: where positions go.
        play: what plays the orchestra.
        render: what is written when the replay is over.
    """

    cache: Path | None
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
    parser.add_argument(
        "cache",
        type=Path,
        metavar="CACHE",
        help="folder made by offline-prep; may be left out before a blackbox, which names its own",
    )
    parser.add_argument(
        "piano",
        type=Path,
        nargs="?",
        metavar="PIANO",
        help="recording of the solo piano (wav, flac, ogg, mp3), or a blackbox",
    )
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
        help="samples per block at the file's rate (default: %(default)s); a blackbox has its own",
    )
    EngineOptions.add_arguments(parser)
    OutputOptions.add_arguments(parser)
    RenderOptions.add_arguments(PlayOptions.add_arguments(parser))


def options_of(values: argparse.Namespace) -> ReplayOptions:
    """Take what was parsed.

    Raises:
        ConfigError: `--play` as fast as possible.
    """
    outputs, play, render = OutputOptions.of(values), PlayOptions.of(values), RenderOptions.of(values)
    somebody_listens = play.play or bool(outputs.osc) or outputs.websocket is not None
    speed = values.speed
    if speed is None:
        speed = AS_FAST_AS_POSSIBLE if render.wanted and not somebody_listens else 1.0
    if speed == AS_FAST_AS_POSSIBLE and play.play:
        raise ConfigError("--play needs a pace that can be heard; leave out --speed max, or render with --render")
    return ReplayOptions(
        None if values.piano is None else values.cache,
        values.cache if values.piano is None else values.piano,
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
    from follower.files.blackbox_format import is_blackbox
    from follower.files.source import FileSource
    from follower.piece.reading import load_piece
    from follower.playback.desk import Desk
    from follower.playback.wishes import Wishes

    if is_blackbox(options.piano):
        return _run_blackbox(options)
    if options.cache is None:
        raise ConfigError(
            f"{options.piano} is no blackbox; give a prepared piece and a recording: follower replay CACHE PIANO"
        )
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


def _run_blackbox(options: ReplayOptions) -> int:
    """Have what a blackbox kept again; the exit code is 1 where other events come out than then."""
    from follower.commands.follow import follow
    from follower.commands.orchestra import play_sinks
    from follower.files.blackbox_source import COMMANDS, BlackboxSource, read_head
    from follower.piece.manifest import manifest_sha256
    from follower.piece.reading import load_piece
    from follower.playback.desk import Desk
    from follower.playback.wishes import Wishes
    from follower.session.controls import ControlQueue
    from follower.session.recorder import EventDigest

    head = read_head(options.piano)
    if options.engine.start_s is not None or options.engine.method not in (DEFAULT_METHOD, head.method):
        raise ConfigError(f"the blackbox has method {head.method} and its own start; leave out --start and --method")
    if options.render.wanted or options.outputs.blackbox is not None:
        raise ConfigError("a blackbox can be followed again, not rendered or kept; leave out --render and --blackbox")
    cache = Path(head.piece) if options.cache is None else options.cache
    piece = load_piece(cache)
    if manifest_sha256(cache) != head.piece_sha256:
        raise InputError(
            f"{cache} is not the piece that was followed, or was prepared again since; give the folder that was: "
            f"follower replay CACHE {options.piano}"
        )
    digest, controls = EventDigest(), ControlQueue(COMMANDS)
    print(
        f"blackbox of {head.begun}: {cache}, program {head.program_version}, {head.libraries}, {head.machine}",
        file=sys.stderr,
    )
    source = BlackboxSource(options.piano, controls, digest, options.speed)
    engine = EngineOptions(head.method, head.start_s)
    with source:
        code = follow(
            piece,
            source,
            engine,
            options.outputs,
            more_sinks=play_sinks(options.play, piece, Desk(Wishes(volume_db=options.play.volume_db))),
            controls=controls,
            recorder=digest,
        )
    comparison = source.comparison()
    print(f"compared with then: {comparison}", file=sys.stderr)
    return code or int(comparison.differs_at_s is not None)
