"""Subsequence alignment of whole recordings, in memory that grows with the length times its square root."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from follower.errors import AlignmentError, ConfigError
from follower.kernels.dense_sparse_offline import HISTORY_ROWS, accumulate_rows, trace_rows

CostRows: TypeAlias = Callable[[int, int], NDArray[np.float32] | NDArray[np.float64]]
"""cost(start, stop): rows start..stop of the cost matrix, shape (stop - start, N). Same values whenever asked again."""

DENSE_SPARSE_WEIGHTS = (1.0, 1.0, 2.0)
"""Weights of the steps (1, 1), (1, 2), (2, 1) in the notebook's dense rows."""


@dataclass(frozen=True)
class DenseSparse:
    """Everything the notebook's `dtw_sparse_subseq` returns.

    Attributes:
        D: accumulated cost, shape (M, N), inf where unreachable.
        B: step of each cell, shape (M, N): index of the dense step, or the columns skipped in a sparse row.
        path: shape (2, L): rows, columns of the best path.
    """

    D: NDArray[np.float64]
    B: NDArray[np.int32]
    path: NDArray[np.int64]


@dataclass(frozen=True)
class _Rows:
    """The kind of every row, see `accumulate_rows`."""

    dense: NDArray[np.bool_]
    gap_before: NDArray[np.int64]
    weights: NDArray[np.float64]


def dense_sparse_dtw(C: NDArray[np.float32] | NDArray[np.float64], gaplens: NDArray[np.int64]) -> DenseSparse:
    """Aligns selected query frames with a subsequence of a longer reference, keeping the whole matrices.

    Source: `dtw_sparse_subseq` of the notebook, equal to it bit for bit. For recordings use `dense_sparse_path`.

    Args:
        C: cost of each selected frame against each reference frame, shape (M, N).
        gaplens: shape (M,), frames from each selected frame to the next (the last entry has no effect).

    Returns:
        `DenseSparse`.

    Raises:
        AlignmentError: no path exists (the notebook returned a path with negative columns).
        ConfigError: shapes that do not fit, or a gap below 1.

    Example:
        >>> C = np.array([[0.0, 1, 1, 1], [1, 1, 0, 1]])
        >>> dense_sparse_dtw(C, np.array([2, 1])).path.tolist()
        [[0, 1], [0, 2]]
    """
    M, N = C.shape
    rows = _dense_sparse_rows(M, gaplens)
    D, B = _accumulated(C, rows)
    col = _best_end(D[-1], M, N, rows)
    return DenseSparse(D, B, _trace([(0, M)], lambda _start, _stop: B, rows, col))


def dense_sparse_path(cost: CostRows, shape: tuple[int, int], gaplens: NDArray[np.int64]) -> NDArray[np.int64]:
    """The path of `dense_sparse_dtw` in little memory.

    Args:
        cost: gives rows of the cost matrix.
        shape: (M, N) of the cost matrix.
        gaplens: shape (M,).

    Returns:
        Path, shape (2, L): selected frame, reference frame.

    Raises:
        AlignmentError: no path exists.
    """
    return _checkpointed_path(cost, shape, _dense_sparse_rows(shape[0], gaplens))


def subsequence_path(cost: CostRows, shape: tuple[int, int], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Subsequence DTW with the steps (1, 1), (1, 2), (2, 1): the whole query against a part of the reference.

    Args:
        cost: gives rows of the cost matrix.
        shape: (M, N) of the cost matrix.
        weights: weights of the three steps, shape (3,).

    Returns:
        Path, shape (2, L): query frame, reference frame; its first row begins at 0 and ends at M - 1.

    Raises:
        AlignmentError: no path exists, the query being more than twice as long as the reference.
    """
    return _checkpointed_path(cost, shape, _all_dense(shape[0], weights))


def whole_path(cost: CostRows, shape: tuple[int, int], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Standard DTW with the same steps: both sequences from their first frame to their last.

    Args:
        cost: gives rows of the cost matrix.
        shape: (M, N) of the cost matrix.
        weights: weights of the three steps, shape (3,).

    Returns:
        Path, shape (2, L), from (0, 0) to (M - 1, N - 1).

    Raises:
        AlignmentError: no path exists, one of the two being more than twice as long as the other.
    """
    M, N = shape

    def from_the_corner(start: int, stop: int) -> NDArray[np.float64]:
        C = np.array(cost(start, stop), dtype=np.float64)
        if start == 0:
            C[0, 1:] = np.inf
        return C

    return _checkpointed_path(from_the_corner, shape, _all_dense(M, weights), N - 1)


def _all_dense(M: int, weights: NDArray[np.float64]) -> _Rows:
    return _Rows(np.ones(M, dtype=np.bool_), np.ones(M, dtype=np.int64), np.asarray(weights, dtype=np.float64))


def _accumulated(
    C: NDArray[np.float32] | NDArray[np.float64], rows: _Rows
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """D and B of the whole matrix, both shape (M, N)."""
    M, N = C.shape
    D = np.full((HISTORY_ROWS + M, N), np.inf)
    B = np.zeros((M, N), dtype=np.int32)
    accumulate_rows(np.ascontiguousarray(C), 0, rows.dense, rows.gap_before, rows.weights, D, B)
    return D[HISTORY_ROWS:], B


def _dense_sparse_rows(M: int, gaplens: NDArray[np.int64]) -> _Rows:
    """A row is dense where the two gaps before it are 1."""
    gaplens = np.asarray(gaplens, dtype=np.int64)
    if M == 0 or gaplens.shape != (M,):
        raise ConfigError(f"{M} selected frames with {gaplens.size} gap lengths; need one for each, at least one")
    if M > 1 and gaplens[:-1].min() < 1:
        raise ConfigError(f"gap length {gaplens[:-1].min()}; frames must be selected in increasing order")
    gap_before = np.ones(M, dtype=np.int64)
    gap_before[1:] = gaplens[:-1]
    dense = np.zeros(M, dtype=np.bool_)
    dense[2:] = (gap_before[2:] == 1) & (gap_before[1:-1] == 1)
    return _Rows(dense, gap_before, np.array(DENSE_SPARSE_WEIGHTS))


def _checkpointed_path(
    cost: CostRows, shape: tuple[int, int], rows: _Rows, end: int | None = None
) -> NDArray[np.int64]:
    """Keeps D only at the border of blocks of sqrt(M) rows and computes a block's steps again on the way back.

    The path ends in column `end`; None is the best one.
    """
    M, N = shape
    size = max(32, math.isqrt(M))
    blocks = [(start, min(start + size, M)) for start in range(0, M, size)]
    borders = np.empty((len(blocks), HISTORY_ROWS, N))
    before = np.full((HISTORY_ROWS, N), np.inf)
    D = np.empty((HISTORY_ROWS + size, N))
    B = np.empty((size, N), dtype=np.int32)

    def run_block(start: int, stop: int) -> NDArray[np.int32]:
        D[:HISTORY_ROWS] = borders[start // size]
        C = np.ascontiguousarray(cost(start, stop))
        accumulate_rows(
            C, start, rows.dense[start:stop], rows.gap_before[start:stop], rows.weights, D, B[: stop - start]
        )
        return B

    for k, (start, stop) in enumerate(blocks):
        borders[k] = before
        run_block(start, stop)
        before = D[stop - start : stop - start + HISTORY_ROWS].copy()
    if end is None:
        end = _best_end(before[-1], M, N, rows)
    elif not np.isfinite(before[-1, end]):
        raise AlignmentError(
            f"no path: {M} frames do not fit onto {N}, from the first to the last; neither may be more than twice as "
            "long as the other"
        )
    return _trace(blocks, run_block, rows, end)


def _best_end(last_row: NDArray[np.float64], M: int, N: int, rows: _Rows) -> int:
    """Column where the best path ends."""
    col = int(np.argmin(last_row))
    if not np.isfinite(last_row[col]):
        span = 1 + int(np.ceil(rows.gap_before[1:] / 2).sum())
        raise AlignmentError(
            f"no path: {M} frames spanning {1 + int(rows.gap_before[1:].sum())} do not fit into {N} reference frames "
            f"(sparse frames alone need up to {span}); the recordings do not hold the same passage, or one is cut short"
        )
    return col


def _trace(
    blocks: list[tuple[int, int]],
    steps: Callable[[int, int], NDArray[np.int32]],
    rows: _Rows,
    col: int,
) -> NDArray[np.int64]:
    """The path back from column `col` of the last row, in playing order, shape (2, L)."""
    row = blocks[-1][1] - 1
    path = np.empty((row + 1, 2), dtype=np.int64)
    path[0] = row, col
    length = 1
    for start, stop in reversed(blocks):
        if row < start:
            continue
        row, col, length = trace_rows(steps(start, stop), start, rows.dense[start:stop], row, col, path, length)
        if row < 0:
            raise AlignmentError("the best path breaks off before the first frame; this is a fault of the program")
    return np.ascontiguousarray(path[:length][::-1].T)
