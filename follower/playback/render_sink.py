"""A sink that renders the orchestra into files when the session is over."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.events import Event, Position, Session, StateChange
from follower.files.audio_file import read_audio
from follower.files.whole_file import WholeFile
from follower.playback.limiter import Limiter
from follower.playback.player import OrchestraPlayer
from follower.playback.render import Course, RenderedBlock, course_of, render

SUBTYPE = "PCM_24"
CUT_FROM_S = 0.1
"""A replay that stopped so long before the piano's end was interrupted."""
Report = Callable[[Course, Sequence[Position]], str]
"""Draws how the orchestra went beside the positions, and returns it in words."""


@dataclass(frozen=True)
class RenderTargets:
    """What to write, and the levels in it.

    Attributes:
        stereo: piano left, orchestra right; None for none.
        mix: mono sum; None for none.
        piano_db: level of the piano.
        orchestra_db: level of the orchestra.
    """

    stereo: Path | None
    mix: Path | None
    piano_db: float
    orchestra_db: float


class RenderSink:
    """Collects a replay's positions and renders when it is closed.

    Args:
        player: fresh.
        piano: the recording that is replayed.
        targets: what to write.
        heard_s: how much of the piano was replayed (s), asked when that is over: the files end there.
        report: called with the rendering when it is written; None for no report.
    """

    def __init__(
        self,
        player: OrchestraPlayer,
        piano: Path,
        targets: RenderTargets,
        heard_s: Callable[[], float],
        report: Report | None = None,
    ) -> None:
        self._player = player
        self._piano = piano
        self._targets = targets
        self._heard_s = heard_s
        self._report = report
        self._events: list[Position | StateChange] = []
        self._files = contextlib.ExitStack()
        self._stereo: _Wav | None = None
        self._mix: _Wav | None = None

    def __enter__(self) -> Self:
        """Open the files.

        Raises:
            OutputError: one cannot be written.
        """
        try:
            self._stereo = self._open(self._targets.stereo, 2)
            self._mix = self._open(self._targets.mix, 1)
        except OutputError:
            self._files.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Render, unless the replay failed.

        Raises:
            OutputError: a file cannot be written; nothing of it is left.
        """
        with self._files:
            if error is not None or not self._events:
                return
            blocks = self._render()
            for file in self._written:
                file.complete()
        course = course_of(blocks)
        if self._report is not None:
            positions = [e for e in self._events if isinstance(e, Position)]
            print(self._report(course, positions), file=sys.stderr)
        counts = self._player.counts
        print(
            f"orchestra: entries {counts.entries}, jumps {counts.jumps}, fades {counts.holds}, "
            f"audible steps {course.audible_steps()}",
            file=sys.stderr,
        )

    def begin(self, session: Session) -> None:
        """Nothing to announce."""

    def send(self, event: Event) -> None:
        """Keep a position or a change of state."""
        if isinstance(event, Position | StateChange):
            self._events.append(event)

    @property
    def dropped(self) -> int:
        """Always 0."""
        return 0

    @property
    def _written(self) -> list[_Wav]:
        return [file for file in (self._stereo, self._mix) if file is not None]

    def _open(self, path: Path | None, channels: int) -> _Wav | None:
        if path is None:
            return None
        return self._files.enter_context(_Wav(path, self._player.sample_rate_hz, channels))

    def _render(self) -> list[RenderedBlock]:
        """Render block by block into the files; return the blocks without their sound."""
        rate_hz = self._player.sample_rate_hz
        piano = _load_mono(self._piano, rate_hz) * _gain(self._targets.piano_db)
        heard_s = self._heard_s()
        if heard_s < len(piano) / rate_hz - CUT_FROM_S:
            print(f"rendered up to {heard_s:.1f} s of the piano, where the replay was interrupted", file=sys.stderr)
            piano = piano[: round(heard_s * rate_hz)]
        gain = _gain(self._targets.orchestra_db)
        limiter = Limiter(1, rate_hz)
        kept: list[RenderedBlock] = []
        late = limiter.latency_samples
        at = 0
        for block in render(self._player, self._events, len(piano) / rate_hz):
            orchestra = block.sound.mean(axis=1) * gain
            left = np.zeros_like(orchestra)
            part = piano[at : at + len(left)]
            left[: len(part)] = part
            at += len(left)
            if self._stereo is not None:
                self._stereo.write(np.stack([left, orchestra], axis=1))
            if self._mix is not None:
                late = _write_late(self._mix, limiter.process((left + orchestra)[:, np.newaxis]), late)
            kept.append(RenderedBlock(block.at_s, block.position_s, block.rate, block.event, block.sound[:0]))
        if self._mix is not None:
            _write_late(self._mix, limiter.process(np.zeros((limiter.latency_samples, 1), np.float32)), late)
        return kept


class _Wav:
    """A WAV file that is written, there as a whole or not at all; every error is an OutputError."""

    def __init__(self, path: Path, sample_rate_hz: int, channels: int) -> None:
        self._whole = WholeFile(path)
        self._format = (sample_rate_hz, channels, SUBTYPE)
        self._file: Any = None

    def __enter__(self) -> _Wav:
        import soundfile

        with self._errors():
            self._file = soundfile.SoundFile(self._whole.part, "w", *self._format, format="WAV")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._whole.__exit__(kind, error, trace)

    def write(self, samples: NDArray[np.float32]) -> None:
        with self._errors():
            self._file.write(samples)

    def complete(self) -> None:
        with self._errors():
            self._file.close()
            self._whole.complete()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        import soundfile

        try:
            yield
        except (OSError, soundfile.LibsndfileError) as e:
            why = getattr(e, "strerror", None) or "no such folder, no permission, or the disk is full"
            raise OutputError(f"cannot write {self._whole.path}: {why}; choose another place") from e


def _write_late(file: _Wav, samples: NDArray[np.float32], skip: int) -> int:
    """Write all but the first `skip` samples, which a limiter's delay put there; return how many are left to skip."""
    file.write(samples[skip:])
    return max(skip - len(samples), 0)


def _gain(decibels: float) -> np.float32:
    return np.float32(10.0 ** (decibels / 20.0))


def _load_mono(path: Path, sample_rate_hz: int) -> NDArray[np.float32]:
    import soxr

    samples, rate_hz = read_audio(path)
    mono: NDArray[np.float32] = samples.mean(axis=1)
    if rate_hz == sample_rate_hz:
        return mono
    resampled: NDArray[np.float32] = soxr.resample(mono, rate_hz, sample_rate_hz, quality="HQ")
    return resampled
