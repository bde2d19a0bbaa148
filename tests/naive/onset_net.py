"""Slow oracle of offline_prep.alignment.onset_network: one cell at a time, every level looked up."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from offline_prep.alignment.features import N_PITCHES
from offline_prep.alignment.onset_network import BIN_EDGES, PITCHES, OnsetNet


def bin_mean(level: NDArray[np.float32], frame: int, pitch: int, k: int) -> float:
    """Mean level of bin k round a cell; the ends go on as they are, pitches outside are silent."""
    if not 0 <= pitch < N_PITCHES:
        return 0.0
    frames = range(frame + BIN_EDGES[k], frame + BIN_EDGES[k + 1])
    return sum(float(level[min(max(f, 0), len(level) - 1), pitch]) for f in frames) / len(frames)


def inputs(level: NDArray[np.float32], frame: int, pitch: int) -> list[float]:
    """What the network reads at a cell."""
    bins = range(len(BIN_EDGES) - 1)
    out = [bin_mean(level, frame, pitch + p, k) for p in PITCHES for k in bins]
    out += [sum(bin_mean(level, frame, q, k) for q in range(N_PITCHES)) / N_PITCHES for k in bins]
    return [v / 2 - 1 for v in out]


def onsets(net: OnsetNet, level: NDArray[np.float32], frame: int, pitch: int) -> list[float]:
    """The network's channels at a cell."""
    values = inputs(level, frame, pitch)
    for w, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        values = [max(0.0, float(b[k]) + sum(v * float(w[i, k]) for i, v in enumerate(values))) for k in range(len(b))]
    w, b = net.weights[-1], net.biases[-1]
    last = [float(b[k]) + sum(v * float(w[i, k]) for i, v in enumerate(values)) for k in range(len(b))]
    return [1.0 / (1.0 + math.exp(-v)) for v in last]
