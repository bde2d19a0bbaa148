"""Recorded performances as the frontier hears them, with the truth at every hop: what the fits of inference share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tracking.confidence_fit import work_of
from follower.evaluation.scenario import Scenario, load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.inference.base import Frame
from follower.piece.piece import Piece
from follower.signal.features import FeatureStream

MAX_STEP_S = 0.11
"""Rows of the truth further apart than this have a pause or a jump between them."""


@dataclass(frozen=True)
class Heard:
    """One performance.

    Attributes:
        name: of the scenario.
        work: what is played.
        piece: prepared.
        frames: features of each hop, n of them.
        true_mix_s: true place in the mix at the end of each hop (s), NaN where it is not known. Shape (n,).
        start_mix_s: the first that is known.
        beat_s: evaluation beats, live seconds. Shape (b,).
        beat_mix_s: their place in the mix (s). Shape (b,).
    """

    name: str
    work: str
    piece: Piece
    frames: Sequence[Frame]
    true_mix_s: NDArray[np.float64]
    start_mix_s: float
    beat_s: NDArray[np.float64]
    beat_mix_s: NDArray[np.float64]

    @property
    def hop_s(self) -> float:
        """Seconds per hop."""
        return self.piece.feature_config.hop_s


def hear(folder: Path, caches: Path) -> Heard:
    """Prepare a scenario and extract the features of its piano."""
    from offline_prep.audio import load_recording

    scenario = load_scenario(folder)
    piece = Workbench(scenario, Settings(caches)).piece
    recording = load_recording(scenario.piano)
    found = FeatureStream(piece.feature_config, recording.sample_rate_hz).extract(recording.samples)
    frames = [Frame(p, m, float(r)) for p, m, r in zip(found.pitch, found.mfcc, found.rms, strict=True)]
    at_s = piece.feature_config.hop_s * np.arange(1, len(frames) + 1, dtype=np.float64)
    true_mix_s = _true_mix_s(scenario, at_s)
    known = np.isfinite(scenario.truth.beat_mix_s)
    return Heard(
        scenario.name,
        work_of(scenario.name),
        piece,
        frames,
        true_mix_s,
        float(true_mix_s[np.isfinite(true_mix_s)][0]),
        scenario.truth.beat_s[known],
        scenario.truth.beat_mix_s[known],
    )


def _true_mix_s(scenario: Scenario, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    truth = scenario.truth
    after = np.clip(np.searchsorted(truth.piano_s, at_s), 1, len(truth.piano_s) - 1)
    steady = np.diff(truth.piano_s)[after - 1] < MAX_STEP_S
    steady &= np.abs(np.diff(truth.mix_s))[after - 1] < 5 * MAX_STEP_S
    inside = (at_s >= truth.piano_s[0]) & (at_s <= truth.piano_s[-1])
    return np.where(steady & inside, np.interp(at_s, truth.piano_s, truth.mix_s), np.nan)


def folds(heard: Sequence[Heard], n: int) -> Iterator[tuple[list[Heard], list[Heard]]]:
    """Pairs of what is fitted and what is judged; a work is in one of the `n` parts only."""
    works = sorted({h.work for h in heard})
    for part in range(n):
        held_out = set(works[part::n])
        yield [h for h in heard if h.work not in held_out], [h for h in heard if h.work in held_out]
