"""Hidden Markov model of two states with hindsight. Oracle: tests/naive/sections.py."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def transitions(
    log_odds: NDArray[np.float64],
    leave: float,
    enter: float,
    leaves: NDArray[np.float64],
    enters: NDArray[np.float64],
) -> None:
    """Write the probabilities of a change of state after each step, given everything observed.

    Args:
        log_odds: (n,), of the first state against the second, of what is observed at each step alone.
        leave: probability of a change from the first state to the second before anything is observed.
        enter: and from the second to the first.
        leaves: (n,), written: probability of the first change between steps j and j + 1, given all observations.
        enters: (n,), written: of the second.
    """
    n = log_odds.shape[0]
    first = second = 1.0  # likelihood of all that comes after, in each state
    leaves[n - 1], enters[n - 1] = leave, enter
    for j in range(n - 2, -1, -1):
        first *= math.exp(log_odds[j + 1] / 2)
        second *= math.exp(-log_odds[j + 1] / 2)
        stayed, left = (1 - leave) * first, leave * second
        entered, kept = enter * first, (1 - enter) * second
        leaves[j], enters[j] = left / (stayed + left), entered / (entered + kept)
        first, second = stayed + left, entered + kept
        total = first + second
        first, second = first / total, second / total


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    transitions(np.zeros(2), 0.1, 0.1, np.zeros(2), np.zeros(2))
