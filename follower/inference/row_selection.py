"""Which frames of the full mix are rows of the dense-sparse frontier: those with piano, by the classification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Selection:
    """The rows of a frontier.

    Attributes:
        rows: (m,) frames of the mix, increasing.
        gaps: (m,) frames from each row to the next; from the last one to the end of the mix.
        weights: (m,) how much each row's match counts.
        probability: (m,) of piano.
    """

    rows: NDArray[np.int64]
    gaps: NDArray[np.int64]
    weights: NDArray[np.float64]
    probability: NDArray[np.float64]


def select_rows(
    probability: NDArray[np.float32], select_above: float, min_gap_frames: int, soft_floor: float
) -> Selection:
    """Choose rows from the probability of piano (n,) at each frame of the mix.

    Stretches below `select_above` of at least `min_gap_frames` are left out; with nothing left, all frames are rows.

    >>> s = select_rows(np.array([0.9, 0.1, 0.9, 0.1, 0.1, 0.9], np.float32), 0.5, 2, 0.0)
    >>> s.rows.tolist(), s.gaps.tolist()
    ([0, 1, 2, 5], [1, 1, 3, 1])
    """
    n = len(probability)
    out = np.concatenate([[False], probability < select_above, [False]])
    first = np.flatnonzero(out[1:] & ~out[:-1])
    end = np.flatnonzero(out[:-1] & ~out[1:])
    keep = np.ones(n, np.bool_)
    for a, b in zip(first, end, strict=True):
        if b - a >= min_gap_frames:
            keep[a:b] = False
    if not keep.any():
        keep[:] = True
    rows = np.flatnonzero(keep).astype(np.int64)
    gaps = np.append(np.diff(rows), n - rows[-1]).astype(np.int64)
    chosen = probability[rows].astype(np.float64)
    return Selection(rows, gaps, soft_floor + (1.0 - soft_floor) * chosen, chosen)
