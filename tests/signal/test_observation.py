"""What the tempo filter compares: levels, noise, silence and the start gate, on made-up amplitudes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.errors import ConfigError
from follower.signal.observation import (
    PARTS,
    LiveObserver,
    Observation,
    ObservationConfig,
    PartWeights,
    ReferenceObservations,
    StartConfig,
    observe_reference,
)

FEATURES = FeatureConfig()
SILENT = np.zeros(88, np.float32)


def _melody(n: int, gain: float = 1.0, seed: int = 0) -> NDArray[np.float32]:
    """A new note every 12 frames, decaying, over a faint floor: (n, 88)."""
    rng = np.random.default_rng(seed)
    x = 1e-5 * (1 + 0.1 * rng.random((n, 88)))
    for first in range(0, n, 12):
        note = int(rng.integers(10, 70))
        length = min(24, n - first)
        x[first : first + length, note] += 0.2 * 0.9 ** np.arange(length)
    return (gain * x).astype(np.float32)


def _reference(pitch: NDArray[np.float32]) -> ReferenceObservations:
    return observe_reference(pitch, FEATURES.hop_s, ObservationConfig())


def _live(frames: NDArray[np.float32]) -> list[Observation]:
    observer = LiveObserver(FEATURES, _reference(_melody(400)).typical_norms, ObservationConfig(), StartConfig())
    return [observer.observe(x) for x in frames]


def test_the_mix_is_seen_the_same_at_any_level() -> None:
    quiet, loud = _reference(_melody(400, 0.05)), _reference(_melody(400, 1.0))
    np.testing.assert_allclose(quiet.features, loud.features, atol=1e-3)
    assert quiet.features.shape == (4 * 88, 400)
    for first in range(0, 4 * 88, 88):
        assert np.all(np.linalg.norm(quiet.features[first : first + 88], axis=0) <= 1)


def test_silence_in_the_mix_is_neutral() -> None:
    pitch = _melody(1200)
    pitch[500:700] = 0
    features = _reference(pitch).features
    assert np.abs(features[:, 530:670]).max() < 1e-3
    assert np.linalg.norm(features[:88, 100:400], axis=0).mean() > 0.5


def test_live_and_mix_agree_on_the_same_notes() -> None:
    """The live side is causal and takes noise off; once settled it must still look like the mix."""
    pitch = np.concatenate([np.full((60, 88), 1e-5, np.float32), _melody(700)])
    features = _reference(pitch).features
    live = _live(pitch)
    for row, part in enumerate(PARTS):
        mix = features[88 * row : 88 * (row + 1)]
        cosines = [
            float(o.parts[row] @ mix[:, k]) / (np.linalg.norm(o.parts[row]) * np.linalg.norm(mix[:, k]) + 1e-9)
            for k, o in enumerate(live)
            if k > 400 and np.linalg.norm(mix[:, k]) > 0.1
        ]
        assert np.mean(cosines) > 0.8, part


def test_an_arpeggio_swells_longer_than_its_onsets() -> None:
    """A quick rise shows the newest note only; the slow one still shows the notes before."""
    pitch = np.full((400, 88), 1e-5, np.float32)
    for k, note in enumerate((40, 44, 47)):
        pitch[200 + 4 * k :, note] = 0.2
    onset, swell = (_reference(pitch).features[88 * row : 88 * (row + 1), 209] for row in (1, 2))
    assert onset[40] < 0.1 * onset[47]
    assert swell[40] > 0.2 * swell[47]


def test_salience_doubts_overtones() -> None:
    pitch = np.full((400, 88), 1e-5, np.float32)
    pitch[200:, 30] = 0.2
    pitch[200:, 42] = 0.1  # the octave: a second partial, or a quieter note of its own
    pitch[200:, 35] = 0.1  # no partial of anything
    sustain, salience = (_reference(pitch).features[88 * row : 88 * (row + 1), 300] for row in (0, 3))
    assert sustain[42] == pytest.approx(sustain[35], rel=0.3)
    assert salience[42] < 0.6 * salience[35]
    assert salience[30] > salience[35]


def test_weights_multiply_each_part() -> None:
    o = Observation(np.ones((4, 88), np.float32), 0.5, presence=1.0, started=True, attack=0.0, compressed=SILENT)
    weights = PartWeights(sustain=2.0, onset=3.0, swell=5.0, salience=7.0).of(o).reshape(4, 88)
    np.testing.assert_allclose(weights, np.repeat([[1.0], [3.0], [5.0], [3.5]], 88, axis=1))


def test_faint_weights_are_left_out() -> None:
    parts = np.full((4, 88), 0.5, np.float32)
    parts[1] = 0.003
    weights = PartWeights(sustain=1.0, onset=3.0, swell=4.0, salience=1.0).of(
        Observation(parts, 1.0, 1.0, True, 0.0, SILENT)
    )
    assert np.count_nonzero(weights) == 3 * 88


def test_the_gate_opens_at_the_first_note() -> None:
    quiet = np.full((100, 88), 1e-5, np.float32)
    started = [o.started for o in _live(np.concatenate([quiet, _melody(50)]))]
    assert not any(started[:100])
    assert all(started[103:])


def test_attacks_are_new_sound_and_beats_are_not() -> None:
    quiet = np.full((100, 88), 1e-5, np.float32)
    at = np.arange(150)
    chord = np.tile(quiet[:1], (150, 1))
    for note, beat in ((40, 0.12), (44, 0.19), (47, 0.27)):  # 1 to 2 beats a second
        chord[:, note] = 0.2 * np.exp(-at / 60) * (1 + 0.3 * np.sin(beat * at))
    second = chord.copy()
    second[75:, 52] += 0.05 * np.exp(-at[:75] / 60)
    alone, together = ([o.attack for o in _live(np.concatenate([quiet, x]))][100:] for x in (chord, second))
    assert alone[0] > 0.9
    assert max(alone[8:]) < 0.2
    assert max(together[8:70]) < 0.2 < max(together[75:80])


def test_a_piano_that_already_plays_opens_it_too() -> None:
    assert _live(_melody(120))[-1].started


def test_noise_is_no_piano() -> None:
    rng = np.random.default_rng(1)
    noise = np.abs(rng.standard_normal((300, 88)) * 0.02 + 0.1).astype(np.float32)
    observed = _live(noise)
    assert not observed[-1].started
    assert max(o.presence for o in observed) < 0.1


def test_presence_follows_the_piano() -> None:
    pitch = np.concatenate([np.full((60, 88), 1e-5, np.float32), _melody(300), np.full((100, 88), 1e-5, np.float32)])
    presence = [o.presence for o in _live(pitch)]
    assert np.mean(presence[100:350]) > 0.95
    assert max(presence[400:]) < 0.05


def test_a_held_note_is_worth_less_than_a_new_one() -> None:
    pitch = np.full((200, 88), 1e-5, np.float32)
    pitch[60:, 40] = 0.2
    pitch[150:, 44] = 0.2
    novelty = [o.novelty for o in _live(pitch)]
    assert novelty[140] == pytest.approx(ObservationConfig().novelty_base, abs=0.05)
    assert novelty[153] > novelty[140] + 0.3


def test_impossible_constants_are_refused() -> None:
    with pytest.raises(ConfigError, match="onset_lag"):
        ObservationConfig(onset_lag=0)
