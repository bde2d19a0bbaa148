"""How performers bend time: a random map from a score's seconds to a performance's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

STEP_S = 0.1
"""Tempo is constant for this long."""


def time_map(duration_s: float, lead_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Score seconds and performance seconds, (2, knots), both strictly ascending.

    The tempo's logarithm is the sum of a constant, a slow and a quick random walk, broadenings towards the ends of
    phrases, and now and then a fermata.

    Args:
        duration_s: score seconds covered.
        lead_s: performance seconds before score second 0.
        rng: source of all chance.
    """
    count = int(np.ceil(duration_s / STEP_S)) + 1
    slow = _walk(count, rng.uniform(4.0, 8.0), rng) * rng.uniform(0.03, 0.13)
    quick = _walk(count, rng.uniform(0.5, 1.5), rng) * rng.uniform(0.015, 0.06)
    log_tempo = rng.normal(0.0, 0.12) + slow + quick
    at_s = rng.uniform(2.0, 12.0)
    while at_s < duration_s:
        length_s, depth = rng.uniform(0.8, 2.5), rng.uniform(0.1, 0.45)
        share = np.clip((np.arange(count) * STEP_S - at_s + length_s) / length_s, 0.0, 1.0)
        broad = np.where(np.arange(count) * STEP_S < at_s, share**1.5, 0.0)
        log_tempo += np.log1p(-depth * broad)
        if rng.random() < 0.12:
            held = slice(int(at_s / STEP_S), int((at_s + rng.uniform(0.2, 0.6)) / STEP_S) + 1)
            log_tempo[held] -= np.log(rng.uniform(1.4, 2.5))
        at_s += rng.uniform(4.0, 16.0)
    performed = np.concatenate([[0.0], np.cumsum(STEP_S * np.exp(-log_tempo))]) + lead_s
    return np.stack([np.arange(count + 1) * STEP_S, performed])


def _walk(count: int, correlation_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise of variance about 1."""
    sigma = correlation_s / STEP_S
    margin = int(4 * sigma)
    smooth = gaussian_filter1d(rng.standard_normal(count + 2 * margin), sigma)[margin : margin + count]
    scaled: NDArray[np.float64] = smooth * np.sqrt(2.0 * np.sqrt(np.pi) * sigma)
    return scaled


def perform(
    notes: NDArray[np.float64], timing: NDArray[np.float64], jitter_s: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Notes as played: (onset, end, pitch, velocity) in performance seconds, (n, 4) by onset.

    Args:
        notes: score notes of one part, (n, 4).
        timing: a map of `time_map`.
        jitter_s: standard deviation of what is common to the notes of a chord; single notes stray 0.6 of that more.
        rng: source of all chance.
    """
    chord = np.cumsum(np.diff(notes[:, 0], prepend=notes[0, 0]) > 0.02)
    out = np.empty_like(notes)
    stray = rng.normal(0.0, jitter_s, chord[-1] + 1)[chord] + rng.normal(0.0, 0.6 * jitter_s, len(notes))
    out[:, 0] = np.maximum(np.interp(notes[:, 0], *timing) + stray, 0.01)
    length = np.interp(notes[:, 1], *timing) - np.interp(notes[:, 0], *timing)
    out[:, 1] = out[:, 0] + np.maximum(length * rng.uniform(0.85, 1.02, len(notes)), 0.05)
    out[:, 2] = notes[:, 2]
    dynamics = rng.normal(0.0, 8.0) + 6.0 * rng.standard_normal(len(notes))
    out[:, 3] = np.clip(np.round(notes[:, 3] * rng.uniform(0.75, 1.15) + dynamics), 12, 127)
    return out[np.argsort(out[:, 0], kind="stable")]
