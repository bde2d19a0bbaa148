"""The notebook's plots: the warping paths of both passes."""

from __future__ import annotations

from pathlib import Path

from follower.errors import OutputError
from offline_prep.notebook.system import NotebookResult


def plot_warping_paths(result: NotebookResult, path: Path) -> None:
    """Draw the paths over the frames of the full mix, as the notebook does.

    Left: full mix to orchestra, the selected frames (red). Right: full mix to piano, the first, dense pass (blue line)
    and the second on the selected frames (red).

    Args:
        result: from `notebook_alignment`.
        path: PNG to write.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot(result.o_po[1], result.o_po[0], "r.", markersize=2)
    left.set(title="dense-sparse: full mix to orchestra", xlabel="full mix (frame)", ylabel="orchestra (frame)")
    right.plot(result.first_pass[1], result.first_pass[0], "b", linewidth=1, label="first pass, dense")
    right.plot(result.p_po[1], result.p_po[0], "r.", markersize=2, label="second pass, dense-sparse")
    right.set(title="both passes: full mix to piano", xlabel="full mix (frame)", ylabel="piano (frame)")
    right.legend(loc="lower right")
    try:
        figure.savefig(path, dpi=100)
    except OSError as e:
        raise OutputError(f"cannot write {path}: {e.strerror or e}; choose a file you may write") from e
