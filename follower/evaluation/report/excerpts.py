"""Passages as sound: the piano with the orchestra as a system would have played it, and as it should have been."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from follower.evaluation.estimates import Estimates
from follower.evaluation.report.passages import Passage
from follower.evaluation.scenario import Scenario
from follower.evaluation.systems.outcome import Curve
from follower.events import Position, State
from follower.files.audio_file import read_audio
from follower.playback.player import OrchestraPlayer
from follower.playback.recording import OrchestraRecording, load_orchestra
from follower.playback.render import render
from follower.playback.stretcher import MAX_RATE
from follower.playback.stretchers import DEFAULT_STRETCHER, make_stretcher

AROUND_S: Final = 1.0
"""What is heard before and after a passage."""
RUN_UP_S: Final = 3.0
"""Played before that and not heard: the orchestra has entered by then."""
HOP_S: Final = 0.02
"""Between the positions the player is given; as often as the program's own follower gives them."""
PAUSE_S: Final = 1.0
PAUSE_ROWS: Final = 4.0
"""The pianist pauses, and the orchestra waits, where rows of the truth are further apart than this, and than so many
times the usual distance: truth may be known every 50 ms, or at every bar."""
FORMATS: Final = (("MP3", "MPEG_LAYER_III", "audio/mpeg"), ("OGG", "VORBIS", "audio/ogg"))
"""The first that libsndfile can write: every browser plays MP3, nearly every one Ogg Vorbis."""

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Sound:
    """A sound file in memory."""

    media_type: str
    content: bytes


class Excerpts:
    """Makes excerpts of one scenario; its recordings are read once.

    Args:
        scenario: where the recordings are.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._recording: OrchestraRecording = load_orchestra(scenario.orchestra)
        self._rate_hz = self._recording.sample_rate_hz
        samples, rate_hz = read_audio(scenario.piano)
        self._piano: Samples = soxr.resample(samples.mean(axis=1), rate_hz, self._rate_hz).astype(np.float32)

    def of_system(self, passage: Passage, estimates: Estimates) -> Sound:
        """Piano left, and right the orchestra as it would have followed what a system estimated."""
        return self._sound(passage, lambda at_s: _estimated(estimates, at_s))

    def of_truth(self, passage: Passage, curve: Curve) -> Sound:
        """The same with the orchestra where the annotations say."""
        return self._sound(passage, lambda at_s: _true(curve, at_s))

    def _sound(self, passage: Passage, position_at: Callable[[float], _Reported | None]) -> Sound:
        heard_s = max(passage.begin_s - AROUND_S, 0.0)
        begin_s = max(heard_s - RUN_UP_S, 0.0)
        length_s = passage.end_s + AROUND_S - begin_s
        events = []
        for k in range(round(length_s / HOP_S)):
            at = position_at(begin_s + k * HOP_S)
            if at is not None:
                sample = round(k * HOP_S * self._rate_hz)
                events.append(Position(k, sample, self._rate_hz, at.position_s, None, at.rate, at.confidence, at.state))
        player = OrchestraPlayer(self._recording, lambda: make_stretcher(DEFAULT_STRETCHER, self._recording))
        blocks = [block.sound.mean(axis=1) for block in render(player, events, length_s)]
        n = round(length_s * self._rate_hz)
        orchestra = np.concatenate(blocks)[:n]
        first = round(begin_s * self._rate_hz)
        piano = np.zeros(n, np.float32)
        part = self._piano[first : first + n]
        piano[: len(part)] = part
        both = np.stack([piano, orchestra], axis=1)[round((heard_s - begin_s) * self._rate_hz) :]
        return encoded(both, self._rate_hz)


@dataclass(frozen=True, slots=True)
class _Reported:
    position_s: float
    rate: float
    confidence: float
    state: State


def _estimated(estimates: Estimates, at_s: float) -> _Reported | None:
    k = int(estimates.newest(np.array([at_s]))[0])
    if k < 0:
        return None
    rate, name = float(estimates.rate[k]), str(estimates.state[k])
    position_s = float(estimates.position_s[k] + rate * (at_s - estimates.audio_time_s[k]))
    confidence = float(estimates.confidence[k])
    state = State(name) if name else State.FOLLOWING
    return _Reported(max(position_s, 0.0), max(rate, 0.0), 1.0 if np.isnan(confidence) else confidence, state)


def _true(curve: Curve, at_s: float) -> _Reported | None:
    piano_s, target_s = curve
    k = int(np.searchsorted(piano_s, at_s, side="right")) - 1
    if k < 0:
        return None
    position_s, since_s = float(target_s[k]), at_s - float(piano_s[k])
    if k + 1 == len(piano_s):
        return _Reported(position_s, 1.0, 1.0, State.PAUSED)
    span_s, moved_s = float(piano_s[k + 1] - piano_s[k]), float(target_s[k + 1] - position_s)
    if span_s > max(PAUSE_S, PAUSE_ROWS * float(np.median(np.diff(piano_s)))):
        return _Reported(position_s, 1.0, 1.0, State.PAUSED)
    rate = moved_s / span_s if 0 <= moved_s <= MAX_RATE * span_s else 1.0  # else the pianist jumps
    return _Reported(position_s + rate * since_s, rate, 1.0, State.FOLLOWING)


def encoded(samples: Samples, sample_rate_hz: int) -> Sound:
    """Compress sound of shape (n, channels) in a format that browsers play.

    A rate the format has not is changed to 44100 Hz.
    """
    if sample_rate_hz not in (22050, 24000, 32000, 44100, 48000):
        samples, sample_rate_hz = soxr.resample(samples, sample_rate_hz, 44100), 44100
    peak = max(float(np.abs(samples).max(initial=0.0)), 1e-9)
    samples = samples * min(1.0, 0.97 / peak)
    available: Any = soundfile.available_formats()
    name, subtype, media_type = next(f for f in FORMATS if f[0] in available)
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate_hz, format=name, subtype=subtype)
    return Sound(media_type, file.getvalue())
