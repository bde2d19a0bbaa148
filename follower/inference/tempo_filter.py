"""The forward filter with tempo states: `--method tempo`.

The belief is a distribution over (tempo, frame of the full mix) plus a standing state. Each hop it moves on by its
tempo, spreads a little over neighbouring tempi, receives a minute leak everywhere (unknown start, repeat, skip,
recovery) and is weighed by how well the live piano matches the mix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig, JsonConfig, require
from follower.inference.base import Belief, Frame, Guidance
from follower.inference.place_search import PlaceSearch, PlaceSearchConfig, Rival
from follower.inference.rival_match import RivalMatch
from follower.inference.two_level_posterior import Step, TwoLevelPosterior
from follower.piece.piece import Piece
from follower.signal.observation import (
    LiveObserver,
    Observation,
    ObservationConfig,
    PartWeights,
    ReferenceObservations,
    StartConfig,
    observe_reference,
)
from follower.signal.start_detection import Progress, StartDetector, StartDetectorConfig


@dataclass(frozen=True)
class TempoFilterConfig(JsonConfig):
    """The filter's constants.

    Attributes:
        observation: see `ObservationConfig`.
        start: see `StartConfig`.
        n_tempi: tempo states.
        slowest: mix frames per live frame of the first tempo state.
        fastest: of the last one.
        tempo_spread: standard deviation of the log tempo expected at the start and after a pause.
        weights: of the match in each part of the observations.
        diffusion: share of belief that changes to each neighbouring tempo per hop while the piano sounds.
        tempo_pull: strength per hop of the pull towards the usual tempo (half a squared standard deviation).
        pull_spread: standard deviation of the log tempo round the usual one.
        usual_tempo_s: time constant of the usual tempo,
        first_tempo_s: and of its beginning, so that somebody who plays at half or double tempo is soon believed.
        sure_above: concentration above which the tempo found counts towards the usual one.
        reentry_after_s: a silence at least this long makes the place of the next note uncertain,
        reentry_share: by this share of its length to both sides,
        max_reentry_s: but not by more than this.
        resume_after_s: after a stop the pianist is expected so far after the last note,
        resume_spread_s: with this standard deviation; or, if it was no stop, ahead of that,
        max_ahead_s: but not by more than this.
        trial: what counts as a beginning when the start is unknown, see `StartDetectorConfig`.
        jitter: share of belief that arrives a frame early, and that arrives a frame late, per hop.
        tempo_break: rate at which a sounding piano breaks its tempo: steps to neighbouring tempi alone take seconds to
            get over a breath or an agogic accent.
        break_spread: standard deviation of the log tempo after such a break, round the usual one.
        start_strength: factor on the weights while the start is unknown. What is heard counts more than once then, as
            moments overlap; but the place is found sooner, and a wrong start is left for a better place.
        settled_above: concentration above which, for
        settled_s: of playing without a break, the place is known, and the belief is confined to its surroundings.
        search: for places elsewhere, see `PlaceSearchConfig`.
        found_spread_s: standard deviation of a place that was found by it.
        stop_per_hop: rate at which a silent piano comes to a stand where the mix has piano,
        stopped_after_s: until, after a silence this long that is a stop,
        rest_after_s: or this long otherwise, the belief moves as the estimated position does.
        rest_gather: share of belief per hop that takes the orchestra's tempo while it leads.
        silence: presence below which the piano counts as silent.
        mode_reach: half width, in frames, of the window in which belief is summed to find the mode.
        mean_reach: half width, in frames, of the mean round the mode.
        concentration_s: half width of the belief's concentration.
        window_lag_s: effective delay of the analysis windows; matters when the tempo differs from the mix's.
        seek_spread_s: standard deviation of the place after a seek.
    """

    observation: ObservationConfig = field(default_factory=ObservationConfig)
    start: StartConfig = field(default_factory=StartConfig)
    n_tempi: int = 31
    slowest: float = 0.4
    fastest: float = 2.8
    tempo_spread: float = 0.35
    weights: PartWeights = field(
        default_factory=lambda: PartWeights(
            sustain=0.42, onset=1.45, swell=0.95, salience=0.33, absent_onset=0.36, absent_swell=0.6
        )
    )
    diffusion: float = 0.03
    jitter: float = 0.03
    tempo_pull: float = 0.01
    pull_spread: float = 0.2
    usual_tempo_s: float = 20.0
    first_tempo_s: float = 2.0
    sure_above: float = 0.8
    reentry_after_s: float = 0.7
    reentry_share: float = 0.1
    max_reentry_s: float = 1.0
    resume_after_s: float = 0.2
    resume_spread_s: float = 0.35
    max_ahead_s: float = 2.0
    trial: StartDetectorConfig = field(default_factory=StartDetectorConfig)
    tempo_break: float = 5e-3
    break_spread: float = 0.3
    start_strength: float = 1.67
    settled_above: float = 0.9
    settled_s: float = 1.0
    search: PlaceSearchConfig = field(default_factory=PlaceSearchConfig)
    found_spread_s: float = 0.25
    stop_per_hop: float = 0.02
    stopped_after_s: float = 2.0
    rest_after_s: float = 4.0
    rest_gather: float = 0.02
    silence: float = 0.1
    mode_reach: int = 4
    mean_reach: int = 6
    concentration_s: float = 0.5
    window_lag_s: float = 0.075
    seek_spread_s: float = 3.0

    def __post_init__(self) -> None:
        """Check the fields that could break the arithmetic.

        Raises:
            ConfigError: a field is out of range.
        """
        require(self.n_tempi >= 3, "n_tempi", self.n_tempi, "3 or more")
        require(0 < self.slowest < 1 < self.fastest, "slowest", self.slowest, "below 1, and fastest above 1")
        require(0 <= self.diffusion < 0.5, "diffusion", self.diffusion, "0..0.5")
        require(0 <= self.jitter < 0.5, "jitter", self.jitter, "0..0.5")
        require(self.seek_spread_s > 0, "seek_spread_s", self.seek_spread_s, "more than 0")


@dataclass(frozen=True, slots=True)
class Reference:
    """What the filter follows the piano through.

    Attributes:
        features: configuration of the stream.
        observations: of the full mix, n frames.
        piano_activity: (n,) float32, 0..1, whether the mix has piano.
    """

    features: FeatureConfig
    observations: ReferenceObservations
    piano_activity: NDArray[np.float32]


def create(piece: Piece) -> TempoFilter:
    """Make the filter for a prepared piece."""
    config = TempoFilterConfig()
    hop_s = piece.feature_config.hop_s
    pitch = piece.mix.pitch
    return TempoFilter(
        Reference(
            piece.feature_config,
            observe_reference(pitch, hop_s, config.observation),
            piece.piano_activity.astype(np.float32),
        ),
        config,
    )


class TempoFilter:
    """A `Frontier`: forward filter over tempo and place, in bounded work per hop."""

    def __init__(self, reference: Reference, config: TempoFilterConfig) -> None:
        """Allocate the belief over `reference`."""
        self._reference = reference
        self._config = config
        c = config
        self._hop_s = reference.features.hop_s
        self._observer = LiveObserver(reference.features, reference.observations, c.observation, c.start)
        self._start_detector = StartDetector(c.trial, self._hop_s)
        self._tempi = np.exp(np.linspace(math.log(c.slowest), math.log(c.fastest), c.n_tempi))
        self._posterior = TwoLevelPosterior(reference.observations.features, reference.piano_activity, self._tempi)
        self._search = PlaceSearch(reference.observations.features, self._hop_s, c.search)
        self._match = RivalMatch(reference.observations.features, self._hop_s)
        self._no_weights = np.zeros(len(reference.observations.features), np.float32)
        self.reset()

    @property
    def reference(self) -> Reference:
        """What the piano is followed through."""
        return self._reference

    @property
    def active_frames(self) -> int:
        """Frames of the mix looked at finely in the next hop: the measure of work."""
        return self._posterior.active_frames

    def reset(self) -> None:
        """Forget everything heard; the same as a fresh filter."""
        self._observer.reset()
        self._usual_tempo = 1.0
        self._sure_s = 0.0
        self._sought_s: float | None = None
        self._start_detector.reset()
        self._begin()

    def _begin(self) -> None:
        """Expect the piano to begin: anywhere, or where it was sought."""
        c = self._config
        self._silent_s = 0.0
        self._settling_s = 0.0
        self._settled = False
        self._match.reset()
        tempo_share = self._tempo_share(1.0, c.tempo_spread)
        if self._sought_s is None:
            self._posterior.expect_anywhere(tempo_share)
            self._search.expect_anywhere()
        else:
            frame = self._sought_s / self._hop_s - 1
            self._posterior.expect(frame, c.seek_spread_s / self._hop_s, tempo_share)
            self._search.expect(frame, 2 * c.seek_spread_s / self._hop_s)

    def _tempo_share(self, tempo: float, spread: float) -> NDArray[np.float64]:
        """Shares of the tempo states round `tempo`, normal in the logarithm; sums to 1."""
        share = np.exp(-0.5 * (np.log(self._tempi / tempo) / spread) ** 2)
        return np.asarray(share / share.sum())

    def coast(self, hops: int) -> None:
        """So many hops of audio were lost: the belief moves on and its tempo spreads."""
        if not self._observer.started:
            return
        self._match.reset()
        step = self._unheard(self._tempi, self._config.diffusion)
        for _ in range(hops):
            self._posterior.advance(step)

    def seek(self, mix_s: float) -> None:
        """Expect the piano to go on near this place of the mix (s)."""
        self._sought_s = mix_s
        self._start_detector.seek(self._observer.started)
        self._begin()

    def update(self, frame: Frame, guidance: Guidance | None = None) -> Belief:
        """Take the next hop of the live piano."""
        o = self._observer.observe(frame.pitch)
        if not o.started:
            return Belief(None, 1.0, 0.0, 0.0, 0.0)
        c = self._config
        if o.presence < c.silence:
            self._silent_s += self._hop_s
        else:
            if self._silent_s > c.reentry_after_s:
                if guidance is not None and guidance.stopped > 0 and self._follows(guidance):
                    self._resume(guidance)
                else:
                    self._loosen(self._silent_s)
            self._silent_s = 0.0
        progress = self._start_detector.update(o.attack, self._silent_s)
        if progress is Progress.FORGET:
            self._observer.wait()
            self._begin()
            return Belief(None, 1.0, 0.0, 0.0, 0.0)
        step = self._guided(guidance) if guidance is not None and self._follows(guidance) else self._play(o)
        self._posterior.advance(step)
        belief = self._summary(o.presence)
        if o.presence >= c.silence:
            rival = self._search.update(o, self._posterior.mode)
            self._settle(belief)
            if rival is not None and self._settled:
                self._go_to(rival)
                belief = self._summary(o.presence)
        at_s = belief.mix_s if guidance is None else guidance.mix_s
        margin = self._match.update(step.weights, belief.rate, at_s or 0.0)
        belief = replace(belief, margin=margin, attack=o.attack)
        if progress is Progress.TOO_EARLY:
            return replace(belief, mix_s=None)
        if belief.concentration > c.sure_above and belief.rate > 0 and o.presence > 0.5:
            self._sure_s += self._hop_s
            span_s = min(c.first_tempo_s + self._sure_s, c.usual_tempo_s)
            self._usual_tempo *= (belief.rate / self._usual_tempo) ** (self._hop_s / span_s)
        return belief

    def _resume(self, guidance: Guidance) -> None:
        """After a stop the pianist goes on where the last note was; or it was none, and the music went on silently."""
        c = self._config
        stopped = guidance.stopped
        apart_s = min(max(guidance.ahead_s - c.resume_after_s, 0.0), c.max_ahead_s)
        after_s = c.resume_after_s + (1.0 - stopped) * apart_s  # mean and deviation of the two together
        spread_s = math.sqrt(c.resume_spread_s**2 + stopped * (1.0 - stopped) * apart_s**2)
        frame = (guidance.mix_s - guidance.unheard_s + after_s) / self._hop_s - 1
        self._posterior.expect(frame, spread_s / self._hop_s, self._tempo_share(self._usual_tempo, c.break_spread))
        self._search.resume(max(round(frame), 0))

    def _loosen(self, silent_s: float) -> None:
        """After a silence the pianist may come in early or late."""
        c = self._config
        self._posterior.blur(int(min(c.reentry_share * silent_s, c.max_reentry_s) / self._hop_s))
        self._search.resume(self._posterior.mode)

    def _settle(self, belief: Belief) -> None:
        """Is the place known well enough to be left for a better one only?"""
        c = self._config
        sure = belief.concentration > c.settled_above
        self._settling_s = self._settling_s + self._hop_s * belief.presence if sure else 0.0
        if self._settling_s > c.settled_s:
            self._settled = True
            self._posterior.confine()

    def _go_to(self, rival: Rival) -> None:
        """The piano plays elsewhere."""
        c = self._config
        tempo_share = self._tempo_share(self._usual_tempo, c.break_spread)
        self._posterior.expect(rival.frame, c.found_spread_s / self._hop_s, tempo_share)

    def _play(self, o: Observation) -> Step:
        """The step of a hop with the piano, or in a silence too short to tell."""
        c = self._config
        strength = o.presence if self._posterior.confined else c.start_strength * o.presence
        away = np.log(self._tempi / self._usual_tempo) / c.pull_spread
        # A stop of one hop in a sounding piano is a break of the tempo: what stands still resumes at any tempo.
        stop_rate = c.tempo_break * o.presence + c.stop_per_hop * (1 - o.presence)
        return Step(
            weights=c.weights.of(o) * np.float32(strength),
            evidence=o.presence,
            tempi=self._tempi,
            tempo_gain=np.exp(-0.5 * c.tempo_pull * o.presence * away**2),
            diffusion=c.diffusion * o.presence,
            stop_rate=stop_rate,
            jitter=c.jitter * o.presence,
            resume=o.presence,
            resume_tempo=self._tempo_share(self._usual_tempo, c.break_spread),
        )

    def _follows(self, guidance: Guidance) -> bool:
        """Is the silence so long that what tracking says of it counts more than the belief's own course?"""
        c = self._config
        return self._silent_s > (c.stopped_after_s if guidance.stopped > 0 else c.rest_after_s)

    def _guided(self, guidance: Guidance) -> Step:
        """The step of a hop in a silence: every state moves as the estimated position does."""
        if guidance.resting:
            self._posterior.gather(guidance.rate, self._config.rest_gather)
        return self._unheard(np.full(self._config.n_tempi, guidance.rate), 0.0)

    def _unheard(self, tempi: NDArray[np.float64], diffusion: float) -> Step:
        """A step without evidence."""
        return Step(
            weights=self._no_weights,
            evidence=0.0,
            tempi=tempi,
            tempo_gain=np.ones(len(tempi)),
            diffusion=diffusion,
            stop_rate=0.0,
            jitter=0.0,
            resume=0.0,
            resume_tempo=self._tempo_share(1.0, self._config.tempo_spread),
        )

    def _summary(self, presence: float) -> Belief:
        c = self._config
        e = self._posterior.estimate(c.mode_reach, c.mean_reach, round(c.concentration_s / self._hop_s))
        rate = e.tempo * (1 - e.held)
        mix_s = (e.frame + 1) * self._hop_s + (rate - 1) * c.window_lag_s * (1 - e.held)
        place_log_odds = -self._search.rival.log_odds if math.isfinite(self._search.rival.log_odds) else 0.0
        return Belief(max(mix_s, 0.0), rate, e.concentration, presence, e.held, place_log_odds=place_log_odds)
