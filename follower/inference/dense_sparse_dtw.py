"""Dense-sparse DTW over fixed rows, one column at a time: the notebook's accumulated costs, live."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import ConfigError
from follower.kernels import dense_sparse as kernels

NOTEBOOK_WEIGHTS: Final = (1.0, 1.0, 2.0)
"""Of the steps (1, 1), (1, 2), (2, 1) in (rows, columns): each path pays once per row."""


class IncrementalDenseSparse:
    """Frontier of dense-sparse DTW over fixed rows, one column at a time.

    With `notebook_entry` in every column the result after column c is column c of the notebook's matrix D, exactly.

    Args:
        gaps: (n,) mix frames from each row to the next, >= 1.
        weights: weights of the dense steps (1, 1), (1, 2), (2, 1) in (rows, columns).

    Raises:
        ConfigError: no row, or a gap below 1.

    >>> frontier = IncrementalDenseSparse(np.array([1, 1]))
    >>> for column in ([1.0, 1.0], [3.0, 2.0]):
    ...     totals = frontier.update(np.array(column), notebook_entry(2))
    >>> totals.tolist()
    [3.0, 3.0]
    """

    def __init__(self, gaps: NDArray[np.int64], weights: tuple[float, float, float] = NOTEBOOK_WEIGHTS) -> None:
        self.gaps = np.asarray(gaps, np.int64)
        if self.gaps.ndim != 1 or len(self.gaps) == 0 or int(self.gaps.min()) < 1:
            raise ConfigError(f"gaps of shape {self.gaps.shape}: a frontier needs one row or more, gaps of 1 or more")
        self._weights = np.array(weights)
        self._offsets = np.concatenate([[0], np.cumsum(2 * self.gaps + 1)]).astype(np.int64)
        self._kept = np.empty(self._offsets[-1])
        self._queue = np.empty(self._offsets[-1], np.int64)
        self._heads = np.empty(len(self.gaps), np.int64)
        self._tails = np.empty(len(self.gaps), np.int64)
        self.totals = np.empty(len(self.gaps))
        """(n,) accumulated costs of the newest column; inf: cannot be reached."""
        self.reset()

    def reset(self) -> None:
        """Forget all columns; the same as a fresh frontier."""
        self._kept.fill(np.inf)
        self._heads.fill(0)
        self._tails.fill(0)
        self.totals.fill(np.inf)
        self.columns = 0
        self.steps = 0
        """Elementary steps done so far (for tests of the cost)."""

    def update(
        self,
        costs: NDArray[np.float64],
        entry: NDArray[np.float64],
        penalties: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> NDArray[np.float64]:
        """Take the next column.

        Args:
            costs: (n,) local costs of the rows.
            entry: (n,) accumulated cost of a path that begins here; inf where none may.
            penalties: penalties of the dense steps into this column, added to the path's cost.

        Returns:
            `totals`, (n,): valid until the next update.
        """
        self.steps += kernels.advance(
            self.columns,
            costs,
            entry,
            self.gaps,
            self._weights,
            np.array(penalties),
            self._offsets,
            self._kept,
            self._queue,
            self._heads,
            self._tails,
            self.totals,
        )
        self.columns += 1
        return self.totals


def notebook_entry(rows: int) -> NDArray[np.float64]:
    """Entry costs of the notebook's boundary: paths begin at row 0, in any column."""
    entry = np.full(rows, np.inf)
    entry[0] = 0.0
    return entry
