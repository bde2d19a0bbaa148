"""Kernels of the forward filter with tempo states. Oracles: tests/naive/tempo_filter.py.

Everything over the positions of the mix runs in float32 along one contiguous axis, so that the compiler can
vectorise without reordering sums.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEGLIGIBLE = np.float32(1e-20)


@njit(cache=True)
def decaying_maximum(x: NDArray[np.float64], decay: float) -> None:
    """Replace rows of `x` (n, k) by `max(x[t], decay * row before)`, in place."""
    for t in range(1, x.shape[0]):
        for k in range(x.shape[1]):
            x[t, k] = max(x[t, k], decay * x[t - 1, k])


@njit(cache=True)
def scores(
    features: NDArray[np.float32] | NDArray[np.int8],
    weights: NDArray[np.float32],
    blocks: NDArray[np.int64],
    block: int,
    out: NDArray[np.float32],
) -> float:
    """Write `out[j] = sum_k weights[k] features[k, j]` in the blocks named; return the largest.

    Args:
        features: (k, n) of the reference, in 8 bits a quarter as much to read.
        weights: (k,) of the live hop; zero weights cost nothing. Those below `NEGLIGIBLE` count as zero: no sum
            would feel them, and the tails of faded notes reach numbers so small that processors are slow on them.
        blocks: numbers of the blocks of `block` positions to compute; the last block of the axis may be shorter.
        block: positions per block.
        out: (n,), written in those blocks.
    """
    top = -np.inf
    for b in blocks:
        first = b * block
        part = out[first : first + block]
        part[:] = 0
        for k in range(features.shape[0]):
            w = weights[k]
            if abs(w) > NEGLIGIBLE:
                row = features[k, first : first + part.shape[0]]
                for j in range(part.shape[0]):
                    part[j] += w * np.float32(row[j])
        for j in range(part.shape[0]):
            top = max(top, part[j])
    return float(top)


@njit(cache=True)
def likelihoods(score: NDArray[np.float32], top: float, blocks: NDArray[np.int64], block: int) -> None:
    """Turn scores (n,) into `exp(score - top)` in the blocks named, in place."""
    shift = np.float32(top)
    for b in blocks:
        part = score[b * block : (b + 1) * block]
        for j in range(part.shape[0]):
            part[j] = np.exp(part[j] - shift)


@njit(cache=True)
def fill(value: float, blocks: NDArray[np.int64], block: int, out: NDArray[np.float32]) -> None:
    """Write `value` in the blocks named."""
    v = np.float32(value)
    for b in blocks:
        out[b * block : (b + 1) * block] = v


@njit(cache=True)
def stop_shares(
    activity: NDArray[np.float32],
    share: float,
    furthest: int,
    blocks: NDArray[np.int64],
    block: int,
    out: NDArray[np.float32],
) -> None:
    """Write which share of the belief comes to a stand, wherever a step may move it into the blocks named.

    Args:
        activity: (n,), 0..1, whether the mix has piano.
        share: of the belief where it has.
        furthest: the most positions by which belief moves; 1 or more. Nobody plays on beyond the end.
        blocks: numbers of the blocks, ascending.
        block: positions per block.
        out: (n,), written.
    """
    n = activity.shape[0]
    s = np.float32(share)
    for b in blocks:
        first, end = max(b * block - furthest, 0), min((b + 1) * block, n)
        for j in range(first, end):
            out[j] = activity[j] * s
        for j in range(max(n - furthest, first), end):
            out[j] = np.float32(1.0)


# Loops of few arrays, each from 0 on: in one loop over all of them, or with offsets in the indices, the compiler can
# neither show that the arrays do not overlap nor that no index is negative, and does not vectorise.


@njit(cache=True)
def _add(total: NDArray[np.float32], row: NDArray[np.float32]) -> None:
    for j in range(len(total)):
        total[j] += row[j]


@njit(cache=True)
def _hold(
    belief: NDArray[np.float32],
    stop: NDArray[np.float32],
    whole: np.float32,
    holding: NDArray[np.float32],
    left: np.float32,
    likelihood: NDArray[np.float32],
    new_holding: NDArray[np.float32],
) -> None:
    """Write the new standing belief, in the place of the moving `belief` too."""
    for j in range(len(belief)):
        belief[j] = belief[j] * stop[j] * whole + holding[j] * left
    for j in range(len(belief)):
        belief[j] *= likelihood[j]
        new_holding[j] = belief[j]


@njit(cache=True)
def _diffuse(
    same: NDArray[np.float32],
    up: NDArray[np.float32],
    down: NDArray[np.float32],
    keep: np.float32,
    spread: np.float32,
    out: NDArray[np.float32],
) -> None:
    for j in range(len(out)):
        out[j] = keep * same[j] + spread * (up[j] + down[j])


@njit(cache=True)
def _weigh(
    out: NDArray[np.float32],
    stop: NDArray[np.float32],
    again: np.float32,
    holding: NDArray[np.float32],
    add: np.float32,
    likelihood: NDArray[np.float32],
) -> None:
    one = np.float32(1.0)
    for j in range(len(out)):
        out[j] = (out[j] * (one - stop[j]) + again * holding[j] + add) * likelihood[j]


@njit(cache=True)
def advance(
    moving: NDArray[np.float32],
    holding: NDArray[np.float32],
    scale: float,
    shift: NDArray[np.int64],
    diffusion: float,
    stop: NDArray[np.float32],
    resume: float,
    tempo_prior: NDArray[np.float32],
    tempo_gain: NDArray[np.float32],
    leak: float,
    likelihood: NDArray[np.float32],
    blocks: NDArray[np.int64],
    block: int,
    new_moving: NDArray[np.float32],
    new_holding: NDArray[np.float32],
    marginal: NDArray[np.float32],
) -> float:
    """One step of the filter in the blocks named; return the mass there. Other blocks must hold zeros.

    Args:
        moving: (r, n), belief of tempo state r at position j, times 1 / scale.
        holding: (n,), belief that the pianist stands still at j, times 1 / scale.
        scale: brings the belief to a mass of 1 before the step.
        shift: (r,), positions each tempo state moves in this step.
        diffusion: share that goes to each neighbouring tempo.
        stop: (n,), share of the moving belief at j that comes to a stand.
        resume: share of the holding belief that moves on, at tempi drawn from `tempo_prior`.
        tempo_prior: (r,), sums to 1.
        tempo_gain: (r,), factor on each tempo state's belief: the pull towards a usual tempo.
        leak: belief given to every moving state anew: unknown start, repeat, skip.
        likelihood: (n,).
        blocks: numbers of the blocks of `block` positions to compute.
        block: positions per block.
        new_moving: (r, n), written in those blocks.
        new_holding: (n,), written in those blocks.
        marginal: (n,), the new belief summed over tempi and holding, written in those blocks.
    """
    n_tempi, n = moving.shape
    away = np.float32(diffusion * scale)
    stay = np.float32((1.0 - 2.0 * diffusion) * scale)
    add = np.float32(leak)
    whole = np.float32(scale)
    left = np.float32((1.0 - resume) * scale)
    total = 0.0
    for b in blocks:
        first = b * block
        end = min(first + block, n)
        here = marginal[first:end]
        here[:] = 0
        for r in range(n_tempi):
            _add(here, moving[r, first:end])
        _hold(here, stop[first:end], whole, holding[first:end], left, likelihood[first:end], new_holding[first:end])
        for r in range(n_tempi):
            d = shift[r]
            start = min(max(first, d), end)
            out = new_moving[r]
            for j in range(first, start):
                out[j] = add * likelihood[j]
            from_, to = start - d, end - d
            _diffuse(
                moving[r, from_:to],
                moving[min(r + 1, n_tempi - 1), from_:to],
                moving[max(r - 1, 0), from_:to],
                stay * tempo_gain[r],
                away * tempo_gain[r],
                out[start:end],
            )
            again = np.float32(resume * scale) * tempo_prior[r]
            _weigh(out[start:end], stop[from_:to], again, holding[from_:to], add, likelihood[start:end])
            _add(here, out[first:end])
        for j in range(end - first):
            total += here[j]
    return total


@njit(cache=True)
def gather_tempo(moving: NDArray[np.float32], tempo: int, share: float, blocks: NDArray[np.int64], block: int) -> None:
    """Move `share` of every tempo state's belief (r, n) to state `tempo` in the blocks named, in place."""
    s = np.float32(share)
    for b in blocks:
        target = moving[tempo, b * block : (b + 1) * block]
        for r in range(moving.shape[0]):
            if r != tempo:
                row = moving[r, b * block : (b + 1) * block]
                for j in range(row.shape[0]):
                    part = s * row[j]
                    row[j] -= part
                    target[j] += part


@njit(cache=True)
def pool_blocks(
    fine: NDArray[np.float32],
    scale: float,
    pool: int,
    blocks: NDArray[np.int64],
    block: int,
    coarse: NDArray[np.float32],
) -> None:
    """Sum `pool` fine positions, times `scale`, into each coarse one, in the fine blocks named.

    Args:
        fine: (r, n).
        scale: factor.
        pool: fine positions per coarse one; divides `block`.
        blocks: numbers of the fine blocks.
        block: fine positions per block.
        coarse: (r, ceil(n / pool)), written where the blocks are.
    """
    n = fine.shape[1]
    s = np.float32(scale)
    for b in blocks:
        first, end = b * block, min((b + 1) * block, n)
        for r in range(fine.shape[0]):
            for c in range(first // pool, (end + pool - 1) // pool):
                total = np.float32(0.0)
                for j in range(c * pool, min((c + 1) * pool, n)):
                    total += fine[r, j]
                coarse[r, c] = total * s


@njit(cache=True)
def spread_blocks(
    coarse: NDArray[np.float32],
    scale: float,
    pool: int,
    blocks: NDArray[np.int64],
    block: int,
    fine: NDArray[np.float32],
) -> None:
    """Give each fine position its part of the coarse one over it, times `scale`; arguments as `pool_blocks`."""
    n = fine.shape[1]
    s = np.float32(scale / pool)
    for b in blocks:
        for r in range(fine.shape[0]):
            for j in range(b * block, min((b + 1) * block, n)):
                fine[r, j] = coarse[r, j // pool] * s


@njit(cache=True)
def blur_blocks(belief: NDArray[np.float32], reach: int, blocks: NDArray[np.int64], block: int) -> None:
    """Replace each value (r, n) in the blocks named (ascending) by the average over +-`reach` positions, in place.

    Positions outside the axis count as zero; what spreads into other blocks is dropped.
    """
    n = belief.shape[1]
    width = np.float32(2 * reach + 1)
    sums = np.empty(n + 1)
    b = 0
    while b < len(blocks):
        last = b
        while last + 1 < len(blocks) and (blocks[last + 1] - blocks[last] - 1) * block <= 2 * reach:
            last += 1
        begin, end = max(blocks[b] * block - reach, 0), min((blocks[last] + 1) * block + reach, n)
        for r in range(belief.shape[0]):
            row = belief[r]
            sums[begin] = 0.0
            for j in range(begin, end):
                sums[j + 1] = sums[j] + row[j]
            for i in range(b, last + 1):
                for j in range(blocks[i] * block, min((blocks[i] + 1) * block, n)):
                    row[j] = np.float32(sums[min(j + reach + 1, end)] - sums[max(j - reach, begin)]) / width
        b = last + 1


@njit(cache=True)
def block_sums(line: NDArray[np.float32], block: int, out: NDArray[np.float64]) -> None:
    """Write the sum of each block of `block` values of `line` (n,)."""
    for b in range(out.shape[0]):
        total = 0.0
        for j in range(b * block, min((b + 1) * block, line.shape[0])):
            total += line[j]
        out[b] = total


@njit(cache=True)
def sums_in(
    line: NDArray[np.float32], scale: float, blocks: NDArray[np.int64], block: int, out: NDArray[np.float64]
) -> None:
    """Write what `block_sums` does, times `scale`, for the blocks named."""
    for b in blocks:
        total = 0.0
        for j in range(b * block, min((b + 1) * block, line.shape[0])):
            total += line[j]
        out[b] = total * scale


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
def densest_in(belief: NDArray[np.float32], reach: int, blocks: NDArray[np.int64], block: int) -> int:
    """Return what `densest` does where there is belief in the blocks named only (ascending); 0 without any."""
    n = belief.shape[0]
    best, at, b = -1.0, 0, 0
    while b < len(blocks):
        first, end = blocks[b] * block, (blocks[b] + 1) * block
        while b + 1 < len(blocks) and blocks[b + 1] * block <= end + 2 * reach:
            b += 1
            end = (blocks[b] + 1) * block
        b += 1
        end = min(end, n)
        window = 0.0
        for j in range(first, min(first + reach, n)):
            window += belief[j]
        for j in range(first, end):
            if j + reach < n:
                window += belief[j + reach]
            if j - reach - 1 >= first:
                window -= belief[j - reach - 1]
            if window > best:
                best, at = window, j
    return at


@njit(cache=True)
def summarise(
    moving: NDArray[np.float32],
    holding: NDArray[np.float32],
    belief: NDArray[np.float32],
    total: float,
    tempi: NDArray[np.float64],
    centre: int,
    reach: int,
    wide_reach: int,
) -> tuple[float, float, float, float]:
    """Return (mean position, mean tempo, share of `total` within `wide_reach`, share held) round `centre`.

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
    return position / mass, tempo / tempo_mass if tempo_mass > 0 else 0.0, min(wide / total, 1.0), held / mass


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    n, blocks = 8, np.arange(2)
    moving, other = np.full((3, n), 0.1, np.float32), np.zeros((3, n), np.float32)
    holding, line, marginal = np.zeros((3, n), np.float32)
    decaying_maximum(np.ones((3, 2)), 0.5)
    top = scores(np.ones((4, n), np.float32), np.ones(4, np.float32), blocks, 4, line)
    scores(np.ones((4, n), np.int8), np.ones(4, np.float32), blocks, 4, line)
    likelihoods(line, top, blocks, 4)
    fill(1.0, blocks, 4, line)
    stop_shares(line, 0.1, 1, blocks, 4, holding)
    shift, prior = np.array([0, 1, 2]), np.full(3, 1 / 3, np.float32)
    out = holding.copy()
    advance(moving, holding, 1.0, shift, 0.01, holding, 1.0, prior, prior, 1e-9, line, blocks, 4, other, out, marginal)
    gather_tempo(moving, 1, 0.1, blocks, 4)
    pool_blocks(moving, 1.0, 2, blocks, 4, np.zeros((3, 4), np.float32))
    spread_blocks(np.ones((3, 4), np.float32), 1.0, 2, blocks, 4, moving)
    blur_blocks(moving, 1, blocks, 4)
    block_sums(marginal, 4, np.zeros(2))
    sums_in(marginal, 1.0, blocks, 4, np.zeros(2))
    densest_in(marginal, 2, blocks, 4)
    summarise(moving, holding, marginal, 1.0, np.ones(3), densest(marginal, 2), 2, 4)
