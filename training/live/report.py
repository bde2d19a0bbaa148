"""How much better the place of the piano is known with the network, on pairs that it was not trained on.

For each pool of pairs: the cross-entropy (nats) of the true frame of the mix, softened by 20 ms, among those within
2 s and among those of the whole pair, after one hop and after the newest hops along the true path; and how far the
most likely frame within 2 s is from the truth. Each method has the weights that are best for it on the pool: pairs that
were trained on trust the network too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from follower.config import FeatureConfig
from training.live.dataset import read_pair
from training.live.model import FINE, LiveEar, along, around, far_offsets, surprise
from training.live.train import tensors

EVERY = 5
"""Every so many hops is judged."""
TRAINED_ON = 8
"""Pairs of the training pool that are judged."""
METHODS = {"plain": (1.0, 0.0), "network": (0.0, 1.0), "both": (1.0, 1.0)}


@dataclass(frozen=True)
class Judged:
    """Scores of the hops of a pair that are judged.

    Attributes:
        plain: of the plain observation, (hops, offsets), by extent.
        network: of the network.
        at: (hops,) true frame.
        offsets: frames from the rounded true frame, by extent.
    """

    plain: Mapping[str, Tensor]
    network: Mapping[str, Tensor]
    at: Tensor
    offsets: Mapping[str, Tensor]


def judged(net: LiveEar, file: Path) -> Judged:
    """Scores of a pair, for the extents "hop near", "hop far", "path near", "path far"."""
    live, mix, at, presence, known, plain = tensors(read_pair(file))
    rows = torch.nonzero(known)[:, 0][::EVERY]
    with torch.no_grad():
        scores = (net.live(live) @ net.mix(mix).T) * presence[:, None]
        offsets = {"near": torch.arange(-FINE, FINE + 1), "far": far_offsets(len(mix))}
        found: dict[str, dict[str, Tensor]] = {"plain": {}, "network": {}}
        for name, of in (("plain", plain), ("network", scores)):
            for extent, away in offsets.items():
                there = around(of, at, away)
                found[name][f"hop {extent}"] = there[rows]
                found[name][f"path {extent}"] = along(there)[rows]
    spread = {f"{span} {extent}": away for span in ("hop", "path") for extent, away in offsets.items()}
    return Judged(found["plain"], found["network"], at[rows], spread)


def mean_surprise(pairs: Sequence[Judged], extent: str, weights: Tensor) -> Tensor:
    """Mean cross-entropy with these weights of the plain observation and of the network."""
    return torch.stack(
        [
            surprise(weights[0] * p.plain[extent] + weights[1] * p.network[extent], p.at, p.offsets[extent]).mean()
            for p in pairs
        ]
    ).mean()


def fitted(pairs: Sequence[Judged], extent: str, used: tuple[float, float]) -> Tensor:
    """The weights of least cross-entropy, those in `used` that are 0 kept so."""
    logs = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.LBFGS([logs], max_iter=25, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = mean_surprise(pairs, extent, torch.exp(logs) * torch.tensor(used))
        value.backward()
        return value

    optimiser.step(loss)
    return torch.exp(logs).detach() * torch.tensor(used)


def report(net: LiveEar, pools: Mapping[str, Sequence[Path]]) -> list[dict[str, float | str]]:
    """A row for each pool, extent and method."""
    hop_ms = 1000 * FeatureConfig().hop_s
    rows: list[dict[str, float | str]] = []
    for pool, files in pools.items():
        pairs = [judged(net, file) for file in (files[:TRAINED_ON] if pool == "train" else files)]
        for extent in pairs[0].offsets:
            for method, used in METHODS.items():
                weights = fitted(pairs, extent, used)
                away = []
                for p in pairs:
                    total = weights[0] * p.plain[extent] + weights[1] * p.network[extent]
                    best = p.offsets[extent][total.argmax(1)] - (p.at - torch.round(p.at))
                    away.append(np.abs(best.numpy()) * hop_ms)
                ms = np.concatenate(away)
                rows.append(
                    {
                        "pool": pool,
                        "extent": extent,
                        "method": method,
                        "plain_weight": round(float(weights[0]), 2),
                        "network_weight": round(float(weights[1]), 2),
                        "nats": round(float(mean_surprise(pairs, extent, weights)), 3),
                        "median_ms": round(float(np.median(ms)), 1),
                        "over_100_ms_pct": round(100 * float(np.mean(ms > 100)), 1),
                    }
                )
    return rows
