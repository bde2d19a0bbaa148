"""The picture of a latency measurement."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from follower.errors import InputError, OutputError
from follower.evaluation.latency.delays import Delays, Figures


def plot_delays(measured: Delays, path: Path, title: str) -> None:
    """Write the histograms as an image.

    Raises:
        OutputError: the image cannot be written.
        InputError: nothing was measured.
    """
    if not len(measured.compute_ms):
        raise InputError("no position was emitted, there is nothing to plot; give a longer recording")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    shown = (
        ("compute: block in to events out", measured.compute_ms),
        ("delivery by OSC", measured.osc_ms),
        ("delivery by WebSocket", measured.websocket_ms),
    )
    max_ms = max(float(values.max()) for _, values in shown if len(values))
    bins = np.geomspace(0.02, max(max_ms, 0.1) * 1.1, 80)
    for axes, (name, values) in zip(figure.subplots(len(shown), sharex=True), shown, strict=True):
        axes.hist(values, bins=bins, color="#1f5fa8")
        found = Figures.of(values)
        axes.axvline(found.p99_ms, color="#b3261e")
        axes.set_title(f"{name}: p50 {found.p50_ms:.2f}, p99 {found.p99_ms:.2f} (red), max {found.max_ms:.2f} ms")
        axes.set_ylabel("events")
        if len(values):
            axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_xlabel("delay (ms)")
    figure.suptitle(title)
    try:
        figure.savefig(path)
    except OSError as e:
        raise OutputError(f"cannot write {path}: {e.strerror or e}; choose a file you may write") from e
