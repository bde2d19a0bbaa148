"""offline_prep.alignment.attack_delay on hand-made pitchgrams whose rises have known lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from offline_prep.alignment.attack_delay import MAX_RISE_S, Rises, attack_delay, correct, find_rises
from offline_prep.alignment.coarse import Chain
from offline_prep.alignment.config import AttackDelayConfig
from offline_prep.alignment.features import HOP_S, N_PITCHES

CONFIG = AttackDelayConfig()
FRAMES = 8600
MIDDLE_S = FRAMES * HOP_S / 2
IDENTITY = Chain(np.arange(0.0, FRAMES * HOP_S, 0.5), np.arange(0.0, FRAMES * HOP_S, 0.5))


def _gram(rise_frames: NDArray[np.int64], later_frames: int = 0) -> NDArray[np.float32]:
    """Every 80 frames six notes whose log level rises in a straight line, centred, then falls away slowly."""
    level = np.full((FRAMES, N_PITCHES), 2.0)
    rng = np.random.default_rng(0)
    for k, at in enumerate(range(100, FRAMES - 150, 80)):
        for pitch in rng.choice(N_PITCHES // 3, 6, replace=False) * 3:
            begin = at + later_frames - rise_frames[k] // 2
            note = np.interp(np.arange(75), [0, rise_frames[k], 55, 75], [2.0, 6.0, 5.8, 2.0])
            level[begin : begin + 75, pitch] = note
    gram: NDArray[np.float32] = np.expm1(level).astype(np.float32)
    return gram


def _rises(count: int, orchestra_s: float, mix_s: float) -> Rises:
    return Rises(np.linspace(0.0, 100.0, count), np.full(count, orchestra_s), np.full(count, mix_s))


def _constant(frames: int) -> NDArray[np.int64]:
    return np.full(FRAMES // 80 + 1, frames)


def test_rises_are_measured_in_both_recordings() -> None:
    """Slow in O, quick in the mix and 120 ms beside the map: each has its own length, half of the whole rise."""
    found = find_rises((IDENTITY,), _gram(_constant(4), later_frames=10), _gram(_constant(16)))
    assert len(found.mix_s) > 500
    assert bool(np.all(np.diff(found.mix_s) >= 0.0))
    assert np.median(found.orchestra_rise_s) == pytest.approx(8 * HOP_S, abs=HOP_S)
    assert np.median(found.mix_rise_s) == pytest.approx(2 * HOP_S, abs=HOP_S)
    assert float(found.orchestra_rise_s.max()) <= MAX_RISE_S


def test_the_map_is_moved_towards_earlier_orchestra_where_its_attacks_are_slow() -> None:
    """Only the second half of O is slow: the map moves there, hardly in the first, and never back in time."""
    rise = _constant(4)
    rise[len(rise) // 2 :] = 20
    (moved,) = correct((IDENTITY,), _gram(_constant(4)), _gram(rise), CONFIG)
    shift = IDENTITY.orchestra_s - moved.orchestra_s
    early, late = IDENTITY.mix_s < MIDDLE_S - 20.0, IDENTITY.mix_s > MIDDLE_S + 20.0
    assert abs(float(np.median(shift[early]))) < 0.03
    assert 0.06 < float(np.median(shift[late])) <= CONFIG.max_shift_s
    np.testing.assert_array_equal(moved.mix_s, IDENTITY.mix_s)
    assert float(np.diff(moved.orchestra_s).min()) > 0.0


def test_slow_attacks_of_the_mix_count_the_other_way() -> None:
    (moved,) = correct((IDENTITY,), _gram(_constant(16)), _gram(_constant(4)), CONFIG)
    assert float(np.median(moved.orchestra_s - IDENTITY.orchestra_s)) > 0.03


def test_few_rises_say_little() -> None:
    """Nothing without a rise, a part with few, all of it with many."""
    at = np.array([0.0, 50.0, 100.0])
    whole = CONFIG.orchestra * 0.1 - CONFIG.mix * 0.05
    np.testing.assert_array_equal(attack_delay(_rises(0, 0.1, 0.05), at, CONFIG), 0.0)
    few, many = attack_delay(_rises(10, 0.1, 0.05), at, CONFIG), attack_delay(_rises(10_000, 0.1, 0.05), at, CONFIG)
    np.testing.assert_allclose(few, whole * 10 / (10 + CONFIG.steady_rises))
    np.testing.assert_allclose(many, whole, rtol=0.02)


def test_the_shift_is_bounded() -> None:
    at = np.array([10.0])
    assert attack_delay(_rises(10_000, 0.25, 0.0), at, CONFIG)[0] == pytest.approx(CONFIG.max_shift_s)
    assert attack_delay(_rises(10_000, 0.0, 0.25), at, CONFIG)[0] == pytest.approx(-CONFIG.max_shift_s)


def test_pieces_apart_stay_apart_and_other_pitches_do_not_count() -> None:
    """Two chains round a cut move but keep their order; a mix without the orchestra's pitches moves nothing."""
    o = _gram(_constant(16))
    first = Chain(np.array([0.0, 30.0]), np.array([0.0, 30.0]))
    second = Chain(np.array([60.0, 95.0]), np.array([30.0, 65.0]))
    moved = correct((first, second), _gram(_constant(4)), o, CONFIG)
    assert moved[0].orchestra_s[-1] < 30.0 and moved[0].orchestra_s[-1] <= moved[1].orchestra_s[0] + 0.02
    still = np.full_like(o, float(np.expm1(2.0)))
    (same,) = correct((IDENTITY,), still, o, CONFIG)
    np.testing.assert_array_equal(same.orchestra_s, IDENTITY.orchestra_s)


def test_without_coefficients_nothing_moves() -> None:
    (same,) = correct((IDENTITY,), _gram(_constant(4)), _gram(_constant(16)), replace(CONFIG, orchestra=0.0, mix=0.0))
    np.testing.assert_array_equal(same.orchestra_s, IDENTITY.orchestra_s)
