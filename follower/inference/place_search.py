"""Does another place of the mix explain what the piano plays better than the place where it is believed to be?

Continuity is the rule, so places compete by paths. A path may follow the piano through the mix at any tempo and change
it at a price; the paths near the believed place and the paths elsewhere pay the same. What counts is how much more
evidence a path elsewhere has gathered, since the moment that suits it best, than the best path here (a cumulative sum
test): however well this place has fitted before, a rival has to make up for `patience` nats only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from follower.config import JsonConfig, require
from follower.inference.pooling import POOL, pool_mean
from follower.kernels import place_search as kernels
from follower.kernels import tempo_filter
from follower.signal.observation import Observation, PartWeights


@dataclass(frozen=True)
class PlaceSearchConfig(JsonConfig):
    """The search's constants.

    Attributes:
        weights: of the match in each part of the observations, in nats that count once.
        n_tempi: tempo states of the paths.
        slowest: mix frames per live frame of the first.
        fastest: of the last.
        change: price of a step to the neighbouring tempo state within four hops (nats).
        patience: how many nats a place elsewhere has to gain before it is preferred.
        after_silence: the same after a silence, which is where pianists go back or skip.
        handicap: nats that all places elsewhere lose per second of playing: so much better, at least, they have to fit.
        lead: and how many nats more than here it must have, which keeps equal places from alternating.
        near_s: mix seconds round the believed place whose paths count as here.
        rival_s: and round it, within which another place is no rival.
    """

    weights: PartWeights = field(
        default_factory=lambda: PartWeights(sustain=1.93, onset=1.26, swell=2.03, salience=1.23)
    )
    n_tempi: int = 13
    slowest: float = 0.45
    fastest: float = 2.2
    change: float = 1.0
    patience: float = 55.0
    after_silence: float = 28.0
    handicap: float = 8.6
    lead: float = 2.0
    near_s: float = 0.93
    rival_s: float = 2.2

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        require(self.n_tempi >= 3, "n_tempi", self.n_tempi, "3 or more")
        require(0 < self.slowest < 1 < self.fastest, "slowest", self.slowest, "below 1, and fastest above 1")
        for name in ("change", "patience", "after_silence", "handicap", "lead", "near_s"):
            require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        require(self.rival_s > self.near_s, "rival_s", self.rival_s, "more than near_s")


@dataclass(frozen=True, slots=True)
class Rival:
    """The best place away from the believed one.

    Attributes:
        frame: of the mix.
        log_odds: how much more evidence its path has gathered than the best path here (nats).
    """

    frame: int
    log_odds: float


class PlaceSearch:
    """Paths through the whole mix at a coarse resolution. Bounded work per hop.

    Args:
        features: (k, n) float32, n >= 1, of the mix; the product with a hop's weights is its log likelihood.
        hop_s: seconds per hop and frame.
        config: constants.
    """

    def __init__(self, features: NDArray[np.float32], hop_s: float, config: PlaceSearchConfig) -> None:
        self._config = config
        self._hop_s = hop_s
        self._features = pool_mean(features)
        n = self._features.shape[1]
        self._wide = np.arange(1)
        self._tempi = np.exp(np.linspace(math.log(config.slowest), math.log(config.fastest), config.n_tempi))
        self._paths, self._next = np.zeros((2, config.n_tempi, n), np.float32)
        self._score, self._best = np.zeros((2, n), np.float32)
        self._weights = np.zeros(len(features), np.float32)
        self._near = round(config.near_s / hop_s / POOL)
        self._away = round(config.rival_s / hop_s / POOL)
        self.expect_anywhere()

    def expect_anywhere(self) -> None:
        """Begin anew, all places being equal."""
        self._phase = np.zeros(len(self._tempi))
        self._weights[:] = 0
        self._presence = 0.0
        self._hops = 0
        self._rival = Rival(0, -math.inf)
        self._paths[:] = 0

    def expect(self, frame: float, reach: float) -> None:
        """Begin anew, at a place of the mix or within `reach` frames of it; elsewhere costs the whole patience."""
        self.expect_anywhere()
        self._discount(frame, reach, self._config.patience)

    def resume(self, frame: int) -> None:
        """After a silence the piano goes on at `frame`, or elsewhere."""
        self.expect_anywhere()
        self._discount(frame, self._near * POOL, self._config.after_silence)

    def _discount(self, frame: float, reach: float, nats: float) -> None:
        self._paths[:, : max(int(frame - reach) // POOL, 0)] = -nats
        self._paths[:, max(int(frame + reach) // POOL + 1, 0) :] = -nats

    @property
    def rival(self) -> Rival:
        """The newest comparison."""
        return self._rival

    def update(self, observation: Observation, frame: int) -> Rival | None:
        """Take a hop that sounds; `frame` is the believed place.

        Returns:
            The place to go to, where there is a better one.
        """
        self._weights += self._config.weights.of(observation) * np.float32(observation.presence)
        self._presence += observation.presence
        self._hops += 1
        if self._hops < POOL:
            return None
        self._hops = 0
        self._advance()
        self._rival = self._compare(frame // POOL, self._config.handicap * self._hop_s * self._presence)
        self._presence = 0.0
        return self._rival if self._rival.log_odds > self._config.lead else None

    def _advance(self) -> None:
        n = len(self._best)
        tempo_filter.scores(self._features, self._weights, self._wide, n, self._score)
        self._weights[:] = 0
        self._phase += self._tempi
        shift = np.floor(self._phase)
        self._phase -= shift
        kernels.extend_paths(
            self._paths,
            self._score,
            shift.astype(np.int64),
            self._config.change,
            -self._config.patience,
            self._next,
            self._best,
        )
        self._paths, self._next = self._next, self._paths

    def _compare(self, at: int, handicap: float) -> Rival:
        """Bring all paths in relation to the best one here."""
        n = len(self._best)
        first, end = max(at - self._near, 0), min(at + self._near + 1, n)
        here = float(np.max(self._best[first:end]))
        before, after = self._best[: max(at - self._away, 0)], self._best[at + self._away + 1 :]
        starts = (0, n - len(after))
        tops = [
            (float(np.max(part)), begin + int(np.argmax(part)))
            for begin, part in zip(starts, (before, after), strict=True)
            if len(part)
        ]
        kernels.settle_paths(self._paths, here, first, end, handicap, -self._config.patience)
        if not tops:
            return Rival(at * POOL, -math.inf)
        top, place = max(tops)
        return Rival(place * POOL + POOL // 2, top - here - handicap)
