"""The public fakes keep the promises of what they stand in for."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from follower.engine import Engine
from follower.events import AudioBlock, Position
from follower.inference.methods import METHODS
from follower.testing import NOTE_S, SOUND_RATE_HZ, FakeEngine, make_piece, make_sound


@pytest.mark.parametrize("name", ["process", "command", "finish", "reset"])
def test_the_fake_engine_takes_what_the_engine_takes(name: str) -> None:
    real, fake = (inspect.signature(getattr(cls, name)) for cls in (Engine, FakeEngine))
    assert list(fake.parameters) == list(real.parameters)


@pytest.mark.parametrize("method", METHODS)
def test_the_engine_follows_the_sound_of_a_made_up_piece(method: str) -> None:
    """From its third second on within two notes, mostly much closer; a skip in the sound is one in the piece."""
    sound = make_sound(16.0)
    played = np.concatenate([sound[: 8 * SOUND_RATE_HZ], sound[10 * SOUND_RATE_HZ :]])
    engine = Engine(make_piece(16.0), SOUND_RATE_HZ, method, start_s=0.0)
    positions = [e for e in engine.process(AudioBlock(0, played)) if isinstance(e, Position)]
    before = [(p.orchestra_time_s or 0.0) - p.audio_time_s for p in positions if 3.0 < p.audio_time_s < 8.0]
    assert np.max(np.abs(before)) < 2 * NOTE_S
    assert np.median(np.abs(before)) < 0.1
    assert abs((positions[-1].orchestra_time_s or 0.0) - positions[-1].audio_time_s - 2.0) < 0.1


def test_another_seed_is_another_piece() -> None:
    assert np.array_equal(make_sound(2.0, seed=1), make_sound(2.0, seed=1))
    assert not np.allclose(make_sound(2.0, seed=1), make_sound(2.0, seed=2))
