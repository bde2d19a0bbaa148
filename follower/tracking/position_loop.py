"""The estimated position in the mix and its rate: an alpha-beta filter on beliefs, and what moves it without them."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from follower.config import JsonConfig, require, require_spans_and_shares
from follower.inference.base import Belief


class Step(enum.Enum):
    """How the estimate moved in a hop."""

    SMOOTH = enum.auto()
    """Along with the belief, or on at its own rate."""
    RESUMED = enum.auto()
    """After a pause, to where the piano goes on near the position that was held."""
    JUMPED = enum.auto()
    """To a position elsewhere."""


@dataclass(frozen=True)
class LoopConfig(JsonConfig):
    """The loop's constants.

    Attributes:
        position_gain: share of the position error corrected per hop.
        rate_gain: share of the position error, per hop, that goes into the rate.
        rate_follow: share of the belief's rate taken over per hop.
        orchestra_follow: share of the orchestra's own tempo taken over per hop while it leads.
        min_lead_rate: lowest rate towards which an orchestra that leads goes (mix seconds per second).
        max_lead_rate: highest rate towards which an orchestra that leads goes (mix seconds per second).
        jump_s: mix seconds; a correction larger than this is a jump.
        jump_above: concentration from which a belief that is away makes the estimate jump at once.
        persist_s: seconds that a belief has to stay away until less concentration is enough for a jump.
        persist_above: concentration from which a belief that has stayed away for `persist_s`, or the first one after a
            pause, moves the estimate.
        brake_after_s: seconds of silence, where the mix has piano, after which the estimate slows down.
        brake_s: time constant in which it slows down, so that the orchestra has not run far ahead should it be a pause.
    """

    position_gain: float = 0.5
    rate_gain: float = 0.01
    rate_follow: float = 0.05
    orchestra_follow: float = 0.02
    min_lead_rate: float = 0.3
    max_lead_rate: float = 3.0
    jump_s: float = 1.0
    jump_above: float = 0.75
    persist_s: float = 0.5
    persist_above: float = 0.35
    brake_after_s: float = 0.1
    brake_s: float = 0.05

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        require_spans_and_shares(self, others=("min_lead_rate", "max_lead_rate"))
        require(
            0 < self.min_lead_rate < self.max_lead_rate,
            "min_lead_rate",
            self.min_lead_rate,
            f"between 0 and {self.max_lead_rate}",
        )


class PositionLoop:
    """Position and rate in the mix. `follow`, `lead`, `brake` and `hold` are one hop each.

    Args:
        config: constants.
        hop_s: seconds per hop.
        end_s: length of the mix (s).

    Attributes:
        mix_s: estimated position (mix s); None while nothing is known.
        held: whether a pause holds it, so that the piano's return has to be confirmed.
        away: whether the newest belief was too far away for a correction and too doubtful for a jump.

    Example:
        >>> loop = PositionLoop(LoopConfig(), 0.02, 100.0)
        >>> loop.put(10.0, 1.0)
        >>> for hop in range(1, 101):
        ...     step = loop.follow(Belief(10.0 + 1.1 * 0.02 * hop, 1.1, 0.99, 1.0))
        >>> round(loop.mix_s, 2), round(loop.rate, 1), step
        (12.2, 1.1, <Step.SMOOTH: 1>)
    """

    def __init__(self, config: LoopConfig, hop_s: float, end_s: float) -> None:
        self._config = config
        self._hop_s = hop_s
        self._end_s = end_s
        self.reset()

    def reset(self) -> None:
        """Nothing is known."""
        self.mix_s: float | None = None
        self.held = False
        self._tempo = 1.0
        self._braked = 1.0
        self._away_s = 0.0
        self._cued = False

    @property
    def rate(self) -> float:
        """Mix seconds per live second at which the estimate moves now."""
        return self._braked * self._tempo

    @property
    def away(self) -> bool:
        """Was the newest belief too far for a correction and too doubtful for a jump?"""
        return self._away_s > 0

    def error_s(self, belief: Belief) -> float:
        """How far ahead of where the estimate runs on the belief lies (mix s), a jump at most; 0 without either."""
        if belief.mix_s is None or self.mix_s is None:
            return 0.0
        far_s = self._config.jump_s
        return min(max(belief.mix_s - self.mix_s - self._tempo * self._hop_s, -far_s), far_s)

    def put(self, mix_s: float, rate: float) -> None:
        """Estimate this position (mix s), moving at this rate (mix seconds per second)."""
        self.mix_s, self._tempo, self._away_s = mix_s, rate, 0.0

    def cue(self, mix_s: float) -> None:
        """Wait at this position (mix s) for the piano, whose first notes give the rate."""
        self.put(mix_s, 0.0)
        self._cued = True

    def stop(self) -> None:
        """Stand still."""
        self._tempo = 0.0

    def hold(self) -> None:
        """Stand still in a pause."""
        self.stop()
        self._braked = 1.0
        self.held = True

    def lead(self, orchestra_rate: float) -> None:
        """Move on and slide into the orchestra's own tempo (mix seconds per second)."""
        c = self._config
        before_s = self._known()
        expected_s = before_s + self._tempo * self._hop_s
        self._braked = 1.0
        self._tempo += c.orchestra_follow * (min(max(orchestra_rate, c.min_lead_rate), c.max_lead_rate) - self._tempo)
        self.mix_s = min(expected_s, self._end_s)

    def brakes(self, silent_s: float) -> bool:
        """Is a silence long enough to slow down where the mix has piano?"""
        return silent_s > self._config.brake_after_s

    def brake(self, silent_s: float) -> None:
        """Move on more slowly the longer the piano has been silent (s)."""
        c = self._config
        self._braked = math.exp((c.brake_after_s - silent_s) / c.brake_s)
        self.mix_s = min(self._known() + self._braked * self._tempo * self._hop_s, self._end_s)

    def follow(self, belief: Belief) -> Step:
        """Move on and towards a belief that has a position; after a pause, or from far away, at once."""
        assert belief.mix_s is not None
        c = self._config
        before_s = self._known()
        if self._cued:
            self._cued, self._tempo = False, belief.rate
        resumed, self.held = self.held, False
        braked, self._braked = self._braked < 1.0, 1.0
        if resumed and belief.concentration >= c.persist_above:
            near = abs(belief.mix_s - before_s) <= c.jump_s
            self.put(belief.mix_s, belief.rate)
            return Step.RESUMED if near else Step.JUMPED
        expected_s = before_s + self._tempo * self._hop_s
        error_s = belief.mix_s - expected_s
        if abs(error_s) > c.jump_s:
            return self._leave(belief, expected_s)
        self._away_s = 0.0
        if braked and error_s > 0:  # it was no pause: what is caught up says nothing about the tempo
            expected_s, error_s = belief.mix_s, 0.0
        self.mix_s = min(max(expected_s + c.position_gain * error_s, 0.0), self._end_s)
        self._tempo += c.rate_gain * error_s / self._hop_s
        self._tempo = max(self._tempo + c.rate_follow * (belief.rate - self._tempo), 0.0)
        return Step.SMOOTH

    def _leave(self, belief: Belief, expected_s: float) -> Step:
        """The belief is far away: jump when it is sure or has stayed there, else run on."""
        c = self._config
        assert belief.mix_s is not None
        self._away_s += self._hop_s
        if belief.concentration < (c.persist_above if self._away_s > c.persist_s else c.jump_above):
            self.mix_s = min(expected_s, self._end_s)
            return Step.SMOOTH
        self.put(belief.mix_s, belief.rate)
        return Step.JUMPED

    def _known(self) -> float:
        assert self.mix_s is not None, "no position to move on from"
        return self.mix_s
