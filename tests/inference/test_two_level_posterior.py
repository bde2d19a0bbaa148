"""The two-level belief against a plain one-level filter, and the bound on its work."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.inference import pooling
from follower.inference import two_level_posterior as belief_module
from follower.inference.pooling import POOL, Regions, pool_mean
from follower.inference.two_level_posterior import BLOCK, Hold, Near, Reaches, Step, TwoLevelPosterior
from tests.naive import tempo_filter as naive

TEMPI = np.array([0.5, 0.75, 1.0, 1.5, 2.0])
PRIOR = np.full(5, 0.2, np.float32)
N_FEATURES = 12
LEAK = 1e-13


def _mix(n: int, seed: int = 0) -> NDArray[np.float32]:
    """Notes of random length and pitch: (12, n)."""
    rng = np.random.default_rng(seed)
    notes = np.repeat(rng.integers(0, N_FEATURES, n // 10 + 1), 10)[:n]
    return np.eye(N_FEATURES, dtype=np.float32)[notes].T.copy()


def _step(weights: NDArray[np.float32], evidence: float = 1.0, stop_rate: float = 0.0, resume: float = 1.0) -> Step:
    return Step(weights, evidence, TEMPI, np.ones(5), 0.01, stop_rate, resume, LEAK)


REACHES = Reaches(mode=3, mean=6, wide=20)


def _play(mix: NDArray[np.float32], start: int, n: int, tempo: float = 1.0) -> list[Step]:
    places = np.minimum(start + tempo * np.arange(1, n + 1), mix.shape[1] - 1).astype(int)
    return [_step(3 * mix[:, j]) for j in places]


def _new(mix: NDArray[np.float32]) -> TwoLevelPosterior:
    n = mix.shape[1]
    return TwoLevelPosterior(mix, pool_mean(mix, Regions(n).pool), np.ones(n, np.float32), TEMPI, PRIOR)


def _follow(belief: TwoLevelPosterior, steps: list[Step]) -> float:
    for step in steps:
        belief.advance(step)
    return belief.estimate(REACHES).frame


def test_while_everything_is_hot_it_equals_the_plain_filter() -> None:
    mix = _mix(3 * BLOCK + 17)
    steps = _play(mix, 100, POOL)
    moving = np.repeat(PRIOR[:, None] / mix.shape[1], mix.shape[1], axis=1).astype(np.float64)
    holding = np.zeros(mix.shape[1])
    phase = np.zeros(5)
    belief = _new(mix)
    for step in steps:
        phase += TEMPI
        shift = np.floor(phase).astype(np.int64)
        phase -= shift
        stop = np.zeros(mix.shape[1])
        stop[-int(shift.max()) :] = 1
        likelihood = np.exp(step.weights @ mix - (step.weights @ mix).max())
        moving, holding = naive.advance(moving, holding, shift, 0.01, stop, 1.0, PRIOR, np.ones(5), LEAK, likelihood)
        total = moving.sum() + holding.sum()
        moving, holding = moving / total, holding / total
        belief.advance(step)
        place = moving.sum(axis=0) + holding
        got = belief.estimate(REACHES)
        want = naive.summarise(moving, holding, TEMPI, naive.densest(place, 3), 6, 20)
        assert (got.frame, got.tempo, got.concentration, got.held) == pytest.approx(want, rel=1e-3, abs=1e-4)


def test_it_finds_an_unknown_start_in_a_long_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the active blocks reach: the coarse level must bring the place in."""
    monkeypatch.setattr(belief_module, "MAX_ACTIVE_BLOCKS", 4)
    mix = _mix(30 * BLOCK)
    belief = _new(mix)
    start = 21 * BLOCK + 40
    assert abs(_follow(belief, _play(mix, start, 200)) - (start + 200)) < 5


def test_a_jump_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belief_module, "MAX_ACTIVE_BLOCKS", 4)
    mix = _mix(30 * BLOCK)
    belief = _new(mix)
    _follow(belief, _play(mix, 3 * BLOCK, 200))
    assert abs(_follow(belief, _play(mix, 20 * BLOCK, 240)) - (20 * BLOCK + 240)) < 5


@pytest.mark.parametrize("tempo", [0.6, 1.4])
def test_another_tempo_is_followed(tempo: float) -> None:
    mix = _mix(6 * BLOCK)
    belief = _new(mix)
    frame = _follow(belief, _play(mix, 50, 300, tempo))
    assert abs(frame - (50 + 300 * tempo)) < 8
    assert belief.estimate(REACHES).tempo == pytest.approx(tempo, abs=0.2)


@pytest.mark.parametrize(("break_rate", "followed"), [(1e-3, True), (0.0, False)])
def test_a_break_of_the_tempo_is_followed_at_once(break_rate: float, followed: bool) -> None:
    """A stop of one hop draws the tempo anew; small steps from one tempo to the next come too late."""
    mix = _mix(8 * BLOCK)
    belief = _new(mix)
    steps = _play(mix, 50, 200, 0.5) + _play(mix, 150, 12, 2.0)
    frame = _follow(belief, [replace(step, diffusion=1e-6, stop_rate=break_rate) for step in steps])
    assert (abs(frame - 174) < 5) == followed


def test_work_is_bounded_and_falls_once_the_place_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belief_module, "MAX_ACTIVE_BLOCKS", 6)
    mix = _mix(40 * BLOCK)
    belief = _new(mix)
    most = 0
    for step in _play(mix, 5 * BLOCK, 300):
        belief.advance(step)
        most = max(most, belief.active_frames)
    assert most <= 6 * BLOCK
    assert belief.active_frames <= 3 * BLOCK


@pytest.mark.parametrize(("blocks", "pool", "regions"), [(30, 4, 2), (60, 4, 4), (130, 8, 5), (250, 8, 8)])
def test_a_long_mix_is_followed_in_regions_of_bounded_work(
    monkeypatch: pytest.MonkeyPatch, blocks: int, pool: int, regions: int
) -> None:
    """However long the mix, a hop works on so many positions, and a start or a jump in any region is found."""
    monkeypatch.setattr(pooling, "REGION_POSITIONS", 512)
    monkeypatch.setattr(belief_module, "MAX_ACTIVE_BLOCKS", 6)
    mix = _mix(blocks * BLOCK)
    belief = _new(mix)
    assert (belief.scores.regions.pool, belief.scores.regions.count) == (pool, regions)
    for first in (2, blocks // 2 - 1, blocks - 5):
        start = first * BLOCK + 40
        assert abs(_follow(belief, _play(mix, start, 300)) - (start + 300)) < 5
        assert belief.coarse_positions <= 512
        assert belief.active_frames <= 6 * BLOCK


def test_regions_say_what_one_region_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which hop a region makes its step in changes what is said of the belief elsewhere by little."""
    mix = _mix(60 * BLOCK)
    whole = _new(mix)
    monkeypatch.setattr(pooling, "REGION_POSITIONS", 512)
    parts = _new(mix)
    assert (whole.scores.regions.count, parts.scores.regions.count) == (1, 4)
    twice = np.full(60 * BLOCK, 1e-9)
    twice[[5 * BLOCK + 50, 50 * BLOCK + 50]] = 0.7, 0.3
    silence = _step(np.zeros(N_FEATURES, np.float32), 0.0, resume=0.0)
    for belief in (whole, parts):
        belief.expect(twice / twice.sum())
        _follow(belief, [silence] * 41)
    a, b = whole.estimate(REACHES), parts.estimate(REACHES)
    assert b.frame == pytest.approx(a.frame, abs=0.5)
    assert b.concentration == pytest.approx(a.concentration, rel=0.01)
    assert parts.others(100) == pytest.approx(whole.others(100), abs=2.0)


def test_a_stop_holds_the_place_and_a_note_resumes_it() -> None:
    mix = _mix(8 * BLOCK)
    belief = _new(mix)
    _follow(belief, _play(mix, 200, 200))
    silence = [_step(np.zeros(N_FEATURES, np.float32), 0.0, stop_rate=0.5, resume=0.0)] * 400
    held_at = _follow(belief, silence)
    assert abs(held_at - 400) < 10
    assert belief.estimate(REACHES).held > 0.9
    assert abs(_follow(belief, _play(mix, 400, 100)) - 500) < 5


def test_belief_survives_running_past_the_end() -> None:
    mix = _mix(2 * BLOCK)
    belief = _new(mix)
    _follow(belief, _play(mix, 150, 100))
    silence = [_step(np.zeros(N_FEATURES, np.float32), 0.0, resume=0.0)] * 500
    frame = _follow(belief, silence)
    assert 2 * BLOCK - 10 < frame <= 2 * BLOCK
    assert belief.estimate(REACHES).concentration == pytest.approx(1.0, abs=0.01)


def test_blur_widens_the_belief() -> None:
    mix = _mix(8 * BLOCK)
    belief = _new(mix)
    _follow(belief, _play(mix, 200, 200))
    before = belief.estimate(replace(REACHES, wide=8))
    belief.blur(40)
    belief.advance(_step(np.zeros(N_FEATURES, np.float32), 0.0, resume=0.0))
    after = belief.estimate(replace(REACHES, wide=8))
    assert before.concentration > 0.95
    assert 0.1 < after.concentration < 0.4


def test_expecting_a_place_forgets_the_past() -> None:
    mix = _mix(8 * BLOCK)
    belief = _new(mix)
    _follow(belief, _play(mix, 50, 100))
    place = np.zeros(8 * BLOCK)
    place[700] = 1.0
    belief.expect(place)
    assert abs(belief.estimate(REACHES).frame - 700) < POOL


def _at_two_positions(share: float) -> TwoLevelPosterior:
    """Most of the belief at frame 200, `share` of it at frame 700."""
    belief = _new(_mix(8 * BLOCK))
    position = np.zeros(8 * BLOCK)
    position[200], position[700] = 1 - share, share
    belief.expect(position)
    return belief


def _free(_: int) -> Hold:
    """Nothing but odds of a thousand speaks against leaving."""
    return Hold(math.log(1e3))


def _firm(_: int) -> Hold:
    """Left for nothing."""
    return Hold(50.0)


@pytest.mark.parametrize("limit", [0.0, 3.0, math.inf])
def test_belief_elsewhere_that_may_not_win_is_limited_to_the_odds_it_may_have(limit: float) -> None:
    belief = _at_two_positions(1e-4)
    asked: list[int] = []

    def hold(frame: int) -> Hold:
        asked.append(frame)
        return Hold(math.log(1e3), limit)

    near = Near(frame=690, reach=60, hold=hold)
    leaves = limit == math.inf
    stays_at = belief.estimate(REACHES, near)
    assert abs(stays_at.frame - (200 if leaves else 700)) < POOL
    assert [abs(frame - 200) < POOL for frame in asked] == [True]
    if not leaves:
        assert stays_at.concentration == pytest.approx(1 / (1 + math.exp(limit)), rel=1e-3)
        belief.advance(_step(np.zeros(N_FEATURES, np.float32), evidence=0.0))
        again = belief.estimate(REACHES, near)
        assert again.concentration == pytest.approx(stays_at.concentration, rel=0.2)


def test_a_limit_holds_where_the_belief_is_only_coarse() -> None:
    """The belief near the estimate survives a long stay, in which it would cool down and vanish."""
    mix = _mix(8 * BLOCK)
    belief = _at_two_positions(1e-3)
    near = Near(frame=700, reach=60, hold=lambda _: Hold(math.log(1e3), 0.0))
    for step in _play(mix, 200, 40, tempo=0.01):  # the piano plays what is at frame 200, again and again
        belief.advance(step)
        estimate = belief.estimate(REACHES, replace(near, frame=700))
    assert estimate.concentration > 0.2


def test_a_position_held_while_it_is_cold_is_not_amplified_beyond_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a long mix the coarse level makes its next step many hops later; until then nothing may run away."""
    monkeypatch.setattr(pooling, "REGION_POSITIONS", 512)
    mix = _mix(130 * BLOCK)
    belief = _new(mix)
    position = np.full(130 * BLOCK, 1e-12)
    position[200] = 1.0
    belief.expect(position / position.sum())
    near = Near(frame=100 * BLOCK, reach=60, hold=lambda _: Hold(math.log(1e3), 2.0))
    for step in _play(mix, 200, 60, tempo=0.01):
        belief.advance(step)
        estimate = belief.estimate(REACHES, near)
    assert estimate.concentration <= 1 / (1 + math.exp(1.5))


@pytest.mark.parametrize(("share", "stays"), [(1e-2, True), (1e-5, False)])
def test_belief_elsewhere_has_to_outweigh_what_is_near_clearly(share: float, stays: bool) -> None:
    belief = _at_two_positions(share)
    near = Near(frame=690, reach=60, hold=_free)
    assert abs(belief.estimate(REACHES, near).frame - (700 if stays else 200)) < POOL
    assert abs(belief.estimate(REACHES).frame - 200) < POOL


def test_near_the_estimate_the_mode_is_followed_without_odds() -> None:
    belief = _at_two_positions(1e-2)
    assert abs(belief.estimate(REACHES, Near(frame=250, reach=60, hold=_firm)).frame - 200) < POOL


@pytest.mark.parametrize("frame", [-500, 8 * BLOCK + 500])
def test_an_estimate_beyond_the_mix_holds_nothing(frame: int) -> None:
    belief = _at_two_positions(0.1)
    assert abs(belief.estimate(REACHES, Near(frame=frame, reach=60, hold=_firm)).frame - 200) < POOL


def test_inserted_belief_is_the_share_asked_for_wherever_it_is() -> None:
    belief = _at_two_positions(1e-9)  # at frame 700 it is only coarse
    tempi = np.array([0.0, 0.5, 0.5, 0.0, 0.0])
    belief.insert(700, 5, 0.25, tempi)
    found = belief.estimate(REACHES, Near(frame=700, reach=60, hold=_firm))
    assert found.concentration == pytest.approx(0.25, abs=0.01)
    assert abs(found.frame - 700) < 1
    assert found.tempo == pytest.approx(0.875, rel=1e-3)
    assert belief.estimate(REACHES).concentration == pytest.approx(0.75, abs=0.01)


def test_the_same_music_elsewhere_is_named_with_its_share() -> None:
    passage, other = _mix(2 * BLOCK), _mix(4 * BLOCK, seed=1)
    mix = np.concatenate([passage, other, passage, other[:, ::-1], passage], axis=1)
    again = [n * passage.shape[1] + k * other.shape[1] + 160 for n, k in ((1, 1), (2, 2))]
    belief = _new(mix)
    assert belief.others(20) == (), "nothing is known yet"
    for step in _play(mix, 100, 60):
        belief.advance(step)
        belief.estimate(REACHES)
        found = belief.others(20)
    frames, shares = [f for f, _ in found], [s for _, s in found]
    places = sorted([160, *again], key=lambda at: abs(at - belief.mode))[1:]
    assert sorted(frames) == pytest.approx(sorted(places), abs=2 * POOL)
    assert shares == pytest.approx([1 / 3, 1 / 3], abs=0.05)
    belief.expect(np.full(mix.shape[1], 1 / mix.shape[1]))
    assert belief.others(20) == ()


def test_who_is_sure_has_no_other_place() -> None:
    mix = _mix(4 * BLOCK)
    belief = _new(mix)
    for step in _play(mix, 100, 120):
        belief.advance(step)
        belief.estimate(REACHES)
        found = belief.others(20)
    assert found == ()
