"""Slow oracles of `follower.kernels.gmm`, straight from the formulas."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def component_log_densities(
    x: NDArray[np.float64], weights: NDArray[np.float64], means: NDArray[np.float64], covariances: NDArray[np.float64]
) -> list[float]:
    out = []
    for w, m, v in zip(weights, means, covariances, strict=True):
        logs = [-0.5 * (math.log(2 * math.pi * vj) + (xj - mj) ** 2 / vj) for xj, mj, vj in zip(x, m, v, strict=True)]
        out.append(math.log(w) + math.fsum(logs))
    return out


def log_likelihood(
    x: NDArray[np.float64], weights: NDArray[np.float64], means: NDArray[np.float64], covariances: NDArray[np.float64]
) -> float:
    terms = component_log_densities(x, weights, means, covariances)
    top = max(terms)
    return top + math.log(math.fsum(math.exp(t - top) for t in terms))


def blend_statistics(
    x: NDArray[np.float64],
    step: float,
    mixture: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    statistics: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    terms = np.array(component_log_densities(x, *mixture))
    share = np.exp(terms - np.max(terms))
    share /= share.sum()
    s0, s1, s2 = statistics
    new = share, share[:, None] * x, share[:, None] * x**2
    return (
        (1 - step) * s0 + step * new[0],
        (1 - step) * s1 + step * new[1],
        (1 - step) * s2 + step * new[2],
    )
