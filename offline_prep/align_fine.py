"""Fine stage of the PO-O map: 12 ms frames in a narrow band round each coarse chain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offline_prep.align_coarse import Chain
from offline_prep.align_config import AlignConfig
from offline_prep.align_features import Comparison
from offline_prep.align_path import best_path


def refine(chain: Chain, comparison: Comparison, config: AlignConfig) -> Chain:
    """Align a chain again at the fine hop, reaching a little beyond both its ends."""
    rule, hop = config.fine.rule, comparison.hop_s
    begin = max(0, int((chain.mix_s[0] - config.chain_reach_s) / hop))
    end = min(len(comparison.mix), int((chain.mix_s[-1] + config.chain_reach_s) / hop))
    nodes = max(1, (end - begin) // rule.rows)
    time = (begin + rule.rows * np.arange(nodes + 1)) * hop
    reach = round(config.fine_reach_s / hop)
    first = np.round(extended(chain, time) / hop).astype(np.int64) - reach
    part = Comparison(comparison.mix[begin:], comparison.orchestra, comparison.offset, hop)
    path = best_path(part, rule, first, 2 * reach + 1, None)
    knots = path.chains[0]
    return Chain((knots[:, 0] + begin) * hop, knots[:, 1] * hop)


def extended(chain: Chain, mix_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orchestra seconds of a chain at mix seconds, continued at slope 1 beyond its ends."""
    inside = np.clip(mix_s, chain.mix_s[0], chain.mix_s[-1])
    return np.interp(inside, chain.mix_s, chain.orchestra_s) + (mix_s - inside)
