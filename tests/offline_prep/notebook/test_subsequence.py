from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from follower.errors import AlignmentError, ConfigError
from offline_prep.notebook.subsequence import (
    dense_sparse_dtw,
    dense_sparse_path,
    subsequence_path,
    whole_path,
)
from tests.naive import dense_sparse_offline as naive
from tests.paths import DATA

pytestmark = pytest.mark.plain

GOLDEN = DATA / "dense_sparse_reference.npz"
FEASIBLE = ("dense", "sparse", "mixed", "runs", "wide_gap", "one_row", "two_rows")
WEIGHTS = (2.0, 3.0, 3.0)


def _golden(case: str) -> dict[str, NDArray[Any]]:
    with np.load(GOLDEN, allow_pickle=False) as data:
        return {key: data[f"{case}/{key}"] for key in ("C", "gaplens", "D", "B", "path")}


def _random_case(seed: int, n_mix: int, keep: float, columns: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Costs on a coarse grid, so that equal sums occur, and the gaps of a random selection."""
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(rng.uniform(size=n_mix) < keep)
    kept = kept if len(kept) else np.array([0])
    gaps = np.append(np.diff(kept), n_mix - kept[-1]).astype(np.int64)
    return rng.integers(0, 4, size=(len(kept), columns)).astype(np.float64), gaps


@pytest.mark.parametrize("case", FEASIBLE)
def test_d_b_and_path_are_the_notebooks(case: str) -> None:
    golden = _golden(case)
    result = dense_sparse_dtw(golden["C"], golden["gaplens"])
    np.testing.assert_array_equal(result.D, golden["D"])
    np.testing.assert_array_equal(result.B, golden["B"])
    np.testing.assert_array_equal(result.path, golden["path"])


@pytest.mark.parametrize("case", FEASIBLE)
def test_the_path_in_little_memory_is_the_notebooks(case: str) -> None:
    golden = _golden(case)
    C = golden["C"]
    path = dense_sparse_path(lambda start, stop: C[start:stop], C.shape, golden["gaplens"])
    np.testing.assert_array_equal(path, golden["path"])


def test_an_infeasible_alignment_raises_where_the_notebook_returned_negative_columns() -> None:
    golden = _golden("infeasible")
    assert golden["path"][1].min() < 0
    with pytest.raises(AlignmentError, match="30 frames spanning 30 do not fit into 12"):
        dense_sparse_dtw(golden["C"], golden["gaplens"])
    with pytest.raises(AlignmentError, match="do not fit"):
        dense_sparse_path(lambda a, b: golden["C"][a:b], golden["C"].shape, golden["gaplens"])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0.05, 1.0), st.integers(1, 60))
def test_random_selections_equal_the_oracle(seed: int, n_mix: int, keep: float, columns: int) -> None:
    C, gaps = _random_case(seed, n_mix, keep, columns)
    D, B, dense = naive.dense_sparse(C, gaps)
    if not np.isfinite(D[-1]).any():
        with pytest.raises(AlignmentError):
            dense_sparse_dtw(C, gaps)
        return
    result = dense_sparse_dtw(C, gaps)
    np.testing.assert_array_equal(result.D, D)
    np.testing.assert_array_equal(result.B, B)
    assert naive.path_cost(C, result.path, (1.0, 1.0, 2.0), dense) == D[-1].min()
    np.testing.assert_array_equal(dense_sparse_path(lambda a, b: C[a:b], C.shape, gaps), result.path)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 60))
def test_plain_subsequence_paths_are_optimal(seed: int, rows: int, columns: int) -> None:
    C = np.random.default_rng(seed).uniform(size=(rows, columns))
    best = naive.subsequence(C, WEIGHTS)[-1].min()

    def cost(start: int, stop: int) -> NDArray[np.float64]:
        return C[start:stop]

    if not math.isfinite(best):
        with pytest.raises(AlignmentError):
            subsequence_path(cost, C.shape, np.array(WEIGHTS))
        return
    path = subsequence_path(cost, C.shape, np.array(WEIGHTS))
    assert path[0, 0] == 0
    assert path[0, -1] == rows - 1
    assert naive.path_cost(C, path, WEIGHTS, np.ones(rows, dtype=np.bool_)) == best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 60))
def test_whole_paths_are_optimal_from_corner_to_corner(seed: int, rows: int, columns: int) -> None:
    C = np.random.default_rng(seed).uniform(size=(rows, columns))
    cornered = C.copy()
    cornered[0, 1:] = np.inf
    best = naive.subsequence(cornered, WEIGHTS)[-1, -1]
    if not math.isfinite(best):
        with pytest.raises(AlignmentError, match="neither may be more than twice as long"):
            whole_path(lambda a, b: C[a:b], C.shape, np.array(WEIGHTS))
        return
    path = whole_path(lambda a, b: C[a:b], C.shape, np.array(WEIGHTS))
    assert path[:, 0].tolist() == [0, 0]
    assert path[:, -1].tolist() == [rows - 1, columns - 1]
    assert naive.path_cost(C, path, WEIGHTS, np.ones(rows, dtype=np.bool_)) == best


def test_blocks_of_rows_are_asked_for_at_most_twice_and_stay_small() -> None:
    rows = 1500
    C = np.random.default_rng(1).uniform(size=(rows, 900)).astype(np.float32)
    asked: list[tuple[int, int]] = []

    def cost(start: int, stop: int) -> NDArray[np.float32]:
        asked.append((start, stop))
        return C[start:stop]

    subsequence_path(cost, C.shape, np.array(WEIGHTS))
    assert max(stop - start for start, stop in asked) <= math.isqrt(rows)
    assert sum(stop - start for start, stop in asked) <= 2 * rows


@pytest.mark.parametrize(
    ("rows", "gaps", "message"),
    [(0, [], "0 selected frames"), (2, [1], "2 selected frames with 1 gap"), (3, [1, 0, 1], "gap length 0")],
)
def test_wrong_selections_are_refused(rows: int, gaps: list[int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dense_sparse_dtw(np.ones((rows, 5)), np.array(gaps, dtype=np.int64))
