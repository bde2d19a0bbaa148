"""What a path needs beside its cost matrix: counted, not timed. Too many cells for plain Python."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.errors import AlignmentError
from follower.kernels.dense_sparse_offline import TILE_COLUMNS
from offline_prep.notebook.subsequence import CHUNK_ROWS, WINDOW_ROWS, dense_sparse_dtw, dense_sparse_path
from tests.naive import dense_sparse_offline as naive

ROW_BYTES = 8


def _selection(seed: int, frames: int, keep: float) -> NDArray[np.int64]:
    """Gaps of runs of selected frames and holes between them."""
    kept = np.flatnonzero(np.repeat(np.random.default_rng(seed).uniform(size=frames // 6 + 1) < keep, 6)[:frames])
    return np.append(np.diff(kept), frames - kept[-1]).astype(np.int64)


@pytest.mark.parametrize("keep", [1.0, 0.6, 0.1])
def test_a_path_of_several_blocks_is_that_of_the_whole_matrices(keep: float) -> None:
    gaps = _selection(3, 2000, keep)
    # Few values, so that many paths cost the same and the first of them must be found again.
    C = np.random.default_rng(4).integers(0, 3, size=(len(gaps), 1900)).astype(np.float32)
    asked: list[tuple[int, int]] = []

    def cost(start: int, stop: int) -> NDArray[np.float32]:
        asked.append((start, stop))
        return C[start:stop]

    path = dense_sparse_path(cost, C.shape, gaps)
    np.testing.assert_array_equal(path, dense_sparse_dtw(C, gaps).path)
    assert max(stop - start for start, stop in asked) <= CHUNK_ROWS
    assert sum(stop - start for start, stop in asked) <= 2 * len(gaps)


@pytest.mark.parametrize("gap", [1, 2, 3, 9, 700, 9000])
def test_rows_longer_than_a_tile_equal_the_oracle(gap: int) -> None:
    columns = 2 * TILE_COLUMNS + 77
    gaps = np.array([gap, 1, 1, gap, 2], dtype=np.int64)
    C = np.random.default_rng(gap).integers(0, 4, size=(len(gaps), columns)).astype(np.float64)
    D, B, dense = naive.dense_sparse(C, gaps)
    assert dense.any()
    if not np.isfinite(D[-1]).any():
        with pytest.raises(AlignmentError):
            dense_sparse_dtw(C, gaps)
        return
    result = dense_sparse_dtw(C, gaps)
    np.testing.assert_array_equal(result.D, D)
    np.testing.assert_array_equal(result.B, B)


def test_memory_grows_with_the_columns_and_not_with_the_matrix() -> None:
    """Four times the rows and columns is four times the window's rows, and twice as many of them at most."""

    def peak_rows(frames: int) -> float:
        rng = np.random.default_rng(5)
        gaps = np.ones(frames, dtype=np.int64)
        query = rng.uniform(size=(frames, 4)).astype(np.float32)
        reference = rng.uniform(size=(4, frames)).astype(np.float32)
        tracemalloc.start()
        dense_sparse_path(lambda a, b: query[a:b] @ reference, (frames, frames), gaps)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / (ROW_BYTES * frames)

    # The window and its costs, a chunk with its costs, two rows for each block of about sqrt(32 columns) rows.
    frames = 6000
    checkpoints = 2 * frames / (np.sqrt(WINDOW_ROWS * frames / 2) - CHUNK_ROWS)
    assert peak_rows(frames) <= 2 * WINDOW_ROWS + 2 * CHUNK_ROWS + checkpoints
    assert frames > 10 * (2 * WINDOW_ROWS + 2 * CHUNK_ROWS + checkpoints), "the bound is far from the matrix"
