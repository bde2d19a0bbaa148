"""Which passages went worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

PASSAGE_S: Final = 8.0
STEP_S: Final = 1.0
MIN_BEATS: Final = 3
LARGEST_S: Final = 2.0
"""An error counts as no more than this: being lost by a minute sounds no worse than by two seconds."""


@dataclass(frozen=True)
class Passage:
    """A stretch of one performance.

    Attributes:
        scenario: its name.
        begin_s: in the piano recording.
        end_s: in the piano recording.
        error_s: mean absolute error at its beats, each counted as `LARGEST_S` at most.
    """

    scenario: str
    begin_s: float
    end_s: float
    error_s: float


def worst_passages(
    runs: Sequence[tuple[str, NDArray[np.float64], NDArray[np.float64]]], count: int
) -> tuple[Passage, ...]:
    """Choose the passages of one system with the largest mean error; none overlaps another.

    Args:
        runs: scenario, evaluation beats in the piano (s, increasing) and signed errors there (s), both of shape (B,).
        count: how many at most.

    Example:
        >>> beats = np.arange(30.0)
        >>> error = np.where((beats > 9) & (beats < 13), 0.5, 0.0)
        >>> [(p.begin_s, p.end_s) for p in worst_passages([("a", beats, error)], 1)]
        [(5.0, 13.0)]
    """
    found: list[Passage] = []
    for scenario, beat_s, error_s in runs:
        size = np.minimum(np.abs(error_s), LARGEST_S)
        for begin_s in np.arange(beat_s[0], max(beat_s[-1] - PASSAGE_S, beat_s[0]) + STEP_S, STEP_S):
            inside = (beat_s >= begin_s) & (beat_s < begin_s + PASSAGE_S)
            if inside.sum() >= MIN_BEATS:
                mean_s = float(size[inside].mean())
                found.append(Passage(scenario, float(begin_s), float(begin_s) + PASSAGE_S, mean_s))
    chosen: list[Passage] = []
    for passage in sorted(found, key=lambda p: -p.error_s):
        apart = all(p.scenario != passage.scenario or abs(p.begin_s - passage.begin_s) >= PASSAGE_S for p in chosen)
        if apart and passage.error_s > 0:
            chosen.append(passage)
        if len(chosen) == count:
            break
    return tuple(chosen)
