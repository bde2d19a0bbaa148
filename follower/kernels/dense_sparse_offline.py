"""Subsequence DTW whose rows are either dense or sparse: the notebook's two alignments in one recursion.

Source: `dtw_sparse_subseq` of the notebook. The plain subsequence DTW of its first pass is the
case in which every row is dense. The incremental, column-wise form for live use is `kernels.dense_sparse`.

A cell depends on the two rows before it only, so the loops over columns below have no dependency and no branch, on
slices that begin at 0: that is what makes a compiler take several columns at a time. A sparse row's minimum over a
window of columns comes from minima over windows of 2, 4, 8, ... columns, in tiles that stay in the nearest cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

HISTORY_ROWS = 2
"""Rows of D that a row can look back on."""
TILE_COLUMNS = 2048
"""Columns of a sparse row at a time: two buffers of so many float64 fit into a first-level cache of 32 KB."""
FEW_COLUMNS = 16
"""Up to so many columns a window's first minimum is found by comparing all of them, and by a walk beyond."""


def make_buffers(columns: int, gap_before: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a sparse row needs to work: the windows' minima (N,), and two spare rows.

    Args:
        columns: N.
        gap_before: the rows' gaps, shape (n,).
    """
    halo = min(2 * int(gap_before.max(initial=1)), columns)
    return np.empty(columns), np.empty((2, min(TILE_COLUMNS, columns) + halo))


@njit(cache=True)
def _dense_row(
    costs: NDArray[np.float32],
    one_back: NDArray[np.float64],
    two_back: NDArray[np.float64],
    weights: NDArray[np.float64],
    row: NDArray[np.float64],
) -> None:
    N = len(row)
    row[0] = np.inf
    if N > 1:
        first = costs[1] * weights[0] + one_back[0]
        second = costs[1] * weights[2] + two_back[0]
        row[1] = first if first < second else second
    if N > 2:
        here = costs[2:]
        one_one = one_back[1 : N - 1]
        one_two = one_back[: N - 2]
        two_one = two_back[1 : N - 1]
        out = row[2:]
        for k in range(len(out)):
            cost = float(here[k])
            a = cost * weights[0] + one_one[k]
            b = cost * weights[1] + one_two[k]
            c = cost * weights[2] + two_one[k]
            least = a if a < b else b
            out[k] = least if least < c else c


@njit(cache=True)
def _window_minima(
    one_back: NDArray[np.float64], gap: int, minima: NDArray[np.float64], spare: NDArray[np.float64]
) -> None:
    """Writes, for each column, the least of one_back[col - 2 gap] .. one_back[col - ceil(gap / 2)]; inf of none."""
    N = len(one_back)
    # A window that begins before the first column by more than the row is long is empty all the same.
    farthest = min(2 * gap, N)
    nearest = min((gap + 1) // 2, farthest)
    width = farthest - nearest + 1
    for begin in range(0, N, TILE_COLUMNS):
        n = min(TILE_COLUMNS, N - begin)
        filled = n + width - 1
        now = spare[0]
        then = spare[1]
        before_first = min(max(farthest - begin, 0), filled)
        now[:before_first] = np.inf
        if filled > before_first:
            since = begin + before_first - farthest
            now[before_first:filled] = one_back[since : since + filled - before_first]
        reach = 1
        while 2 * reach <= width:
            filled -= reach
            left = now[:filled]
            right = now[reach : reach + filled]
            out = then[:filled]
            for k in range(filled):
                a = left[k]
                b = right[k]
                out[k] = a if a < b else b
            now, then = then, now
            reach *= 2
        left = now[:n]
        right = now[width - reach : width - reach + n]
        out = minima[begin : begin + n]
        for k in range(n):
            a = left[k]
            b = right[k]
            out[k] = a if a < b else b


@njit(cache=True)
def _sparse_row(
    costs: NDArray[np.float32],
    one_back: NDArray[np.float64],
    gap: int,
    row: NDArray[np.float64],
    minima: NDArray[np.float64],
    spare: NDArray[np.float64],
) -> None:
    if (gap + 1) // 2 >= len(row):
        row[:] = np.inf
        minima[:] = np.inf
        return
    _window_minima(one_back, gap, minima, spare)
    for k in range(len(row)):
        row[k] = minima[k] + costs[k]


@njit(cache=True)
def accumulate_rows(
    C: NDArray[np.float32],
    first_row: int,
    dense: NDArray[np.bool_],
    gap_before: NDArray[np.int64],
    weights: NDArray[np.float64],
    D: NDArray[np.float64],
    minima: NDArray[np.float64],
    spare: NDArray[np.float64],
) -> None:
    """Fills the accumulated costs of a block of consecutive rows, given the two rows before it.

    A dense row allows the steps (1, 1), (1, 2), (2, 1) as (rows, columns), the cost of the row times the step's weight.
    A sparse row comes from the row before over ceil(g/2)..2g columns, g the gap before it; its cost counts once. A row
    costs O(N log g).

    Args:
        C: costs of the block, shape (n, N).
        first_row: index of the block's first row in the whole alignment. Row 0 may start at any column.
        dense: shape (n,), the row's kind; of no meaning for row 0.
        gap_before: shape (n,), mix frames from the row before to this one, >= 1; used where the row is sparse.
        weights: weights of the three dense steps, shape (3,).
        D: accumulated costs, shape (2 + n, N): rows 0 and 1 hold the two rows before the block (inf where there is
            none), the rest is written. inf means: cannot be reached.
        minima: to work with, from `make_buffers`.
        spare: to work with, from `make_buffers`.
    """
    for i in range(C.shape[0]):
        if first_row + i == 0:
            for col in range(C.shape[1]):
                D[i + 2, col] = C[i, col]
        elif dense[i]:
            _dense_row(C[i], D[i + 1], D[i], weights, D[i + 2])
        else:
            _sparse_row(C[i], D[i + 1], gap_before[i], D[i + 2], minima, spare)


@njit(cache=True)
def _dense_steps(
    costs: NDArray[np.float32],
    one_back: NDArray[np.float64],
    two_back: NDArray[np.float64],
    weights: NDArray[np.float64],
    steps: NDArray[np.int32],
) -> None:
    N = len(steps)
    steps[0] = 0
    if N > 1:
        first = costs[1] * weights[0] + one_back[0]
        second = costs[1] * weights[2] + two_back[0]
        steps[1] = 2 if second < first else (0 if first < np.inf else -1)
    if N > 2:
        here = costs[2:]
        one_one = one_back[1 : N - 1]
        one_two = one_back[: N - 2]
        two_one = two_back[1 : N - 1]
        out = steps[2:]
        for k in range(len(out)):
            cost = float(here[k])
            a = cost * weights[0] + one_one[k]
            b = cost * weights[1] + one_two[k]
            c = cost * weights[2] + two_one[k]
            step = np.int32(1) if b < a else np.int32(0)
            least = b if b < a else a
            step = np.int32(2) if c < least else step
            least = c if c < least else least
            out[k] = step if least < np.inf else np.int32(-1)


@njit(cache=True)
def _sparse_steps(
    one_back: NDArray[np.float64],
    gap: int,
    minima: NDArray[np.float64],
    steps: NDArray[np.int32],
    spare: NDArray[np.float64],
) -> None:
    """Writes how far each window's first minimum is away, given the minima; 0 where the window is empty."""
    N = len(steps)
    farthest = min(2 * gap, N)
    nearest = min((gap + 1) // 2, N)
    for col in range(nearest):
        steps[col] = 0
    # The first minimum of a window never lies before that of the window before it.
    at = 0
    for col in range(nearest, farthest):
        while one_back[at] != minima[col]:
            at += 1
        steps[col] = col - at
    if farthest - nearest < FEW_COLUMNS:
        for begin in range(farthest, N, TILE_COLUMNS):
            n = min(TILE_COLUMNS, N - begin)
            step = spare[0, :n]
            least = minima[begin : begin + n]
            for k in range(n):
                step[k] = nearest
            for away in range(nearest + 1, farthest + 1):
                there = one_back[begin - away : begin - away + n]
                for k in range(n):
                    step[k] = away if there[k] == least[k] else step[k]
            out = steps[begin : begin + n]
            for k in range(n):
                out[k] = np.int32(step[k])
        return
    for col in range(farthest, N):
        at = max(at, col - farthest)
        while one_back[at] != minima[col]:
            at += 1
        steps[col] = col - at


@njit(cache=True)
def accumulate_rows_and_steps(
    C: NDArray[np.float32],
    first_row: int,
    dense: NDArray[np.bool_],
    gap_before: NDArray[np.int64],
    weights: NDArray[np.float64],
    D: NDArray[np.float64],
    B: NDArray[np.int32],
    minima: NDArray[np.float64],
    spare: NDArray[np.float64],
) -> None:
    """As `accumulate_rows`, and fills the step by which each cell is reached. Of equal ones the first, or the widest.

    Args:
        C: as there.
        first_row: as there.
        dense: as there.
        gap_before: as there.
        weights: as there.
        D: as there.
        B: shape (n, N), written: index of the dense step (-1: none), or the columns a sparse row steps over.
        minima: as there.
        spare: as there.
    """
    for i in range(C.shape[0]):
        accumulate_rows(
            C[i : i + 1], first_row + i, dense[i : i + 1], gap_before[i : i + 1], weights, D[i : i + 3], minima, spare
        )
        if first_row + i == 0:
            B[i] = 0
        elif dense[i]:
            _dense_steps(C[i], D[i + 1], D[i], weights, B[i])
        else:
            _sparse_steps(D[i + 1], gap_before[i], minima, B[i], spare)


@njit(cache=True)
def trace_rows(
    C: NDArray[np.float32],
    D: NDArray[np.float64],
    first_row: int,
    first_column: int,
    dense: NDArray[np.bool_],
    gap_before: NDArray[np.int64],
    weights: NDArray[np.float64],
    path: NDArray[np.int64],
    length: int,
) -> int:
    """Follows the best path back until it has left the block or come to row 0, choosing the steps once more.

    Args:
        C: costs of the block's columns from `first_column` on, shape (n, W).
        D: accumulated costs, shape (2 + n, W), as `accumulate_rows` leaves them.
        first_row: index of the block's first row.
        first_column: index of the first column.
        dense: kinds of the block's rows, shape (n,).
        gap_before: gaps before the block's rows, shape (n,).
        weights: weights of the three dense steps, shape (3,).
        path: (row, column) of the whole alignment, shape (L, 2), from the end backwards; written from `length` on.
        length: how much of `path` is filled, >= 1: its last entry lies in the block.

    Returns:
        How much of `path` is filled at the end; -1 when the path broke off (no step leads on).
    """
    row = path[length - 1, 0]
    col = path[length - 1, 1] - first_column
    while row >= first_row and row > 0:
        i = row - first_row
        rows_back = 1
        columns_back = 0
        best = np.inf
        if dense[i]:
            cost = float(C[i, col])
            if col >= 1:
                best = cost * weights[0] + D[i + 1, col - 1]
                columns_back = 1
                second = cost * weights[2] + D[i, col - 1]
                if col >= 2 and cost * weights[1] + D[i + 1, col - 2] < best:
                    best = cost * weights[1] + D[i + 1, col - 2]
                    columns_back = 2
                if second < best:
                    best = second
                    rows_back = 2
                    columns_back = 1
        else:
            nearest = col - (gap_before[i] + 1) // 2
            for at in range(max(col - 2 * gap_before[i], 0), nearest + 1):
                if D[i + 1, at] < best:
                    best = D[i + 1, at]
                    columns_back = col - at
        row -= rows_back
        col -= columns_back
        if best == np.inf or row < 0:
            return -1
        path[length, 0] = row
        path[length, 1] = col + first_column
        length += 1
    return length


def warmup() -> None:
    """Compiles (or loads) the kernels for the argument types the program uses."""
    dense = np.array([False, True, False])
    gaps = np.array([1, 1, 2], dtype=np.int64)
    minima, spare = make_buffers(8, gaps)
    for dtype in (np.float32, np.float64):
        C = np.ones((3, 8), dtype=dtype)
        D = np.full((5, 8), np.inf)
        accumulate_rows(C, 0, dense, gaps, np.ones(3), D, minima, spare)
        path = np.zeros((4, 2), dtype=np.int64)
        path[0] = 2, 7
        trace_rows(C, D, 0, 0, dense, gaps, np.ones(3), path, 1)
