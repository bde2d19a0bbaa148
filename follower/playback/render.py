"""Rendering offline what would have been heard: positions of a replay in, the orchestra's sound and its course out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.events import Position
from follower.playback.player import OrchestraPlayer

OUTPUT_LATENCY_S = 0.05
"""A sound heard at an instant was decided this much earlier: ring buffer and device, as in a live session."""
TAIL_S = 0.5
"""After the last position there is time for the last fade."""
STEP_PCT = 5.0
STEP_SPAN_S = 0.1


@dataclass(frozen=True)
class Course:
    """What the orchestra played, once per player block; arrays of shape (n,).

    Attributes:
        at_s: live time at which the block began to sound.
        place_s: place in the recording heard then; NaN while silent or fading out.
        rate: recording seconds per live second asked for.
        event: True where the block began with an entry or a jump.
    """

    at_s: NDArray[np.float64]
    place_s: NDArray[np.float64]
    rate: NDArray[np.float64]
    event: NDArray[np.bool_]

    def heard_at(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Place in the recording heard at each instant, shape like `at_s`; NaN where the orchestra is silent."""
        k = np.clip(np.searchsorted(self.at_s, at_s, side="right") - 1, 0, max(len(self.at_s) - 1, 0))
        if len(self.at_s) == 0:
            return np.full(np.shape(at_s), np.nan)
        heard: NDArray[np.float64] = self.place_s[k] + self.rate[k] * (at_s - self.at_s[k])
        return heard

    def audible_steps(self) -> int:
        """Times the rate changed by more than 5 % within 100 ms while playing, entries and jumps left out."""
        if len(self.at_s) < 2:
            return 0
        span = max(round(STEP_SPAN_S / float(self.at_s[1] - self.at_s[0])), 1)
        playing = np.isfinite(self.place_s)
        change = np.abs(self.rate[span:] / self.rate[:-span] - 1) > STEP_PCT / 100
        # No event, and no silence, between the two ends.
        calm = np.convolve((~playing | self.event).astype(int), np.ones(span + 1, int))[span : len(playing)] == 0
        hits = change & calm
        return int(np.sum(hits[1:] & ~hits[:-1]) + (hits[0] if len(hits) else 0))


def render(
    player: OrchestraPlayer, positions: Sequence[Position], duration_s: float
) -> Iterator[tuple[float, float | None, bool, NDArray[np.float32]]]:
    """Play after recorded positions; faster than real time, the same result every time.

    The block heard at an instant knows the positions from audio up to `OUTPUT_LATENCY_S` before.

    Args:
        player: fresh.
        positions: in order.
        duration_s: length of the live audio; the result ends with the block that passes it.

    Yields:
        Instant (s), place heard (s, None while silent), whether an entry or a jump began here, and the block
        (block_samples, channels).
    """
    n, k = 0, 0
    while n < duration_s * player.sample_rate_hz:
        heard_at_s = n / player.sample_rate_hz
        while k < len(positions) and positions[k].audio_time_s <= heard_at_s - OUTPUT_LATENCY_S:
            player.hear(positions[k], positions[k].audio_time_s)
            k += 1
        events = player.counts.entries + player.counts.jumps
        block = player.block(heard_at_s)
        yield heard_at_s, player.block_place_s, player.counts.entries + player.counts.jumps > events, block
        n += len(block)


def render_all(
    player: OrchestraPlayer, positions: Sequence[Position], duration_s: float
) -> tuple[NDArray[np.float32], Course]:
    """Render everything; return the sound (n, channels) and the course. Positions after the end count as ended."""
    at, places, rates, events, blocks = [], [], [], [], []
    for at_s, place_s, event, block in render(player, positions, duration_s):
        at.append(at_s)
        places.append(np.nan if place_s is None else place_s)
        rates.append(player.control.rate)
        events.append(event)
        blocks.append(block)
    sound = np.concatenate(blocks) if blocks else np.zeros((0, player.channels), np.float32)
    return sound, Course(np.array(at), np.array(places), np.array(rates), np.array(events, np.bool_))

