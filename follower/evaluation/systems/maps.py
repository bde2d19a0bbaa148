"""Maps from the full mix to the orchestra recording: the prepared one and the offline systems'."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from follower.errors import AlignmentError, ScenarioError
from follower.evaluation.systems.outcome import Outcome, nothing_found
from follower.evaluation.systems.workbench import HOP_SAMPLES, Workbench

if TYPE_CHECKING:
    from offline_prep.notebook.system import NaiveResult, NotebookResult


def map_outcome(bench: Workbench) -> Outcome:
    """PO to O: the prepared map at the evaluation beats."""
    return _mapped(bench, lambda mix_s: np.asarray(bench.piece.map.to_orchestra(mix_s)))


def path_map_outcome(of: Callable[[Workbench], NotebookResult | NaiveResult], bench: Workbench) -> Outcome:
    """PO to O of an offline system, by interpolation of its path."""

    def to_orchestra(mix_s: NDArray[np.float64]) -> NDArray[np.float64]:
        from offline_prep.notebook.system import frames_to_seconds

        orchestra_s, path_mix_s = frames_to_seconds(of(bench).o_po.astype(np.float64), HOP_SAMPLES)
        return np.asarray(np.interp(mix_s, path_mix_s, orchestra_s), dtype=np.float64)

    return _mapped(bench, to_orchestra)


def _mapped(bench: Workbench, to_orchestra: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Outcome:
    truth = bench.scenario.map_truth
    if truth is None:
        raise ScenarioError(f"scenario {bench.scenario.folder} has no truth for the full mix (truth.csv or po.beats)")
    begin = time.perf_counter()
    try:
        error = to_orchestra(truth.mix_s) - truth.orchestra_s
    except AlignmentError as e:
        return nothing_found(truth.orchestra_s, e)
    none = np.full(len(error), np.nan)
    return Outcome(error, none, None, time.perf_counter() - begin, target_s=truth.orchestra_s)
