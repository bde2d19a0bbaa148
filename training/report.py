"""How well a network does on pairs it was not trained on: errors of the whole map at the orchestra's notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline_prep.alignment.alignment_network import AlignmentNet
from offline_prep.alignment.attack_delay import correct
from offline_prep.alignment.coarse import Chain, coarse_path
from offline_prep.alignment.config import AlignConfig
from offline_prep.alignment.features import HOP_S, compare, shape_features
from offline_prep.alignment.fine import refine, settle
from training.render import GAMMA

TOGETHER_S = 0.03
"""Notes of the orchestra nearer to each other are one place to measure at."""
OVER_MS = (50, 100, 200, 500)


def map_error_s(file: Path, net: AlignmentNet | None, delay: bool) -> NDArray[np.float64]:
    """Signed error of the map of a pair at its orchestra's notes.

    Args:
        file: a pair, see `render`.
        net: compared in the precise pass; with None plain harmony and rises are.
        delay: what slow attacks shift is taken out, as in the whole method.
    """
    with np.load(file, allow_pickle=False) as pair:
        mix, orchestra = (np.expm1(pair[role].astype(np.float32)) / np.float32(GAMMA) for role in ("po", "o"))
        column, notes = pair["column"].astype(np.float64), pair["po_notes"]
    config = AlignConfig()
    stage = config.coarse
    coarse = (shape_features(mix, stage.shape, 0.0), shape_features(orchestra, stage.shape, stage.softness))
    _, chains = coarse_path(*coarse, np.zeros(len(orchestra), dtype=np.bool_), (), config)
    fine = shape_features(mix, config.fine.shape, 0.0), shape_features(orchestra, config.fine.shape, 0.0)
    compared = compare(*fine, config.fine.harmony, config.fine.onset)
    refined = tuple(refine(c, compared, config) for c in chains)
    features = [
        shape_features(g, config.precise.shape, s) for g, s in ((mix, 0.0), (orchestra, config.precise.softness))
    ]
    if net is not None:
        precise = net.compare((mix, features[0]), (orchestra, features[1]))
    else:
        precise = compare(features[0], features[1], config.precise.harmony, config.precise.onset)
    settled = tuple(settle(c, precise, config) for c in refined)
    if delay:
        settled = correct(settled, mix, orchestra, config.attack_delay)
    at = np.sort(notes[notes[:, 2] == 0.0, 0].astype(np.float64))
    at = at[np.diff(at, prepend=-np.inf) * HOP_S > TOGETHER_S]
    at = at[at < len(column) - 1]
    truth_s = np.interp(at, np.arange(len(column)), column) * HOP_S
    return np.asarray(_mapped(settled, at * HOP_S) - truth_s, dtype=np.float64)


def _mapped(chains: tuple[Chain, ...], mix_s: NDArray[np.float64]) -> NDArray[np.float64]:
    mix = np.concatenate([c.mix_s for c in chains])
    orchestra = np.concatenate([c.orchestra_s for c in chains])
    return np.asarray(np.interp(mix_s, mix, orchestra), dtype=np.float64)


def summary(errors_s: Sequence[NDArray[np.float64]]) -> dict[str, float]:
    """Median, shares over 50 to 500 ms and biases of the errors of some pairs."""
    ms = 1000.0 * np.abs(np.concatenate(errors_s))
    bias = 1000.0 * np.abs([np.median(e) for e in errors_s])
    shares = {f"over_{t}_ms_pct": round(100.0 * float(np.mean(ms > t)), 2) for t in OVER_MS}
    return {
        "pairs": len(errors_s),
        "notes": len(ms),
        "median_ms": round(float(np.median(ms)), 1),
        **shares,
        "mean_bias_ms": round(float(bias.mean()), 1),
        "worst_bias_ms": round(float(bias.max()), 1),
    }


def report(pools: Mapping[str, Sequence[Path]], net: AlignmentNet) -> list[dict[str, float | str]]:
    """Rows: each pool of pairs without a network, with the network, and with both it and the correction."""
    rows: list[dict[str, float | str]] = []
    for name, files in pools.items():
        for method, used, delay in (("plain", None, True), ("network", net, False), ("network, corrected", net, True)):
            found = [map_error_s(file, used, delay) for file in files]
            rows.append({"pool": name, "method": method, **summary(found)})
    return rows
