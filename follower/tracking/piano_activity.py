"""Is the mix expected to have piano here? What is asked of its piano activity when the live piano falls silent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from follower.config import JsonConfig, require_spans_and_shares


@dataclass(frozen=True)
class ActivityConfig(JsonConfig):
    """Over how much of the mix its mean piano activity is taken, and what it is compared with.

    Attributes:
        release_s: mix seconds after a last note that say nothing: its sound dies away in the mix too.
        expect_s: mix seconds, from `release_s` after a last note on, in which piano is expected or not.
        expect_above: mean activity over `expect_s` above which piano is expected. From
            `python -m benchmarks.tracking.rests`: equally likely after a rest and after a stop in mid-phrase.
        ahead_s: mix seconds from the last note on in which the mix's piano is looked for in a short silence.
        ahead_above: mean activity over `ahead_s` above which the mix's piano goes on.
        gap_s: mix seconds before a position in which a gap of the mix's piano is looked for.
        gap_below: mean activity over `gap_s` below which the mix's piano has a gap there.
        entry_s: mix seconds of piano that make an entry after a gap, when it goes on for `lasting_s`.
        lasting_s: mix seconds for which the piano has to go on after an entry.
        missed_s: mix seconds of piano that make an entry whatever was before.
        missed_above: mean activity that counts as an entry (3 s means inside four tuttis reached .53).
    """

    release_s: float = 0.3
    expect_s: float = 1.0
    expect_above: float = 0.48
    ahead_s: float = 1.0
    ahead_above: float = 0.6
    gap_s: float = 0.4
    gap_below: float = 0.3
    entry_s: float = 0.25
    lasting_s: float = 4.0
    missed_s: float = 3.0
    missed_above: float = 0.65

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        require_spans_and_shares(self)


class PianoActivity:
    """Where the mix has piano, and where its piano rests. Every question is about a position in the mix (s).

    Args:
        activity: (n,) 0..1, n >= 1, how surely each frame of the mix has piano.
        hop_s: seconds per frame.
        config: spans and thresholds; None for the defaults.

    Example:
        >>> activity = PianoActivity([1.0] * 50 + [0.0] * 50, 0.1)
        >>> activity.expected(1.0), activity.expected(6.0), activity.gap_before(6.0)
        (True, False, True)
    """

    def __init__(self, activity: ArrayLike, hop_s: float, config: ActivityConfig | None = None) -> None:
        self._config = config or ActivityConfig()
        self._hop_s = hop_s
        self._sum = np.concatenate([[0.0], np.cumsum(np.asarray(activity, dtype=np.float64))])

    def expected(self, mix_s: float) -> bool:
        """Does the mix's piano go on after a last note here, so that a silence is a stop rather than a rest?"""
        c = self._config
        from_s = mix_s + c.release_s
        return self._mean(from_s, from_s + c.expect_s) > c.expect_above

    def goes_on(self, mix_s: float) -> bool:
        """Does the mix's piano clearly go on after a last note here?"""
        c = self._config
        return self._mean(mix_s, mix_s + c.ahead_s) > c.ahead_above

    def gap_before(self, mix_s: float) -> bool:
        """Has the mix's piano just had a gap?"""
        c = self._config
        return self._mean(mix_s - c.gap_s, mix_s) < c.gap_below

    def entered(self, mix_s: float) -> bool:
        """Has the mix's piano just begun to play, to go on for a while?"""
        c = self._config
        return min(self._mean(mix_s - c.entry_s, mix_s), self._mean(mix_s, mix_s + c.lasting_s)) > c.missed_above

    def has_played(self, mix_s: float) -> bool:
        """Has the mix's piano been playing for a while?"""
        c = self._config
        return self._mean(mix_s - c.missed_s, mix_s) > c.missed_above

    def _mean(self, from_s: float, to_s: float) -> float:
        """Mean activity between two positions, of one frame at least."""
        n = len(self._sum) - 1
        first = min(max(round(from_s / self._hop_s), 0), n - 1)
        end = min(max(round(to_s / self._hop_s), first + 1), n)
        return float(self._sum[end] - self._sum[first]) / (end - first)
