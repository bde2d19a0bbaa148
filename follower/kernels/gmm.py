"""Gaussian mixtures with diagonal covariances: log-likelihoods and the statistics of one online EM step.

Every frame is summed by itself in a fixed order, so results do not depend on how many frames come at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def log_likelihoods(
    frames: NDArray[np.float64],
    offsets: NDArray[np.float64],
    means: NDArray[np.float64],
    precisions: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the log-likelihood of each frame under the mixture.

    Args:
        frames: (n, d).
        offsets: (k,), log weight plus log normaliser of each component.
        means: (k, d).
        precisions: (k, d), one over the variances.
        out: (n,), written.
    """
    n_components, n_dims = means.shape
    terms = np.empty(n_components)
    for i in range(frames.shape[0]):
        top = -np.inf
        for k in range(n_components):
            distance = 0.0
            for j in range(n_dims):
                x = frames[i, j] - means[k, j]
                distance += x * x * precisions[k, j]
            terms[k] = offsets[k] - 0.5 * distance
            top = max(top, terms[k])
        total = 0.0
        for k in range(n_components):
            total += np.exp(terms[k] - top)
        out[i] = top + np.log(total)


@njit(cache=True)
def blend_statistics(
    frame: NDArray[np.float64],
    step: float,
    offsets: NDArray[np.float64],
    means: NDArray[np.float64],
    precisions: NDArray[np.float64],
    s0: NDArray[np.float64],
    s1: NDArray[np.float64],
    s2: NDArray[np.float64],
) -> None:
    """One E-step of stepwise EM: move the running statistics towards those of one frame, in place.

    s = (1 - step) s + step r_k (1, x, x^2), r_k the responsibility of component k for the frame
    (Cappe and Moulines, On-line expectation-maximization algorithm for latent data models, 2009).

    Args:
        frame: (d,).
        step: 0..1.
        offsets: (k,), see `log_likelihoods`.
        means: (k, d).
        precisions: (k, d).
        s0: (k,), expected share of each component.
        s1: (k, d), expected first moments.
        s2: (k, d), expected second moments.
    """
    n_components, n_dims = means.shape
    shares = np.empty(n_components)
    top = -np.inf
    for k in range(n_components):
        distance = 0.0
        for j in range(n_dims):
            x = frame[j] - means[k, j]
            distance += x * x * precisions[k, j]
        shares[k] = offsets[k] - 0.5 * distance
        top = max(top, shares[k])
    total = 0.0
    for k in range(n_components):
        shares[k] = np.exp(shares[k] - top)
        total += shares[k]
    keep = 1.0 - step
    for k in range(n_components):
        share = step * shares[k] / total
        s0[k] = keep * s0[k] + share
        for j in range(n_dims):
            s1[k, j] = keep * s1[k, j] + share * frame[j]
            s2[k, j] = keep * s2[k, j] + share * frame[j] * frame[j]


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    matrix = np.ones((2, 3))
    vector, parameters = np.zeros(2), np.ones((2, 3))
    for fitted in (vector, parameters):
        fitted.setflags(write=False)  # as a mixture's parameters are: to numba a type of its own
    log_likelihoods(matrix, vector, parameters, parameters, np.empty(2))
    blend_statistics(np.ones(3), 0.5, vector, parameters, parameters, np.ones(2), matrix.copy(), matrix.copy())
