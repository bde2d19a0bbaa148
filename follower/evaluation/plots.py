"""The picture of an evaluation: error against tolerance, and what the confidence is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from follower.errors import OutputError
from follower.evaluation.beat_errors import TOLERANCES_MS
from follower.evaluation.table import Pooled

CURVE_MS = np.unique(np.round(np.geomspace(10, 5000, 400)))


def plot_evaluation(pooled: Mapping[str, Pooled], path: Path) -> None:
    """Draw one line per system.

    Left: percentage of beats with a larger error than the tolerance. For systems with a confidence also: the share of
    beats within 200 ms per bin of confidence, and error against coverage.

    Args:
        pooled: results by system.
        path: picture to write; its ending names the format (png, pdf, svg).

    Raises:
        OutputError: the file cannot be written.
    """
    figure = draw_evaluation(pooled)
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as e:
        raise OutputError(f"cannot write the plot {path}: {e}; give a file ending in .png, .pdf or .svg") from e


def draw_evaluation(pooled: Mapping[str, Pooled]) -> Any:
    """Return the figure that `plot_evaluation` writes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    confident = {name: p for name, p in pooled.items() if p.calibration}
    panels = 3 if confident else 1
    figure = Figure(figsize=(6.5 * panels, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, panels))
    curve = axes[0]
    for name, p in pooled.items():
        absolute_ms = np.sort(np.abs(p.error_s)) * 1000
        over = 100 * (1 - np.searchsorted(absolute_ms, CURVE_MS, side="right") / len(absolute_ms))
        curve.plot(CURVE_MS, over, label=f"{name} (median {p.summary.median_ms:.0f} ms)")
    beats = next(iter(pooled.values()))
    curve.set(
        xscale="log",
        xlabel="tolerance (ms)",
        ylabel="beats with a larger error (%)",
        ylim=(0, 100),
        title=f"error against tolerance, {beats.summary.beats} beats of {beats.scenarios} scenarios",
    )
    curve.set_xticks(TOLERANCES_MS, [str(t) for t in TOLERANCES_MS])
    curve.minorticks_off()
    curve.grid(linestyle="--", alpha=0.5)
    curve.legend()
    if confident:
        _calibration_panel(confident, axes[1])
        _coverage_panel(confident, axes[2])
    return figure


def _calibration_panel(confident: Mapping[str, Pooled], axis: Any) -> None:
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":")
    for name, p in confident.items():
        filled = [b for b in p.calibration if b.beats]
        axis.plot([b.mean_confidence for b in filled], [b.within_share for b in filled], "o-", label=name)
    axis.set(xlabel="confidence", ylabel="share of beats within 200 ms", title="calibration", xlim=(0, 1), ylim=(0, 1))
    axis.grid(linestyle="--", alpha=0.5)
    axis.legend()


def _coverage_panel(confident: Mapping[str, Pooled], axis: Any) -> None:
    for name, p in confident.items():
        rows = [c for c in p.coverage if c.coverage_pct]
        for label, values in (
            (">200 ms", [c.over_200_pct for c in rows]),
            (">500 ms", [c.over_500_pct for c in rows]),
        ):
            axis.plot([c.coverage_pct for c in rows], values, "o-", label=f"{name} {label}")
    axis.set(xlabel="beats covered (%)", ylabel="of these over (%)", title="error against coverage")
    axis.grid(linestyle="--", alpha=0.5)
    axis.legend()
