"""Slow oracles of follower.kernels.align: the recurrences as written there, every option tried."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def leave_node(
    match: NDArray[np.float32], gap: NDArray[np.float32], log_step: NDArray[np.float32], penalty: float
) -> NDArray[np.float64]:
    """min over every displacement it may come from, and the gap."""
    knot = np.concatenate([[0.0], np.cumsum(log_step.astype(np.float64))])
    width, count = match.shape
    best = np.empty((width, count))
    for j in range(width):
        for q in range(count):
            options = [float(match[j, p]) + penalty * abs(knot[q] - knot[p]) for p in range(count)]
            best[j, q] = min([*options, float(gap[j])])
    return best


def add_segment(
    best: NDArray[np.float32],
    first: int,
    cost: NDArray[np.float32],
    cost_first: int,
    displacement: NDArray[np.int32],
    prior: NDArray[np.float32],
    next_first: int,
    next_width: int,
) -> NDArray[np.float64]:
    """Walk every straight line cell by cell."""
    rows, columns = cost.shape
    out = np.full((next_width, len(displacement)), math.inf)
    for j in range(len(best)):
        for q, d in enumerate(displacement.tolist()):
            column = [first + j - cost_first + math.floor((r + 0.5) * d / rows) for r in range(rows)]
            to = first + j + d - next_first
            if 0 <= to < next_width and min(column) >= 0 and max(column) < columns:
                out[to, q] = float(best[j, q]) + float(prior[q]) + sum(float(cost[r, c]) for r, c in enumerate(column))
    return out


def update_gap(
    gap_before: NDArray[np.float32],
    match: NDArray[np.float32],
    wait: NDArray[np.float32],
    enter: NDArray[np.float32],
    skip: NDArray[np.float32],
    start: float,
) -> NDArray[np.float64]:
    """G[j] = min(start, G'[j] + wait, G[j-1] + skip, min_q D[j, q] + enter)."""
    out = np.empty(len(match))
    for j in range(len(match)):
        options = [start, float(gap_before[j]) + float(wait[j]), float(match[j].min()) + float(enter[j])]
        if j > 0:
            options.append(out[j - 1] + float(skip[j]))
        out[j] = min(options)
    return out


def offset_profile(
    mix: NDArray[np.float32], orchestra: NDArray[np.float32], column: NDArray[np.int64], offset: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Inner products, 0 outside the recording."""
    out = np.zeros((len(column), len(offset)))
    for i, c in enumerate(column.tolist()):
        for k, d in enumerate(offset.tolist()):
            if 0 <= c + d < len(orchestra):
                out[i, k] = float(mix[i].astype(np.float64) @ orchestra[c + d].astype(np.float64))
    return out


def node_posterior(
    cost: NDArray[np.float64],
    displacement: list[int],
    rows: int,
    stiffness: float,
    sharpness: float,
    first: list[int],
    width: int,
) -> NDArray[np.float64]:
    """Sum exp(-sharpness * total cost) over every chain of segments through the band, one by one.

    `cost` starts at column 0 and must reach as far as any chain does.
    """
    nodes = len(cost) // rows
    mass = np.zeros((nodes + 1, width))

    def extend(columns: list[int], before: int | None, total: float) -> None:
        t = len(columns) - 1
        if t == nodes:
            for node, column in enumerate(columns):
                mass[node, column - first[node]] += math.exp(-sharpness * total)
            return
        for d in displacement:
            to = columns[-1] + d
            if first[t + 1] <= to < first[t + 1] + width:
                bend = 0.0 if before is None else stiffness * rows * abs(math.log(d / before))
                line = [columns[-1] + math.floor((r + 0.5) * d / rows) for r in range(rows)]
                segment = sum(float(cost[t * rows + r, c]) for r, c in enumerate(line))
                extend([*columns, to], d, total + bend + segment)

    for j in range(width):
        extend([first[0] + j], None, 0.0)
    posterior: NDArray[np.float64] = mass / mass.sum(axis=1, keepdims=True)
    return posterior


def cheapest_path(cost: NDArray[np.float64], displacement: list[int], rows: int, stiffness: float, width: int) -> float:
    """Best total of a chain of straight segments whose nodes lie in columns 0..width-1, by exhaustive recursion."""
    nodes = len(cost) // rows

    def from_node(t: int, j: int, before: int | None) -> float:
        best = 0.0 if t == nodes else math.inf
        for d in displacement:
            if t < nodes and j + d < width:
                bend = 0.0 if before is None else stiffness * rows * abs(math.log(d / before))
                line = sum(float(cost[t * rows + r, j + math.floor((r + 0.5) * d / rows)]) for r in range(rows))
                best = min(best, bend + line + from_node(t + 1, j + d, d))
        return best

    return min(from_node(0, j, None) for j in range(width))
