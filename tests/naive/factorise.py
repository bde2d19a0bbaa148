"""The updates of `offline_prep.separation.factorise`, band by band and frame by frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def divergence(levels: Array, templates: Array, loudness: Array) -> float:
    """Generalised Kullback-Leibler divergence of levels from templates times loudness."""
    total = 0.0
    for b in range(levels.shape[0]):
        for t in range(levels.shape[1]):
            model = sum(templates[b, k] * loudness[k, t] for k in range(templates.shape[1]))
            total += levels[b, t] * np.log(levels[b, t] / model) - levels[b, t] + model
    return total


def updated_loudness(levels: Array, templates: Array, loudness: Array, added: Array, weight: Array) -> Array:
    """One multiplicative update of the loudness; `added` to the numerator, `weight` to the denominator."""
    out = np.zeros_like(loudness)
    n_bands, n_frames = levels.shape
    for k in range(templates.shape[1]):
        for t in range(n_frames):
            above, below = 0.0, 0.0
            for b in range(n_bands):
                model = sum(templates[b, j] * loudness[j, t] for j in range(templates.shape[1]))
                above += templates[b, k] * levels[b, t] / model
                below += templates[b, k]
            out[k, t] = (loudness[k, t] * above + added[k, t]) / (below + weight[k])
    return out


def updated_templates(levels: Array, templates: Array, loudness: Array) -> Array:
    """One multiplicative update of the templates, brought to sum 1."""
    out = np.zeros_like(templates)
    n_bands, n_frames = levels.shape
    for b in range(n_bands):
        for k in range(templates.shape[1]):
            for t in range(n_frames):
                model = sum(templates[b, j] * loudness[j, t] for j in range(templates.shape[1]))
                out[b, k] += templates[b, k] * loudness[k, t] * levels[b, t] / model
    return np.asarray(out / out.sum(axis=0, keepdims=True), np.float64)
