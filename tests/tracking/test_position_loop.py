"""The position and rate of an estimate, given beliefs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.errors import ConfigError
from follower.inference.base import Belief
from follower.tracking.position_loop import LoopConfig, PositionLoop, Step

HOP_S = 512 / 22050
END_S = 100.0


@pytest.fixture
def loop() -> PositionLoop:
    loop = PositionLoop(LoopConfig(), HOP_S, END_S)
    loop.put(10.0, 1.0)
    return loop


def at(mix_s: float, rate: float = 1.0, concentration: float = 0.99) -> Belief:
    return Belief(mix_s, rate, concentration, 1.0)


def test_a_new_tempo_is_taken_over_within_a_second(loop: PositionLoop) -> None:
    position_s, rates = 10.0, []
    for _ in range(round(3 / HOP_S)):
        position_s += 1.4 * HOP_S
        assert loop.follow(at(position_s, 1.4)) is Step.SMOOTH
        rates.append(loop.rate)
    assert loop.mix_s == pytest.approx(position_s, abs=0.02)
    assert rates[round(1 / HOP_S)] == pytest.approx(1.4, rel=0.05)
    assert max(rates) < 1.4 * 1.05


def test_a_belief_that_trembles_hardly_moves_the_rate(loop: PositionLoop) -> None:
    rng = np.random.default_rng(0)
    rates = []
    for hop in range(1, 200):
        trembling_s = 10.0 + HOP_S * hop + 0.02 * float(rng.standard_normal())
        loop.follow(at(trembling_s, 1.0 + 0.1 * float(rng.standard_normal())))
        rates.append(loop.rate)
    assert np.std(rates) < 0.05


def test_where_the_piano_is_missing_it_stands_within_a_fifth_of_a_second(loop: PositionLoop) -> None:
    assert not loop.brakes(HOP_S)
    silent_s = 0.0
    while silent_s < 0.3:
        silent_s += HOP_S
        if loop.brakes(silent_s):
            loop.brake(silent_s)
    assert loop.rate < 0.05
    assert loop.mix_s == pytest.approx(10.0, abs=0.1)


def test_what_was_held_up_for_nothing_is_caught_up_without_a_new_tempo(loop: PositionLoop) -> None:
    for hop in range(1, 6):
        loop.brake(0.1 + HOP_S * hop)
    loop.follow(at(10.0 + 6 * HOP_S))
    assert (loop.mix_s, loop.rate) == (pytest.approx(10.0 + 6 * HOP_S), pytest.approx(1.0))


def test_it_slides_into_the_orchestras_tempo(loop: PositionLoop) -> None:
    for _ in range(round(5 / HOP_S)):
        loop.lead(1.3)
    assert loop.rate == pytest.approx(1.3, abs=0.01)
    assert loop.mix_s is not None
    assert 10 + 5 < loop.mix_s < 10 + 5 * 1.3


@pytest.mark.parametrize(
    ("to_s", "concentration", "within_s", "step"),
    [
        (50.0, 0.9, 1.5 * HOP_S, Step.JUMPED),
        (50.0, 0.6, 0.4, Step.SMOOTH),
        (50.0, 0.6, 0.6, Step.JUMPED),
        (50.0, 0.2, 5.0, Step.SMOOTH),
    ],
)
def test_a_far_belief_is_followed_when_it_is_sure_or_stays(
    loop: PositionLoop, to_s: float, concentration: float, within_s: float, step: Step
) -> None:
    steps = {loop.follow(at(to_s, concentration=concentration)) for _ in range(int(within_s / HOP_S))}
    assert (Step.JUMPED in steps) == (step is Step.JUMPED)
    if step is Step.SMOOTH:
        assert loop.away
        assert loop.mix_s == pytest.approx(10.0 + within_s, abs=2 * HOP_S)


@pytest.mark.parametrize(("back_s", "step"), [(9.4, Step.RESUMED), (10.3, Step.RESUMED), (40.0, Step.JUMPED)])
def test_after_a_pause_it_goes_on_where_the_piano_does(loop: PositionLoop, back_s: float, step: Step) -> None:
    for _ in range(50):
        loop.hold()
    assert (loop.mix_s, loop.rate, loop.held) == (10.0, 0.0, True)
    assert loop.follow(at(back_s, 1.1)) is step
    assert (loop.mix_s, loop.rate, loop.held) == (back_s, 1.1, False)


@given(st.lists(st.tuples(st.floats(-20, 130), st.floats(0, 4), st.floats(0, 1), st.integers(0, 3)), max_size=50))
def test_only_a_belief_takes_it_back(steps: list[tuple[float, float, float, int]]) -> None:
    loop = PositionLoop(LoopConfig(), HOP_S, END_S)
    loop.put(10.0, 1.0)
    for mix_s, rate, concentration, kind in steps:
        before_s = loop.mix_s
        if kind == 0:
            loop.follow(Belief(min(max(mix_s, 0.0), END_S), rate, concentration, 1.0))
        elif kind == 1:
            loop.lead(rate)
        elif kind == 2:
            loop.brake(0.1 + concentration)
        else:
            loop.hold()
        assert before_s is not None
        assert loop.mix_s is not None
        assert 0 <= loop.mix_s <= END_S
        assert loop.rate >= 0
        assert kind == 0 or loop.mix_s >= before_s


@pytest.mark.parametrize("field", ["position_gain", "jump_s", "min_lead_rate"])
def test_impossible_constants_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        LoopConfig(**{field: 0.0})
