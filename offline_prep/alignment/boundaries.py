"""Where exactly a matched piece ends and the next begins: the fine stages reach beyond the coarse ends on purpose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offline_prep.alignment.coarse import Chain
from offline_prep.alignment.features import Comparison

BOUNDARY_S = 10.0
"""A boundary is looked for within this much of a chain's (extended) end."""
MARGIN = 0.08
"""A frame must gain more than this over the median cost to count as matched: unrelated music gains about as much."""
SKIP = 0.16
"""Cost of a sounding orchestra frame that neither chain takes: what the orchestra plays is in the mix, too."""
STEP_FRAMES = 4


def trim_ends(chains: tuple[Chain, ...], comparison: Comparison, quiet: NDArray[np.bool_]) -> tuple[Chain, ...]:
    """Put neighbouring ends where the gain of both chains less the cost of skipped orchestra is largest.

    Args:
        chains: in order, reaching beyond where they should.
        comparison: comparison of the precise stage.
        quiet: frames of the orchestra recording in which nothing sounds.
    """
    out = list(chains)
    sounding = np.concatenate([[0.0], np.cumsum(~quiet)])
    for k in range(len(out) - 1):
        out[k], out[k + 1] = _trim(out[k], out[k + 1], comparison, sounding)
    return tuple(out)


def _trim(a: Chain, b: Chain, comparison: Comparison, sounding: NDArray[np.float64]) -> tuple[Chain, Chain]:
    hop = comparison.hop_s
    end = np.arange(max(float(a.mix_s[0]), float(a.mix_s[-1]) - BOUNDARY_S), float(a.mix_s[-1]), hop)
    start = np.arange(float(b.mix_s[0]), min(float(b.mix_s[-1]), float(b.mix_s[0]) + BOUNDARY_S), hop)
    if len(end) < STEP_FRAMES or len(start) < STEP_FRAMES:
        return a, b
    kept_a = np.cumsum(_gain(a, end, comparison))[::STEP_FRAMES]
    kept_b = np.cumsum(_gain(b, start, comparison)[::-1])[::-1][::STEP_FRAMES]
    end, start = end[::STEP_FRAMES], start[::STEP_FRAMES]
    from_s, to_s = np.interp(end, a.mix_s, a.orchestra_s), np.interp(start, b.mix_s, b.orchestra_s)
    frame = np.arange(len(sounding)) * hop
    skipped = np.interp(to_s, frame, sounding)[None, :] - np.interp(from_s, frame, sounding)[:, None]
    total = kept_a[:, None] + kept_b[None, :] - SKIP * skipped
    total[(end[:, None] > start[None, :]) | (from_s[:, None] > to_s[None, :])] = -np.inf
    i, j = np.unravel_index(int(np.argmax(total)), total.shape)
    if not np.isfinite(total[i, j]):
        return a, b
    return _part(a, float(a.mix_s[0]), float(end[i])), _part(b, float(start[j]), float(b.mix_s[-1]))


def _gain(chain: Chain, mix_s: NDArray[np.float64], comparison: Comparison) -> NDArray[np.float64]:
    rows = np.clip(np.round(mix_s / comparison.hop_s).astype(np.int64), 0, len(comparison.mix) - 1)
    at = np.interp(mix_s, chain.mix_s, chain.orchestra_s) / comparison.hop_s
    columns = np.clip(np.round(at).astype(np.int64), 0, len(comparison.orchestra) - 1)
    similarity = np.einsum("ij,ij->i", comparison.mix[rows], comparison.orchestra[columns])
    return np.asarray(similarity - comparison.offset - MARGIN, dtype=np.float64)


def _part(chain: Chain, begin_s: float, end_s: float) -> Chain:
    inside = (chain.mix_s > begin_s) & (chain.mix_s < end_s)
    mix_s = np.concatenate([[begin_s], chain.mix_s[inside], [end_s]])
    return Chain(mix_s, np.interp(mix_s, chain.mix_s, chain.orchestra_s))
