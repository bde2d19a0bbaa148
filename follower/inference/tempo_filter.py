"""The forward filter with tempo states: `--method tempo`.

The belief is a distribution over (tempo, frame of the full mix) plus a standing state. Each hop it moves on by its
tempo, spreads a little over neighbouring tempi, receives a minute leak everywhere (unknown start, repeat, skip,
recovery) and is weighed by how well the live piano matches the mix.
"""

from __future__ import annotations

import math
import threading
import weakref
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig, JsonConfig, require
from follower.inference.base import Belief, Frame
from follower.inference.embedding import LiveEmbedder, embed_mix, embedding_net
from follower.inference.likeness import Likeness
from follower.inference.pooling import Regions, pool_mean
from follower.inference.rival_match import RivalMatch
from follower.inference.two_level_posterior import Hold, Near, Reaches, Step, TwoLevelPosterior
from follower.piece.piece import Piece
from follower.signal.observation import (
    LiveObserver,
    Observation,
    ObservationConfig,
    PartWeights,
    StartConfig,
    compress_reference,
    observe_reference,
)
from follower.signal.start_detection import Progress, StartDetector, StartDetectorConfig


@dataclass(frozen=True)
class TempoFilterConfig(JsonConfig):
    """The filter's constants.

    Attributes:
        observation: how amplitudes become observations, see `ObservationConfig`.
        start: when the piano counts as having begun, see `StartConfig`.
        n_tempi: number of tempo states.
        slowest: mix frames per live frame of the first tempo state.
        fastest: mix frames per live frame of the last tempo state.
        tempo_spread: standard deviation of the log tempo expected at the start and after a pause.
        weights: nats per unit of match in each part of the observations. About half of what makes a single hop's log
            likelihoods right: neighbouring hops share most of their windows, and their evidence must count once.
        embedding: nats per unit of the product of the embeddings of the live piano and the mix. The ratio to `weights`
            is the one that fits pairs and performances that were not trained on (`training/live/report.py`); pairs
            that were would have the network trusted three times as much.
        stem: share of the piano stem's embedding, where there is one, in the mix's: fitted by
            `python -m benchmarks.inference.piano_stem`. The plain observation stays the mix's.
        diffusion: share of belief that changes to each neighbouring tempo per hop while the piano sounds.
        tempo_pull: strength per hop of the pull towards the usual tempo (half a squared standard deviation).
        pull_spread: standard deviation of the log tempo round the usual tempo.
        usual_tempo_s: time constant of the usual tempo (s of playing).
        first_tempo_s: time constant of the usual tempo at the beginning (s of playing), short so that somebody who
            plays at half or double tempo is soon believed.
        sure_above: share of the belief near the mode that has to be within `concentration_s` of it for the tempo found
            to count towards the usual tempo. The same music elsewhere may hold as much: it says the same of the tempo.
        reentry_after_s: a silence at least this long makes the position of the next note uncertain.
        reentry_share: uncertainty of the next note's position, to both sides, as a share of the silence before it.
        max_reentry_s: largest uncertainty of the next note's position, to both sides (mix s).
        least_return: least share of the belief that goes, when the pianist plays again, to where he fell silent: what
            looked like a rest may have been a stop. It is the mean piano activity of the mix since then.
        most_return: largest such share.
        return_log_odds: log odds by which the belief there has to outweigh that at the estimate.
        return_spread_s: standard deviation of the position there (mix s).
        return_s: seconds of playing in which the estimate may go back there as soon as it is more likely.
        start_detection: what counts as a beginning when the start is unknown, see `StartDetectorConfig`.
        leak: belief spread over all states per hop while the piano sounds.
        tempo_break: rate at which a sounding piano breaks its tempo: the next hop has any tempo, drawn as at the start.
            Steps to neighbouring tempi alone take seconds to get over a breath or a sudden half tempo.
        stop_per_hop: rate at which a silent piano comes to a stand where the mix has piano.
        stop_within_s: seconds of silence in which the piano may come to a stand; afterwards the pianist rests.
        silence_gather: share of belief per hop of a short silence that returns to the tempo expected in a rest: the
            tempo of a phrase's last notes says little about what follows.
        rest_after_s: silence after which the orchestra leads.
        rest_gather: share of belief per hop that takes the tempo expected in a rest while the orchestra leads.
        lead_s: time constant, from `rest_after_s` on, in which the orchestra goes from the pianist's usual ratio to its
            own tempo.
        silence: presence below which the piano counts as silent.
        mode_reach: half width, in frames, of the window in which belief is summed to find the mode.
        mean_reach: half width, in frames, of the mean round the mode.
        concentration_s: half width, in mix seconds, of the window whose share of the belief is its concentration.
        near_s: mix seconds from the estimate up to which the belief is followed wherever its mode is.
        jump_log_odds: log odds by which the belief further away has to outweigh all the belief near the estimate before
            it is reported: continuity is the rule, and the same music elsewhere is no reason to leave.
        settle_s: seconds of playing from an unknown start in which `jump_log_odds` rises from nothing: a first estimate
            is a guess, not a course to keep.
        misfit_s: time constant, of playing, of the mean by which the newest moments fit another position better.
        misfit_above: that mean (nats) above which the estimate may go elsewhere.
        alike_above: likeness of two positions above which the estimate does not go from one to the other.
        window_lag_s: effective delay of the analysis windows; matters when the tempo differs from the mix's.
        seek_spread_s: standard deviation of the position after a seek (mix s).
    """

    observation: ObservationConfig = field(default_factory=ObservationConfig)
    start: StartConfig = field(default_factory=StartConfig)
    n_tempi: int = 31
    slowest: float = 0.4
    fastest: float = 2.8
    tempo_spread: float = 0.35
    weights: PartWeights = field(
        default_factory=lambda: PartWeights(sustain=0.36, onset=1.12, swell=0.72, salience=0.32)
    )
    embedding: float = 1.2
    stem: float = 0.75
    diffusion: float = 0.016
    tempo_pull: float = 0.01
    pull_spread: float = 0.2
    usual_tempo_s: float = 20.0
    first_tempo_s: float = 2.0
    sure_above: float = 0.8
    reentry_after_s: float = 0.7
    reentry_share: float = 0.1
    max_reentry_s: float = 1.0
    least_return: float = 0.02
    most_return: float = 0.5
    return_spread_s: float = 0.15
    return_s: float = 2.0
    return_log_odds: float = 2.0
    start_detection: StartDetectorConfig = field(default_factory=StartDetectorConfig)
    leak: float = 1e-7
    tempo_break: float = 5e-3
    stop_per_hop: float = 0.02
    stop_within_s: float = 3.5
    silence_gather: float = 0.03
    rest_after_s: float = 4.0
    rest_gather: float = 0.02
    lead_s: float = 2.0
    silence: float = 0.1
    mode_reach: int = 4
    mean_reach: int = 6
    concentration_s: float = 0.5
    near_s: float = 1.5
    jump_log_odds: float = 8.0
    settle_s: float = 10.0
    misfit_s: float = 1.0
    misfit_above: float = 2.0
    alike_above: float = 0.62
    window_lag_s: float = 0.075
    seek_spread_s: float = 1.5

    def __post_init__(self) -> None:
        """Check the fields that could break the arithmetic.

        Raises:
            ConfigError: a field is out of range.
        """
        require(self.n_tempi >= 3, "n_tempi", self.n_tempi, "3 or more")
        require(0 < self.slowest < 1 < self.fastest, "slowest", self.slowest, "below 1, and fastest above 1")
        require(0 <= self.diffusion < 0.5, "diffusion", self.diffusion, "0..0.5")
        require(0 < self.leak < 1, "leak", self.leak, "between 0 and 1")
        require(0 <= self.stem <= 1, "stem", self.stem, "0..1")
        for name in ("lead_s", "near_s", "jump_log_odds", "settle_s", "seek_spread_s"):
            require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        for name in ("silence_gather", "rest_gather"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0..1")


@dataclass(frozen=True, slots=True)
class Reference:
    """What the filter follows the piano through.

    Attributes:
        stream: configuration of the stream.
        typical_norms: of the mix's observations.
        features: (k, n) int8; rows: those of the observations, then those of the embedding, the mix's
            and its piano stem's together.
        steps: (k,) float32, what a unit of each row is worth.
        piano_activity: (n,) float32, 0..1, whether the mix has piano.
        rest_tempo: (n,) mix frames per live frame when the orchestra recording plays at its own tempo.
        pooled: (k, m) int8, the features, every `Regions.pool` frames their mean.
    """

    stream: FeatureConfig
    typical_norms: NDArray[np.float64]
    features: NDArray[np.int8]
    steps: NDArray[np.float32]
    piano_activity: NDArray[np.float32]
    rest_tempo: NDArray[np.float64]
    pooled: NDArray[np.int8]


TINY_ROW: Final = np.float32(1e-6)
"""Largest magnitude of a row that holds nothing."""
_REFERENCES: Final[weakref.WeakKeyDictionary[Piece, Reference]] = weakref.WeakKeyDictionary()
_PREPARING: Final = threading.Lock()


def create(piece: Piece) -> TempoFilter:
    """Make the filter for a prepared piece; filters of the same piece share what is computed of it."""
    config = TempoFilterConfig()
    with _PREPARING:
        reference = _REFERENCES.get(piece)
        if reference is None:
            reference = _REFERENCES[piece] = reference_of(piece, config)
    return TempoFilter(reference, config)


def reference_of(piece: Piece, config: TempoFilterConfig) -> Reference:
    """What a filter follows the piano through, computed from a prepared piece."""
    hop_s = piece.feature_config.hop_s
    pitch = piece.mix.pitch
    frame_s = hop_s * np.arange(1, len(pitch) + 1)
    slope = piece.map.slope_at(frame_s.astype(np.float64))
    rest_tempo = np.where(slope > 0, 1 / np.maximum(slope, 1 / config.fastest), 1.0)
    observations = observe_reference(pitch, hop_s, config.observation)
    embedding = embed_mix(compress_reference(pitch, hop_s, config.observation), embedding_net())
    if piece.mix_piano is not None:
        stem = compress_reference(piece.mix_piano, hop_s, config.observation)
        embedding += np.float32(config.stem) * (embed_mix(stem, embedding_net()) - embedding)
    pool = Regions(len(pitch)).pool
    steps = np.concatenate([row_steps(observations.features), row_steps(embedding)])
    features, pooled = (np.empty((len(steps), n), np.int8) for n in (len(pitch), -(-len(pitch) // pool)))
    # Row by row: an hour of them is 250 MB in 32 bits.
    for k, row in enumerate((*observations.features, *embedding)):
        features[k] = np.rint(row / steps[k])
        pooled[k] = np.rint(pool_mean(row[None], pool)[0] / steps[k])
    return Reference(
        piece.feature_config,
        observations.typical_norms,
        features,
        steps,
        piece.piano_activity.astype(np.float32),
        np.maximum(rest_tempo, config.slowest),
        pooled,
    )


def row_steps(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a unit of each row (k, n) is worth in 8 bits: 127 of them are its largest magnitude.

    The live side is a vector of norm 1 or less, so that the rounding moves a log likelihood by some thousandths.
    """
    return np.asarray(np.maximum(np.abs(rows).max(axis=1), TINY_ROW) / 127, np.float32)


class TempoFilter:
    """A `Frontier`: forward filter over tempo and position, in bounded work per hop."""

    def __init__(self, reference: Reference, config: TempoFilterConfig) -> None:
        """Allocate the belief over `reference`."""
        self._reference = reference
        self._config = config
        c = config
        self._hop_s = reference.stream.hop_s
        self._observer = LiveObserver(reference.stream, reference.typical_norms, c.observation, c.start)
        self._start_detector = StartDetector(c.start_detection, self._hop_s)
        self._tempi = np.exp(np.linspace(math.log(c.slowest), math.log(c.fastest), c.n_tempi))
        prior = np.exp(-0.5 * (np.log(self._tempi) / c.tempo_spread) ** 2)
        self._embedder = LiveEmbedder(embedding_net())
        features, pooled = reference.features, reference.pooled
        self._belief = TwoLevelPosterior(
            features,
            pooled,
            reference.piano_activity,
            self._tempi,
            (prior / prior.sum()).astype(np.float32),
        )
        self._match = RivalMatch(self._belief.scores, self._hop_s)
        spread = c.weights.spread()
        self._likeness = Likeness(features[: len(spread)], spread * reference.steps[: len(spread)] ** 2)
        self._no_weights = np.zeros(len(features), np.float32)
        self.reset()

    @property
    def active_frames(self) -> int:
        """Frames of the mix looked at finely in the next hop: the measure of work."""
        return self._belief.active_frames

    def reset(self) -> None:
        """Forget everything heard; the same as a fresh filter."""
        self._observer.reset()
        self._embedder.reset()
        self._usual_tempo = 1.0
        self._usual_ratio = 1.0
        self._sure_s = 0.0
        self._sought_s: float | None = None
        self._start_detector.reset()
        self._begin()

    def _begin(self) -> None:
        """Expect the piano to begin: anywhere, or where it was sought."""
        self._silent_s = 0.0
        self._played_s = 0.0
        self._stop_s: float | None = None
        self._missed_s = 0.0
        self._returning_s = 0.0
        self._local = 0.0
        frame_s = self._hop_s * np.arange(1, self._belief.n_frames + 1)
        near = np.ones(len(frame_s))
        if self._sought_s is not None:
            near = np.exp(-0.5 * ((frame_s - self._sought_s) / self._config.seek_spread_s) ** 2) + 1e-12
        self._belief.expect(near / near.sum())
        self._match.reset()
        self._misfit = 0.0

    def coast(self, hops: int) -> None:
        """So many hops of audio were lost: the belief moves on and its tempo spreads."""
        if not self._observer.started:
            return
        self._match.reset()
        step = self._unheard(self._tempi, self._config.diffusion)
        for _ in range(hops):
            self._belief.advance(step)

    def seek(self, mix_s: float) -> None:
        """Expect the piano to go on near this position of the mix (s)."""
        self._sought_s = mix_s
        self._start_detector.seek(self._observer.started)
        self._begin()

    def update(self, frame: Frame, estimate_s: float | None = None) -> Belief:
        """Take the next hop of the live piano."""
        o = self._observer.observe(frame.pitch)
        embedding = self._embedder.embed(o.compressed)
        if not o.started:
            return Belief(None, 1.0, 0.0, 0.0)
        c = self._config
        if o.presence < c.silence:
            if self._silent_s == 0:
                self._stop_s, self._missed_s = estimate_s, 0.0
            self._silent_s += self._hop_s
            self._missed_s += self._hop_s * float(self._reference.piano_activity[self._belief.mode])
        else:
            if self._silent_s > c.reentry_after_s:
                self._reenter()
            self._silent_s = 0.0
        progress = self._start_detector.update(o.attack, self._silent_s)
        if progress is Progress.FORGET:
            self._observer.wait()
            self._begin()
            return Belief(None, 1.0, 0.0, 0.0)
        if 0 < self._silent_s <= c.rest_after_s:
            self._belief.gather(self._rest_rate(), c.silence_gather * (1 - o.presence))
        step = self._rest() if self._silent_s > c.rest_after_s else self._play(o, embedding)
        self._belief.advance(step)
        self._played_s += self._hop_s * o.presence
        self._returning_s = max(self._returning_s - self._hop_s * o.presence, 0.0)
        belief = self._summary(o.presence, estimate_s)
        at_s = belief.mix_s if estimate_s is None else estimate_s
        belief = replace(belief, margin=self._match.update(belief.rate, at_s or 0.0))
        self._misfit -= self._hop_s / c.misfit_s * o.presence * (belief.margin + self._misfit)
        if progress is Progress.TOO_EARLY:
            return replace(belief, mix_s=None)
        if self._local > c.sure_above and belief.rate > 0 and o.presence > 0.5:
            self._sure_s += self._hop_s
            span_s = min(c.first_tempo_s + self._sure_s, c.usual_tempo_s)
            self._usual_tempo *= (belief.rate / self._usual_tempo) ** (self._hop_s / span_s)
            ratio = belief.rate / float(self._reference.rest_tempo[self._belief.mode])
            self._usual_ratio *= (ratio / self._usual_ratio) ** (self._hop_s / span_s)
        return belief

    def _reenter(self) -> None:
        """After a silence the pianist may come in early or late; or where he stopped, whatever has been led since."""
        c = self._config
        self._belief.blur(int(min(c.reentry_share * self._silent_s, c.max_reentry_s) / self._hop_s))
        if self._stop_s is not None:
            away = np.log(self._tempi / self._usual_tempo) / c.pull_spread
            tempi = np.exp(-0.5 * away**2)
            frame = min(max(round(self._stop_s / self._hop_s) - 1, 0), self._belief.n_frames - 1)
            share = min(max(self._missed_s / self._silent_s, c.least_return), c.most_return)
            reach = max(round(c.return_spread_s / self._hop_s), 1)
            self._belief.insert(frame, reach, share, tempi / tempi.sum())
            self._returning_s = c.return_s

    def _play(self, o: Observation, embedding: NDArray[np.float32]) -> Step:
        """The step of a hop with the piano, or in a silence too short to be a rest."""
        c = self._config
        away = np.log(self._tempi / self._usual_tempo) / c.pull_spread
        # A stop of one hop in a sounding piano is a break of the tempo: what stands still resumes at any tempo.
        stop_rate = c.tempo_break * o.presence
        if self._silent_s < c.stop_within_s:
            stop_rate += c.stop_per_hop * (1 - o.presence)
        return Step(
            weights=np.concatenate([c.weights.of(o), np.float32(c.embedding) * embedding])
            * (np.float32(o.presence) * self._reference.steps),
            evidence=o.presence,
            tempi=self._tempi,
            tempo_gain=np.exp(-0.5 * c.tempo_pull * o.presence * away**2),
            diffusion=c.diffusion * o.presence,
            stop_rate=stop_rate,
            resume=o.presence,
            leak=c.leak * o.presence / (self._belief.n_frames * c.n_tempi),
        )

    def _rest_rate(self) -> float:
        """Frames of the mix per hop where the piano rests: the orchestra's own tempo, at first times this pianist's."""
        led_s = max(self._silent_s - self._config.rest_after_s, 0.0)
        share = math.exp(-led_s / self._config.lead_s)
        return float(self._reference.rest_tempo[self._belief.mode]) * math.pow(self._usual_ratio, share)

    def _rest(self) -> Step:
        """The step of a hop in which the orchestra leads: every state moves at its tempo, and takes it over."""
        rest_tempo = self._rest_rate()
        self._belief.gather(rest_tempo, self._config.rest_gather)
        return self._unheard(np.full(self._config.n_tempi, rest_tempo), 0.0)

    def _unheard(self, tempi: NDArray[np.float64], diffusion: float) -> Step:
        """A step without evidence."""
        return Step(
            weights=self._no_weights,
            evidence=0.0,
            tempi=tempi,
            tempo_gain=np.ones(len(tempi)),
            diffusion=diffusion,
            stop_rate=0.0,
            resume=0.0,
            leak=0.0,
        )

    def _hold(self, at: int, frame: int, settled: float) -> Hold:
        """How frame `at` of the mix is held against belief at another.

        Where both sound alike, what is played does not decide between them; and one that fits well enough is not left.
        """
        c = self._config
        if self._returning_s > 0 and abs((frame + 1) * self._hop_s - (self._stop_s or 0.0)) < c.near_s:
            return Hold(c.return_log_odds)
        log_odds = settled * c.jump_log_odds
        if self._likeness.between(at, frame) > c.alike_above:
            return Hold(log_odds, 0.0)
        return Hold(log_odds, math.inf if self._misfit > settled * c.misfit_above else c.jump_log_odds)

    def _summary(self, presence: float, near_s: float | None) -> Belief:
        """The belief in figures; it stays near `near_s` (mix s) unless it is clearly elsewhere."""
        c = self._config
        reaches = Reaches(c.mode_reach, c.mean_reach, round(c.concentration_s / self._hop_s))
        near = None
        if near_s is not None:
            settled = 1.0 if self._sought_s is not None else min(self._played_s / c.settle_s, 1.0)
            at = round(near_s / self._hop_s) - 1
            near = Near(at, round(c.near_s / self._hop_s), lambda frame: self._hold(at, frame, settled))
        e = self._belief.estimate(reaches, near)
        if near is not None and abs(self._belief.mode - near.frame) > near.reach:
            self._misfit = 0.0
        self._local = e.local
        rate = e.tempo * (1 - e.held)
        mix_s = (e.frame + 1) * self._hop_s + (rate - 1) * c.window_lag_s * (1 - e.held)
        elsewhere = tuple(
            ((frame + 1) * self._hop_s, share) for frame, share in self._belief.others(round(c.near_s / self._hop_s))
        )
        return Belief(max(mix_s, 0.0), rate, e.concentration, presence, 0.0, self._rest_rate(), elsewhere)
