"""The position and rate of an estimate, given beliefs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.errors import ConfigError
from follower.tracking.position_loop import LoopConfig, PositionLoop

HOP_S = 512 / 22050


@pytest.fixture
def loop() -> PositionLoop:
    loop = PositionLoop(LoopConfig(), HOP_S, 100.0)
    loop.move_to(10.0, 1.0)
    return loop


def test_a_new_tempo_is_taken_over_without_overshoot(loop: PositionLoop) -> None:
    position_s, rates = 10.0, []
    for _ in range(round(4 / HOP_S)):
        position_s += 1.4 * HOP_S
        loop.follow(position_s, 1.4)
        rates.append(loop.rate)
    assert loop.mix_s == pytest.approx(position_s, abs=0.02)
    assert max(rates) < 1.4 * 1.03
    assert rates[round(2 / HOP_S)] > 1.36


def test_a_belief_that_trembles_hardly_moves_the_rate(loop: PositionLoop) -> None:
    rng = np.random.default_rng(0)
    rates = []
    for hop in range(1, 200):
        loop.follow(10.0 + HOP_S * hop + 0.02 * float(rng.standard_normal()), 1.0 + 0.1 * float(rng.standard_normal()))
        rates.append(loop.rate)
    assert np.std(rates) < 0.03


def test_what_was_held_up_for_nothing_is_caught_up_without_a_new_tempo(loop: PositionLoop) -> None:
    for _ in range(5):
        loop.coast(0.0)
    assert (loop.mix_s, loop.rate, loop.tempo) == (10.0, 0.0, 1.0)
    loop.follow(10.0 + 6 * HOP_S, 1.0)
    assert (loop.mix_s, loop.rate) == (pytest.approx(10.0 + 6 * HOP_S), 1.0)


def test_it_slides_into_the_orchestras_tempo(loop: PositionLoop) -> None:
    for _ in range(round(5 / HOP_S)):
        loop.lead(1.3)
    assert loop.rate == pytest.approx(1.3, abs=0.01)
    assert 10 + 5 < loop.mix_s < 10 + 5 * 1.3


@given(st.lists(st.tuples(st.floats(-20, 130), st.floats(0, 4), st.floats(0, 1)), max_size=50))
def test_it_stays_in_the_mix_and_never_moves_back_by_itself(steps: list[tuple[float, float, float]]) -> None:
    loop = PositionLoop(LoopConfig(), HOP_S, 100.0)
    for mix_s, rate, share in steps:
        loop.follow(mix_s, rate)
        assert 0 <= loop.mix_s <= 100
        assert loop.rate >= 0
        before = loop.mix_s
        loop.coast(share)
        assert before <= loop.mix_s <= 100


@pytest.mark.parametrize("field", ["position_gain", "slowest"])
def test_impossible_constants_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        LoopConfig(**{field: 0.0})
