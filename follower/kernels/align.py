"""One step of the tempo-regularised segmental alignment; oracle: tests/naive/align.py.

The path is a chain of straight segments.  Each covers `T` rows (frames of the mix) and a whole number of columns
(frames of the orchestra recording), its *displacement*; changing the displacement costs `|log(new / old)|`.  A state
is (column, displacement index) at a node; nodes lie every `T` rows.  Besides, a *gap* state per column says that the
recordings do not match there: it is how a cut cadenza, an applause or a foreign introduction is skipped.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

GAP_START = 0
"""`gap_back`: the path starts here."""
GAP_ROWS = 1
"""`gap_back`: same column, one node earlier (the mix goes on, the orchestra recording waits)."""
GAP_COLUMN = 2
"""`gap_back`: previous column, same node (the orchestra recording goes on, the mix waits)."""
GAP_FROM_MATCH = 3
"""`gap_back`: entered from matched displacement index `gap_back - 3`."""


@njit(cache=True)
def leave_node(
    match: NDArray[np.float32],
    gap: NDArray[np.float32],
    log_step: NDArray[np.float32],
    penalty: float,
    best: NDArray[np.float32],
    back: NDArray[np.int8],
) -> None:
    """Cheapest way to leave a node at each column with each displacement.

    Args:
        match: (W, Q) cost of the best path that arrived at the column with the displacement.
        gap: (W,) cost of the best path that waits at the column in a gap; inf forbids it.
        log_step: (Q - 1,) log ratio of neighbouring displacements, positive.
        penalty: cost of a displacement change of one e-fold.
        best: out (W, Q), cost before the next segment.
        back: out (W, Q), displacement index it came from, -1 for the gap.
    """
    width, count = match.shape
    for j in range(width):
        for q in range(count):
            best[j, q] = match[j, q]
            back[j, q] = q
        for q in range(1, count):
            c = best[j, q - 1] + penalty * log_step[q - 1]
            if c < best[j, q]:
                best[j, q] = c
                back[j, q] = back[j, q - 1]
        for q in range(count - 2, -1, -1):
            c = best[j, q + 1] + penalty * log_step[q]
            if c < best[j, q]:
                best[j, q] = c
                back[j, q] = back[j, q + 1]
        for q in range(count):
            if gap[j] < best[j, q]:
                best[j, q] = gap[j]
                back[j, q] = -1


@njit(cache=True)
def add_segment(
    best: NDArray[np.float32],
    first: int,
    cost: NDArray[np.float32],
    cost_first: int,
    line: NDArray[np.int32],
    displacement: NDArray[np.int32],
    prior: NDArray[np.float32],
    next_first: int,
    match: NDArray[np.float32],
) -> int:
    """Add the cost of one segment from every column with every displacement.

    Args:
        best: (W, Q) of `leave_node`; its column 0 is absolute column `first`.
        first: see `best`.
        cost: (T, V) local costs of the segment's rows; its column 0 is absolute column `cost_first`.
        cost_first: see `cost`.
        line: (Q, T) column offset of the straight line at each row.
        displacement: (Q,) columns covered by a segment.
        prior: (Q,) cost of using the displacement at all.
        next_first: absolute column of column 0 of the next node's band.
        match: out (W2, Q) cost at the next node, inf where no segment arrives.

    Returns:
        The number of local costs read (the work done).
    """
    width, count = best.shape
    rows, columns = cost.shape
    next_width = match.shape[0]
    read = 0
    for j in range(next_width):
        for q in range(count):
            match[j, q] = np.inf
    for q in range(count):
        for j in range(width):
            to = first + j + displacement[q] - next_first
            start = first + j - cost_first
            if to < 0 or to >= next_width or start < 0 or start + line[q, rows - 1] >= columns:
                continue
            if best[j, q] == np.inf:
                continue
            total = prior[q]
            for r in range(rows):
                total += cost[r, start + line[q, r]]
            read += rows
            match[to, q] = best[j, q] + total
    return read


@njit(cache=True)
def update_gap(
    gap_before: NDArray[np.float32],
    match: NDArray[np.float32],
    wait: NDArray[np.float32],
    enter: NDArray[np.float32],
    skip: NDArray[np.float32],
    start: float,
    gap: NDArray[np.float32],
    back: NDArray[np.int8],
) -> None:
    """Cost of being in the gap state at a node.

    Args:
        gap_before: (W,) the previous node's gap costs, aligned to this node's columns (inf where it had none).
        match: (W, Q) matched costs at this node.
        wait: (W,) cost of a node's worth of mix rows passing while the orchestra waits at the column.
        enter: (W,) cost of entering the gap at the column.
        skip: (W,) cost of passing from the previous column to this one.
        start: cost of a path that starts here (0), inf where none may.
        gap: out (W,).
        back: out (W,), see the module's constants.
    """
    width, count = match.shape
    for j in range(width):
        g = np.float32(start)
        code = GAP_START
        c = gap_before[j] + wait[j]
        if c < g:
            g = c
            code = GAP_ROWS
        if j > 0:
            c = gap[j - 1] + skip[j]
            if c < g:
                g = c
                code = GAP_COLUMN
        for q in range(count):
            c = match[j, q] + enter[j]
            if c < g:
                g = c
                code = GAP_FROM_MATCH + q
        gap[j] = g
        back[j] = code


@njit(cache=True)
def segment_likelihood(
    cost: NDArray[np.float32],
    line: NDArray[np.int32],
    sharpness: float,
    prior: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """exp(-sharpness (cost of the segment + prior)) from every column with every displacement.

    Args:
        cost: (T, V) local costs, V at least W plus the largest displacement.
        line: (Q, T) column offset of the straight line at each row.
        sharpness: how decisive a cost difference of 1 is.
        prior: (Q,) cost of using the displacement.
        out: (W, Q).
    """
    width, count = out.shape
    for q in range(count):
        for j in range(width):
            total = prior[q]
            for r in range(cost.shape[0]):
                total += cost[r, j + line[q, r]]
            out[j, q] = np.exp(-sharpness * total)


@njit(cache=True)
def change_displacement(weight: NDArray[np.float32], keep: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """out[j, q] = sum over p of weight[j, p] times the product of `keep` between p and q, in two sweeps.

    Args:
        weight: (W, Q).
        keep: (Q - 1,) factor for a step between neighbouring displacements.
        out: (W, Q).
    """
    width, count = weight.shape
    for j in range(width):
        total = np.float32(0.0)
        for q in range(count):
            if q > 0:
                total *= keep[q - 1]
            total += weight[j, q]
            out[j, q] = total
        total = np.float32(0.0)
        for q in range(count - 2, -1, -1):
            total = (total + weight[j, q + 1]) * keep[q]
            out[j, q] += total


@njit(cache=True)
def forward_backward(
    likelihood: NDArray[np.float32],
    displacement: NDArray[np.int32],
    shift: NDArray[np.int64],
    keep: NDArray[np.float32],
    column: NDArray[np.float64],
) -> None:
    """Posterior of the column at every node, over all chains of segments through the band.

    Args:
        likelihood: (K, W, Q) of `segment_likelihood`, one per segment.
        displacement: (Q,) columns per segment.
        shift: (K,) columns by which the band moves on from each node to the next.
        keep: (Q - 1,) see `change_displacement`.
        column: out (K + 1, W), each row a distribution; a row of zeros where no chain fits the band.
    """
    nodes, width, count = likelihood.shape
    forward = np.zeros((nodes + 1, width, count), dtype=np.float32)
    leave = np.empty((width, count), dtype=np.float32)
    forward[0, :, :] = np.float32(1.0 / (width * count))
    for t in range(nodes):
        if t == 0:
            leave[:, :] = forward[0]
        else:
            change_displacement(forward[t], keep, leave)
        total = 0.0
        for j in range(width):
            for q in range(count):
                to = j + displacement[q] - shift[t]
                if 0 <= to < width:
                    value = leave[j, q] * likelihood[t, j, q]
                    forward[t + 1, to, q] = value
                    total += value
        if total > 0.0:
            for j in range(width):
                for q in range(count):
                    forward[t + 1, j, q] = np.float32(forward[t + 1, j, q] / total)
    back = np.ones((width, count), dtype=np.float32)
    before = np.empty((width, count), dtype=np.float32)
    for t in range(nodes, -1, -1):
        if t < nodes:
            total = 0.0
            for j in range(width):
                for q in range(count):
                    to = j + displacement[q] - shift[t]
                    before[j, q] = 0.0
                    if 0 <= to < width:
                        before[j, q] = back[to, q] * likelihood[t, j, q]
                        total += before[j, q]
            if total > 0.0:
                for j in range(width):
                    for q in range(count):
                        before[j, q] = np.float32(before[j, q] / total)
            if t > 0:
                change_displacement(before, keep, back)
            else:
                back[:, :] = before
        total = 0.0
        for j in range(width):
            mass = 0.0
            for q in range(count):
                mass += np.float64(forward[t, j, q]) * np.float64(back[j, q])
            column[t, j] = mass
            total += mass
        if total > 0.0:
            for j in range(width):
                column[t, j] /= total


@njit(cache=True)
def offset_profile(
    mix: NDArray[np.float32],
    orchestra: NDArray[np.float32],
    column: NDArray[np.int64],
    offset: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Similarity of each mix row to the orchestra columns beside its own.

    Args:
        mix: (rows, D).
        orchestra: (columns, D).
        column: (rows,) column the row is mapped to.
        offset: (K,) distances from it.
        out: (rows, K) inner products, 0 where the column lies outside.
    """
    columns, dimension = orchestra.shape
    for i in range(len(column)):
        for k in range(len(offset)):
            j = column[i] + offset[k]
            total = np.float32(0.0)
            if 0 <= j < columns:
                for d in range(dimension):
                    total += mix[i, d] * orchestra[j, d]
            out[i, k] = total


def warmup() -> None:
    """Compile, or load from the on-disk cache, every kernel of this file."""
    f = np.zeros((2, 2), np.float32)
    row = np.zeros(2, np.float32)
    codes = np.zeros((2, 2), np.int8)
    line = np.zeros((2, 1), np.int32)
    step = np.zeros(2, np.int32)
    leave_node(f, row, row[:1], 1.0, f.copy(), codes)
    add_segment(f, 0, f[:1], 0, line, step, row, 0, f.copy())
    update_gap(row, f, row, row, row, 0.0, row.copy(), codes[0].copy())
    segment_likelihood(f[:1], line, 1.0, row, f.copy())
    forward_backward(np.zeros((1, 2, 2), np.float32), step, np.zeros(1, np.int64), row[:1], np.zeros((2, 2)))
    offset_profile(f, f, step.astype(np.int64), step.astype(np.int64), f.copy())
