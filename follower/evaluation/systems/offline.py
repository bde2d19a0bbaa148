"""The offline systems, with hindsight: the notebook's two and the naive one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from follower.errors import AlignmentError
from follower.evaluation.estimates import Estimates
from follower.evaluation.systems.outcome import Outcome, nothing_found, outcome_of
from follower.evaluation.systems.workbench import Workbench

if TYPE_CHECKING:
    from offline_prep.notebook.system import NaiveResult


def notebook_outcome(bench: Workbench) -> Outcome:
    """The notebook's system, offline with hindsight, interpolated at the beats."""

    def align() -> tuple[NDArray[np.float64], tuple[str, ...]]:
        result = bench.notebook
        folder = bench.result_folder("notebook")
        if folder is not None:
            from offline_prep.notebook.files import save_notebook_result

            save_notebook_result(result, folder)
        return result.hyp, result.notices

    return _offline_outcome(bench, align)


def naive_outcome(bench: Workbench) -> Outcome:
    """The naive pairwise system, offline with hindsight, interpolated at the beats."""

    def align() -> tuple[NDArray[np.float64], tuple[str, ...]]:
        result = bench.naive
        _save_paths(bench, "naive", result)
        return result.hyp, ()

    return _offline_outcome(bench, align)


def separation_outcome(bench: Workbench) -> Outcome:
    """The notebook's separation system, offline with hindsight, interpolated at the beats."""

    def align() -> tuple[NDArray[np.float64], tuple[str, ...]]:
        result = bench.separation
        _save_paths(bench, "separation", result)
        return result.hyp, ()

    return _offline_outcome(bench, align)


def _save_paths(bench: Workbench, system: str, result: NaiveResult) -> None:
    folder = bench.result_folder(system)
    if folder is not None:
        from offline_prep.notebook.files import save_paths

        save_paths(result.hyp, result.p_po, result.o_po, folder)


def _offline_outcome(bench: Workbench, align: Callable[[], tuple[NDArray[np.float64], tuple[str, ...]]]) -> Outcome:
    truth = bench.scenario.truth
    begin = time.perf_counter()
    try:
        hyp, notes = align()
    except AlignmentError as e:
        return nothing_found(truth.beat_orchestra_s, e, bench.heard)
    return outcome_of(
        Estimates.from_path(hyp),
        truth.beat_s,
        truth.beat_orchestra_s,
        (truth.piano_s, truth.orchestra_s),
        time.perf_counter() - begin,
        notes,
        bench.heard,
    )
