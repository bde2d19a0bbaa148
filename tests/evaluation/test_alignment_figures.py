"""The alignment metrics against mir_eval's own, and what they say where mir_eval says nothing."""

from __future__ import annotations

import mir_eval.alignment
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from follower.evaluation.alignment_figures import alignment_figures

steps = arrays(np.float64, 12, elements=st.floats(0.05, 3.0))


@given(steps, steps, st.floats(0.0, 2.0))
def test_equal_to_mir_eval_where_that_is_defined(true: np.ndarray, estimated: np.ndarray, offset_s: float) -> None:
    reference, estimate = np.cumsum(true), offset_s + np.cumsum(estimated)
    figures = alignment_figures([(estimate - reference, reference)])
    median_s, mean_s = mir_eval.alignment.absolute_error(reference, estimate)
    assert figures.mean_ms == pytest.approx(1000 * mean_s)
    assert np.median(np.abs(estimate - reference)) == pytest.approx(median_s)
    for window_s, correct in zip((0.1, 0.3), figures.correct_pct, strict=True):
        near = np.abs(np.abs(estimate - reference) - window_s) < 1e-9  # rounding decides about these
        theirs = 100 * mir_eval.alignment.percentage_correct(reference, estimate, window=window_s)
        assert correct == pytest.approx(theirs) or near.any()
    theirs = mir_eval.alignment.percentage_correct_segments(reference, estimate)
    assert figures.segments_pct == pytest.approx(100 * theirs)
    theirs = mir_eval.alignment.karaoke_perceptual_metric(reference, estimate)
    assert figures.perceptual_pct == pytest.approx(100 * theirs)
    assert figures.estimated_pct == 100


def test_beats_without_an_estimate_are_wrong_but_have_no_size() -> None:
    error = np.array([np.inf, 0.0, 0.0, 0.0])
    figures = alignment_figures([(error, np.array([0.0, 1.0, 2.0, 3.0]))])
    assert (figures.estimated_pct, figures.mean_ms, figures.correct_pct) == (75.0, 0.0, (75.0, 75.0))
    assert figures.segments_pct == pytest.approx(100 * 2 / 3)
    whole = alignment_figures([(np.zeros(4), np.arange(4.0))])
    assert figures.perceptual_pct == pytest.approx(0.75 * whole.perceptual_pct)


def test_a_repeat_is_no_segment() -> None:
    """Ten seconds back: what lies between the two beats is not in the music."""
    target = np.array([10.0, 11.0, 1.0, 2.0])
    assert alignment_figures([(np.zeros(4), target)]).segments_pct == 100.0
    lost = np.array([0.0, 0.0, 10.0, 9.0])
    assert alignment_figures([(lost, target)]).segments_pct == 50.0


def test_beats_of_all_runs_count_alike_and_no_segment_joins_them() -> None:
    first, second = (np.zeros(2), np.array([0.0, 1.0])), (np.full(3, 0.5), np.array([100.0, 101.0, 102.0]))
    figures = alignment_figures([first, second])
    assert figures.mean_ms == pytest.approx(300.0)
    assert figures.segments_pct == pytest.approx(100 * (1 + 0.5 + 0.5) / 3)


def test_nothing_estimated_is_json() -> None:
    figures = alignment_figures([(np.full(2, np.inf), np.array([1.0, 1.0]))])
    assert figures.to_json() == {
        "estimated_pct": 0.0, "mean_ms": None, "correct_100_ms_pct": 0.0, "correct_300_ms_pct": 0.0,
        "segments_pct": None, "perceptual_pct": 0.0,
    }  # fmt: skip
