"""`follower live`: follow the piano at a microphone."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from follower.commands.options.engine import EngineOptions
from follower.commands.options.microphone import MicrophoneOptions
from follower.commands.options.orchestra import PlayOptions
from follower.commands.options.outputs import OutputOptions
from follower.commands.options.practice import PracticeOptions
from follower.errors import ConfigError

if TYPE_CHECKING:
    from follower.piece.piece import Piece
    from follower.session.source import Source

DESCRIPTION = "Follow the piano at a microphone until Ctrl-C. A device that goes away is waited for."


@dataclass(frozen=True)
class LiveOptions:
    """One live session.

    Attributes:
        cache: folder made by offline-prep.
        microphone: which audio input is opened.
        source: plug-in to follow instead of an audio input, MODULE:CLASS[=ARG]; None for none.
        resume: positions of a session that was cut off, to go on with; None to begin afresh.
        engine: how the engine follows.
        outputs: where positions go.
        play: what plays the orchestra.
        practice: how the session is practised.
    """

    cache: Path
    microphone: MicrophoneOptions
    source: str | None
    resume: Path | None
    engine: EngineOptions
    outputs: OutputOptions
    play: PlayOptions
    practice: PracticeOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    MicrophoneOptions.add_arguments(parser)
    parser.add_argument(
        "--source", metavar="MODULE:CLASS[=ARG]", help="a source of your own instead of an audio device"
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="F.csv",
        help="go on where a session that was cut off has got to, by the file its --positions wrote",
    )
    EngineOptions.add_arguments(parser)
    OutputOptions.add_arguments(parser)
    PlayOptions.add_arguments(parser)
    PracticeOptions.add_arguments(parser)


def options_of(values: argparse.Namespace) -> LiveOptions:
    """Take what was parsed.

    Raises:
        ConfigError: both `--resume` and `--start`.
    """
    if values.resume is not None and values.start is not None:
        raise ConfigError("give --resume or --start, not both: each says where the pianist is")
    return LiveOptions(
        values.cache,
        MicrophoneOptions.of(values),
        values.source,
        values.resume,
        EngineOptions.of(values),
        OutputOptions.of(values),
        PlayOptions.of(values),
        PracticeOptions.of(values),
    )


def run(options: LiveOptions) -> int:
    """Carry out the command."""
    from follower.commands.follow import follow, warm_up
    from follower.commands.orchestra import play_sinks
    from follower.piece.reading import load_piece
    from follower.playback.desk import Desk
    from follower.playback.wishes import Wishes
    from follower.session.controls import ControlQueue

    piece = load_piece(options.cache)
    engine = options.engine if options.resume is None else _resumed(options.engine, options.resume, piece)
    # Before the microphone is open: what comes in meanwhile would be late.
    warm_up(engine.method, options.play.play)
    with _source(options) as source:
        print(f"listening at {source.sample_rate_hz} Hz; Ctrl-C ends", file=sys.stderr)
        controls = ControlQueue()
        desk = Desk(Wishes(volume_db=options.play.volume_db))
        more_sinks = play_sinks(options.play, piece, desk, controls.put)
        for command in options.practice.commands(engine.start_s):
            controls.put(command)
        return follow(piece, source, engine, options.outputs, more_sinks=more_sinks, controls=controls, desk=desk)


def _resumed(engine: EngineOptions, positions: Path, piece: Piece) -> EngineOptions:
    """Start where the positions say; read before `--positions` may overwrite them."""
    from follower.files.resuming import resumed_place_s

    place_s = min(resumed_place_s(positions, time.time()), piece.orchestra_duration_s)
    print(f"going on at {place_s:.1f} s of the orchestra recording", file=sys.stderr)
    return replace(engine, start_s=place_s)


def _source(options: LiveOptions) -> Source:
    if options.source is not None:
        from follower.session import plugins

        source: Source = plugins.create(options.source)
        return source
    from follower.audio.microphone import MicrophoneSource

    m = options.microphone
    if options.play.play:  # looking for devices anew would end the output's stream
        return MicrophoneSource(m.device, m.sample_rate_hz, m.channels, m.block_samples, rescan=None)
    return MicrophoneSource(m.device, m.sample_rate_hz, m.channels, m.block_samples)
