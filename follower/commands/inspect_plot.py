"""The picture `follower inspect --plot` draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.evaluation.chroma_cost import chroma_cost
from follower.piece.piece import Piece

LEVEL_POINTS = 2000


def plot_cache(piece: Piece, path: Path) -> None:
    """Draw the map over the chroma cost, both waveforms beside it, its confidence, and where the piano plays.

    Args:
        piece: the prepared piece.
        path: picture to write; its ending names the format.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mix_map = piece.map
    mix_end, orchestra_end = piece.mix_duration_s, piece.orchestra_duration_s
    figure = Figure(figsize=(11, 11), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, 2, width_ratios=(1, 8), height_ratios=(8, 1, 1.3, 1.3))
    cost = figure.add_subplot(grid[0, 1])
    beside = figure.add_subplot(grid[0, 0], sharey=cost)
    below = figure.add_subplot(grid[1, 1], sharex=cost)
    trust = figure.add_subplot(grid[2, 1], sharex=cost)
    piano = figure.add_subplot(grid[3, 1], sharex=cost)

    cost.imshow(
        chroma_cost(piece.orchestra.notebook.chroma, piece.mix.notebook.chroma),
        origin="lower",
        aspect="auto",
        cmap="gray",
        extent=(0, mix_end, 0, orchestra_end),
        interpolation="nearest",
    )
    cost.plot(mix_map.mix_s, mix_map.orchestra_s, color="tab:red", linewidth=1.2, label="map")
    for k, (begin, end, hold) in enumerate(mix_map.cuts):
        for axis in (cost, below, trust, piano):
            axis.axvspan(begin, end, color="tab:orange", alpha=0.15, linewidth=0)
        label = "orchestra waits" if k == 0 else None
        cost.plot([begin, end], [hold, hold], color="tab:orange", linewidth=3, label=label)
    cost.set(title=_title(piece), xlim=(0, mix_end), ylim=(0, orchestra_end))
    cost.tick_params(labelleft=False, labelbottom=False)
    cost.legend(loc="upper left")

    time_s, level = _outline(piece.orchestra.rms, orchestra_end)
    beside.fill_betweenx(time_s, -level, level, color="tab:blue", linewidth=0)
    beside.set(ylabel="orchestra recording (s)", xticks=[], xlabel="level")
    time_s, level = _outline(piece.mix.rms, mix_end)
    below.fill_between(time_s, -level, level, color="tab:blue", linewidth=0)
    below.set(ylabel="full mix", yticks=[])
    trust.fill_between(mix_map.mix_s, mix_map.confidence, color="tab:green", alpha=0.6, linewidth=0)
    trust.set(ylabel="map\nconfidence", ylim=(0, 1.02))
    time_s, activity = _points(piece.piano_activity, mix_end)
    piano.fill_between(time_s, activity, color="tab:purple", alpha=0.6, linewidth=0)
    piano.set(ylabel="piano in\nthe mix", ylim=(0, 1.02), xlabel="full mix (s)")
    for axis in (below, trust):
        axis.tick_params(labelbottom=False)
    try:
        figure.savefig(path, dpi=100)
    except (OSError, ValueError) as e:
        raise OutputError(f"cannot write the plot {path}: {e}; give a file ending in .png, .pdf or .svg") from e


def _outline(rms: NDArray[np.float32], end_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    time_s, level = _points(rms, end_s)
    return time_s, level / max(float(level.max()), 1e-9)


def _points(values: NDArray[np.float32], end_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most 2000 maxima of a curve that lasts to end_s, and their times."""
    pool = max(1, -(-len(values) // LEVEL_POINTS))
    peaks = np.maximum.reduceat(values.astype(np.float64), np.arange(0, len(values), pool))
    return np.linspace(0.0, end_s, len(peaks)), peaks


def _title(piece: Piece) -> str:
    found = piece.manifest.alignment
    fit = f", fit {found['fit']}" if "fit" in found else ""
    return f"{piece.path.name}: full mix to orchestra recording{fit}"
