"""The course of what sounds before the pianist's first note: clicks, then the orchestra up to there. No clock."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from follower.playback.wishes import Prelude

SILENCE_S = 0.3
"""Before the first click or note, so that what sounded before is over."""
GRACE_S = 0.6
"""The orchestra plays on so long for a pianist who comes in late, or has not been heard yet."""
CLICK_S = 0.030
CLICK_HZ = 1500.0
CLICK_LEVEL = 0.3


class PreludeCourse:
    """Where a prelude stands.

    Args:
        prelude: what is heard.
        sample_rate_hz: of the clicks.
    """

    def __init__(self, prelude: Prelude, sample_rate_hz: int) -> None:
        self.prelude = prelude
        self._sample_rate_hz = sample_rate_hz
        self._from_s = math.nan
        t = np.arange(round(CLICK_S * sample_rate_hz)) / sample_rate_hz
        self._click = (CLICK_LEVEL * np.sin(2 * np.pi * CLICK_HZ * t) * np.exp(-t / 0.006)).astype(np.float32)

    @property
    def begun(self) -> bool:
        """Whether `begin` was called."""
        return not math.isnan(self._from_s)

    def begin(self, at_s: float) -> None:
        """The first block of the prelude sounds from this instant on."""
        self._from_s = at_s + SILENCE_S

    @property
    def _clicks_end_s(self) -> float:
        return self._from_s + self.prelude.clicks_s

    def enters(self, at_s: float) -> bool:
        """Whether the orchestra has to begin with a block that sounds from `at_s` on."""
        return self.prelude.lead_in_s > 0.0 and at_s >= self._clicks_end_s

    def is_over(self, at_s: float, position_s: float | None, follows: bool) -> bool:
        """Whether the follower leads from here on.

        Args:
            at_s: instant of the block.
            position_s: where the orchestra stands (s); None before it begins.
            follows: whether the pianist is being followed already.
        """
        if at_s < self._clicks_end_s:
            return False
        if self.prelude.lead_in_s == 0.0:
            return True
        if position_s is None:
            return False
        beyond_s = position_s - self.prelude.begin_s
        return beyond_s > GRACE_S or (follows and beyond_s > -1.0)

    def clicks(self, at_s: float, n: int) -> NDArray[np.float32] | None:
        """Return the clicks in a block (n,) that sounds from `at_s` on; None where there are none."""
        if self.prelude.clicks == 0:
            return None
        beat_s = 60.0 / self.prelude.beats_per_minute
        k = min(math.floor((at_s + n / self._sample_rate_hz - self._from_s) / beat_s), self.prelude.clicks - 1)
        if k < 0:
            return None
        first = round((self._from_s + k * beat_s - at_s) * self._sample_rate_hz)
        begin, end = max(first, 0), min(first + len(self._click), n)
        if begin >= end:
            return None
        out = np.zeros(n, np.float32)
        out[begin:end] = self._click[begin - first : end - first]
        return out
