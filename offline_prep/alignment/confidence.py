"""How far the PO-O map is to be trusted, moment by moment.

The map is shifted by up to +-0.7 s and the similarity of the two recordings over about 3 s is compared with that of
the map itself: where a shifted map fits as well (silence, one long chord, a regular accompaniment) or nothing fits
(a cadenza), the map is uncertain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from follower.kernels import align as kernels
from offline_prep.alignment.coarse import Chain
from offline_prep.alignment.features import Comparison

REACH_S = 0.7
STEP_FRAMES = 3
WINDOW_S = 1.25
"""Standard deviation of the window the similarity is averaged over."""
NEAR_S = 0.1
SHARPNESS = 120.0
"""Calibrated: of the beats with confidence c, a share c is within 100 ms (benchmarks/README.md)."""


def chain_confidence(chain: Chain, comparison: Comparison) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confidence 0..1 along a chain: the posterior mass of shifts within +-0.1 s.

    Returns:
        Mix seconds (n,) and confidence (n,), one per analysis frame of the chain.
    """
    hop = comparison.hop_s
    rows = np.arange(int(np.ceil(chain.mix_s[0] / hop)), min(int(chain.mix_s[-1] / hop) + 1, len(comparison.mix)))
    if len(rows) == 0:
        return chain.mix_s[:1], np.zeros(1)
    columns = np.round(np.interp(rows * hop, chain.mix_s, chain.orchestra_s) / hop).astype(np.int64)
    reach = round(REACH_S / hop / STEP_FRAMES)
    offset = np.arange(-reach, reach + 1, dtype=np.int64) * STEP_FRAMES
    profile = np.empty((len(rows), len(offset)), dtype=np.float32)
    kernels.offset_profile(comparison.mix[rows[0] : rows[-1] + 1], comparison.orchestra, columns, offset, profile)
    mean = gaussian_filter1d(profile, WINDOW_S / hop, axis=0, mode="nearest")
    weight = np.exp(SHARPNESS * (mean - mean.max(axis=1, keepdims=True)))
    near = np.abs(offset * hop) <= NEAR_S
    confidence = np.asarray(weight[:, near].sum(axis=1) / weight.sum(axis=1), dtype=np.float64)
    return rows.astype(np.float64) * hop, confidence
