"""Gaussian mixtures with diagonal covariances, as a cache keeps them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from follower.errors import InputError


class DiagonalGmm:
    """An immutable Gaussian mixture with diagonal covariances.

    Args:
        weights: (k,), positive, sum 1.
        means: (k, d).
        covariances: (k, d), the variances, positive.

    Raises:
        InputError: shapes do not fit, a value is not finite, weights do not sum to 1, or a variance is not positive.

    >>> mixture = DiagonalGmm([1.0], [[0.0, 0.0]], [[1.0, 4.0]])
    >>> [round(float(v), 3) for v in mixture.score_samples(np.array([[0.0, 0.0], [1.0, 2.0]]))]
    [-2.531, -3.531]
    """

    __slots__ = ("_offsets", "_precisions", "covariances", "means", "weights")

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def __init__(self, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> None:
        self.weights = _frozen(weights)
        self.means = _frozen(means)
        self.covariances = _frozen(covariances)
        shapes = self.weights.shape, self.means.shape, self.covariances.shape
        if len(shapes[0]) != 1 or len(shapes[1]) != 2 or shapes[1] != shapes[2] or shapes[0] != shapes[1][:1]:
            raise InputError(f"a mixture needs weights (k,), means (k, d), covariances (k, d), not {shapes}")
        if min(shapes[1]) == 0:
            raise InputError("a mixture needs at least one component and one dimension")
        if not all(bool(np.all(np.isfinite(a))) for a in (self.weights, self.means, self.covariances)):
            raise InputError("the mixture has values that are not finite; fit it again")
        if bool(np.any(self.weights <= 0.0)) or abs(float(self.weights.sum()) - 1.0) > 1e-6:
            raise InputError(f"the mixture's weights must be positive and sum to 1, not {self.weights.tolist()}")
        if bool(np.any(self.covariances <= 0.0)):
            raise InputError(f"the mixture's smallest variance is {self.covariances.min():g}; it must be positive")
        self._precisions = _frozen(1.0 / self.covariances)
        self._offsets = _frozen(_offsets(self.weights, self.covariances))

    @property
    def n_dims(self) -> int:
        """Dimension d of a frame."""
        return int(self.means.shape[1])

    def mean(self) -> NDArray[np.float64]:
        """Return the mean (d,) of the whole mixture."""
        return np.asarray(self.weights @ self.means, np.float64)

    def score_samples(self, frames: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the natural log-likelihood (n,) of frames (n, d), as scikit-learn's method of that name.

        Raises:
            InputError: the frames have another dimension than the mixture.
        """
        from follower.kernels import gmm as kernels  # loads numba, which reading a cache does not need

        if frames.ndim != 2 or frames.shape[1] != self.n_dims:
            raise InputError(f"frames have shape {frames.shape}; this mixture needs (n, {self.n_dims})")
        out = np.empty(len(frames))
        x = np.ascontiguousarray(frames, np.float64)
        kernels.log_likelihoods(x, self._offsets, self.means, self._precisions, out)
        return out


def _frozen(values: ArrayLike) -> NDArray[np.float64]:
    a = np.array(values, np.float64)
    a.flags.writeable = False
    return a


def _offsets(weights: NDArray[np.float64], covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log weight plus log normaliser of each component (k,)."""
    return np.asarray(np.log(weights) - 0.5 * np.sum(np.log(2.0 * np.pi * covariances), axis=1), np.float64)
