"""training.sound: what is rendered sounds when and as it should."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from offline_prep.alignment.features import estimate_tuning
from training.sound import (
    FONT_FOLDER,
    FONTS,
    SAMPLE_RATE_HZ,
    Voice,
    coloured,
    in_room,
    recorded,
    synthesise,
    through_codec,
)

HAS_SYNTHESISER = shutil.which("fluidsynth") is not None and (FONT_FOLDER / FONTS["timgm"]).exists()
PIANO = 0


def _noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal(int(seconds * SAMPLE_RATE_HZ))
    sound[: len(sound) // 2] *= 0.01
    return sound.astype(np.float32)


@pytest.mark.skipif(not HAS_SYNTHESISER, reason="needs Debian's packages fluidsynth and timgm6mb-soundfont")
def test_notes_sound_when_they_are_played_and_at_the_tuning() -> None:
    beats = np.arange(0.5, 5.0, 0.5)
    notes = np.stack([beats, beats + 0.3, np.full(9, 69.0), np.full(9, 90.0)], axis=1)
    flat, sound = (synthesise((Voice(PIANO, notes, 100),), "timgm", a4_hz, 6.0) for a4_hz in (437.0, 443.0))
    assert sound.shape == (6 * SAMPLE_RATE_HZ,)
    before = np.abs(sound[int(0.3 * SAMPLE_RATE_HZ) : int(0.48 * SAMPLE_RATE_HZ)]).max()
    after = np.abs(sound[int(0.5 * SAMPLE_RATE_HZ) : int(0.55 * SAMPLE_RATE_HZ)]).max()
    assert after > 50 * before
    moved = estimate_tuning(sound) - estimate_tuning(flat)
    assert moved == pytest.approx(12 * np.log2(443.0 / 437.0), abs=0.02)


@pytest.mark.parametrize("codec", ["ogg", "mp3"])
def test_a_codec_moves_nothing(codec: str) -> None:
    sound = _noise(3.0)
    heard = through_codec(sound, codec, 0.1)
    assert heard.shape == sound.shape
    lags = range(-30, 31)
    alike = [float(np.dot(sound[100:-100], np.roll(heard, lag)[100:-100])) for lag in lags]
    assert list(lags)[int(np.argmax(alike))] == 0


@pytest.mark.parametrize("change", [in_room, coloured, recorded])
def test_rooms_colours_and_media_keep_the_time(change) -> None:  # type: ignore[no-untyped-def]
    """The step in level stays within a hundredth of a second of where it was; the same seed gives the same sound."""
    sound = _noise(4.0)
    heard = change(sound, np.random.default_rng(5))
    assert heard.shape == sound.shape and heard.dtype == np.float32
    assert np.array_equal(heard, change(sound, np.random.default_rng(5)))
    assert not np.array_equal(heard, sound)
    power = np.square(heard.astype(np.float64)).reshape(-1, 210).mean(axis=1)
    step = int(np.argmax(power[1:] / (power[:-1] + 1e-9)))
    assert abs((step + 1) * 210 - 2 * SAMPLE_RATE_HZ) <= 420
