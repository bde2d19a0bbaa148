"""When has the piece begun? Attacks in a row, distinguished from a chord that rings and beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from follower.errors import ConfigError
from follower.signal.start_detection import Progress, StartDetector, StartDetectorConfig

HOP_S = 0.02


def _update(detector: StartDetector, attacks: list[float]) -> list[Progress]:
    return [detector.update(attack, 0.0) for attack in attacks]


def _attack(detector: StartDetector, lasting_s: float = 0.5, strength: float = 1.0) -> list[Progress]:
    """A note: its attack takes four hops, then it rings with a beat."""
    ringing = (0.08 + 0.07 * np.sin(np.arange(round(lasting_s / HOP_S) - 4))).tolist()
    return _update(detector, [0.5 * strength, strength, 0.6 * strength, 0.3 * strength, *ringing])


def _silence(detector: StartDetector, lasting_s: float) -> list[Progress]:
    """Room noise: its amplitudes come and go, but no piano sounds."""
    out, silent_s = [], 0.0
    for attack in np.random.default_rng(0).uniform(0, 1, round(lasting_s / HOP_S)).tolist():
        silent_s += HOP_S
        out.append(detector.update(attack, silent_s))
        if out[-1] is Progress.FORGET:  # the frontier begins anew
            silent_s = 0.0
    return out


@pytest.fixture
def detector() -> StartDetector:
    return StartDetector(StartDetectorConfig(), HOP_S)


def test_a_chord_is_too_early_however_long_it_rings(detector: StartDetector) -> None:
    assert set(_attack(detector, lasting_s=10.0)) == {Progress.TOO_EARLY}


def test_the_second_attack_begins_the_piece(detector: StartDetector) -> None:
    _attack(detector)
    assert Progress.BEGUN in _attack(detector, strength=0.4)


def test_a_rolled_chord_is_one_attack(detector: StartDetector) -> None:
    assert set(_update(detector, [0.9, 0.5, 0.1, 0.8, 0.4, 0.1, 0.7, 0.3, *[0.1] * 50])) == {Progress.TOO_EARLY}


def test_attacks_without_rest_between_them_count_too(detector: StartDetector) -> None:
    """Fast notes overlap: the share of new sound never falls to nothing."""
    progress = _update(detector, [0.9, 0.6, 0.4, *([0.4, 0.6, 0.6, 0.5, 0.4, 0.4] * 4)])
    assert progress[-1] is Progress.BEGUN


def test_single_notes_with_silence_between_them_are_forgotten_each(detector: StartDetector) -> None:
    for _ in range(4):
        assert set(_attack(detector)) == {Progress.TOO_EARLY}
        assert _silence(detector, 0.8).count(Progress.FORGET) == 1


def test_a_few_notes_and_a_long_silence_are_forgotten(detector: StartDetector) -> None:
    for _ in range(3):
        _attack(detector)
    silence = _silence(detector, 2.0)
    assert silence[: round(1.4 / HOP_S)] == [Progress.BEGUN] * round(1.4 / HOP_S)
    assert silence.count(Progress.FORGET) == 1
    assert set(_attack(detector)) == {Progress.TOO_EARLY}


def test_a_piece_that_has_begun_is_never_forgotten(detector: StartDetector) -> None:
    for _ in range(4):
        _attack(detector)
    assert set(_silence(detector, 60.0)) == {Progress.BEGUN}


def test_a_known_start_is_confirmed_by_its_first_attack_and_forgotten_all_the_same(detector: StartDetector) -> None:
    detector.seek(playing=False)
    for _ in range(2):
        assert set(_attack(detector)) == {Progress.BEGUN}
        assert _silence(detector, 0.8).count(Progress.FORGET) == 1
    detector.reset()
    assert set(_attack(detector)) == {Progress.TOO_EARLY}


def test_a_position_given_while_the_piano_plays_is_not_forgotten(detector: StartDetector) -> None:
    detector.seek(playing=True)
    assert set(_attack(detector)) == {Progress.BEGUN}
    assert set(_silence(detector, 5.0)) == {Progress.BEGUN}


@pytest.mark.parametrize(("name", "value"), [("strength", 0.0), ("growth", 0.5), ("min_attacks", 0), ("break_s", 0.0)])
def test_impossible_settings_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        replace(StartDetectorConfig(), **{name: value})  # type: ignore[arg-type]
