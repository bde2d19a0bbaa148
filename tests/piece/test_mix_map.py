"""follower.piece.mix_map: evaluation of the map, its cuts and jumps, and its validation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.errors import InputError
from follower.piece.mix_map import MixMap

CUT = MixMap([0.0, 10.0, 10.0, 30.0], [5.0, 15.0, 25.0, 35.0], [0.2, 1.0, 1.0, 0.4])
JUMP = MixMap([0.0, 10.0, 40.0, 50.0], [0.0, 10.0, 10.0, 20.0], [1.0, 1.0, 1.0, 1.0])


def test_maps_both_ways_and_clamps() -> None:
    assert CUT.to_orchestra(10.0) == 5.0
    assert CUT.to_orchestra(0.0) == 0.0
    assert CUT.to_orchestra(99.0) == 30.0
    assert CUT.to_mix(20.0) == 30.0
    assert isinstance(CUT.to_orchestra(10.0), float)
    np.testing.assert_allclose(CUT.to_orchestra(np.array([5.0, 20.0, 35.0])), [0.0, 10.0, 30.0])


def test_a_cut_holds_and_inverts_to_its_start() -> None:
    assert CUT.cuts.tolist() == [[15.0, 25.0, 10.0]]
    assert CUT.in_cut(np.array([14.9, 15.0, 24.9, 25.0])).tolist() == [False, True, True, False]
    assert CUT.to_mix(10.0) == 15.0
    assert CUT.slope_at(20.0) == 0.0
    assert CUT.slope_at(14.95) == pytest.approx(1.0)  # not dragged down by the hold behind it
    assert CUT.slope_at(25.0) == pytest.approx(2.0)
    assert CUT.slope_at(35.1) == 0.0 and CUT.slope_at(4.9) == 0.0  # outside the map


def test_a_jump_of_the_orchestra_lands_behind_it() -> None:
    assert JUMP.to_orchestra(10.0) == 40.0
    assert JUMP.to_orchestra(9.999) == pytest.approx(9.999)
    assert JUMP.to_mix(25.0) == 10.0
    assert JUMP.slope_at(np.array([9.9, 10.0, 10.1])) == pytest.approx(np.ones(3))
    assert len(JUMP.cuts) == 0 and not JUMP.in_cut(10.0)


def test_confidence_is_interpolated_and_zero_outside() -> None:
    assert CUT.confidence_at(10.0) == pytest.approx(0.6)
    assert CUT.confidence_at(np.array([4.9, 35.1])).tolist() == [0.0, 0.0]


def test_short_holds_are_no_cuts() -> None:
    assert len(MixMap([0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 1.4, 2.4], np.ones(4)).cuts) == 0


def test_a_map_that_starts_and_ends_with_a_hold() -> None:
    m = MixMap([0.0, 0.0, 5.0, 5.0], [0.0, 3.0, 8.0, 12.0], np.ones(4))
    assert m.cuts.tolist() == [[0.0, 3.0, 0.0], [8.0, 12.0, 5.0]]
    assert m.slope_at(np.array([1.0, 5.0, 10.0])).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("orchestra", "mix", "confidence", "message"),
    [
        ([0.0], [0.0], [1.0], "at least two"),
        ([0.0, 1.0], [0.0, 1.0, 2.0], [1.0, 1.0], "differ in shape"),
        ([0.0, np.nan], [0.0, 1.0], [1.0, 1.0], "not finite"),
        ([0.0, 2.0, 1.0], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0], "goes back at knot 2"),
        ([0.0, 1.0], [0.0, 1.0], [1.0, 1.5], "outside 0..1"),
    ],
)
def test_bad_maps_are_refused(orchestra: list[float], mix: list[float], confidence: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MixMap(orchestra, mix, confidence)


def test_arrays_are_copied_and_read_only() -> None:
    source = np.array([0.0, 1.0])
    m = MixMap(source, source, source)
    source[1] = 7.0
    assert m.mix_s[1] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        m.mix_s[0] = 3.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=20),
    st.floats(-2.0, 70.0),
)
def test_round_trip_stays_on_the_map(steps: list[tuple[int, int]], t: float) -> None:
    """Mix -> orchestra -> mix -> orchestra is the first orchestra time again, with repeats on either axis."""
    d = np.array(steps, dtype=np.float64)
    m = MixMap(np.cumsum(d[:, 0]), np.cumsum(d[:, 1]), np.ones(len(d)))
    o = m.to_orchestra(t)
    back = m.to_mix(o)
    low = np.interp(back, m.mix_s, m.orchestra_s) if m.mix_s[0] < m.mix_s[-1] else m.orchestra_s[0]
    assert m.orchestra_s[0] <= o <= m.orchestra_s[-1]
    assert m.to_orchestra(back) >= o - 1e-9 and low <= m.to_orchestra(back) + 1e-9
    assert m.slope_at(t) >= 0.0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=20),
    st.lists(st.one_of(st.floats(-2.0, 70.0), st.integers(0, 60).map(float)), min_size=1, max_size=9),
)
def test_a_single_position_is_as_one_of_many(steps: list[tuple[int, int]], at: list[float]) -> None:
    d = np.array(steps, dtype=np.float64)
    m = MixMap(np.cumsum(d[:, 0]), np.cumsum(d[:, 1]), np.linspace(0.0, 1.0, len(d)))
    many = np.array(at)
    for question in (m.to_orchestra, m.to_mix, m.slope_at, m.confidence_at, m.in_cut):
        answers = [question(t) for t in at]
        assert {type(a) for a in answers} <= {float, bool}
        np.testing.assert_array_equal(question(many), answers)
