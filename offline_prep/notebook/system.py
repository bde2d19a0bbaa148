"""The notebook's system: frame classification and dense-sparse DTW, and the naive pairwise system beside it.

Source: `System_FrameClassification_DenseSparseDTW`. Both are offline systems with hindsight; they are
the baselines the live follower is measured against. Differences from the notebook: an alignment that does not
exist raises, a class without frames falls back to dense DTW and says so, nothing is pickled, and the paths are found
in memory that grows with length * sqrt(length).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.errors import AlignmentError, ConfigError, InputError
from follower.piece.gmm import DiagonalGmm
from follower.piece.piece import NotebookFeatures
from offline_prep.notebook.features import NOTEBOOK_RATE_HZ
from offline_prep.notebook.subsequence import CostRows, dense_sparse_path, subsequence_path

FIRST_PASS_WEIGHTS = (2.0, 3.0, 3.0)
"""Of the steps (1, 1), (1, 2), (2, 1), as in the notebook's example call."""
GMM_COMPONENTS = 10
MFCC_USED = slice(1, 13)
"""The 0th coefficient is level and says nothing about the instrument."""


@dataclass(frozen=True)
class OfflineStage:
    """What the notebook keeps of the two recordings it has beforehand.

    Attributes:
        orchestra: features of the orchestra recording.
        mix: features of the full mix.
        gmm_orchestra: mixture fitted to the orchestra's MFCC.
    """

    orchestra: NotebookFeatures
    mix: NotebookFeatures
    gmm_orchestra: DiagonalGmm


@dataclass(frozen=True)
class FrameClasses:
    """The frames of the matching region of the full mix, classified.

    Attributes:
        score_piano: log likelihood of each frame under the piano's mixture, shape (n,).
        score_orchestra: log likelihood of each frame under the orchestra's mixture, shape (n,).
        piano: indices of the frames that are more likely piano, increasing.
        orchestra: indices of the frames that are not more likely piano, increasing.
    """

    score_piano: NDArray[np.float32]
    score_orchestra: NDArray[np.float32]
    piano: NDArray[np.int64]
    orchestra: NDArray[np.int64]


@dataclass(frozen=True)
class NotebookResult:
    """Every stage of the notebook's system. Paths are in frames, shape (2, L), non-decreasing.

    Attributes:
        first_pass: piano, full mix: the dense alignment that finds the region.
        region: first frame of the full mix that matches, and the frame after the last.
        classes: classes of the region's frames.
        p_po: piano, full mix: the second pass.
        o_po: orchestra, full mix.
        hyp: piano, orchestra; in seconds, one column per piano frame.
        notices: what a person should know: fallbacks taken.
    """

    first_pass: NDArray[np.int64]
    region: tuple[int, int]
    classes: FrameClasses
    p_po: NDArray[np.int64]
    o_po: NDArray[np.int64]
    hyp: NDArray[np.float64]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class NaiveResult:
    """The pairwise system: paths in frames as in `NotebookResult`, `hyp` in seconds."""

    p_po: NDArray[np.int64]
    o_po: NDArray[np.int64]
    hyp: NDArray[np.float64]


@dataclass(frozen=True)
class SelectedFeatures:
    """Features chosen by flux.

    Attributes:
        features: shape (D, M).
        indices: indices of the chosen frames, shape (M,), increasing.
        gaplens: frames to the next chosen one, shape (M,); the last counts to the end of the flux.
        flux_threshold: frames with more flux than this were chosen.
    """

    features: NDArray[np.float32]
    indices: NDArray[np.int64]
    gaplens: NDArray[np.int64]
    flux_threshold: float


def offline_stage(orchestra: NotebookFeatures, mix: NotebookFeatures) -> OfflineStage:
    """What the notebook does before anybody plays.

    Raises:
        InputError: fewer frames than the mixture has components.
    """
    return OfflineStage(orchestra, mix, fit_gmm(orchestra.mfcc))


def notebook_alignment(piano: NotebookFeatures, offline: OfflineStage, hop_samples: int = 512) -> NotebookResult:
    """The notebook's "online processing": piano to orchestra through the full mix.

    Args:
        piano: features of the whole piano recording.
        offline: from `offline_stage`.
        hop_samples: hop of the features at 22050 Hz.

    Raises:
        AlignmentError: an alignment does not exist.
        InputError: the piano recording is too short to fit its mixture.
    """
    first_pass = align_subsequence(piano.chroma, offline.mix.chroma)
    start, stop = int(first_pass[1, 0]), int(first_pass[1, -1]) + 1
    mix = NotebookFeatures(offline.mix.chroma[:, start:stop], offline.mix.mfcc[:, start:stop])
    classes = classify_frames(mix.mfcc, fit_gmm(piano.mfcc), offline.gmm_orchestra)
    notices = []
    if classes.orchestra.size:
        mix_o = _align_selected(mix.chroma, classes.orchestra, offline.orchestra.chroma)
    else:
        notices.append(f"no frame of the full mix in {start}..{stop} was classified as orchestra; aligned all of them")
        mix_o = align_subsequence(mix.chroma, offline.orchestra.chroma)
    mix_o[0] += start
    if classes.piano.size:
        mix_p = _align_selected(mix.chroma, classes.piano, piano.chroma)
        mix_p[0] += start
        p_po = np.ascontiguousarray(mix_p[::-1])
    else:
        notices.append(f"no frame of the full mix in {start}..{stop} was classified as piano; kept the first pass")
        p_po = first_pass
    hyp = frames_to_seconds(infer_alignment(p_po, mix_o), hop_samples)
    o_po = np.ascontiguousarray(mix_o[::-1])
    return NotebookResult(first_pass, (start, stop), classes, p_po, o_po, hyp, tuple(notices))


def naive_alignment(
    piano: NotebookFeatures, orchestra: NotebookFeatures, mix: NotebookFeatures, hop_samples: int = 512
) -> NaiveResult:
    """The naive pairwise system: P-PO and O-PO subsequence DTW on chroma, composed.

    Raises:
        AlignmentError: an alignment does not exist.
    """
    p_po = align_subsequence(piano.chroma, mix.chroma)
    o_po = align_subsequence(orchestra.chroma, mix.chroma)
    hyp = frames_to_seconds(infer_alignment(p_po, o_po[::-1]), hop_samples)
    return NaiveResult(p_po, o_po, hyp)


def align_subsequence(query: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.int64]:
    """Subsequence DTW on the cosine distance of two feature matrices of shapes (D, M) and (D, N).

    Returns:
        Path, shape (2, L): query frames 0..M - 1, reference frames.

    Raises:
        AlignmentError: the query is more than twice as long as the reference.
    """
    cost = cosine_rows(query, reference)
    return subsequence_path(cost, (query.shape[1], reference.shape[1]), np.array(FIRST_PASS_WEIGHTS))


def classify_frames(mfcc: NDArray[np.float32], gmm_piano: DiagonalGmm, gmm_orchestra: DiagonalGmm) -> FrameClasses:
    """Score MFCC of shape (>= 13, n) under both mixtures and classify the frames."""
    return classes_of_scores(_scores(gmm_piano, mfcc), _scores(gmm_orchestra, mfcc))


def classes_of_scores(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> FrameClasses:
    """A frame is piano where the piano's mixture scores higher. Scores of shape (n,)."""
    return FrameClasses(piano, orchestra, np.flatnonzero(piano > orchestra), np.flatnonzero(piano <= orchestra))


def gap_lengths(indices: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Frames from each selected frame to the next; the last one counts to `total`. `indices` must not be empty."""
    return np.append(np.diff(indices), total - indices[-1]).astype(np.int64)


def infer_alignment(
    ab: NDArray[np.int64] | NDArray[np.float64], bc: NDArray[np.int64] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compose two paths in frames by linear interpolation.

    Args:
        ab: path from A to B, shape (2, L).
        bc: path from B to C, shape (2, K).

    Returns:
        Shape (2, n): every frame of A up to the last in `ab`, and where it lies in C. Held constant beyond the ends.

    Example:
        >>> infer_alignment(np.array([[0, 2], [0, 4]]), np.array([[0, 4], [10, 14]])).tolist()
        [[0.0, 1.0, 2.0], [10.0, 12.0, 14.0]]
    """
    a = np.arange(int(ab[0, -1]) + 1, dtype=np.float64)
    b = np.interp(a, ab[0], ab[1])
    return np.vstack((a, np.interp(b, bc[0], bc[1])))


def frames_to_seconds(frames: NDArray[np.float64], hop_samples: int) -> NDArray[np.float64]:
    """Frames of the notebook's features to seconds."""
    seconds: NDArray[np.float64] = frames * hop_samples / NOTEBOOK_RATE_HZ
    return seconds


def fit_gmm(mfcc: NDArray[np.float32]) -> DiagonalGmm:
    """Fit the notebook's mixture: 10 diagonal components on MFCC 1..12, random_state 0.

    Args:
        mfcc: shape (>= 13, n).

    Raises:
        InputError: fewer frames than components, or the frames are too much alike.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    frames = mfcc[MFCC_USED].T
    if len(frames) < GMM_COMPONENTS:
        raise InputError(f"{len(frames)} frames cannot fit {GMM_COMPONENTS} components; give a longer recording")
    mixture = GaussianMixture(n_components=GMM_COMPONENTS, covariance_type="diag", random_state=0)
    # One thread: the order of the sums in k-means depends on the number of threads, and with it the last digits.
    with threadpool_limits(1), warnings.catch_warnings():
        # 100 rounds of EM are the notebook's; it does not ask for convergence either.
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            mixture.fit(frames)
        except ValueError as e:  # components that collapsed: a single tone, for example
            raise InputError(
                f"the recording sounds the same throughout, and {GMM_COMPONENTS} different sounds are needed; "
                "is it the right file?"
            ) from e
    return DiagonalGmm(mixture.weights_, mixture.means_, mixture.covariances_)


def select_features(features: NDArray[np.float32], frac_keep: float) -> SelectedFeatures:
    """Keep the features with the highest flux (the sum of absolute differences to the next frame).

    Args:
        features: shape (D, N), N >= 2.
        frac_keep: share to keep, 0 < frac_keep <= 1. As in the notebook the frame at the threshold is left out.

    Raises:
        ConfigError: `frac_keep` out of range or too small for one frame.
        AlignmentError: no frame stands out (the notebook failed with an index error).
    """
    flux = np.sum(np.abs(features[:, :-1] - features[:, 1:]), axis=0)
    rank = round(frac_keep * len(flux)) - 1
    if not 0 < frac_keep <= 1 or rank < 0:
        raise ConfigError(f"frac_keep is {frac_keep} for {len(flux)} frames; expected 0..1 and one frame or more")
    threshold = np.sort(flux)[::-1][rank]
    indices = np.flatnonzero(flux > threshold)
    if not indices.size:
        raise AlignmentError(f"no frame has more flux than {threshold:.3g}; the recording stays the same")
    return SelectedFeatures(features[:, indices], indices, gap_lengths(indices, len(flux)), float(threshold))


def _align_selected(
    mix: NDArray[np.float32], selected: NDArray[np.int64], reference: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Dense-sparse path of the selected frames of the region: frames of the region, frames of the reference."""
    query = np.ascontiguousarray(mix[:, selected].T)

    def cost(start: int, stop: int) -> NDArray[np.float32]:
        return np.float32(1) - query[start:stop] @ reference

    path = dense_sparse_path(cost, (len(selected), reference.shape[1]), gap_lengths(selected, mix.shape[1]))
    path[0] = selected[path[0]]
    return path


def cosine_rows(query: NDArray[np.float32], reference: NDArray[np.float32]) -> CostRows:
    """Cosine distance as the notebook's `align_tools.cosine_dist` rounds it."""
    query = np.ascontiguousarray(query.T)
    query_norm = np.linalg.norm(query, axis=1)
    reference_norm = np.linalg.norm(reference, axis=0)

    def cost(start: int, stop: int) -> NDArray[np.float64]:
        norms = np.outer(query_norm[start:stop], reference_norm).astype(np.float64)
        distance: NDArray[np.float64] = 1.0 - (query[start:stop] @ reference) / (norms + 1e-9)
        return distance

    return cost


def _scores(gmm: DiagonalGmm, mfcc: NDArray[np.float32]) -> NDArray[np.float32]:
    """scikit-learn's log likelihoods, so that they round as the notebook's do; on one thread as in `fit_gmm`."""
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    frames = mfcc[MFCC_USED].T
    mixture = GaussianMixture(n_components=len(gmm.weights), covariance_type="diag")
    mixture.weights_ = np.asarray(gmm.weights, dtype=frames.dtype)
    mixture.means_ = np.asarray(gmm.means, dtype=frames.dtype)
    mixture.covariances_ = np.asarray(gmm.covariances, dtype=frames.dtype)
    mixture.precisions_cholesky_ = 1.0 / np.sqrt(mixture.covariances_)
    with threadpool_limits(1):
        scores: NDArray[np.float32] = mixture.score_samples(frames)
    return scores
