"""Plain versions of `follower.kernels.tempo_filter` over the whole axis, and a one-level filter to compare with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def decaying_maximum(x: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
    out = x.copy()
    for t in range(1, len(x)):
        out[t] = np.maximum(x[t], decay * out[t - 1])
    return out


def advance(
    moving: NDArray[np.float64],
    holding: NDArray[np.float64],
    shift: NDArray[np.int64],
    diffusion: float,
    stop: NDArray[np.float64],
    resume: float,
    tempo_prior: NDArray[np.float64],
    tempo_gain: NDArray[np.float64],
    leak: float,
    likelihood: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """New (moving, holding), not normalised, from the definition: one state at a time."""
    n_tempi, n = moving.shape
    out = np.full((n_tempi, n), leak)
    for r in range(n_tempi):
        above, below = moving[min(r + 1, n_tempi - 1)], moving[max(r - 1, 0)]
        mixed = tempo_gain[r] * ((1 - 2 * diffusion) * moving[r] + diffusion * (above + below))
        leaving = mixed * (1 - stop) + resume * tempo_prior[r] * holding
        for i in range(n):
            if i + shift[r] < n:
                out[r, i + shift[r]] += leaving[i]
    held = moving.sum(axis=0) * stop + holding * (1 - resume)
    return out * likelihood, held * likelihood


def densest(belief: NDArray[np.float64], reach: int) -> int:
    sums = [belief[max(j - reach, 0) : j + reach + 1].sum() for j in range(len(belief))]
    return int(np.argmax(sums))


def summarise(
    moving: NDArray[np.float64],
    holding: NDArray[np.float64],
    tempi: NDArray[np.float64],
    centre: int,
    reach: int,
    wide_reach: int,
) -> tuple[float, float, float, float]:
    place = moving.sum(axis=0) + holding
    near = slice(max(centre - reach, 0), centre + reach + 1)
    wide = slice(max(centre - wide_reach, 0), centre + wide_reach + 1)
    tempo = moving[:, near].sum(axis=1)
    return (
        float(np.average(np.arange(len(place))[near], weights=place[near])),
        float(np.average(tempi, weights=tempo)) if tempo.sum() > 0 else 0.0,
        float(place[wide].sum() / place.sum()),
        float(holding[near].sum() / place[near].sum()),
    )


def blur(belief: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    return np.stack([np.convolve(row, np.full(2 * reach + 1, 1 / (2 * reach + 1)), "same") for row in belief])


def pool(fine: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.stack([fine[:, k : k + size].sum(axis=1) for k in range(0, fine.shape[1], size)], axis=1)
