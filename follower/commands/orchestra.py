"""The orchestra as `replay` and `live` let it be heard: sinks that play it through a device or render it into files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from follower.commands.options.orchestra import PlayOptions, RenderOptions
from follower.events import Position
from follower.piece.piece import Piece
from follower.protocol.commands import PlaybackPosition
from follower.session.sink import Sink

if TYPE_CHECKING:
    from follower.playback.desk import Desk
    from follower.playback.player import OrchestraPlayer
    from follower.playback.recording import OrchestraRecording
    from follower.playback.render import Course


def play_sinks(
    options: PlayOptions,
    piece: Piece,
    desk: Desk,
    on_playback: Callable[[PlaybackPosition], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> list[Sink]:
    """Make (not open) the sink that plays, if asked for.

    Args:
        options: what plays, and how loud.
        piece: the prepared piece.
        desk: what the orchestra is asked for.
        on_playback: called with what sounds, where a microphone picks it up; None where none does.
        tell: called with a sentence for people while something is wrong with the output.

    Raises:
        InputError: the orchestra recording is missing or another one.
        MissingDependencyError: sounddevice or PortAudio is not installed.
        DeviceError: no such device.
    """
    if not options.play:
        return []
    from follower.audio import device_thread, portaudio
    from follower.playback import device
    from follower.playback.limiter import Limiter
    from follower.playback.output_buffer import OUTPUT_CHANNELS, OutputBuffer

    output = device_thread.in_time(lambda: portaudio.find_output(options.device))
    recording = _recording(options, piece)
    if not device_thread.in_time(lambda: device.supports(output, recording.sample_rate_hz)):
        recording = recording.resampled(output.sample_rate_hz)
    limiter = Limiter(OUTPUT_CHANNELS, recording.sample_rate_hz) if options.limiter else None
    rate_hz = recording.sample_rate_hz
    latency_s = options.latency_ms / 1e3
    buffer = OutputBuffer(
        _player(options, recording),
        device.gathered(rate_hz, latency_s),
        balance=options.balance,
        limiter=limiter,
    )
    desk.take_recording(recording)
    desk.attach(buffer.followed)
    print(f"playing through {output.name} at {rate_hz} Hz", file=sys.stderr)
    opened = device.opener(output, rate_hz, latency_s)
    return [_ReportingOutput(device.OrchestraOutput(buffer, opened, on_playback, tell=tell))]


def render_sinks(
    options: RenderOptions, play: PlayOptions, piece: Piece, piano: Path, heard_s: Callable[[], float]
) -> list[Sink]:
    """Make (not open) the sink that renders when the replay is over, if asked for.

    Args:
        options: what is written.
        play: what is rendered, and how loud.
        piece: the prepared piece.
        piano: the recording that is replayed.
        heard_s: how much of it was replayed, asked when that is over.

    Raises:
        InputError: the orchestra recording is missing or another one.
        OutputError: the report cannot be written.
    """
    if not options.wanted:
        return []
    from follower.files.writable import check_picture
    from follower.playback.render_sink import RenderSink, RenderTargets

    check_picture(options.report)
    recording = _recording(play, piece)
    targets = RenderTargets(options.stereo, options.mix, options.piano_volume_db, play.volume_db)
    report = _report(options.report, piano) if options.report is not None else None
    return [RenderSink(_player(play, recording), piano, targets, heard_s, report)]


def _report(path: Path, piano: Path) -> Callable[[Course, Sequence[Position]], str]:
    """Return what draws the report of a rendering."""
    from follower.evaluation.accompaniment import draw_report

    return lambda course, positions: draw_report(course, positions, piano, path)


def _player(options: PlayOptions, recording: OrchestraRecording) -> OrchestraPlayer:
    from follower.playback.player import OrchestraPlayer
    from follower.playback.stretchers import make_stretcher

    return OrchestraPlayer(recording, lambda: make_stretcher(options.stretcher, recording))


def _recording(options: PlayOptions, piece: Piece) -> OrchestraRecording:
    from follower.playback.orchestra_file import load_orchestra_of
    from follower.practice.companion import kept_recording

    if options.recording is not None:
        return load_orchestra_of(piece, options.recording, given=True)
    return load_orchestra_of(piece, kept_recording(piece.path, "orchestra"), given=False)


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
            f"orchestra: entries {counts.entries}, jumps {counts.jumps}, fades {counts.holds}, "
            f"drop-outs {buffer.drop_outs}, drift {buffer.drift_ppm:+.0f} ppm, outputs lost {self._output.losses}",
            file=sys.stderr,
        )

    def begin(self, session: Any) -> None:
        self._output.begin(session)

    def send(self, event: Any) -> None:
        self._output.send(event)

    @property
    def dropped(self) -> int:
        return int(self._output.dropped)
