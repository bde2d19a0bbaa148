"""Accumulated costs of the paths over one selection of rows: how costly is it to be at each frame of the full mix?"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.inference.dense_sparse_config import DenseSparseConfig
from follower.inference.dense_sparse_dtw import IncrementalDenseSparse
from follower.inference.row_selection import Selection
from follower.kernels import dense_sparse as kernels

COLUMN_WEIGHTS: Final = (1.0, 2.0, 1.0)
"""Of the steps (1, 1), (1, 2), (2, 1) in (rows, columns): each path pays once per column. Costs are negative matches,
so every path to a column has to be made of equally many terms."""
WAITING_MARGIN: Final = 0.5
"""How much cheaper a path must arrive at a gap to replace the one inside it."""
RESUME_HOPS: Final = 20
"""After a silence, paths that stood still may go on within this many hops (0.5 s) of sound."""
LOG_2: Final = math.log(2.0)


class PathCosts:
    """Dense-sparse DTW over one selection, with jumps, pauses, and positions inside the gaps.

    Args:
        selection: m rows among the n frames of the mix.
        entry: (n,) cost of a path that begins at each frame of the mix, in the first column.
        config: constants.

    Attributes:
        selection: the rows, as given.
    """

    def __init__(self, selection: Selection, entry: NDArray[np.float64], config: DenseSparseConfig) -> None:
        self._dtw = IncrementalDenseSparse(selection.gaps, COLUMN_WEIGHTS)
        self._first_entry = entry[selection.rows]
        self._config = config
        self._silent = False
        self._resumed = 0
        self._standing = np.empty(len(selection.rows))
        self._standing_cost = config.stop_cost + config.stop_rest_cost * (1.0 - selection.probability)
        self._waiting = np.full(len(selection.rows), np.inf)
        self._since = np.zeros(len(selection.rows), np.int64)
        self._position_costs = np.empty(len(entry))
        self.selection = selection

    def update(self, score: NDArray[np.float32], best: float, presence: float, rate: float) -> NDArray[np.float64]:
        """Take the next live frame.

        Args:
            score: (n,) match of the live frame with every frame of the mix.
            best: the largest match.
            presence: 0..1, how surely the piano sounds.
            rate: mix seconds per live second at present; a step is penalised by how far its slope is from it. With
                equal penalties the newest position would run ahead of a slow pianist and lag behind a fast one.

        Returns:
            (n,) cost of being at each frame of the mix: valid until the next update.
        """
        s = self.selection
        neutral = self._config.neutral_share * best
        costs = -presence * (score[s.rows] * s.weights + (1.0 - s.weights) * neutral)
        column = self._dtw.columns
        entry = self._first_entry if column == 0 else self._entry(presence)
        totals = self._dtw.update(costs, entry, step_penalties(rate, self._config.step_penalty))
        kernels.position_costs(
            column, totals, s.rows, s.gaps, self._waiting, self._since, WAITING_MARGIN, self._position_costs
        )
        return self._position_costs

    @property
    def columns(self) -> int:
        """Live frames taken."""
        return self._dtw.columns

    def _entry(self, presence: float) -> NDArray[np.float64]:
        """Entry costs (m,): a jump from the best row; after a silence also from where each row stood when it began."""
        c = self._config
        totals = self._dtw.totals
        entry = np.full(len(totals), float(np.min(totals)) + c.jump_cost)
        if presence < c.silence:
            if not self._silent:
                self._standing[:] = totals
            self._silent, self._resumed = True, 0
        elif self._silent:
            np.minimum(entry, self._standing + self._standing_cost, out=entry)
            self._resumed += 1
            self._silent = self._resumed < RESUME_HOPS
        return entry


def step_penalties(rate: float, strength: float) -> tuple[float, float, float]:
    """Costs of the steps (1, 1), (1, 2), (2, 1): per column, the distance of the step's log slope from the rate's.

    >>> [round(p, 2) for p in step_penalties(1.0, 1.0)]
    [0.0, 1.39, 0.69]
    """
    at = math.log(rate)
    return strength * abs(at), 2.0 * strength * abs(at + LOG_2), strength * abs(at - LOG_2)


def entry_near(frame_s: NDArray[np.float64], mix_s: float, config: DenseSparseConfig) -> NDArray[np.float64]:
    """Cost of a path that begins at each frame, given the expected one: a Gaussian's, at most that of a jump.

    Args:
        frame_s: (n,) instants of the frames (s).
        mix_s: the expected one.
        config: gives `seek_spread_s` and `jump_cost`.
    """
    return np.minimum(0.5 * ((frame_s - mix_s) / config.seek_spread_s) ** 2, config.jump_cost)
