from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from follower.evaluation.attacks import HEARD_WITHIN_S, attack_times, near_attacks

RATE_HZ = 16000


def test_attacks_of_notes_are_found_where_they_begin(tmp_path: Path) -> None:
    """Struck notes over a held one; the held one's swell is no attack."""
    starts = np.array([1.0, 1.7, 2.9, 4.0])
    t = np.arange(6 * RATE_HZ) / RATE_HZ
    sound = 0.05 * np.sin(2 * np.pi * 196 * t) * np.clip(t / 3, 0, 1)
    for k, start in enumerate(starts):
        since = np.maximum(t - start, 0)
        sound += (t >= start) * 0.3 * np.exp(-4 * since) * np.sin(2 * np.pi * (330 + 60 * k) * since)
    soundfile.write(tmp_path / "o.wav", sound + 1e-4 * np.random.default_rng(1).standard_normal(len(t)), RATE_HZ)
    found = attack_times(tmp_path / "o.wav")
    assert near_attacks(starts, found).all()
    assert not near_attacks(np.array([2.3, 3.5, 5.0]), found).any()


@given(st.lists(st.floats(0, 10), max_size=8), st.lists(st.floats(0, 10), min_size=1, max_size=8))
def test_near_is_near_any(attacks: list[float], positions: list[float]) -> None:
    near = near_attacks(np.array(positions), np.unique(np.array(attacks)))
    for position, found in zip(positions, near, strict=True):
        distance = min((abs(position - a) for a in attacks), default=np.inf)
        assert found == (distance <= HEARD_WITHIN_S) or abs(distance - HEARD_WITHIN_S) < 1e-9
