from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.errors import ConfigError
from follower.inference.base import Belief, Frame
from follower.inference.dense_sparse import DenseSparseFrontier
from follower.inference.dense_sparse_config import DenseSparseConfig
from follower.inference.dense_sparse_dtw import IncrementalDenseSparse, notebook_entry
from follower.inference.path_costs import PathCosts
from follower.inference.piano_classifier import MixClassifier
from follower.inference.row_selection import select_rows
from follower.kernels import dense_sparse as kernels
from follower.piece.gmm import DiagonalGmm
from follower.signal.observation import LiveObserver, observe_reference
from tests.naive.dense_sparse import dense_sparse_with_entry, position_costs
from tests.naive.dense_sparse_offline import dense_sparse
from tests.paths import DATA

GOLDEN = DATA / "dense_sparse_reference.npz"
CASES = ("dense", "sparse", "mixed", "runs", "wide_gap", "one_row", "two_rows", "infeasible")


def _columns(C: NDArray[np.float64], gaps: NDArray[np.int64]) -> NDArray[np.float64]:
    frontier = IncrementalDenseSparse(gaps)
    entry = notebook_entry(len(gaps))
    return np.stack([frontier.update(column, entry).copy() for column in np.ascontiguousarray(C.T)], axis=1)


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


@pytest.mark.plain
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.floats(0.1, 1.0), st.integers(1, 25))
def test_random_selections_equal_the_oracle_after_every_column(seed: int, n_mix: int, keep: float, n: int) -> None:
    gaps = _selection(seed, n_mix, keep)
    C = np.random.default_rng(seed).uniform(size=(len(gaps), n))
    np.testing.assert_array_equal(_columns(C, gaps), dense_sparse(C, gaps)[0])


@pytest.mark.plain
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
        totals = frontier.update(C[:, column].copy(), entry[:, column].copy(), penalties)
        np.testing.assert_array_equal(totals, expected[:, column])


@pytest.mark.plain
def test_paths_may_begin_in_every_row_of_the_first_column() -> None:
    gaps = np.ones(20, np.int64)
    C = np.ones((20, 6))
    C[np.arange(9, 15), np.arange(6)] = 0.0
    frontier = IncrementalDenseSparse(gaps)
    for column in range(6):
        entry = np.zeros(20) if column == 0 else notebook_entry(20)
        totals = frontier.update(C[:, column].copy(), entry)
    assert totals[14] == 0.0
    assert np.argmin(totals) == 14


@pytest.mark.plain
def test_reset_equals_fresh() -> None:
    gaps = _selection(3, 40, 0.5)
    C = np.random.default_rng(0).uniform(size=(len(gaps), 30))
    used = IncrementalDenseSparse(gaps)
    entry = notebook_entry(len(gaps))
    for column in np.ascontiguousarray(C.T):
        used.update(column, entry)
    used.reset()
    fresh = IncrementalDenseSparse(gaps)
    for column in np.ascontiguousarray(C.T)[::-1]:
        np.testing.assert_array_equal(used.update(column.copy(), entry), fresh.update(column.copy(), entry))


@pytest.mark.parametrize("gap", [2, 20, 200])
def test_work_per_column_does_not_grow_with_the_gap(gap: int) -> None:
    rows, columns = 6, 500
    frontier = IncrementalDenseSparse(np.full(rows, gap, np.int64))
    C = np.random.default_rng(gap).uniform(size=(columns, rows))
    for column in C:
        frontier.update(column, notebook_entry(rows))
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


# The live frontier, on notes drawn at random: hop k of the mix is one frame, the pianist plays its frames.

HOP_S = FeatureConfig().hop_s
QUIET = 1e-4


def _notes(n: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    pitch = np.zeros((n, 88))
    begins = np.cumsum(np.append(0, rng.integers(5, 12, n // 5)))
    for begin in begins[begins < n].tolist():
        tail = np.exp(-np.arange(n - begin) / 20.0)
        for semitone in rng.integers(15, 70, 2):
            pitch[begin:, semitone] += rng.uniform(0.5, 1.0) * tail
    return (pitch + QUIET).astype(np.float32)


def _frontier(mix: NDArray[np.float32], activity: NDArray[np.float32], **changes: float) -> DenseSparseFrontier:
    features = FeatureConfig()
    mixture = DiagonalGmm([1.0], np.zeros((1, 12)), np.full((1, 12), 100.0))
    config = DenseSparseConfig(**changes)  # type: ignore[arg-type]
    classifier = MixClassifier(np.zeros((len(mix), 13), np.float32), activity, mixture, mixture)
    reference = observe_reference(mix, features.hop_s, config.observation)
    observer = LiveObserver(features, reference.typical_norms, config.observation, config.start)
    return DenseSparseFrontier(features, reference.features, observer, classifier, np.ones(len(mix)), config)


def _play(frontier: DenseSparseFrontier, pitch: NDArray[np.float32]) -> list[Belief]:
    return [frontier.update(Frame(row, np.zeros(13, np.float32), float(np.linalg.norm(row)))) for row in pitch]


def _silence(n: int) -> NDArray[np.float32]:
    return np.full((n, 88), QUIET, np.float32)


def _frame(belief: Belief) -> float:
    assert belief.mix_s is not None
    return belief.mix_s / HOP_S - 1


ALL_PIANO = 0.95


def test_it_finds_and_follows_a_pianist_who_begins_anywhere() -> None:
    n = 700
    mix = _notes(n, 0)
    beliefs = _play(_frontier(mix, np.full(n, ALL_PIANO, np.float32)), np.concatenate([_silence(60), mix[300:600]]))
    assert all(b.mix_s is None for b in beliefs[:65])  # one attack is no evidence
    errors = [abs(_frame(b) - (300 + k)) for k, b in enumerate(beliefs[60:]) if b.mix_s is not None]
    assert len(errors) > 280
    assert np.max(errors[60:]) < 6
    assert beliefs[-1].concentration > 0.9
    assert beliefs[-1].rate == pytest.approx(1.0, abs=0.1)


def test_it_recovers_from_a_jump() -> None:
    mix = _notes(900, 1)
    live = np.concatenate([_silence(60), mix[100:300], mix[600:800]])
    beliefs = _play(_frontier(mix, np.full(900, ALL_PIANO, np.float32)), live)
    assert abs(_frame(beliefs[-1]) - 799) < 6


def test_a_silence_is_a_pause_where_the_mix_has_piano() -> None:
    mix = _notes(600, 2)
    live = np.concatenate([_silence(60), mix[100:250], _silence(120), mix[250:400]])
    beliefs = _play(_frontier(mix, np.full(600, ALL_PIANO, np.float32), jump_cost=1000.0), live)
    waiting = beliefs[60 + 150 + 80 : 60 + 150 + 115]
    assert all(b.rate == 0.0 for b in waiting)
    assert len({b.mix_s for b in waiting}) == 1
    # Without a jump: paths that stood still go on.
    assert max(abs(_frame(b) - (250 + k)) for k, b in enumerate(beliefs[60 + 270 + 22 :], 22)) < 6


def test_a_silence_is_a_rest_where_the_mix_has_none() -> None:
    n, first, last = 700, 250, 400
    mix = _notes(n, 3)
    activity = np.full(n, ALL_PIANO, np.float32)
    activity[first:last] = 0.0
    live = np.concatenate([_silence(60), mix[100:first], _silence(last - first), mix[last:600]])
    frontier = _frontier(mix, activity)
    beliefs = _play(frontier, live)
    assert first not in frontier._costs.selection.rows
    inside = 60 + 150 + 110
    assert beliefs[inside].rate > 0.0
    assert abs(_frame(beliefs[inside]) - (100 + inside - 60)) < 20
    assert abs(_frame(beliefs[60 + last - 100 + 60]) - (last + 60)) < 6


def test_a_seek_decides_between_equal_passages() -> None:
    passage = _notes(200, 4)
    mix = np.concatenate([_notes(300, 7), passage, _notes(300, 8), passage, _notes(300, 9)])
    for start in (300, 800):
        frontier = _frontier(mix, np.full(len(mix), ALL_PIANO, np.float32), seek_spread_s=1.0)
        frontier.seek((start + 50) * HOP_S)
        belief = _play(frontier, np.concatenate([_silence(60), passage[40:140]]))[-1]
        assert abs(_frame(belief) - (start + 139)) < 6


def test_lost_audio_is_bridged_at_the_present_rate() -> None:
    mix = _notes(600, 10)
    frontier = _frontier(mix, np.full(600, ALL_PIANO, np.float32))
    _play(frontier, np.concatenate([_silence(60), mix[100:250]]))
    frontier.coast(40)
    beliefs = _play(frontier, mix[290:400])
    assert abs(_frame(beliefs[0]) - 290) < 10
    assert max(abs(_frame(b) - (290 + k)) for k, b in enumerate(beliefs[30:], 30)) < 6


def test_the_frontier_reset_equals_fresh() -> None:
    mix = _notes(400, 5)
    used = _frontier(mix, np.full(400, ALL_PIANO, np.float32))
    live = np.concatenate([_silence(50), mix[100:200]])
    first = _play(used, live)
    used.reset()
    assert _play(used, live) == first


def test_a_changed_classification_changes_the_rows_in_slices() -> None:
    n = 600
    mix = _notes(n, 6)
    frontier = _frontier(mix, np.full(n, ALL_PIANO, np.float32), rebuild_pause_s=1.0, history_s=3.0)
    live = np.concatenate([_silence(50), mix[100:550]])
    _play(frontier, live[:150])
    before = frontier._costs
    assert len(before.selection.rows) == n
    frontier._classifier._offline_log_odds[:90] = -20.0
    beliefs = []
    advanced = []
    for row in live[150:400]:
        following = frontier._rebuild.replacement
        done = 0 if following is None else following.columns
        beliefs.extend(_play(frontier, row[None]))
        if following is not None:
            advanced.append(following.columns - done)
    assert frontier._costs is not before
    assert len(frontier._costs.selection.rows) == n - 90
    assert set(advanced[:-1]) == {DenseSparseConfig().rebuild_columns}
    errors = [abs(_frame(b) - (100 + 100 + k)) for k, b in enumerate(beliefs)]
    assert max(errors) < 6


@pytest.mark.plain
def test_a_frontier_built_in_slices_equals_one_built_at_once() -> None:
    rng = np.random.default_rng(0)
    n, columns = 80, 30
    probability = rng.uniform(size=n).astype(np.float32)
    selection = select_rows(probability, 0.3, 2, 0.5)
    scores = rng.uniform(0, 3, (columns, n)).astype(np.float32)
    costs = [PathCosts(selection, np.zeros(n), DenseSparseConfig()) for _ in range(2)]
    at_once = [costs[0].update(s, 3.0, 1.0, 1.0).copy() for s in scores]
    for a, b in ((0, 7), (7, 8), (8, columns)):
        for k in range(a, b):
            np.testing.assert_array_equal(costs[1].update(scores[k], 3.0, 1.0, 1.0), at_once[k])


@pytest.mark.plain
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_rows_and_gaps_cover_the_mix(seed: int, n: int, min_gap: int) -> None:
    probability = np.random.default_rng(seed).uniform(size=n).astype(np.float32)
    s = select_rows(probability, 0.6, min_gap, 0.25)
    assert s.rows[0] + s.gaps.sum() == n
    np.testing.assert_array_equal(s.rows[1:], s.rows[:-1] + s.gaps[:-1])
    inner = s.gaps[:-1]
    assert np.all((inner == 1) | (inner > min_gap))
    if len(s.rows) < n:
        assert set(np.flatnonzero(probability >= 0.6)) <= set(s.rows.tolist())


@pytest.mark.plain
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_costs_in_gaps_equal_the_oracle(seed: int, n_mix: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    gaps = _selection(seed, n_mix, 0.5)
    rows = n_mix - gaps.sum() + np.concatenate([[0], np.cumsum(gaps)[:-1]])
    waiting, since = np.full(len(rows), np.inf), np.zeros(len(rows), np.int64)
    history: list[tuple[float, int]] = [(np.inf, 0)] * len(rows)
    out = np.empty(n_mix)
    for column in range(columns):
        totals = np.where(rng.uniform(size=len(rows)) < 0.8, rng.normal(size=len(rows)), np.inf)
        kernels.position_costs(column, totals, rows, gaps, waiting, since, 0.5, out)
        expected, history = position_costs(column, totals, rows, gaps, history, 0.5, n_mix)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.plain
def test_the_posterior_adds_up_to_one() -> None:
    costs = np.array([3.0, np.inf, 1.0, 2.0])
    expected = np.exp(-costs / 2.0) / np.exp(-costs / 2.0).sum()
    np.testing.assert_allclose(kernels.posterior(costs, 2.0), expected, rtol=1e-6)
    np.testing.assert_array_equal(kernels.posterior(np.full(3, np.inf), 2.0), np.zeros(3, np.float32))
