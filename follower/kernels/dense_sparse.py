"""Dense-sparse subsequence DTW one column at a time: the frontier of accumulated costs over the selected mix frames.

Rows are selected frames of the full mix, columns are frames of the live piano. The recursion is the notebook's
`dtw_sparse_subseq`, turned so that a column needs only columns before it. The offline, row-wise form
with backtracing is `kernels.dense_sparse_offline`.

Row r keeps the columns its successors can still reach, 2 g columns back and the newest, g its gap to the next row:
together at most twice the mix's frames plus the rows, where whole columns would need rows times twice the widest gap.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def advance(
    column: int,
    costs: NDArray[np.float64],
    entry: NDArray[np.float64],
    gaps: NDArray[np.int64],
    weights: NDArray[np.float64],
    penalties: NDArray[np.float64],
    offsets: NDArray[np.int64],
    kept: NDArray[np.float64],
    queue: NDArray[np.int64],
    heads: NDArray[np.int64],
    tails: NDArray[np.int64],
    total: NDArray[np.float64],
) -> int:
    """Write one column of accumulated costs.

    A row is dense where the two gaps before it are 1: it takes the steps (1, 1), (1, 2), (2, 1) (rows, columns), each
    for its weight times the row's cost and a penalty. Any other row follows the row before it after ceil(g/2)..2g
    columns for its cost, g the gap between them; the minimum over those columns slides, so a row's work does not grow
    with its gap.

    Args:
        column: index of this column, counted from 0 without leaving any out.
        costs: (n,) of the rows in this column.
        entry: (n,) accumulated cost of a path that begins in this row and column, before the row's own cost; inf: none.
        gaps: (n,) mix frames from each row to the next, >= 1; the last has no successor.
        weights: (3,) of the dense steps.
        penalties: (3,) of the dense steps, added; the notebook has none.
        offsets: (n + 1,) row r owns offsets[r]..offsets[r + 1] of `kept` and `queue`, 2 gaps[r] + 1 elements.
        kept: accumulated costs, a ring per row, column c at index c modulo its length; updated.
        queue: columns with increasing cost a sparse successor may still take, a ring per row; updated.
        heads: (n,) how many columns have ever left each queue; updated. To be zero before the first column.
        tails: (n,) how many have ever entered; updated. To be zero before the first column.
        total: (n,) accumulated costs of this column, written.

    Returns:
        The number of elementary steps done: at most a small multiple of n on average over columns.
    """
    work = 0
    for r in range(costs.shape[0]):
        cost = costs[r]
        best = entry[r] + cost
        if r >= 1:
            g = gaps[r - 1]
            first = offsets[r - 1]
            size = offsets[r] - first
            if r >= 2 and g == 1 and gaps[r - 2] == 1:
                work += 3
                if column >= 1:
                    one = kept[first + (column - 1) % size]
                    best = min(best, cost * weights[0] + one + penalties[0])
                    two = kept[offsets[r - 2] + (column - 1) % (offsets[r - 1] - offsets[r - 2])]
                    best = min(best, cost * weights[2] + two + penalties[2])
                if column >= 2:
                    wide = kept[first + (column - 2) % size]
                    best = min(best, cost * weights[1] + wide + penalties[1])
            else:
                work += 2
                entering = column - (g + 1) // 2
                head = heads[r - 1]
                tail = tails[r - 1]
                if entering >= 0:
                    value = kept[first + entering % size]
                    while tail > head and kept[first + queue[first + (tail - 1) % size] % size] > value:
                        tail -= 1
                        work += 1
                    queue[first + tail % size] = entering
                    tail += 1
                while tail > head and queue[first + head % size] < column - 2 * g:
                    head += 1
                    work += 1
                heads[r - 1] = head
                tails[r - 1] = tail
                if tail > head:
                    best = min(best, kept[first + queue[first + head % size] % size] + cost)
        total[r] = best
    for r in range(costs.shape[0]):
        kept[offsets[r] + column % (offsets[r + 1] - offsets[r])] = total[r]
    return work


@njit(cache=True)
def position_costs(
    column: int,
    total: NDArray[np.float64],
    rows: NDArray[np.int64],
    gaps: NDArray[np.int64],
    waiting: NDArray[np.float64],
    since: NDArray[np.int64],
    margin: float,
    out: NDArray[np.float64],
) -> None:
    """Write the accumulated cost of being at each frame of the mix, within gaps too.

    A path that has left the last row before a gap goes on through the gap's frames, one per column, at the cost it
    left with, until the gap's end; a path that arrives there at least `margin` cheaper replaces it.

    Args:
        column: index of the newest column.
        total: (m,) accumulated costs of the rows.
        rows: (m,) frame of each row.
        gaps: (m,) frames to the next row.
        waiting: (m,) cost with which each gap was entered; updated. To be inf before the first column.
        since: (m,) column in which it was entered; updated.
        margin: how much cheaper a path must arrive to replace the one inside the gap.
        out: (n,) per frame of the mix, written; inf where no path can be.
    """
    n = out.shape[0]
    for j in range(n):
        out[j] = np.inf
    for r in range(rows.shape[0]):
        frame = rows[r]
        out[frame] = min(out[frame], total[r])
        g = gaps[r]
        if g > 1:
            if total[r] < waiting[r] - margin or column - since[r] > 2 * g:
                waiting[r] = total[r]
                since[r] = column
            inside = min(frame + min(column - since[r], g - 1), n - 1)
            out[inside] = min(out[inside], waiting[r])


@njit(cache=True)
def posterior(costs: NDArray[np.float64], temperature: float) -> NDArray[np.float32]:
    """Return the posterior (n,), proportional to exp(-cost / temperature); zero where the cost is inf."""
    min_cost = np.inf
    for j in range(costs.shape[0]):
        min_cost = min(min_cost, costs[j])
    out = np.zeros(costs.shape[0], np.float32)
    if np.isinf(min_cost):
        return out
    total = 0.0
    for j in range(costs.shape[0]):
        share = np.exp((min_cost - costs[j]) / temperature)
        out[j] = share
        total += share
    for j in range(costs.shape[0]):
        out[j] /= total
    return out


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    n = 3
    gaps = np.ones(n, np.int64)
    offsets = np.arange(n + 1, dtype=np.int64) * 3
    counters = np.zeros(n, np.int64)
    advance(
        0,
        np.ones(n),
        np.zeros(n),
        gaps,
        np.ones(3),
        np.zeros(3),
        offsets,
        np.full(3 * n, np.inf),
        np.zeros(3 * n, np.int64),
        counters,
        counters.copy(),
        np.empty(n),
    )
    position_costs(0, np.ones(n), np.arange(n), gaps, np.ones(n), counters, 0.5, np.empty(n))
    posterior(np.ones(n), 1.0)
