"""Dense-sparse subsequence DTW one column at a time: the frontier of accumulated costs over the selected mix frames.

Rows are selected frames of the full mix, columns are frames of the live piano. The recursion is the notebook's
`dtw_sparse_subseq` (design 3.1), turned so that a column needs only columns before it. The offline, row-wise form
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
    offsets: NDArray[np.int64],
    kept: NDArray[np.float64],
    queue: NDArray[np.int64],
    heads: NDArray[np.int64],
    tails: NDArray[np.int64],
    total: NDArray[np.float64],
) -> int:
    """Write one column of accumulated costs.

    A row is dense where the two gaps before it are 1: it takes the steps (1, 1), (1, 2), (2, 1) (rows, columns), each
    for its weight times the row's cost. Any other row follows the row before it after ceil(g/2)..2g columns for its
    cost, g the gap between them; the minimum over those columns slides, so a row's work does not grow with its gap.

    Args:
        column: index of this column, counted from 0 without leaving any out.
        costs: (n,) of the rows in this column.
        entry: (n,) accumulated cost of a path that begins in this row and column, before the row's own cost; inf: none.
        gaps: (n,) mix frames from each row to the next, >= 1; the last has no successor.
        weights: (3,) of the dense steps.
        offsets: (n + 1,) row r owns offsets[r]..offsets[r + 1] of `kept` and `queue`, 2 gaps[r] + 1 places.
        kept: accumulated costs, a ring per row, column c at place c modulo its length; updated.
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
                    best = min(best, cost * weights[0] + one)
                    two = kept[offsets[r - 2] + (column - 1) % (offsets[r - 1] - offsets[r - 2])]
                    best = min(best, cost * weights[2] + two)
                if column >= 2:
                    wide = kept[first + (column - 2) % size]
                    best = min(best, cost * weights[1] + wide)
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


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    n = 3
    gaps = np.ones(n, np.int64)
    offsets = np.arange(n + 1, dtype=np.int64) * 3
    counters = np.zeros(n, np.int64)
    advance(
        0, np.ones(n), np.zeros(n), gaps, np.ones(3), offsets, np.full(3 * n, np.inf), np.zeros(3 * n, np.int64),
        counters, counters.copy(), np.empty(n),
    )
