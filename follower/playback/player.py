"""The player: positions in, blocks of sound out. Pure: no clock, no thread, no device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.events import Position, StateChange
from follower.playback.control import Action, ControlConfig, PlaybackControl
from follower.playback.prelude import PreludeCourse
from follower.playback.recording import OrchestraRecording
from follower.playback.stretcher import Stretcher
from follower.playback.tuned import TunedStretcher
from follower.playback.wishes import Prelude, Wishes

BLOCK_S = 0.006
ENTRY_FADE_S = 0.030
JUMP_FADE_S = 0.050
HOLD_FADE_S = 0.300
CENTS_PER_S = 4.0
"""How fast the pitch glides to another one: a semitone in 25 s is not heard as a glide."""
VOLUME_DB_PER_S = 60.0


@dataclass
class PlayerCounts:
    """What the listener notices as an event: entries, jumps, and fades to silence."""

    entries: int = 0
    jumps: int = 0
    holds: int = 0


class _Voice:
    """A stretcher with a gain that runs linearly to its goal."""

    def __init__(self, stretcher: Stretcher) -> None:
        self.stretcher = TunedStretcher(stretcher)
        self.gain = 0.0
        self._goal = 0.0
        self._step = 1.0

    @property
    def sounds(self) -> bool:
        return self.gain > 0.0 or self._goal > 0.0

    def cut(self) -> None:
        """Be silent at once."""
        self.gain = self._goal = 0.0

    def fade(self, goal: float, samples: int) -> None:
        """Move the gain to `goal` at the speed that crosses from 0 to 1 in `samples`."""
        self._goal = goal
        self._step = 1.0 / max(samples, 1)

    def block(self, n: int, rate: float) -> NDArray[np.float32]:
        """Return (n, channels) with the gain applied."""
        sound = self.stretcher.pull(n, rate)
        if self.gain == self._goal == 1.0:
            return sound
        ramp = self.gain + np.sign(self._goal - self.gain) * self._step * np.arange(1, n + 1)
        ramp = np.clip(ramp, min(self.gain, self._goal), max(self.gain, self._goal))
        self.gain = float(ramp[-1])
        # Sine fades: two voices that cross keep the power of unrelated sounds.
        shaped = np.sin(0.5 * np.pi * ramp).astype(np.float32)
        faded: NDArray[np.float32] = sound * shaped[:, np.newaxis]
        return faded


class OrchestraPlayer:
    """Plays the orchestra recording after the follower.

    Args:
        recording: what is played.
        make_stretcher: makes one of the two stretchers a cross-fade needs.
        config: bounds of the control loop.

    Attributes:
        wishes: what a person asks for; replaced as a whole, by any thread.

    Example:
        >>> from follower.playback.stretchers import make_stretcher
        >>> recording = OrchestraRecording.from_samples(np.zeros(8000, np.float32), 8000)
        >>> player = OrchestraPlayer(recording, lambda: make_stretcher("vocoder", recording))
        >>> player.block(0.0).shape == (player.block_samples, 1)
        True
    """

    def __init__(
        self,
        recording: OrchestraRecording,
        make_stretcher: Callable[[], Stretcher],
        config: ControlConfig | None = None,
    ) -> None:
        self.sample_rate_hz = recording.sample_rate_hz
        self.channels = recording.channels
        self.block_samples = 1 << round(np.log2(BLOCK_S * recording.sample_rate_hz))
        self.control = PlaybackControl(
            recording.duration_s,
            (recording.attacks / recording.sample_rate_hz).tolist(),
            ControlConfig() if config is None else config,
        )
        self.counts = PlayerCounts()
        self.clock_stretch = 1.0
        """Seconds of the clock of `on_event` per nominal second of output: a sound card's drift."""
        self._voices = [_Voice(make_stretcher()), _Voice(make_stretcher())]
        self._leading: _Voice | None = None
        self._block_position_s: float | None = None
        self.wishes = Wishes()
        self._shift_cents = 0.0
        self._volume_db = 0.0
        self._prelude: PreludeCourse | None = None

    @property
    def shift_cents(self) -> float:
        """By how much the orchestra sounds higher than recorded now."""
        return self._shift_cents

    @property
    def prelude(self) -> Prelude | None:
        """What sounds before the pianist's first note; None when that is over."""
        return None if self._prelude is None else self._prelude.prelude

    def play_prelude(self, prelude: Prelude) -> None:
        """Fall silent, and let this be heard before the pianist begins."""
        self._prelude = PreludeCourse(prelude, self.sample_rate_hz)

    def jump_to_wishes(self) -> None:
        """Before anything sounds there is nothing to glide from."""
        self._shift_cents, self._volume_db = self.wishes.shift_cents, self.wishes.volume_db

    def on_event(self, event: Position | StateChange, at_s: float) -> None:
        """Take the follower's newest position or state; `at_s` is its instant on the clock of `block`."""
        if isinstance(event, Position):
            self.control.on_position(event, at_s)
        else:
            self.control.change_state(event.state)

    @property
    def sounds(self) -> bool:
        """Whether there is any sound, a fade included."""
        return any(v.sounds for v in self._voices)

    @property
    def block_position_s(self) -> float | None:
        """Position in the recording (s) of the newest block's first sample; None while silent or fading out."""
        return self._block_position_s

    def block(self, output_at_s: float) -> NDArray[np.float32]:
        """Return the next `block_samples` samples, shape (block_samples, channels).

        Args:
            output_at_s: instant at which the block's first sample leaves the loudspeaker, on the clock of `on_event`.
        """
        n = self.block_samples
        volume_db = self._glide()
        clicks = None if self._prelude is None else self._take_prelude(output_at_s)
        if self._prelude is None:
            self._apply_order(output_at_s)
        leading = self._leading
        self._block_position_s = None if leading is None else leading.stretcher.source_sample / self.sample_rate_hz
        out = np.zeros((n, self.channels), np.float32)
        for voice in self._voices:
            if voice.sounds:
                out += voice.block(n, self.control.rate * self.clock_stretch)
        if volume_db != 0.0 or self._volume_db != 0.0:
            out *= 10.0 ** (np.linspace(volume_db, self._volume_db, n, dtype=np.float32)[:, np.newaxis] / 20.0)
        return out if clicks is None else out + clicks[:, np.newaxis]

    def _glide(self) -> float:
        """Move pitch and level towards what is asked for; return the level (dB) before."""
        wishes, block_s, before_db = self.wishes, self.block_samples / self.sample_rate_hz, self._volume_db
        self.control.limits = (wishes.slowest, wishes.fastest)
        if not self.sounds:
            self.jump_to_wishes()
        self._shift_cents += _bounded(wishes.shift_cents - self._shift_cents, CENTS_PER_S * block_s)
        self._volume_db += _bounded(wishes.volume_db - self._volume_db, VOLUME_DB_PER_S * block_s)
        for voice in self._voices:
            voice.stretcher.shift_cents = self._shift_cents
        return before_db if self.sounds else self._volume_db

    def _take_prelude(self, output_at_s: float) -> NDArray[np.float32] | None:
        """Go on in the prelude; return its clicks in this block (n,), or None where there are none."""
        course = self._prelude
        assert course is not None
        if not course.begun:
            self._fade_out(JUMP_FADE_S)
            course.begin(output_at_s)
        rate = max(self.wishes.slowest, min(self.wishes.fastest, 1.0))
        if self._leading is None and course.enters(output_at_s):
            self.control.take_over(rate)
            self._begin(max(course.prelude.begin_s - course.prelude.lead_in_s, 0.0), rate, ENTRY_FADE_S)
            self.counts.entries += 1
        position_s = None if self._leading is None else self._leading.stretcher.source_sample / self.sample_rate_hz
        clicks = course.clicks(output_at_s, self.block_samples)
        if course.is_over(output_at_s, position_s, self.control.follows):
            self._prelude = None
        return clicks

    def _apply_order(self, output_at_s: float) -> None:
        if self._leading is None:
            order = self.control.silent_order(output_at_s)
        else:
            ahead, committed = self._leading.stretcher.committed
            order = self.control.playing_order(
                output_at_s,
                output_at_s + ahead / self.sample_rate_hz * self.clock_stretch,
                committed / self.sample_rate_hz,
                self.block_samples / self.sample_rate_hz,
            )
        match order.action:
            case Action.ENTER:
                self._begin(order.position_s, order.rate, ENTRY_FADE_S)
                self.counts.entries += 1
            case Action.JUMP:
                self._fade_out(JUMP_FADE_S)
                self._begin(order.position_s, order.rate, JUMP_FADE_S)
                self.counts.jumps += 1
            case Action.FADE:
                self._fade_out(HOLD_FADE_S)
                self.counts.holds += 1
            case Action.PLAY:
                pass

    def silence(self) -> None:
        """Stop at once, while there is no output: the next block may enter again."""
        for voice in self._voices:
            voice.cut()
        self._leading = None
        self._prelude = None
        self._block_position_s = None

    def _fade_out(self, duration_s: float) -> None:
        if self._leading is not None:
            self._leading.fade(0.0, round(duration_s * self.sample_rate_hz))
            self._leading = None

    def _begin(self, position_s: float, rate: float, fade_s: float) -> None:
        # The quieter voice: should both still fade, what is cut off is the softer one.
        voice = min(self._voices, key=lambda v: v.gain)
        voice.gain = 0.0
        voice.stretcher.start(position_s * self.sample_rate_hz, rate)
        voice.fade(1.0, round(fade_s * self.sample_rate_hz))
        self._leading = voice


def _bounded(value: float, bound: float) -> float:
    return max(-bound, min(bound, value))
