"""Slow oracle of offline_prep.alignment.alignment_network: one frame at a time, every level looked up."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from offline_prep.alignment.alignment_network import BIN_EDGES, OFFSETS, AlignmentNet
from offline_prep.alignment.features import N_PITCHES

Array = NDArray[np.float32]


def bins(level: Array, frame: int, pitch: int) -> list[float]:
    """Mean levels round a cell as the network reads them; the ends go on as they are."""
    out = []
    for begin, end in pairwise(BIN_EDGES):
        values = [float(level[min(max(frame + k, 0), len(level) - 1), pitch]) for k in range(begin, end)]
        out.append(sum(values) / len(values) / 2 - 1)
    return out


def weighted(values: list[float], weights: Array) -> list[float]:
    """Sums of values times the columns of a matrix."""
    assert weights.shape[0] == len(values)
    return [sum(v * float(w) for v, w in zip(values, column, strict=True)) for column in weights.T]


def mean(rows: list[list[float]]) -> list[float]:
    """Mean over rows."""
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def embedding(net: AlignmentNet, level: Array, frame: int) -> list[float]:
    """The network's numbers for a frame."""
    read = [bins(level, frame, p) for p in range(N_PITCHES)]
    whole = weighted(mean(read), net.time_whole)
    first = []
    for p in range(N_PITCHES):
        own = weighted(read[p], net.time)
        first.append([max(0.0, a + b + float(c)) for a, b, c in zip(own, whole, net.time_bias, strict=True)])
    silent = [0.0] * len(first[0])
    all_pitches = weighted(mean(first), net.pitch_whole)
    out = []
    for p in range(N_PITCHES):
        near = [v for o in OFFSETS for v in (first[p + o] if 0 <= p + o < N_PITCHES else silent)]
        sums = zip(weighted(near, net.pitch), all_pitches, net.register[p], strict=True)
        second = [max(0.0, a + b + float(c)) for a, b, c in sums]
        mixed = zip(weighted(second, net.mixed), net.mixed_bias, strict=True)
        third = [max(0.0, a + float(b)) for a, b in mixed]
        last = zip(weighted(third, net.attack), net.attack_bias, net.scale, strict=True)
        out += [float(s) / (1.0 + math.exp(-(a + float(b)))) for a, b, s in last]
    return out


def similarity(net: AlignmentNet, mix: list[float], orchestra: list[float], harmony: float, rises: float) -> float:
    """Log odds of two embeddings, and of inner products of harmony and rises, but for a constant."""
    inner = sum(a * b for a, b in zip(mix, orchestra, strict=True))
    inner -= 0.5 * float(net.size_cost) * sum(a * a for a in (*mix, *orchestra))
    return inner + float(net.plain[0]) * harmony + float(net.plain[1]) * rises
