"""Has the piano begun to play the piece? A chord or a note to try the instrument is no beginning.

One attack fits many positions of a concerto, however long it sounds and beats. So with an unknown start no position
is known before the second attack of a run, and a few attacks followed by silence are forgotten.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from follower.config import JsonConfig, require


class Progress(Enum):
    """What is known of the beginning."""

    TOO_EARLY = "too few attacks to know a position"
    BEGUN = "the piece has begun"
    FORGET = "what was played was no beginning"


@dataclass(frozen=True)
class StartDetectorConfig(JsonConfig):
    """What counts as a beginning.

    Attributes:
        strength: share of the sound that must be new in an attack: a beating chord reaches .15, a note in music .3.
        growth: in an attack the share of new sound has grown by this factor since its last minimum.
        apart_s: two attacks are at least this far apart: a chord's notes are one attack.
        min_attacks: attacks in a run before which no position is known.
        break_s: silence after which fewer than `min_attacks` are forgotten.
        few_attacks: fewer attacks than this in all are no beginning if a long silence follows.
        few_after_s: silence after which fewer than `few_attacks` are forgotten.
    """

    strength: float = 0.2
    growth: float = 1.3
    apart_s: float = 0.2
    min_attacks: int = 2
    break_s: float = 0.7
    few_attacks: int = 4
    few_after_s: float = 1.5

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        require(0 < self.strength < 1, "strength", self.strength, "between 0 and 1")
        for name in ("growth", "min_attacks", "few_attacks"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("apart_s", "break_s", "few_after_s"):
            require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")


class StartDetector:
    """Counts attacks until the piece has begun.

    Args:
        config: constants.
        hop_s: seconds per hop.
    """

    def __init__(self, config: StartDetectorConfig, hop_s: float) -> None:
        self._config = config
        self._hop_s = hop_s
        self.reset()

    def reset(self) -> None:
        """Expect a beginning."""
        self._attacks = 0
        self._since_s = math.inf
        self._lowest_attack = 0.0
        self._over = False
        self._min_attacks = self._config.min_attacks

    def seek(self, playing: bool) -> None:
        """A position is given, while the piano plays or before: the first attack there is evidence enough."""
        self.reset()
        self._min_attacks = 1
        self._over = playing

    def update(self, attack: float, silent_s: float) -> Progress:
        """Take a hop since the stream has started.

        Args:
            attack: see `follower.signal.observation.Observation`.
            silent_s: how long the piano has been silent; 0 while it sounds.
        """
        c = self._config
        if self._over:
            return Progress.BEGUN
        self._since_s += self._hop_s
        self._lowest_attack = min(self._lowest_attack, attack)
        risen = attack > max(c.strength, c.growth * self._lowest_attack)
        if risen and silent_s == 0 and self._since_s >= c.apart_s:
            self._attacks += 1
            self._since_s, self._lowest_attack = 0.0, 1.0
        lasting = c.break_s if self._attacks < c.min_attacks else c.few_after_s
        if silent_s > lasting:
            self._attacks = 0
            return Progress.FORGET
        self._over = self._attacks >= c.few_attacks
        return Progress.BEGUN if self._attacks >= self._min_attacks else Progress.TOO_EARLY
