"""The live systems: the engine on a scenario, measured in the orchestra recording or in the full mix."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import ScenarioError
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import Truth
from follower.evaluation.systems.outcome import Outcome, outcome_of
from follower.evaluation.systems.workbench import Workbench

MIN_SLOPE: Final = 0.05
"""Below it the orchestra stands still in the map, and its rate says nothing about the mix's."""


def live_outcome(method: str, bench: Workbench) -> Outcome:
    """P to O: the live metric on the engine's orchestra positions."""
    live = bench.live(method)
    truth = bench.scenario.truth
    estimates = Estimates.build(live.audio_time_s, live.orchestra_s, live.rate, live.confidence, live.state)
    target = (truth.piano_s, truth.orchestra_s)
    return outcome_of(estimates, truth.beat_s, truth.beat_orchestra_s, target, live.compute_s, heard=bench.heard)


def mix_outcome(method: str, bench: Workbench) -> Outcome:
    """P to PO: the same run, measured in the full mix, which leaves the PO-O map out."""
    live = bench.live(method)
    truth = bench.scenario.truth
    known = np.isfinite(truth.beat_mix_s)
    if not known.any():
        raise ScenarioError(f"scenario {bench.scenario.folder} has no truth for the full mix (truth.csv or po.beats)")
    slope = np.asarray(bench.piece.map.slope_at(np.nan_to_num(live.mix_s)))
    rate = np.where(slope > MIN_SLOPE, live.rate / np.maximum(slope, MIN_SLOPE), 1.0)
    estimates = Estimates.build(live.audio_time_s, live.mix_s, rate, live.confidence, live.state)
    return outcome_of(estimates, truth.beat_s[known], truth.beat_mix_s[known], mix_target(truth), live.compute_s)


def mix_target(truth: Truth) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants and true positions of the full mix, for `behaviour`; rows without one left out."""
    known = np.isfinite(truth.mix_s)
    return truth.piano_s[known], truth.mix_s[known]
