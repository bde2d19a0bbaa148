"""The dense-sparse frontier, live: `--method dense-sparse`.

The notebook's dense-sparse DTW, column by column (`dense_sparse_dtw`). Rows are the frames of the full mix that have
piano by the classification, softly weighted (`row_selection`); what lies between them is a gap that the pianist's rest
may cross at half to double speed. When the classification has changed, the path costs (`path_costs`) are built anew
over other rows from the live frames kept, a few columns per hop, beside those in use (`row_rebuild`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.inference.base import Belief, Frame
from follower.inference.dense_sparse_config import DenseSparseConfig
from follower.inference.mix_match import MixMatch
from follower.inference.path_costs import PathCosts, entry_near
from follower.inference.piano_classifier import MixClassifier
from follower.inference.pooled_scores import PooledScores
from follower.inference.pooling import Regions, pool_mean
from follower.inference.recent_positions import RecentPositions
from follower.inference.rival_match import RivalMatch
from follower.inference.row_rebuild import RowRebuild
from follower.inference.row_selection import Selection, select_rows
from follower.kernels import dense_sparse as kernels
from follower.kernels import tempo_filter as posterior_kernels
from follower.piece.piece import Piece
from follower.signal.observation import LiveObserver, Observation, observe_reference
from follower.signal.start_detection import Progress, StartDetector

MIN_RATE: Final = 0.5
MAX_RATE: Final = 2.0
"""Rates the steps can follow."""
JUMP_S: Final = 0.5
"""A position further off than this from the one before is a jump: the rate begins anew."""


class Observer(Protocol):
    """Turns the live piano's amplitudes into what is compared with the mix."""

    def observe(self, pitch: NDArray[np.float32]) -> Observation:
        """Take the amplitudes (88,) of the next hop."""

    @property
    def started(self) -> bool:
        """Whether anything has been played."""

    def wait(self) -> None:
        """Expect the piano to begin; what is known of its sound stays."""

    def reset(self) -> None:
        """Forget everything received."""


class Parts(NamedTuple):
    """What a frontier needs of a prepared piece; see `DenseSparseFrontier`."""

    features: FeatureConfig
    reference: NDArray[np.float32]
    observer: Observer
    classifier: MixClassifier
    rest_tempo: NDArray[np.float64]


def prepare(piece: Piece, config: DenseSparseConfig) -> Parts:
    """Make the parts of a frontier from a cache."""
    features = piece.feature_config
    classifier = MixClassifier(
        piece.mix.mfcc,
        piece.piano_activity,
        piece.gmm.orchestra,
        piece.gmm.piano,
    )
    reference = observe_reference(piece.mix.pitch, features.hop_s, config.observation)
    slope = piece.map.slope_at(features.hop_s * np.arange(1, len(classifier.scores) + 1, dtype=np.float64))
    rest_tempo = np.where(slope > 0.0, 1.0 / np.clip(slope, 1.0 / MAX_RATE, 1.0 / MIN_RATE), 1.0)
    observer = LiveObserver(features, reference.typical_norms, config.observation, config.start)
    return Parts(features, reference.features, observer, classifier, rest_tempo)


def create(piece: Piece) -> DenseSparseFrontier:
    """Make the frontier for a prepared piece."""
    config = DenseSparseConfig()
    return DenseSparseFrontier(*prepare(piece, config), config)


class DenseSparseFrontier:
    """A `Frontier`: dense-sparse DTW over the mix frames with piano. Work per hop linear in the mix, memory constant.

    Args:
        features: configuration of the stream.
        reference: (k, n) observations of the full mix, the parts one above the other.
        observer: makes the live observations, of the same parts.
        classifier: probability of piano at the same n frames; this frontier feeds it.
        rest_tempo: (n,) mix frames per hop while the orchestra leads.
        config: constants.
    """

    def __init__(
        self,
        features: FeatureConfig,
        reference: NDArray[np.float32],
        observer: Observer,
        classifier: MixClassifier,
        rest_tempo: NDArray[np.float64],
        config: DenseSparseConfig,
    ) -> None:
        self._rest_tempo = rest_tempo
        self._config = config
        self._hop_s = features.hop_s
        self._mix_match = MixMatch(reference)
        n_frames = reference.shape[1]
        self._pooled_scores = PooledScores(pool_mean(reference, Regions(n_frames).pool), n_frames)
        self._rival_match = RivalMatch(self._pooled_scores, self._hop_s)
        self._start_detector = StartDetector(config.start_detection, self._hop_s)
        self._n = reference.shape[1]
        self._observer = observer
        self._classifier = classifier
        self._recent = RecentPositions(max(round(config.rate_s / self._hop_s), 4))
        self._rebuild = RowRebuild(self._mix_match, self._select, self._hop_s, config)
        self.reset()

    def reset(self) -> None:
        """Forget everything received; the same as a fresh frontier."""
        self._observer.reset()
        self._classifier.reset()
        self._entry = np.zeros(self._n)
        self._start_detector.reset()
        self._begin()

    def seek(self, mix_s: float) -> None:
        """Expect the piano to go on near this position in the mix (s)."""
        frame_s = self._hop_s * np.arange(1, self._n + 1)
        self._entry = entry_near(frame_s, mix_s, self._config)
        self._start_detector.seek(self._observer.started)
        self._begin()

    def _begin(self) -> None:
        self._costs = PathCosts(self._select(), self._entry, self._config)
        self._recent.reset()
        self._pooled_scores.reset()
        self._rival_match.reset()
        self._rebuild.reset()
        self._belief: Belief | None = None
        self._silent_s = 0.0
        self._resting = False
        self._rate = 1.0
        self._frame = 0

    def _select(self) -> Selection:
        c = self._config
        gap = max(round(c.min_gap_s / self._hop_s), 2)
        return select_rows(self._classifier.piano_probability, c.select_above, gap, c.soft_floor)

    def coast(self, hops: int) -> None:
        """So many hops of audio were lost: paths go on without evidence at the present rate, or stand still."""
        if self._belief is None:
            return
        self._rebuild.abandon()
        self._pooled_scores.reset()
        self._rival_match.reset()
        best = self._mix_match.clear()
        no_weights = np.zeros(self._mix_match.parts, np.float32)
        for _ in range(hops):
            costs = self._costs.update(self._mix_match.score, best, 0.0, self._rate)
            self._belief = self._read_out(costs, 0.0)
            self._rebuild.keep(no_weights, 0.0, self._frame)

    def update(self, frame: Frame, estimate_s: float | None = None) -> Belief:
        """Take the next hop of the live piano."""
        o = self._observer.observe(frame.pitch)
        if not o.started:
            return Belief(None, 1.0, 0.0, 0.0)
        c = self._config
        self._silent_s = self._silent_s + self._hop_s if o.presence < c.silence else 0.0
        progress = self._start_detector.update(o.attack, self._silent_s)
        if progress is Progress.FORGET:
            self._observer.wait()
            self._begin()
            return Belief(None, 1.0, 0.0, 0.0)
        self._classifier.update(frame.mfcc, o.presence)
        weights = c.weights.of(o)
        best = self._mix_match.update(weights)
        costs = self._costs.update(self._mix_match.score, best, o.presence, self._rate)
        if self._belief is None or self._silent_s < c.hold_after_s:
            self._resting = False
            self._belief = self._read_out(costs, o.presence)
        else:
            self._belief = self._wait(self._belief, o.presence)
        self._rebuild.keep(weights, o.presence, self._frame)
        self._costs = self._rebuild.update(self._costs, self._rate)
        at_s = self._belief.mix_s if estimate_s is None else estimate_s
        received = weights * np.float32(o.presence)
        self._pooled_scores.add(received)
        belief = replace(self._belief, margin=self._rival_match.update(self._belief.rate, at_s or 0.0))
        return replace(belief, mix_s=None) if progress is Progress.TOO_EARLY else belief

    def _wait(self, before: Belief, presence: float) -> Belief:
        """Belief in a long silence: a pause where the mix has piano, elsewhere a rest led by the orchestra."""
        assert before.mix_s is not None
        c = self._config
        # A rest that has begun lasts up to the piano's next entry in the mix.
        n_ahead = 1 if self._resting else max(round(c.hold_ahead_s / self._hop_s), 1)
        ahead = self._classifier.piano_probability[self._frame : self._frame + n_ahead]
        if float(np.mean(ahead, dtype=np.float64)) >= c.hold_above:
            return replace(before, rate=0.0, presence=presence)
        self._resting = True
        rate = float(self._rest_tempo[self._frame])
        mix_s = min(before.mix_s + rate * self._hop_s, self._n * self._hop_s)
        self._frame = min(max(round(mix_s / self._hop_s) - 1, 0), self._n - 1)
        return replace(before, mix_s=mix_s, rate=rate, presence=presence)

    def _read_out(self, costs: NDArray[np.float64], presence: float) -> Belief:
        """Belief from the cost (n,) of being at each frame of the mix."""
        c = self._config
        posterior = kernels.posterior(costs, c.temperature)
        self._frame = mode = posterior_kernels.densest(posterior, c.mode_reach)
        near = slice(max(mode - c.mean_reach, 0), mode + c.mean_reach + 1)
        frames = np.arange(self._n)[near]
        position = float(np.sum(posterior[near] * frames, dtype=np.float64) / np.sum(posterior[near], dtype=np.float64))
        wide = round(c.concentration_s / self._hop_s)
        concentration = min(float(np.sum(posterior[max(mode - wide, 0) : mode + wide + 1], dtype=np.float64)), 1.0)
        self._recent.add(position, JUMP_S / self._hop_s)
        self._rate = rate = min(max(self._recent.slope(), MIN_RATE), MAX_RATE)
        mix_s = (position + 1) * self._hop_s + (rate - 1) * c.lag_s - c.lead_s
        return Belief(max(mix_s, 0.0), rate, concentration, presence)
