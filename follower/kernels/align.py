"""One step of the tempo-regularised segmental alignment (design section 3.2); oracle: tests/naive/align.py.

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
            total = np.float32(0.0)
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
    skip: float,
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
        skip: cost of passing over one column.
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
            c = gap[j - 1] + np.float32(skip)
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
    add_segment(f, 0, f[:1], 0, line, step, 0, f.copy())
    update_gap(row, f, row, row, 0.0, 0.0, row.copy(), codes[0].copy())
    offset_profile(f, f, step.astype(np.int64), step.astype(np.int64), f.copy())
