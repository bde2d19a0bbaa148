"""Options of `replay` and `live` that make the orchestra heard: rendering to files and playing through a device."""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from follower.errors import InputError
from follower.piece.piece import Piece
from follower.playback.stretchers import DEFAULT_STRETCHER, STRETCHERS
from follower.protocol.commands import PlaybackPosition
from follower.session.sink import Sink

if TYPE_CHECKING:
    from follower.playback.player import OrchestraPlayer
    from follower.playback.recording import OrchestraRecording

DURATION_TOLERANCE_S = 0.5


def _number(low: float, high: float, meaning: str) -> Callable[[str], float]:
    """Return an option's type: a number from low to high; `meaning` ends the sentence that refuses another."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {meaning}")
        return value

    return parse


_decibels = _number(-120.0, 24.0, "a level between -120 and 24 dB")
_milliseconds = _number(1.0, 2000.0, "a latency between 1 and 2000 ms")
_balance = _number(-1.0, 1.0, "a balance between -1 (left) and 1 (right)")


def add_play_options(parser: argparse.ArgumentParser) -> Any:
    """Declare what plays the orchestra through a device; return the group of options."""
    group = parser.add_argument_group("hearing the orchestra (docs/playback.md)")
    group.add_argument("--play", action="store_true", help="play the orchestra recording after the follower")
    group.add_argument("--play-device", metavar="D", help="audio output: number or part of the name")
    group.add_argument(
        "--play-latency",
        type=_milliseconds,
        default=60.0,
        metavar="MS",
        help="buffer of the audio output; more when there are drop-outs (default: %(default)g)",
    )
    group.add_argument(
        "--orchestra", type=Path, metavar="FILE", help="what to play (default: the recording the cache was made from)"
    )
    group.add_argument(
        "--stretcher",
        choices=tuple(STRETCHERS),
        default=DEFAULT_STRETCHER,
        help="rubberband needs pylibrb, which is GPL (default: %(default)s)",
    )
    group.add_argument("--volume", type=_decibels, default=0.0, metavar="DB", help="of the orchestra (default: 0)")
    group.add_argument("--balance", type=_balance, default=0.0, metavar="B", help="-1 left .. 1 right (default: 0)")
    group.add_argument("--limiter", action="store_true", help="keep peaks under full scale when playing")
    return group


def add_render_options(parser: argparse.ArgumentParser) -> None:
    """Declare what plays the orchestra through a device or into files."""
    group = add_play_options(parser)
    group.add_argument(
        "--render", type=Path, metavar="F.wav", help="write piano left, following orchestra right (24 bit)"
    )
    group.add_argument("--render-mix", type=Path, metavar="F.wav", help="write both as one mono sum, limited (24 bit)")
    group.add_argument(
        "--render-report", type=Path, metavar="F.png", help="draw how far the orchestra was from where it should be"
    )
    group.add_argument(
        "--piano-volume", type=_decibels, default=0.0, metavar="DB", help="level of the piano in files (default: 0)"
    )


def renders(args: argparse.Namespace) -> bool:
    """Whether a file is to be rendered."""
    return any(path is not None for path in (args.render, args.render_mix, args.render_report))


def play_sinks(
    args: argparse.Namespace, piece: Piece, tell: Callable[[PlaybackPosition], None] | None = None
) -> list[Sink]:
    """Make (not open) the sink that plays, if asked for.

    Args:
        args: of `add_play_options`.
        piece: the prepared piece.
        tell: takes what sounds, where a microphone hears it.

    Raises:
        InputError: the orchestra recording is missing or another one.
        MissingDependencyError: sounddevice, PortAudio or the stretcher's library is not installed.
        DeviceError: no such device.
    """
    if not args.play:
        return []
    from follower.audio import portaudio
    from follower.playback import device
    from follower.playback.limiter import Limiter
    from follower.playback.output_buffer import OUTPUT_CHANNELS, OutputBuffer

    output = portaudio.find_output(args.play_device)
    recording = _recording(args, piece)
    if not device.supports(output, recording.sample_rate_hz):
        recording = recording.resampled(output.sample_rate_hz)
    limiter = Limiter(OUTPUT_CHANNELS, recording.sample_rate_hz) if args.limiter else None
    rate_hz = recording.sample_rate_hz
    latency_s = args.play_latency / 1e3
    buffer = OutputBuffer(
        _player(args, recording), device.gathered(rate_hz, latency_s), args.volume, args.balance, limiter
    )
    print(f"playing through {output.name} at {rate_hz} Hz", file=sys.stderr)
    return [_ReportingOutput(device.OrchestraOutput(buffer, device.opener(output, rate_hz, latency_s), tell))]


def render_sinks(args: argparse.Namespace, piece: Piece, piano: Path) -> list[Sink]:
    """Make (not open) the sink that renders when the replay is over, if asked for.

    Raises:
        InputError: the orchestra recording is missing or another one.
        MissingDependencyError: the stretcher's library is not installed.
    """
    if not renders(args):
        return []
    from follower.commands.rendering import RenderSink, RenderTargets

    recording = _recording(args, piece)
    targets = RenderTargets(args.render, args.render_mix, args.render_report, args.piano_volume, args.volume)
    return [RenderSink(_player(args, recording), piano, targets)]


def _player(args: argparse.Namespace, recording: OrchestraRecording) -> OrchestraPlayer:
    from follower.playback.player import OrchestraPlayer
    from follower.playback.stretchers import make_stretcher

    return OrchestraPlayer(recording, lambda: make_stretcher(args.stretcher, recording))


def _recording(args: argparse.Namespace, piece: Piece) -> OrchestraRecording:
    """Load what is to be played and check that it is what the cache is about."""
    from follower.playback.recording import load_orchestra

    prepared = piece.orchestra_file
    path = Path(prepared.path) if args.orchestra is None else args.orchestra
    if not path.is_file():
        raise InputError(f"the orchestra recording {path} is not there; say where it is now with --orchestra FILE")
    if args.orchestra is None:
        with path.open("rb") as f:
            if hashlib.file_digest(f, "sha256").hexdigest() != prepared.sha256:
                raise InputError(
                    f"{path} has changed since the cache was made; make the cache again, or give the recording with "
                    "--orchestra FILE"
                )
    recording = load_orchestra(path)
    # Another master or format of the same recording will do; another performance will not.
    if abs(recording.duration_s - prepared.duration_s) > DURATION_TOLERANCE_S:
        raise InputError(
            f"{path} lasts {recording.duration_s:.1f} s, the recording the cache was made from "
            f"{prepared.duration_s:.1f} s; give the same recording"
        )
    return recording


class _ReportingOutput:
    """An `OrchestraOutput` that says at the end how it went."""

    def __init__(self, output: Any) -> None:
        self._output = output

    def __enter__(self) -> _ReportingOutput:
        self._output.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output.__exit__(kind, error, trace)
        buffer = self._output.buffer
        counts = buffer.player.counts
        print(
            f"orchestra: {counts.entries} entries, {counts.jumps} jumps, {counts.holds} fades, "
            f"{buffer.drop_outs} drop-outs, drift {buffer.drift_ppm:+.0f} ppm, output lost {self._output.losses} times",
            file=sys.stderr,
        )

    def begin(self, session: Any) -> None:
        self._output.begin(session)

    def send(self, event: Any) -> None:
        self._output.send(event)

    @property
    def dropped(self) -> int:
        return int(self._output.dropped)
