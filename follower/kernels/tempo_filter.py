"""Kernels of the forward filter with tempo states (design 3.2). Oracles: tests/naive/tempo_filter.py.

Everything over the positions of the mix runs in float32 along one contiguous axis, so that the compiler can
vectorise without reordering sums.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK = 512
"""Positions handled together: their scores stay in the first-level cache."""


@njit(cache=True)
def decaying_maximum(x: NDArray[np.float64], decay: float) -> None:
    """Replace rows of `x` (n, k) by `max(x[t], decay * row before)`, in place."""
    for t in range(1, x.shape[0]):
        for k in range(x.shape[1]):
            x[t, k] = max(x[t, k], decay * x[t - 1, k])


@njit(cache=True)
def scores(features: NDArray[np.float32], weights: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write `out[j] = sum_k weights[k] features[k, j]`; zero weights cost nothing.

    Args:
        features: (k, n) of the reference.
        weights: (k,) of the live hop.
        out: (n,), written.
    """
    n = out.shape[0]
    for first in range(0, n, BLOCK):
        part = out[first : min(first + BLOCK, n)]
        part[:] = 0
        for k in range(features.shape[0]):
            w = weights[k]
            if w != 0:
                row = features[k, first : first + part.shape[0]]
                for j in range(part.shape[0]):
                    part[j] += w * row[j]


@njit(cache=True)
def likelihoods(score: NDArray[np.float32], weight: float) -> None:
    """Turn scores (n,) into `exp(weight * (score - max))`, in place."""
    top = score[0]
    for j in range(score.shape[0]):
        top = max(top, score[j])
    w = np.float32(weight)
    for j in range(score.shape[0]):
        score[j] = np.exp(w * (score[j] - top))


@njit(cache=True)
def advance(
    moving: NDArray[np.float32],
    holding: NDArray[np.float32],
    shift: NDArray[np.int64],
    diffusion: float,
    stop: NDArray[np.float32],
    resume: float,
    tempo_prior: NDArray[np.float32],
    leak: float,
    likelihood: NDArray[np.float32],
    new_moving: NDArray[np.float32],
    new_holding: NDArray[np.float32],
) -> float:
    """One step of the filter; returns the total mass, which has been divided out (0 leaves all zero).

    Args:
        moving: (r, n), belief of tempo state r at mix frame j.
        holding: (n,), belief that the pianist stands still at j.
        shift: (r,), frames each tempo state moves in this hop.
        diffusion: share that goes to each neighbouring tempo.
        stop: (n,), share of the moving belief at j that comes to a stand.
        resume: share of the holding belief that moves on, at tempi drawn from `tempo_prior`.
        tempo_prior: (r,), sums to 1.
        leak: belief given to every state anew: unknown start, repeat, skip.
        likelihood: (n,).
        new_moving: (r, n), written.
        new_holding: (n,), written.
    """
    n_tempi, n = moving.shape
    away = np.float32(diffusion)
    stay = np.float32(1.0 - 2.0 * diffusion)
    add = np.float32(leak)
    one = np.float32(1.0)
    total = 0.0
    for r in range(n_tempi):
        d = min(shift[r], n)
        same, up, down = moving[r], moving[min(r + 1, n_tempi - 1)], moving[max(r - 1, 0)]
        out = new_moving[r]
        again = np.float32(resume) * tempo_prior[r]
        for j in range(d):
            out[j] = add * likelihood[j]
        for j in range(d, n):
            i = j - d
            belief = (stay * same[i] + away * (up[i] + down[i])) * (one - stop[i])
            out[j] = (belief + again * holding[i] + add) * likelihood[j]
    for j in range(n):
        new_holding[j] = 0
    for r in range(n_tempi):
        row = moving[r]
        for j in range(n):
            new_holding[j] += row[j]
    for j in range(n):
        new_holding[j] = (new_holding[j] * stop[j] + holding[j] * np.float32(1.0 - resume)) * likelihood[j]
    for r in range(n_tempi):
        for j in range(n):
            total += new_moving[r, j]
    for j in range(n):
        total += new_holding[j]
    if total > 0:
        scale = np.float32(1.0 / total)
        for r in range(n_tempi):
            row = new_moving[r]
            for j in range(n):
                row[j] *= scale
        for j in range(n):
            new_holding[j] *= scale
    return total


@njit(cache=True)
def gather_tempo(moving: NDArray[np.float32], tempo: int, share: float) -> None:
    """Move `share` of every tempo state's belief (r, n) to state `tempo`, in place."""
    s = np.float32(share)
    target = moving[tempo]
    for r in range(moving.shape[0]):
        if r != tempo:
            row = moving[r]
            for j in range(row.shape[0]):
                part = s * row[j]
                row[j] -= part
                target[j] += part


@njit(cache=True)
def marginal(moving: NDArray[np.float32], holding: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write the belief over positions (n,), tempi and holding summed."""
    out[:] = holding
    for r in range(moving.shape[0]):
        row = moving[r]
        for j in range(row.shape[0]):
            out[j] += row[j]


@njit(cache=True)
def densest(belief: NDArray[np.float32], reach: int) -> int:
    """Return the position whose surroundings of +-`reach` hold the most belief (n,); the first of equals."""
    n = belief.shape[0]
    window = 0.0
    for j in range(min(reach, n)):
        window += belief[j]
    best, at = -1.0, 0
    for j in range(n):
        if j + reach < n:
            window += belief[j + reach]
        if j - reach - 1 >= 0:
            window -= belief[j - reach - 1]
        if window > best:
            best, at = window, j
    return at


@njit(cache=True)
def summarise(
    moving: NDArray[np.float32],
    holding: NDArray[np.float32],
    belief: NDArray[np.float32],
    tempi: NDArray[np.float64],
    centre: int,
    reach: int,
    wide_reach: int,
) -> tuple[float, float, float, float]:
    """Return (mean position, mean tempo, mass within `wide_reach`, share held) round `centre`.

    Means are over +-`reach` frames; with no moving belief there, the tempo is 0.
    """
    n = belief.shape[0]
    first, end = max(centre - reach, 0), min(centre + reach + 1, n)
    mass = position = held = 0.0
    for j in range(first, end):
        mass += belief[j]
        position += belief[j] * j
        held += holding[j]
    tempo = tempo_mass = 0.0
    for r in range(moving.shape[0]):
        part = 0.0
        for j in range(first, end):
            part += moving[r, j]
        tempo += part * tempi[r]
        tempo_mass += part
    wide = 0.0
    for j in range(max(centre - wide_reach, 0), min(centre + wide_reach + 1, n)):
        wide += belief[j]
    if mass <= 0:
        return float(centre), 0.0, 0.0, 0.0
    return position / mass, tempo / tempo_mass if tempo_mass > 0 else 0.0, min(wide, 1.0), held / mass


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    n = 8
    moving, other = np.full((3, n), 0.1, np.float32), np.zeros((3, n), np.float32)
    holding, line = np.zeros(n, np.float32), np.ones(n, np.float32)
    decaying_maximum(np.ones((3, 2)), 0.5)
    scores(np.ones((4, n), np.float32), np.ones(4, np.float32), line)
    likelihoods(line, 1.0)
    shift = np.array([0, 1, 2])
    prior = np.full(3, 1 / 3, np.float32)
    advance(moving, holding, shift, 0.01, np.zeros(n, np.float32), 1.0, prior, 1e-9, line, other, holding.copy())
    gather_tempo(moving, 1, 0.1)
    marginal(moving, holding, line)
    summarise(moving, holding, line, np.ones(3), densest(line, 2), 2, 4)
