"""One hop of the bleed canceller in plain NumPy: oracle of follower/kernels/bleed.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def predict(
    orchestra: NDArray[np.float32], first: int, end: int, decay: float, predicted: Array
) -> tuple[Array, Array]:
    """The least amplitude of the frames, and the most of them and of what is left of the hops before."""
    near = orchestra[first:end].astype(np.float64)
    return near.min(axis=0), np.maximum(decay * predicted, near.max(axis=0))


def count(
    power: Array,
    surely_played: Array,
    register: NDArray[np.int64],
    loud: float,
    min_db: int,
    tiny: float,
    counts: Array,
) -> Array:
    """The histogram with this hop's ratios in it."""
    counts = counts.copy()
    at = surely_played > loud
    ratio_db = 10 * np.log10(np.maximum(power[at], tiny)) - 20 * np.log10(surely_played[at])
    bins = np.clip(np.floor(ratio_db) - min_db, 0, counts.shape[1] - 1).astype(np.int64)
    np.add.at(counts, (register[at], bins), 1.0)
    return counts


def low_quantile(counts: Array, shared: float, quantile: float, enough: float) -> NDArray[np.int64]:
    """Bin of each register's quantile; -1 where too little was counted."""
    below = np.cumsum(counts + shared * np.sum(counts, axis=0), axis=1)
    total = below[:, -1:]
    return np.where(total[:, 0] >= enough, np.argmax(below >= quantile * total, axis=1), -1)
