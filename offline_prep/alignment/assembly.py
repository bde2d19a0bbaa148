"""From aligned chains to one monotone map over both whole recordings: cuts, jumps, free ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offline_prep.alignment.coarse import Chain
from offline_prep.alignment.features import HOP_S

GRID_S = 0.1
"""Maximum distance of neighbouring knots on the mix axis."""
HOLD_LEVEL_S = 0.3
SPLIT_S = 0.05


def assemble(
    chains: tuple[Chain, ...], mix_s: float, orchestra_s: float, rms: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join chains to knots (mix seconds, orchestra seconds) from mix 0 to its end.

    Before the first and behind the last chain both recordings are taken to go on at the same pace, as far as there
    is orchestra; then the orchestra holds.  Where the mix has more between two chains (a cadenza), the orchestra
    goes on to the quietest moment of its own gap, holds there, and goes on; where the orchestra recording has more,
    it jumps over the quietest stretch of that length.

    Args:
        chains: in order, one or more.
        mix_s: duration of the mix.
        orchestra_s: duration of the orchestra recording.
        rms: level of the orchestra recording at every pitchgram frame.
    """
    level = np.convolve(np.square(rms, dtype=np.float64), np.ones(max(1, round(HOLD_LEVEL_S / HOP_S))), "same")
    mix: list[NDArray[np.float64]] = []
    orchestra: list[NDArray[np.float64]] = []

    def add(m: float, o: float) -> None:
        mix.append(np.array([m]))
        orchestra.append(np.array([o]))

    head = min(chains[0].mix_s[0], chains[0].orchestra_s[0])
    add(0.0, chains[0].orchestra_s[0] - head)
    add(chains[0].mix_s[0] - head, chains[0].orchestra_s[0] - head)
    for k, chain in enumerate(chains):
        if k > 0:
            last = chains[k - 1]
            for m, o in _bridge(last.mix_s[-1], last.orchestra_s[-1], chain.mix_s[0], chain.orchestra_s[0], level):
                add(m, o)
        mix.append(chain.mix_s)
        orchestra.append(chain.orchestra_s)
    tail = max(0.0, min(mix_s - chains[-1].mix_s[-1], orchestra_s - chains[-1].orchestra_s[-1]))
    add(chains[-1].mix_s[-1] + tail, chains[-1].orchestra_s[-1] + tail)
    add(mix_s, chains[-1].orchestra_s[-1] + tail)
    return _densify(
        np.maximum.accumulate(np.clip(np.concatenate(mix), 0.0, mix_s)),
        np.maximum.accumulate(np.clip(np.concatenate(orchestra), 0.0, orchestra_s)),
    )


def _bridge(m0: float, o0: float, m1: float, o1: float, level: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Corner knots between (m0, o0) and (m1, o1)."""
    in_mix, in_orchestra = m1 - m0, o1 - o0
    if in_mix <= 0.0 or in_orchestra <= 0.0:
        return []
    if in_orchestra > in_mix:  # O has more: it jumps over the quietest stretch of the right length
        skipped = in_orchestra - in_mix
        energy = np.concatenate([[0.0], np.cumsum(level)])
        start = np.linspace(0.0, in_mix, max(2, int(in_mix / SPLIT_S)))
        at = np.clip(((o0 + np.stack([start, start + skipped])) / HOP_S).astype(np.int64), 0, len(level))
        before = float(start[np.argmin(energy[at[1]] - energy[at[0]])])
        return [(m0 + before, o0 + before), (m0 + before, o0 + before + skipped)]
    frames = slice(int(o0 / HOP_S), max(int(o0 / HOP_S) + 1, int(o1 / HOP_S)))
    quietest = int(o0 / HOP_S) + int(np.argmin(level[frames])) if len(level[frames]) else 0
    hold = float(np.clip(quietest * HOP_S, o0, o1))
    return [(m0 + hold - o0, hold), (m1 - (o1 - hold), hold)]


def _densify(m: NDArray[np.float64], o: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add grid points to pieces longer than the grid; corners and repeats stay."""
    pieces = np.maximum(1, np.ceil(np.diff(m) / GRID_S - 1e-9)).astype(np.int64)
    keep = np.concatenate([(np.diff(m) > 0) | (np.diff(o) > 0), [True]])
    k = np.repeat(np.arange(len(pieces)), np.where(keep[:-1], pieces, 0))
    first = np.concatenate([[0], np.cumsum(np.where(keep[:-1], pieces, 0))])
    share = (np.arange(len(k)) - first[k]) / pieces[k]
    dense_m = m[k] + share * np.diff(m)[k]
    dense_o = o[k] + share * np.diff(o)[k]
    return np.append(dense_m, m[-1]), np.append(dense_o, o[-1])
