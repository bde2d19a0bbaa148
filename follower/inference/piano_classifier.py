"""Which frames of the full mix have piano: mixtures on MFCC, the piano's learned while it plays.

The notebook fits a mixture to the whole live recording and compares it with the orchestra's. Live, the
piano's mixture starts from a prior made at prep time and learns from every frame the pianist plays, and the scores
of the full mix's frames follow it in slices of fixed size, so a hop's work does not depend on the length of anything.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import InputError
from follower.kernels import gmm as kernels
from follower.piece.gmm import DiagonalGmm

MFCC_USED: Final = slice(1, 13)
"""Coefficients the classification sees: all but the 0th, which is the level (the notebook's choice)."""

PRIOR_FRAMES: Final = 100.0
"""The prior piano model counts as this many frames (2.3 s)."""
MEMORY_FRAMES: Final = 4300.0
"""The piano model forgets over this many frames (100 s) at most, so that it can follow a change of touch."""
CHANNEL_PRIOR_FRAMES: Final = 40.0
"""The live mean counts the prior's mean as this many frames until it knows its own."""
MIN_VARIANCE: Final = 1.0
"""Smallest variance of a learned component; MFCC of dB levels have variances of 30 to 10000."""
LEARN_PRESENCE: Final = 0.5
"""Frames in which the piano sounds less surely than this teach nothing."""

SLICE_FRAMES: Final = 256
"""Frames of the full mix rescored per hop: a 12 minute mix is renewed every 3 s."""
SMOOTH_FRAMES: Final = 43
"""Scores are averaged over this many frames (1 s) round each frame."""
SCORE_LIMIT: Final = 20.0
"""One frame's score difference counts as at most this much (natural log)."""
OFFLINE_WEIGHT: Final = 0.6
SCORE_WEIGHT: Final = 0.3
BIAS: Final = 1.3
"""log odds = BIAS + OFFLINE_WEIGHT * the offline cue's log odds + SCORE_WEIGHT * the averaged score: a logistic fit on
13 rendered performances with rests of the piano, classes balanced, so that probabilities are what they say."""
ACTIVITY_MARGIN: Final = 1e-3
"""The offline cue is taken as at least this far from 0 and 1, so that scores can speak against it."""


class PianoModel:
    """A mixture of the piano's timbre in the full mix, learned from the live piano by stepwise EM.

    The live piano has another microphone and room than the full mix, which moves all its MFCC by much the same
    vector. So live frames are moved by the difference between the prior's mean and their own running mean before
    they teach anything: what is learned is the distribution round the mean. Each learned frame costs the same.

    Args:
        prior: mixture of frames of the full mix that have piano (`offline_prep.orchestra_model.fit_piano_prior`).
    """

    def __init__(self, prior: DiagonalGmm) -> None:
        self.prior = prior
        self.reset()

    def reset(self) -> None:
        """Forget everything learned; the same as a fresh model."""
        p = self.prior
        self._s0 = p.weights.copy()
        self._s1 = p.weights[:, None] * p.means
        self._s2 = p.weights[:, None] * (p.covariances + p.means**2)
        self._prior_mean = p.mean()
        self._live_mean = p.mean()
        self.frames_learned = 0
        self.gmm = p

    def learn(self, mfcc: NDArray[np.floating]) -> None:
        """Learn one frame (d,) in which the piano sounds."""
        x = np.asarray(mfcc, np.float64)
        n = float(self.frames_learned)
        self._live_mean += (x - self._live_mean) / min(CHANNEL_PRIOR_FRAMES + n + 1.0, MEMORY_FRAMES)
        step = 1.0 / min(PRIOR_FRAMES + n + 1.0, MEMORY_FRAMES)
        kernels.blend_statistics(
            x + (self._prior_mean - self._live_mean),
            step,
            self.gmm._offsets,
            self.gmm.means,
            self.gmm._precisions,
            self._s0,
            self._s1,
            self._s2,
        )
        self.frames_learned += 1
        # A component no frame wants keeps its last mean: its share only tends to zero.
        share = np.maximum(self._s0, 1e-12)
        means = self._s1 / share[:, None]
        variances = np.maximum(self._s2 / share[:, None] - means**2, MIN_VARIANCE)
        self.gmm = DiagonalGmm(share / share.sum(), means, variances)


class MixClassifier:
    """Probability of piano at every frame of the full mix, from the offline cue and the piano model.

    `update` takes one live frame: it teaches the piano model and renews the scores of the next `SLICE_FRAMES` frames
    of the mix, in rotation. Work per hop is bounded; nothing is allocated with the length of the history.

    Args:
        mix_mfcc: (n, 13) stream MFCC of the full mix.
        mix_activity: (n,) 0..1, the offline cue (`offline_prep.piano_activity`).
        orchestra: mixture of the orchestra alone as it sounds in the full mix, on MFCC 1..12.
        prior: mixture of the piano as it sounds in the full mix, on MFCC 1..12.

    Raises:
        InputError: the arrays have no frames or do not fit together.
    """

    def __init__(
        self,
        mix_mfcc: NDArray[np.float32],
        mix_activity: NDArray[np.float32],
        orchestra: DiagonalGmm,
        prior: DiagonalGmm,
    ) -> None:
        if mix_mfcc.ndim != 2 or mix_activity.shape != mix_mfcc.shape[:1] or len(mix_mfcc) == 0:
            raise InputError(
                f"the mix has MFCC of shape {mix_mfcc.shape} and activity of shape {mix_activity.shape}; "
                "they need one frame or more, the same number"
            )
        self._frames = np.ascontiguousarray(mix_mfcc[:, MFCC_USED], np.float64)
        activity = np.clip(np.asarray(mix_activity, np.float64), ACTIVITY_MARGIN, 1.0 - ACTIVITY_MARGIN)
        self._offline_log_odds = np.log(activity / (1.0 - activity))
        self._orchestra_scores = orchestra.score_samples(self._frames)
        self.model = PianoModel(prior)
        n = len(self._frames)
        self.scores = np.empty(n)
        """(n,) log-likelihood under the piano model minus under the orchestra's, as of each frame's last turn."""
        self.piano_probability = np.empty(n, np.float32)
        """(n,) probability 0..1 that the piano sounds at each frame of the mix."""
        self._start_scores = prior.score_samples(self._frames) - self._orchestra_scores
        self.reset()

    def reset(self) -> None:
        """Forget the live piano; the same as a fresh classifier."""
        self.model.reset()
        self._next = 0
        self.scores[:] = self._start_scores
        self._renew_probability(0, len(self.scores))

    def update(self, mfcc: NDArray[np.float32], presence: float) -> int:
        """Take the live frame's MFCC (13,) and how surely the piano sounds in it (0..1); return the frames rescored."""
        if presence >= LEARN_PRESENCE:
            self.model.learn(mfcc[MFCC_USED])
        if self.model.frames_learned == 0:
            return 0
        first = self._next
        end = min(first + SLICE_FRAMES, len(self.scores))
        piano = self.model.gmm.score_samples(self._frames[first:end])
        self.scores[first:end] = piano - self._orchestra_scores[first:end]
        self._renew_probability(max(first - SMOOTH_FRAMES // 2, 0), end)
        self._next = end % len(self.scores)
        return end - first

    def _renew_probability(self, first: int, end: int) -> None:
        """Write the probabilities of frames first..end from the scores now known."""
        half = SMOOTH_FRAMES // 2
        low, high = max(first - half, 0), min(end + half, len(self.scores))
        total = np.concatenate([[0.0], np.cumsum(np.clip(self.scores[low:high], -SCORE_LIMIT, SCORE_LIMIT))])
        frame = np.arange(first, end)
        left, right = np.maximum(frame - half, low), np.minimum(frame + half + 1, high)
        average = (total[right - low] - total[left - low]) / (right - left)
        log_odds = BIAS + OFFLINE_WEIGHT * self._offline_log_odds[first:end] + SCORE_WEIGHT * average
        self.piano_probability[first:end] = 1.0 / (1.0 + np.exp(-log_odds))
