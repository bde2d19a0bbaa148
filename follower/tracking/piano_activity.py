"""Is the mix expected to have piano here? What is asked of its piano activity when the live piano falls silent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from follower.config import JsonConfig, require, require_spans_and_shares


@dataclass(frozen=True)
class ActivityConfig(JsonConfig):
    """When a silent piano has missed what the mix has.

    Attributes:
        release_s: seconds of silence that say nothing: a last note dies away in the mix too.
        memory_s: time constant (s) in which what was missed is forgotten: the activity errs for seconds on end.
        lasting_s: mix seconds for which piano has to go on to count as missed: a chord in a rest is no entry.
        most: activity of which the piano is never surer.
        stopped_above: nats of missed piano above which the pianist has stopped.
        expect_s: mix seconds, from `release_s` after a last note on, in which piano is expected or not.
        expect_above: mean activity over `expect_s` above which a silence is a stop from the beginning. This and
            `stopped_above` from `python -m benchmarks.tracking.rests`: at most a tenth of the rests is taken for stops.
        ahead_s: mix seconds from the last note on in which the mix's piano is looked for in a short silence.
        ahead_above: mean activity over `ahead_s` above which the mix's piano goes on.
    """

    release_s: float = 0.3
    memory_s: float = 2.0
    lasting_s: float = 0.7
    most: float = 0.97
    stopped_above: float = 1.5
    expect_s: float = 1.0
    expect_above: float = 0.7
    ahead_s: float = 1.0
    ahead_above: float = 0.6

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        require_spans_and_shares(self, others=("most", "stopped_above"))
        require(0 < self.most < 1, "most", self.most, "between 0 and 1")
        require(self.stopped_above > 0, "stopped_above", self.stopped_above, "more than 0")


class PianoActivity:
    """Where the mix has piano, and where its piano rests. Every question is about a position in the mix (s).

    Args:
        activity: (n,) 0..1, n >= 1, how surely each frame of the mix has piano.
        hop_s: seconds per frame.
        config: spans and thresholds; None for the defaults.

    Attributes:
        config: as given.

    Example:
        >>> activity = PianoActivity([1.0] * 50 + [0.0] * 50, 0.1)
        >>> activity.lasting(1.0), activity.lasting(6.0), activity.goes_on(4.8)
        (1.0, 0.0, False)
    """

    def __init__(self, activity: ArrayLike, hop_s: float, config: ActivityConfig | None = None) -> None:
        self.config = config or ActivityConfig()
        self._hop_s = hop_s
        self._sum = np.concatenate([[0.0], np.cumsum(np.asarray(activity, dtype=np.float64))])

    def lasting(self, mix_s: float) -> float:
        """How surely the mix has piano here that goes on for a while, 0..1."""
        return min(self._mean(mix_s, mix_s), self._mean(mix_s, mix_s + self.config.lasting_s))

    def goes_on(self, mix_s: float) -> bool:
        """Does the mix's piano clearly go on after a last note here?"""
        c = self.config
        return self._mean(mix_s, mix_s + c.ahead_s) > c.ahead_above

    def expected(self, mix_s: float) -> bool:
        """Does the mix's piano go on after a last note here, so that a silence is a stop rather than a rest?"""
        c = self.config
        from_s = mix_s + c.release_s
        return self._mean(from_s, from_s + c.expect_s) > c.expect_above

    def _mean(self, from_s: float, to_s: float) -> float:
        """Mean activity between two positions, of one frame at least."""
        n = len(self._sum) - 1
        first = min(max(round(from_s / self._hop_s), 0), n - 1)
        end = min(max(round(to_s / self._hop_s), first + 1), n)
        return float(self._sum[end] - self._sum[first]) / (end - first)


class MissedPiano:
    """What the mix's piano has played while the live one was silent: the odds that the pianist stopped.

    A pianist who plays on is silent for a second where the mix has piano with activity a in a share 1 - a of cases, one
    who stopped always: each second of silence speaks for a stop by -log(1 - a) nats, and is forgotten in time.

    Args:
        activity: of the mix; its configuration says when the pianist has stopped.
        hop_s: seconds per hop.

    Attributes:
        nats: log odds gathered in this silence.

    Example:
        >>> missed = MissedPiano(PianoActivity([0.9] * 100, 0.1), 0.1)
        >>> for hop in range(1, 11):
        ...     missed.update(0.1 * hop, 5.0)
        >>> round(missed.nats, 1), missed.stopped
        (1.6, True)
    """

    def __init__(self, activity: PianoActivity, hop_s: float) -> None:
        self._activity = activity
        self._hop_s = hop_s
        self._kept = math.exp(-hop_s / activity.config.memory_s)
        self.reset()

    def reset(self) -> None:
        """The piano sounds."""
        self.nats = 0.0

    @property
    def stopped(self) -> bool:
        """Has so much been missed that the pianist has stopped?"""
        return self.nats > self._activity.config.stopped_above

    def update(self, silent_s: float, mix_s: float) -> None:
        """Take a hop of a silence that has lasted `silent_s`, in which the orchestra got to `mix_s`."""
        c = self._activity.config
        if silent_s > c.release_s:
            self.nats = self._kept * self.nats - self._hop_s * math.log(1 - min(self._activity.lasting(mix_s), c.most))
