"""How unlike two recordings are at every pair of instants, small enough to be drawn."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

COST_CELLS: Final = 700
"""Longest side of the drawn cost matrix; chroma is averaged to this many frames."""


def chroma_cost(down: NDArray[np.float32], across: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine distance of averaged chroma: (12, m) and (12, n) to at most 700 x 700, frames of `down` down."""
    return np.asarray(1.0 - _columns(down).T @ _columns(across), dtype=np.float32)


def _columns(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    frames = chroma if chroma.shape[0] == 12 else chroma.T
    pool = -(-frames.shape[1] // COST_CELLS)
    parts = np.split(frames, range(pool, frames.shape[1], pool), axis=1)
    means = np.stack([part.mean(axis=1) for part in parts], axis=1)
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=0), 1e-9), dtype=np.float32)
