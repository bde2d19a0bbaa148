"""New rows for the dense-sparse frontier: path costs are built beside those in use, from the live frames kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.inference.dense_sparse_config import DenseSparseConfig
from follower.inference.mix_match import MixMatch
from follower.inference.path_costs import PathCosts, entry_near
from follower.inference.row_selection import Selection

CHECK_HOPS: Final = 43
"""The rows in use are compared with the classification once in this many hops."""


class RowRebuild:
    """Replaces the path costs in use when the classification has changed, some columns per hop.

    Args:
        match: with the n frames of the mix; its buffer is overwritten.
        select: chooses rows by the newest classification.
        hop_s: seconds per hop.
        config: constants.

    Attributes:
        replacement: the path costs being built; None when none are.
    """

    def __init__(
        self, match: MixMatch, select: Callable[[], Selection], hop_s: float, config: DenseSparseConfig
    ) -> None:
        self._match = match
        self._select = select
        self._hop_s = hop_s
        self._config = config
        history = max(round(config.history_s / hop_s), 1)
        self._weights = np.zeros((history, match.parts), np.float32)
        self._presence = np.zeros(history)
        self._positions = np.zeros(history)
        self.reset()

    def reset(self) -> None:
        """Forget the live frames; the same as fresh."""
        self.replacement: PathCosts | None = None
        self._kept = 0
        self._built = 0
        self._since_rebuild = 0

    def abandon(self) -> None:
        """Give up what is being built; the live frames stay."""
        self.replacement = None

    def keep(self, weights: NDArray[np.float32], presence: float, position: int) -> None:
        """Remember a live frame: its weights (k,), how surely the piano sounds (0..1), and its mix frame."""
        slot = self._kept % len(self._presence)
        self._weights[slot] = weights
        self._presence[slot] = presence
        self._positions[slot] = position
        self._kept += 1

    def update(self, in_use: PathCosts, rate: float) -> PathCosts:
        """Build on for one hop and return the path costs to use from now on.

        Args:
            in_use: the path costs used up to now.
            rate: mix seconds per live second.
        """
        c = self._config
        self._since_rebuild += 1
        if self.replacement is None:
            if self._since_rebuild < c.rebuild_pause_s / self._hop_s or self._kept % CHECK_HOPS:
                return in_use
            selection = self._select()
            changed = np.setxor1d(selection.rows, in_use.selection.rows, assume_unique=True)
            if len(changed) < c.rebuild_change_s / self._hop_s:
                return in_use
            self.replacement = self._begin(selection)
        for _ in range(c.rebuild_columns):
            slot = self._built % len(self._presence)
            best = self._match.update(self._weights[slot])
            self.replacement.update(self._match.score, best, self._presence[slot], rate)
            self._built += 1
            if self._built == self._kept:
                done, self.replacement = self.replacement, None
                self._since_rebuild = 0
                return done
        return in_use

    def _begin(self, selection: Selection) -> PathCosts:
        """Path costs without a column yet, to begin near the position of the oldest frame kept."""
        self._built = max(self._kept - len(self._presence), 0)
        position = self._positions[self._built % len(self._presence)]
        away_s = (np.arange(self._match.frames) - position) * self._hop_s
        return PathCosts(selection, entry_near(away_s, 0.0, self._config), self._config)
