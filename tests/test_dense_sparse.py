from __future__ import annotations

import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from naive.dense_sparse import dense_sparse_with_entry
from naive.dense_sparse_offline import dense_sparse
from numpy.typing import NDArray

from follower.errors import ConfigError
from follower.frontier.dense_sparse import IncrementalDenseSparse, live_entry, notebook_entry

GOLDEN = Path(__file__).parent / "data" / "dense_sparse_reference.npz"
CASES = ("dense", "sparse", "mixed", "runs", "wide_gap", "one_row", "two_rows", "infeasible")


def _columns(C: NDArray[np.float64], gaps: NDArray[np.int64]) -> NDArray[np.float64]:
    frontier = IncrementalDenseSparse(gaps)
    entry = notebook_entry(len(gaps))
    return np.stack([frontier.push(column, entry).copy() for column in np.ascontiguousarray(C.T)], axis=1)


@pytest.mark.parametrize("case", CASES)
def test_every_column_is_the_notebooks(case: str) -> None:
    with np.load(GOLDEN, allow_pickle=False) as data:
        C, gaps, D = data[f"{case}/C"], data[f"{case}/gaplens"], data[f"{case}/D"]
    np.testing.assert_array_equal(_columns(C, gaps), D)


def _selection(seed: int, n_mix: int, keep: float) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(rng.uniform(size=n_mix) < keep)
    rows = kept if len(kept) else np.array([0])
    return np.append(np.diff(rows), n_mix - rows[-1]).astype(np.int64)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.floats(0.1, 1.0), st.integers(1, 25))
def test_random_selections_equal_the_oracle_after_every_column(seed: int, n_mix: int, keep: float, n: int) -> None:
    gaps = _selection(seed, n_mix, keep)
    C = np.random.default_rng(seed).uniform(size=(len(gaps), n))
    np.testing.assert_array_equal(_columns(C, gaps), dense_sparse(C, gaps)[0])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.floats(0.1, 1.0), st.integers(1, 25))
def test_any_entry_and_weights_equal_the_oracle(seed: int, n_mix: int, keep: float, n: int) -> None:
    rng = np.random.default_rng(seed)
    gaps = _selection(seed, n_mix, keep)
    C = rng.normal(size=(len(gaps), n))
    entry = np.where(rng.uniform(size=C.shape) < 0.3, rng.normal(size=C.shape), np.inf)
    weights = (1.0, 2.0, 1.0)
    penalties = (0.0, 0.25, 0.5)
    frontier = IncrementalDenseSparse(gaps, weights)
    expected = dense_sparse_with_entry(C, gaps, weights, entry, penalties)
    for column in range(n):
        totals = frontier.push(C[:, column].copy(), entry[:, column].copy(), penalties)
        np.testing.assert_array_equal(totals, expected[:, column])


def test_live_paths_begin_in_any_row_of_the_first_column() -> None:
    gaps = np.ones(20, np.int64)
    C = np.ones((20, 6))
    C[np.arange(9, 15), np.arange(6)] = 0.0
    frontier = IncrementalDenseSparse(gaps)
    for column in range(6):
        totals = frontier.push(C[:, column].copy(), live_entry(20, column))
    assert totals[14] == 0.0
    assert np.argmin(totals) == 14


def test_reset_equals_fresh() -> None:
    gaps = _selection(3, 40, 0.5)
    C = np.random.default_rng(0).uniform(size=(len(gaps), 30))
    used = IncrementalDenseSparse(gaps)
    entry = notebook_entry(len(gaps))
    for column in np.ascontiguousarray(C.T):
        used.push(column, entry)
    used.reset()
    fresh = IncrementalDenseSparse(gaps)
    for column in np.ascontiguousarray(C.T)[::-1]:
        np.testing.assert_array_equal(used.push(column.copy(), entry), fresh.push(column.copy(), entry))


@pytest.mark.parametrize("gap", [2, 20, 200])
def test_work_per_column_does_not_grow_with_the_gap(gap: int) -> None:
    rows, columns = 6, 500
    frontier = IncrementalDenseSparse(np.full(rows, gap, np.int64))
    C = np.random.default_rng(gap).uniform(size=(columns, rows))
    for column in C:
        frontier.push(column, notebook_entry(rows))
    assert frontier.steps <= 4 * rows * columns


def test_memory_is_twice_the_mix_plus_the_rows() -> None:
    gaps = np.array([1, 1, 500, 1, 1], np.int64)
    frontier = IncrementalDenseSparse(gaps)
    assert len(frontier._kept) == len(frontier._queue) == 2 * gaps.sum() + len(gaps)


@pytest.mark.parametrize("gaps", [[], [1, 0, 1], [[1, 1]]])
def test_impossible_gaps_are_refused(gaps: list[int]) -> None:
    with pytest.raises(ConfigError, match="one row or more"):
        IncrementalDenseSparse(np.array(gaps, np.int64))


def test_an_unreachable_row_stays_infinite() -> None:
    totals = _columns(np.ones((5, 3)), np.full(5, 4, np.int64))
    assert math.isinf(totals[2, 2])
