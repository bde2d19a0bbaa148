"""Were the two recordings given in the wrong order? The full mix has the piano's onsets besides the orchestra's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from offline_prep.align_coarse import Chain
from offline_prep.align_features import FeatureShape, shape_features

SHAPE = FeatureShape(pool=4, gamma=1000.0, smooth_s=0.2, rise_frames=9)
NEAR_FRAMES = 9
"""An onset of the other recording within +-4 pooled frames (0.19 s) explains one."""
SWAPPED = -0.03
"""Right order: -.003 to +.19 on 33 pairs, 4 of them under +.03; a swap changes the sign."""


def extra_in_mix(mix: NDArray[np.float32], orchestra: NDArray[np.float32], chains: tuple[Chain, ...]) -> float:
    """Unexplained share of the mix's onsets less that of the orchestra recording's, where they are matched.

    Args:
        mix: pitchgram (frames, 72).
        orchestra: pitchgram (frames, 72).
        chains: matched pieces.
    """
    m, o = shape_features(mix, SHAPE, 0.0), shape_features(orchestra, SHAPE, 0.0)
    rows, columns = [], []
    for chain in chains:
        time = np.arange(chain.mix_s[0], chain.mix_s[-1], m.hop_s)
        rows.append(time / m.hop_s)
        columns.append(np.interp(time, chain.mix_s, chain.orchestra_s) / m.hop_s)
    i = np.clip(np.concatenate(rows).astype(np.int64), 0, len(m.onset) - 1)
    j = np.clip(np.concatenate(columns).astype(np.int64), 0, len(o.onset) - 1)
    return _unexplained(m.onset, o.onset, i, j) - _unexplained(o.onset, m.onset, j, i)


def _unexplained(
    own: NDArray[np.float32], other: NDArray[np.float32], at: NDArray[np.int64], there: NDArray[np.int64]
) -> float:
    near = maximum_filter1d(other, NEAR_FRAMES, axis=0)
    return 1.0 - float(np.minimum(own[at], near[there]).sum()) / max(float(own[at].sum()), 1e-9)
