"""The estimated position and its rate: an alpha-beta filter on the beliefs, and what moves them without any."""

from __future__ import annotations

from dataclasses import dataclass

from follower.config import JsonConfig, require


@dataclass(frozen=True)
class LoopConfig(JsonConfig):
    """The loop's constants.

    Attributes:
        position_gain: share of the position error corrected per hop.
        rate_gain: share of the position error, per hop, that goes into the rate.
        rate_follow: share of the belief's rate taken over per hop.
        orchestra_follow: share of the orchestra's own tempo taken over per hop while it leads.
        slowest: least tempo the orchestra takes when it leads (mix seconds per second),
        fastest: and most.

    The gains are the best of a grid (rate gain 0 to .02, rate follow .005 to .1) on performances with real timing:
    with .005 and .02 the rate changes by .14 a second (.01 and .05: .24), its median error over a second is 5.8 %
    (5.7 %) and it overshoots changes of the tempo by 1.3 % on average (1.6 %). A position gain below .5 adds lag only.
    """

    position_gain: float = 0.5
    rate_gain: float = 0.005
    rate_follow: float = 0.02
    orchestra_follow: float = 0.02
    slowest: float = 0.3
    fastest: float = 3.0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        for name in ("position_gain", "rate_gain", "rate_follow", "orchestra_follow"):
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        require(0 < self.slowest < self.fastest, "slowest", self.slowest, f"between 0 and {self.fastest}")


class PositionLoop:
    """Position and rate in the mix. Every method but `position` is one hop.

    Args:
        config: constants.
        hop_s: seconds per hop.
        end_s: length of the mix.

    Example:
        >>> loop = PositionLoop(LoopConfig(), 0.02, 100.0)
        >>> loop.move_to(10.0, 1.0)
        >>> for hop in range(1, 101):
        ...     loop.follow(10.0 + 1.1 * 0.02 * hop, 1.1)
        >>> round(loop.mix_s, 2), round(loop.rate, 1)
        (12.2, 1.1)
    """

    def __init__(self, config: LoopConfig, hop_s: float, end_s: float) -> None:
        self._config = config
        self._hop_s = hop_s
        self._end_s = end_s
        self.move_to(0.0, 1.0)

    def move_to(self, mix_s: float, rate: float) -> None:
        """Put the estimate at a position (mix s)."""
        self._mix_s = min(max(mix_s, 0.0), self._end_s)
        self._rate = rate
        self._moving = 1.0

    @property
    def mix_s(self) -> float:
        """Claimed position (mix s)."""
        return self._mix_s

    @property
    def rate(self) -> float:
        """Mix seconds per live second at which the estimate moves now."""
        return self._moving * self._rate

    @property
    def tempo(self) -> float:
        """Rate at which it moves when nothing holds it up."""
        return self._rate

    def error(self, mix_s: float) -> float:
        """How far ahead of the estimate a belief for the end of this hop lies (mix s)."""
        return mix_s - self._mix_s - self._rate * self._hop_s

    def follow(self, mix_s: float, rate: float) -> None:
        """Move on and towards a belief."""
        c = self._config
        error = self.error(mix_s)
        if self._moving < 1.0 and error > 0:  # it was held up for nothing: catching up says nothing about the tempo
            self.move_to(mix_s, self._rate)
            return
        self._moving = 1.0
        self._advance(self._rate * self._hop_s + c.position_gain * error)
        self._rate += c.rate_gain * error / self._hop_s
        self._rate = max(self._rate + c.rate_follow * (rate - self._rate), 0.0)

    def coast(self, share: float = 1.0) -> None:
        """Move on at `share` of the tempo, without a belief."""
        self._moving = share
        self._advance(share * self._rate * self._hop_s)

    def lead(self, tempo: float) -> None:
        """Move on and take over the orchestra's own tempo."""
        c = self._config
        self._rate += c.orchestra_follow * (min(max(tempo, c.slowest), c.fastest) - self._rate)
        self.coast()

    def _advance(self, by_s: float) -> None:
        self._mix_s = min(max(self._mix_s + by_s, 0.0), self._end_s)
