"""Two-state hidden Markov model by summing over every course of states."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray


def transitions(log_odds: NDArray[np.float64], leave: float, enter: float) -> NDArray[np.float64]:
    """Return (2, n): probability of a change out of the first and of the second state after each step."""
    n = len(log_odds)
    change = ((1 - leave, leave), (enter, 1 - enter))
    out = np.empty((2, n))
    for j in range(n):
        for state in (0, 1):
            weight = [0.0, 0.0]  # of the courses that stay, and of those that change
            for after in itertools.product((0, 1), repeat=n - 1 - j):
                course = (state, *after)
                p = math.prod(change[a][b] for a, b in itertools.pairwise(course))
                p *= math.prod(math.exp(log_odds[j + 1 + i] * (0.5 if s == 0 else -0.5)) for i, s in enumerate(after))
                weight[bool(after) and after[0] != state] += p
            out[state, j] = weight[1] / sum(weight) if j < n - 1 else change[state][1 - state]
    return out
