"""Subsequence DTW whose rows are either dense or sparse: the notebook's two alignments in one recursion.

Source: `dtw_sparse_subseq` of the notebook. The plain subsequence DTW of its first pass is the
case in which every row is dense. The incremental, column-wise form for live use is `kernels.dense_sparse`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

HISTORY_ROWS = 2
"""Rows of D that a row can look back on."""


@njit(cache=True)
def accumulate_rows(
    C: NDArray[np.float32],
    first_row: int,
    dense: NDArray[np.bool_],
    gap_before: NDArray[np.int64],
    weights: NDArray[np.float64],
    D: NDArray[np.float64],
    B: NDArray[np.int32],
) -> None:
    """Fills the accumulated costs of a block of consecutive rows, given the two rows before it.

    A dense row allows the steps (1, 1), (1, 2), (2, 1) as (rows, columns), the cost of the row times the step's weight.
    A sparse row comes from the row before over ceil(g/2)..2g columns, g the gap before it; its cost counts once. Equal
    costs take the first step, or the widest one of a sparse row. The minimum over the columns slides, so a row costs
    O(N) whatever its gap.

    Args:
        C: costs of the block, shape (n, N).
        first_row: index of the block's first row in the whole alignment. Row 0 may start at any column.
        dense: shape (n,), the row's kind; of no meaning for row 0.
        gap_before: shape (n,), mix frames from the row before to this one, >= 1; used where the row is sparse.
        weights: weights of the three dense steps, shape (3,).
        D: accumulated costs, shape (2 + n, N): rows 0 and 1 hold the two rows before the block (inf where there is
            none), the rest is written. inf means: cannot be reached.
        B: shape (n, N), written: index of the dense step (-1: none), or the columns a sparse row steps over.
    """
    n, N = C.shape
    queue = np.empty(N, dtype=np.int64)
    for i in range(n):
        row = D[i + 2]
        one_back = D[i + 1]
        two_back = D[i]
        if first_row + i == 0:
            for col in range(N):
                row[col] = C[i, col]
                B[i, col] = 0
            continue
        row[0] = np.inf
        B[i, 0] = 0
        if dense[i]:
            for col in range(1, N):
                cost = C[i, col]
                best = np.inf
                step = -1
                candidate = cost * weights[0] + one_back[col - 1]
                if candidate < best:
                    best = candidate
                    step = 0
                if col >= 2:
                    candidate = cost * weights[1] + one_back[col - 2]
                    if candidate < best:
                        best = candidate
                        step = 1
                candidate = cost * weights[2] + two_back[col - 1]
                if candidate < best:
                    best = candidate
                    step = 2
                row[col] = best
                B[i, col] = step
            continue
        nearest = (gap_before[i] + 1) // 2
        farthest = 2 * gap_before[i]
        # A queue of columns with increasing cost; its head is the first minimum of the window.
        head = 0
        tail = 0
        for col in range(1, N):
            entering = col - nearest
            if entering < 0:
                row[col] = np.inf
                B[i, col] = 0
                continue
            while tail > head and one_back[queue[tail - 1]] > one_back[entering]:
                tail -= 1
            queue[tail] = entering
            tail += 1
            while queue[head] < col - farthest:
                head += 1
            row[col] = one_back[queue[head]] + C[i, col]
            B[i, col] = col - queue[head]


@njit(cache=True)
def trace_rows(
    B: NDArray[np.int32],
    first_row: int,
    dense: NDArray[np.bool_],
    row: int,
    col: int,
    path: NDArray[np.int64],
    length: int,
) -> tuple[int, int, int]:
    """Follows the steps back from (row, col) until the row lies before the block or is 0.

    Args:
        B: steps of the block, shape (n, N), see `accumulate_rows`.
        first_row: index of the block's first row.
        dense: kinds of the block's rows, shape (n,).
        row: where to begin; an index into the whole alignment, first_row <= row < first_row + n.
        col: where to begin.
        path: written from `length` on, shape (L, 2): visited (row, column), the beginning not repeated.
        length: how much of `path` is filled.

    Returns:
        row, column and filled length at the end. Row -1 means that the path broke off (no step leads on).
    """
    while row >= first_row and row > 0:
        i = row - first_row
        step = B[i, col]
        if dense[i]:
            if step < 0:
                return -1, col, length
            row -= 2 if step == 2 else 1
            col -= 2 if step == 1 else 1
        else:
            row -= 1
            col -= step
        if col < 0 or row < 0:
            return -1, col, length
        path[length, 0] = row
        path[length, 1] = col
        length += 1
    return row, col, length


def warmup() -> None:
    """Compiles (or loads) the kernels for the argument types the program uses."""
    dense = np.array([False, True, False])
    gaps = np.array([1, 1, 2], dtype=np.int64)
    for dtype in (np.float32, np.float64):
        D = np.full((5, 8), np.inf)
        B = np.zeros((3, 8), dtype=np.int32)
        accumulate_rows(np.ones((3, 8), dtype=dtype), 0, dense, gaps, np.ones(3), D, B)
        trace_rows(B, 0, dense, 2, 7, np.zeros((4, 2), dtype=np.int64), 0)
