"""benchmarks/offline_prep/alignment/onset_network_fit.py: its hand-written gradients and targets."""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np
import pytest

from offline_prep.alignment.features import HOP_S, LOWEST_MIDI, N_PITCHES


@pytest.fixture
def fit() -> ModuleType:
    return importlib.import_module("benchmarks.offline_prep.alignment.onset_network_fit")


def test_the_gradient_of_a_window_is_its_slope(fit: ModuleType) -> None:
    """Against the change of the loss when the weight with the steepest slope of each layer is moved."""
    rng = np.random.default_rng(0)
    frames = 420
    level = {role: (4.0 * rng.random((frames, N_PITCHES))).astype(np.float32) for role in ("o", "po")}
    level["po"][30:] = level["o"][:-30]
    fixed = {role: 0.05 * rng.standard_normal((frames, 2 * N_PITCHES)).astype(np.float32) for role in level}
    row = np.arange(80, 380)
    pair = fit.Pair(level, fixed, row, row - 30.0, {role: np.empty((0, 2)) for role in level})
    weights = fit.start(rng)
    _, gradient = fit.window_loss(pair, weights, np.random.default_rng(1))
    for k, slope in enumerate(gradient):
        at = np.unravel_index(int(np.abs(slope).argmax()), slope.shape)
        before, losses = weights[k][at], []
        for step in (1e-3, -1e-3):
            weights[k][at] = before + step
            losses.append(fit.window_loss(pair, weights, np.random.default_rng(1))[0])
        weights[k][at] = before
        assert slope[at] == pytest.approx((losses[0] - losses[1]) / 2e-3, rel=0.1, abs=2e-3)


def test_a_note_is_a_bell_round_its_onset(fit: ModuleType) -> None:
    """Between two frames, the same on both sides; notes outside the range are left out."""
    notes = np.array([[20.5 * HOP_S, LOWEST_MIDI + 3.0], [0.1, LOWEST_MIDI - 1.0], [0.1, LOWEST_MIDI + 72.0]])
    target = fit.note_target(notes, 50)
    assert target[20, 3] == pytest.approx(target[21, 3])
    assert target[20, 3] == pytest.approx(np.exp(-0.5 * (0.5 / fit.BLUR_FRAMES) ** 2))
    assert np.count_nonzero(target.sum(axis=0)) == 1
