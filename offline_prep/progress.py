"""Progress of a long preparation: stages with known shares of the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[str, float], None]
"""Called with a stage's name and the share (0..1) of all work done so far; never decreasing."""


class StagedProgress:
    """Turns each stage's own 0..1 into the share of all work.

    Args:
        weights: relative duration of each stage, in order.
        report: see `ProgressCallback`.

    Example:
        >>> progress = StagedProgress({"read": 1, "align": 3}, lambda stage, share: print(stage, share))
        >>> progress.stage("align")("fine", 0.5)
        align: fine 0.625
    """

    def __init__(self, weights: Mapping[str, float], report: ProgressCallback) -> None:
        self._weights = dict(weights)
        self._total = sum(self._weights.values())
        self._report = report
        self._share = 0.0

    def stage(self, name: str, part: int = 0, parts: int = 1) -> ProgressCallback:
        """Return the callback a stage, or one of its equal parts, calls with (detail, share done)."""
        names = list(self._weights)
        before = sum(self._weights[n] for n in names[: names.index(name)])

        def report(detail: str, share: float) -> None:
            share = (part + min(max(share, 0.0), 1.0)) / parts
            self._share = max(self._share, (before + self._weights[name] * share) / self._total)
            self._report(f"{name}: {detail}" if detail else name, self._share)

        return report
