"""Fine stages of the PO-O map: 12 ms frames in a narrow band, first the best path, then the mean over all paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from offline_prep.alignment.coarse import Chain
from offline_prep.alignment.config import AlignConfig
from offline_prep.alignment.features import Comparison
from offline_prep.alignment.path import best_path, node_posterior

MODE_FRAMES = 5
"""The posterior is smoothed over this many columns to find its mode."""
MEAN_REACH_FRAMES = 8
"""The position is the posterior mean this far round the mode: far modes must not pull it between them."""


def refine(chain: Chain, comparison: Comparison, config: AlignConfig) -> Chain:
    """Best path in a band round a coarse chain, reaching a little beyond both its ends."""
    begin, first, hop = _band(chain, comparison, config.fine.rule.rows, config.fine_reach_s, config.chain_reach_s)
    width = 2 * round(config.fine_reach_s / hop) + 1
    path = best_path(_from_row(comparison, begin), config.fine.rule, first, width, None)
    rows, columns = path.chains[0].T.astype(np.float64)
    return Chain((rows + begin) * hop, columns * hop)


def settle(chain: Chain, comparison: Comparison, config: AlignConfig) -> Chain:
    """Mean over all paths in a narrow band round a refined chain: no grid, and steadier than the best path."""
    rule = config.precise.rule
    begin, first, hop = _band(chain, comparison, rule.rows, config.precise_reach_s, 0.0)
    width = 2 * round(config.precise_reach_s / hop) + 1
    posterior = node_posterior(_from_row(comparison, begin), rule, first, width, config.precise_sharpness)
    column = np.arange(width)
    smooth = uniform_filter1d(posterior, MODE_FRAMES, axis=1, mode="constant")
    near = posterior * (np.abs(column - smooth.argmax(axis=1)[:, None]) <= MEAN_REACH_FRAMES)
    mean = (near * column).sum(axis=1) / near.sum(axis=1)
    mix_s = (begin + rule.rows * np.arange(len(first), dtype=np.float64)) * hop
    return Chain(mix_s, np.maximum.accumulate((first + mean) * hop))


def extended(chain: Chain, mix_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orchestra seconds of a chain at mix seconds, continued at slope 1 beyond its ends."""
    inside = np.clip(mix_s, chain.mix_s[0], chain.mix_s[-1])
    return np.interp(inside, chain.mix_s, chain.orchestra_s) + (mix_s - inside)


def _band(
    chain: Chain, comparison: Comparison, rows: int, reach_s: float, beyond_s: float
) -> tuple[int, NDArray[np.int64], float]:
    """First mix row, first column of the band at each node, and the hop."""
    hop = comparison.hop_s
    begin = max(0, int((chain.mix_s[0] - beyond_s) / hop))
    end = min(len(comparison.mix), int(np.ceil((chain.mix_s[-1] + beyond_s) / hop)))
    nodes = max(1, -(-(end - begin) // rows))
    time = (begin + rows * np.arange(nodes + 1, dtype=np.float64)) * hop
    return begin, np.round(extended(chain, time) / hop).astype(np.int64) - round(reach_s / hop), hop


def _from_row(comparison: Comparison, begin: int) -> Comparison:
    return Comparison(comparison.mix[begin:], comparison.orchestra, comparison.offset, comparison.hop_s)
