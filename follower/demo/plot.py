"""The demo's picture: the reported position over the truth, and the error of every system at every beat."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.evaluation.scenario import Truth
from follower.events import State

ERROR_SHOWN_MS: Final = 1000.0
STATE_COLOURS: Final[Mapping[State, str]] = {
    State.WAITING: "0.9",
    State.ORCHESTRA: "tab:green",
    State.PAUSED: "tab:orange",
    State.LOST: "tab:red",
}
"""Background of every state but `following`."""


@dataclass(frozen=True)
class Track:
    """Positions of one run, as positions.csv holds them; unknown positions are NaN. All of length n."""

    audio_time_s: NDArray[np.float64]
    orchestra_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    state: tuple[State, ...]


def read_track(positions_csv: Path) -> Track:
    """Read what `follower replay --positions` or an evaluation wrote."""
    with positions_csv.open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    columns = [
        np.array([float(row[name] or "nan") for row in rows], dtype=np.float64)
        for name in ("audio_time_s", "orchestra_time_s", "confidence")
    ]
    return Track(columns[0], columns[1], columns[2], tuple(State(row["state"]) for row in rows))


def state_spans(track: Track) -> list[tuple[float, float, State]]:
    """Begin, end (s of live audio) and state of each run of equal states.

    >>> t = Track(np.arange(4.0), np.zeros(4), np.zeros(4), (State.WAITING,) * 2 + (State.FOLLOWING,) * 2)
    >>> [(a, b, s.value) for a, b, s in state_spans(t)]
    [(0.0, 2.0, 'waiting'), (2.0, 3.0, 'following')]
    """
    changes = [i for i in range(1, len(track.state)) if track.state[i] != track.state[i - 1]]
    edges = [0, *changes, len(track.state) - 1]
    return [
        (float(track.audio_time_s[a]), float(track.audio_time_s[b]), track.state[a])
        for a, b in itertools.pairwise(edges)
        if b > a
    ]


def plot_demo(truth: Truth, track: Track, error_s: Mapping[str, NDArray[np.float64]], path: Path) -> None:
    """Draw the run.

    Args:
        truth: truth of the scenario.
        track: the live system's positions.
        error_s: system -> signed error at each evaluation beat, the live system first.
        path: picture to write; its ending names the format.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(11, 9), layout="constrained")
    FigureCanvasAgg(figure)
    position, confidence, error = figure.subplots(3, 1, sharex=True, height_ratios=(4, 1, 3))
    position.plot(truth.piano_s, truth.orchestra_s, color="0.7", linewidth=6, label="truth")
    position.plot(track.audio_time_s, track.orchestra_s, color="tab:blue", linewidth=1.5, label="followed live")
    seen: set[State] = set()
    for begin, end, state in state_spans(track):
        if state in STATE_COLOURS:
            seen.add(state)
            for axis in (position, confidence, error):
                axis.axvspan(begin, end, color=STATE_COLOURS[state], alpha=0.25, linewidth=0)
    patches = [Patch(color=STATE_COLOURS[s], alpha=0.25, label=s.value) for s in STATE_COLOURS if s in seen]
    position.legend(handles=[*position.get_lines(), *patches], loc="upper left")
    position.set(
        ylabel="orchestra recording (s)", title="The follower's position while the piano plays, from an unknown start"
    )
    confidence.plot(track.audio_time_s, track.confidence, color="tab:blue", linewidth=1)
    confidence.set(ylabel="confidence", ylim=(0, 1.02))
    for (name, errors), marker in zip(error_s.items(), "o^sDv", strict=False):
        shown_ms = np.clip(1000 * errors, -ERROR_SHOWN_MS, ERROR_SHOWN_MS)
        median_ms = 1000 * float(np.median(np.abs(errors)))
        error.plot(truth.beat_s, shown_ms, marker, markersize=4, label=f"{name} (median {median_ms:.0f} ms)")
    error.axhspan(-100, 100, color="tab:blue", alpha=0.08, linewidth=0)
    error.set(
        xlabel="piano recording (s)",
        ylabel=f"error at beats (ms; cut at {ERROR_SHOWN_MS:.0f})",
        ylim=(-1.05 * ERROR_SHOWN_MS, 1.05 * ERROR_SHOWN_MS),
        xlim=(0, max(float(truth.piano_s[-1]), float(track.audio_time_s[-1]))),
    )
    error.legend(loc="lower right", ncols=len(error_s))
    for axis in (position, confidence, error):
        axis.grid(linestyle="--", alpha=0.5)
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as e:
        raise OutputError(f"cannot write the plot {path}: {e}; give a file ending in .png, .pdf or .svg") from e
