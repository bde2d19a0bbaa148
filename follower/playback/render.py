"""Rendering offline what would have sounded: positions of a replay in, the orchestra's sound and its course out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.events import Position, StateChange
from follower.playback.player import OrchestraPlayer

OUTPUT_LATENCY_S = 0.05
"""What sounds at an instant was decided this much earlier: ring buffer and device, as in a live session."""
MAX_TAIL_S = 15.0
"""After the last of the piano the end of the piece may still be played out."""
STEP_PCT = 5.0
STEP_SPAN_S = 0.1


@dataclass(frozen=True)
class Course:
    """What the orchestra played, once per player block; arrays of shape (n,).

    Attributes:
        at_s: live time at which the block began to sound.
        position_s: position in the recording that sounds then; NaN while silent or fading out.
        rate: recording seconds per live second asked for.
        event: True where the block began with an entry or a jump.
    """

    at_s: NDArray[np.float64]
    position_s: NDArray[np.float64]
    rate: NDArray[np.float64]
    event: NDArray[np.bool_]

    def position_at(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Position in the recording at each instant, shape like `at_s`; NaN where the orchestra is silent."""
        k = np.clip(np.searchsorted(self.at_s, at_s, side="right") - 1, 0, max(len(self.at_s) - 1, 0))
        if len(self.at_s) == 0:
            return np.full(np.shape(at_s), np.nan)
        position_s: NDArray[np.float64] = self.position_s[k] + self.rate[k] * (at_s - self.at_s[k])
        return position_s

    def audible_steps(self) -> int:
        """Times the rate changed by more than 5 % within 100 ms while playing, entries and jumps left out."""
        if len(self.at_s) < 2:
            return 0
        span = max(round(STEP_SPAN_S / float(self.at_s[1] - self.at_s[0])), 1)
        playing = np.isfinite(self.position_s)
        change = np.abs(self.rate[span:] / self.rate[:-span] - 1) > STEP_PCT / 100
        # No event, and no silence, between the two ends.
        calm = np.convolve((~playing | self.event).astype(int), np.ones(span + 1, int))[span : len(playing)] == 0
        hits = change & calm
        return int(np.sum(hits[1:] & ~hits[:-1]) + (hits[0] if len(hits) else 0))


@dataclass(frozen=True)
class RenderedBlock:
    """One player block.

    Attributes:
        at_s: live time at which it begins to sound.
        position_s: position in the recording that sounds then; NaN while silent or fading out.
        rate: asked for.
        event: whether an entry or a jump begins here.
        sound: (block_samples, channels).
    """

    at_s: float
    position_s: float
    rate: float
    event: bool
    sound: NDArray[np.float32]


def render(
    player: OrchestraPlayer,
    events: Sequence[Position | StateChange],
    duration_s: float,
    output_latency_s: float = OUTPUT_LATENCY_S,
) -> Iterator[RenderedBlock]:
    """Play after recorded positions, the same every time.

    The block that sounds at an instant knows the positions from audio up to `output_latency_s` before.

    Args:
        player: fresh.
        events: positions and changes of state of a session, in order.
        duration_s: length of the live audio. The result goes on until the last fade, or the end of the piece, is over,
            no longer than `MAX_TAIL_S`.
        output_latency_s: from the decision to the sound.

    Yields:
        The blocks, without a gap.
    """
    n, k = 0, 0
    rate_hz = player.sample_rate_hz
    while n < duration_s * rate_hz or (player.sounds and n < (duration_s + MAX_TAIL_S) * rate_hz):
        at_s = n / rate_hz
        while k < len(events) and events[k].audio_sample / events[k].sample_rate_hz <= at_s - output_latency_s:
            player.on_event(events[k], events[k].audio_sample / events[k].sample_rate_hz)
            k += 1
        begun = player.counts.entries + player.counts.jumps
        sound = player.block(at_s)
        position_s = player.block_position_s
        begins = player.counts.entries + player.counts.jumps > begun
        yield RenderedBlock(at_s, np.nan if position_s is None else position_s, player.control.rate, begins, sound)
        n += len(sound)


def course_of(blocks: Sequence[RenderedBlock]) -> Course:
    """Collect the course of rendered blocks."""
    return Course(
        np.array([b.at_s for b in blocks], np.float64),
        np.array([b.position_s for b in blocks], np.float64),
        np.array([b.rate for b in blocks], np.float64),
        np.array([b.event for b in blocks], np.bool_),
    )
