"""Subsequence alignment of whole recordings, in memory that grows as the reference times a window of rows.

A path needs no matrix. Forwards only the last two rows are kept, and as checkpoints those before each block; backwards
a block's rows are computed again, and only over the columns from which the path can have come. A block has as many
rows as keep that window small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from follower.errors import AlignmentError, ConfigError
from follower.kernels.dense_sparse_offline import (
    HISTORY_ROWS,
    accumulate_rows,
    accumulate_rows_and_steps,
    make_buffers,
    trace_rows,
)

CostRows: TypeAlias = Callable[[int, int], NDArray[np.float32] | NDArray[np.float64]]
"""cost(start, stop): rows start..stop of the cost matrix, shape (stop - start, N). Same values whenever asked again."""

DENSE_SPARSE_WEIGHTS = (1.0, 1.0, 2.0)
"""Weights of the steps (1, 1), (1, 2), (2, 1) in the notebook's dense rows."""
CHUNK_ROWS = 32
"""Rows of the cost matrix at a time. Few, so that they and the costs of the rows between them stay in a cache."""
WINDOW_ROWS = 64
"""A block's window on the way back has at most as many cells as so many whole rows."""


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
    costs = np.ascontiguousarray(C)
    D = np.empty((HISTORY_ROWS + M, N))
    D[:HISTORY_ROWS] = np.inf
    B = np.empty((M, N), dtype=np.int32)
    buffers = make_buffers(N, rows.gap_before)
    accumulate_rows_and_steps(costs, 0, rows.dense, rows.gap_before, rows.weights, D, B, *buffers)
    path = _path_end(D[-1], M, N, rows)
    length = trace_rows(costs, D, 0, 0, rows.dense, rows.gap_before, rows.weights, path, 1)
    return DenseSparse(D[HISTORY_ROWS:], B, _in_playing_order(path, length))


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
    cost: CostRows, shape: tuple[int, int], rows: _Rows, end_column: int | None = None
) -> NDArray[np.int64]:
    """Keeps D only before each block and computes a window of it again on the way back.

    The path ends in column `end_column`; None is the best one.
    """
    M, N = shape
    blocks = _blocks(rows, M, N)
    checkpoints = np.empty((len(blocks), HISTORY_ROWS, N))
    D = np.full((HISTORY_ROWS + min(CHUNK_ROWS, M), N), np.inf)
    buffers = make_buffers(N, rows.gap_before)
    for k, (start, stop) in enumerate(blocks):
        checkpoints[k] = D[:HISTORY_ROWS]
        for begin, end in _chunks(start, stop):
            C = np.ascontiguousarray(cost(begin, end))
            part = slice(begin, end)
            accumulate_rows(C, begin, rows.dense[part], rows.gap_before[part], rows.weights, D, *buffers)
            D[:HISTORY_ROWS] = D[end - begin : end - begin + HISTORY_ROWS].copy()
    path = _path_end(D[HISTORY_ROWS - 1], M, N, rows, end_column)
    length = 1
    for (start, stop), checkpoint in zip(reversed(blocks), reversed(checkpoints), strict=True):
        row, col = (int(x) for x in path[length - 1])
        if row >= start:
            first = max(0, col - _reach(rows, start, stop))
            window = np.empty((HISTORY_ROWS + stop - start, col + 1 - first))
            window[:HISTORY_ROWS] = checkpoint[:, first : col + 1]
            length = _trace_block(cost, rows, (start, stop), first, window, path, length)
    return _in_playing_order(path, length)


def _trace_block(
    cost: CostRows,
    rows: _Rows,
    block: tuple[int, int],
    first_column: int,
    window: NDArray[np.float64],
    path: NDArray[np.int64],
    length: int,
) -> int:
    """Compute a block's rows again within a window of columns and follow the path through them."""
    start, stop = block
    columns = slice(first_column, first_column + window.shape[1])
    kept = []
    for begin, end in _chunks(start, stop):
        part = slice(begin, end)
        kept.append(np.ascontiguousarray(cost(begin, end)[:, columns]))
        D = window[begin - start : end - start + HISTORY_ROWS]
        buffers = make_buffers(window.shape[1], rows.gap_before[part])
        accumulate_rows(kept[-1], begin, rows.dense[part], rows.gap_before[part], rows.weights, D, *buffers)
    part = slice(start, stop)
    filled: int = trace_rows(
        np.concatenate(kept), window, start, first_column, rows.dense[part], rows.gap_before[part], rows.weights,
        path, length,
    )  # fmt: skip
    return filled


def _chunks(start: int, stop: int) -> list[tuple[int, int]]:
    """The same ones on both ways, so that a matrix product rounds in the same way."""
    return [(begin, min(begin + CHUNK_ROWS, stop)) for begin in range(start, stop, CHUNK_ROWS)]


def _reach(rows: _Rows, start: int, stop: int) -> int:
    """Columns that a path can pass in these rows; a dense step has one or two, a sparse one at most twice its gap."""
    frames = int(rows.gap_before[start:stop].sum())
    return 2 * frames


def _blocks(rows: _Rows, M: int, N: int) -> list[tuple[int, int]]:
    """Cut the rows where a block's window would have more than `WINDOW_ROWS` * N cells; whole chunks in each."""
    blocks = []
    start = 0
    for begin, end in _chunks(0, M):
        cells = (end - start) * min(N, _reach(rows, start, end) + 1)
        if begin > start and cells > WINDOW_ROWS * N:
            blocks.append((start, begin))
            start = begin
    blocks.append((start, M))
    return blocks


def _path_end(last_row: NDArray[np.float64], M: int, N: int, rows: _Rows, end: int | None = None) -> NDArray[np.int64]:
    """A path to be filled backwards, shape (M, 2), with the cell where it ends: the best one, or that in a column."""
    if end is not None and not np.isfinite(last_row[end]):
        raise AlignmentError(
            f"no path: {M} frames do not fit onto {N}, from the first to the last; neither may be more than twice as "
            "long as the other"
        )
    col = int(np.argmin(last_row)) if end is None else end
    if not np.isfinite(last_row[col]):
        span = 1 + int(np.ceil(rows.gap_before[1:] / 2).sum())
        raise AlignmentError(
            f"no path: {M} frames spanning {1 + int(rows.gap_before[1:].sum())} do not fit into {N} reference frames "
            f"(sparse frames alone need up to {span}); the recordings do not hold the same passage, or one is cut short"
        )
    path = np.empty((M, 2), dtype=np.int64)
    path[0] = M - 1, col
    return path


def _in_playing_order(path: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The filled part of a path from its beginning, shape (2, L)."""
    if length < 0:
        raise AlignmentError("the best path breaks off before the first frame; this is a fault of the program")
    return np.ascontiguousarray(path[:length][::-1].T)
