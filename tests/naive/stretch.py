"""Slow, plain versions of `follower.kernels.stretch`."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray


def difference_power(samples: NDArray[np.float32], block: int) -> NDArray[np.float64]:
    x = samples.astype(np.float64)
    power = np.diff(x, axis=1, prepend=x[:, :1]) ** 2
    n = power.shape[1] // block
    total: NDArray[np.float64] = power[:, : n * block].reshape(len(x), n, block).sum(axis=(0, 2))
    return total


def power_rises(
    power: NDArray[np.float64], memory: int, factor: float, floor: float, spacing: int
) -> NDArray[np.int64]:
    found: list[int] = []
    for k in range(1, len(power)):
        loudest = max(power[max(k - memory, 0) : k])
        if power[k] > floor and power[k] > factor * loudest and (not found or k - found[-1] >= spacing):
            found.append(k)
    return np.array(found, np.int64)


def lock_phases(
    current: NDArray[np.complex64],
    back: NDArray[np.complex64],
    previous: NDArray[np.complex64],
    fresh: NDArray[np.bool_],
) -> NDArray[np.complex64]:
    power = (np.abs(current.astype(np.complex128)) ** 2).sum(axis=0)
    n = len(power)
    padded = np.concatenate([[-np.inf], power, [-np.inf]])
    peaks = [b for b in range(n) if power[b] > padded[b] and power[b] >= padded[b + 2]]
    edges = [0]
    for a, b in itertools.pairwise(peaks):
        edges.append(a + 1 + int(np.argmin(power[a + 1 : b])))
    edges.append(n)
    out = current.copy()
    for peak, first, last in zip(peaks, edges[:-1], edges[1:], strict=True):
        if fresh[peak]:
            continue
        near = slice(max(peak - 1, first), min(peak + 2, last))
        turn = np.sum(previous[:, near].astype(np.complex128) * np.conj(back[:, near].astype(np.complex128)))
        if abs(turn) > 1e-30:
            out[:, first:last] *= np.complex64(turn / abs(turn))
    return out


def limit(samples: NDArray[np.float32], ceiling: float, release: float, lookahead: int) -> NDArray[np.float32]:
    n = len(samples)
    wanted = np.ones(n + lookahead)
    peak = np.abs(samples.astype(np.float64)).max(axis=1)
    wanted[:n][peak > ceiling] = ceiling / peak[peak > ceiling]
    delayed = np.concatenate([np.zeros((lookahead, samples.shape[1]), np.float32), samples])[:n]
    gain, out = 1.0, np.zeros_like(samples)
    for i in range(n):
        target = gain + (1.0 - gain) * release
        # In the line after this sample entered: those that leave next, next but one, ...
        for k in range(lookahead):
            j = i - lookahead + 1 + k
            if j >= 0 and wanted[j] < gain:
                target = min(target, gain + (wanted[j] - gain) / (k + 1))
        leaving = wanted[i - lookahead] if i >= lookahead else 1.0
        gain = min(target, leaving)
        out[i] = delayed[i] * gain
    return out


def read_between(
    samples: NDArray[np.float32], first: float, step: float, table: NDArray[np.float32], n: int
) -> NDArray[np.float64]:
    phases, taps = len(table) - 1, table.shape[1]
    out = np.zeros((n, samples.shape[1]))
    for i in range(n):
        at = first + step * i
        whole = int(np.floor(at))
        weights = [float(np.interp((at - whole) * phases, np.arange(phases + 1), table[:, k])) for k in range(taps)]
        for k, weight in enumerate(weights):
            out[i] += weight * samples[whole - taps // 2 + 1 + k]
    return out
