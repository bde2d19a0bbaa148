"""The picture of a rendering: how far the orchestra was from where it should have been, and how it moved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError, ScenarioError
from follower.evaluation.beat_errors import TOLERANCES_MS
from follower.events import Position
from follower.playback.render import Course

MAX_SHOWN_MS = 1000.0


def draw_report(course: Course, positions: Sequence[Position], piano: Path, out: Path) -> str:
    """Draw the accompaniment error and the rate over time; return the error in words.

    With a scenario's truth beside the piano recording the error is against the truth at its beats,
    else only the distance between player and follower can be shown.

    Raises:
        OutputError: the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    FigureCanvasAgg(figure)
    errors, rates = figure.subplots(2, 1, sharex=True)
    estimated_at, estimated = _estimates(positions)
    control_ms = 1e3 * (course.position_s - np.interp(course.at_s, estimated_at, estimated, left=np.nan, right=np.nan))
    errors.plot(course.at_s, _shown(control_ms), color="0.7", linewidth=0.8, label="player minus follower")
    title = "player against follower (no truth beside the piano recording)"
    truth = _truth(piano)
    if truth is not None:
        beat_s, target_s = truth
        error_ms = 1e3 * (course.position_at(beat_s) - target_s)
        errors.plot(beat_s, _shown(error_ms), ".", markersize=4, color="C3", label="accompaniment error at beats")
        title = summary_line(error_ms)
    for at_s in course.at_s[course.event]:
        errors.axvline(float(at_s), color="C0", linewidth=0.5, alpha=0.5)
    errors.set(ylabel="error (ms), late below 0", title=title)
    errors.grid(linestyle="--", alpha=0.5)
    errors.legend(loc="upper right")
    playing = np.isfinite(course.position_s)
    rates.plot(course.at_s, np.where(playing, course.rate, np.nan), label="rate of the orchestra")
    rates.set(xlabel="time of the piano (s); vertical lines: entries and jumps", ylabel="rate")
    rates.grid(linestyle="--", alpha=0.5)
    try:
        figure.savefig(out, dpi=110)
    except (OSError, ValueError) as e:
        raise OutputError(f"cannot write the report {out}: {e}; give a file ending in .png, .pdf or .svg") from e
    return title


def summary_line(error_ms: NDArray[np.float64]) -> str:
    """Say how large the errors are, with the tolerances of the live metric.

    Example:
        >>> summary_line(np.array([10.0, -30.0, 150.0, np.nan])).split("; ")[0]
        'accompaniment error: median 30 ms'
    """
    sounding = np.abs(error_ms[np.isfinite(error_ms)])
    silent_pct = 100.0 * (1.0 - len(sounding) / max(len(error_ms), 1))
    if len(sounding) == 0:
        return f"accompaniment error: the orchestra was silent at all {len(error_ms)} beats"
    over = "/".join(f"{100 * np.mean(sounding > t):.0f}" for t in TOLERANCES_MS)
    limits = "/".join(str(t) for t in TOLERANCES_MS)
    return (
        f"accompaniment error: median {np.median(sounding):.0f} ms; over {limits} ms: {over} %; "
        f"silent at {silent_pct:.0f} % of {len(error_ms)} beats"
    )


def _shown(error_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(error_ms, -MAX_SHOWN_MS, MAX_SHOWN_MS)


def _estimates(positions: Sequence[Position]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = [(p.audio_time_s, p.orchestra_time_s) for p in positions if p.orchestra_time_s is not None]
    if not known:
        return np.zeros(1), np.full(1, np.nan)
    at, position = np.array(known, np.float64).T
    return at, position


def _truth(piano: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Beats in the piano and their positions in the orchestra, from the scenario folder the piano lies in."""
    from follower.evaluation.scenario import load_scenario

    try:
        scenario = load_scenario(piano.parent)
    except ScenarioError:
        return None
    if scenario.piano.resolve() != piano.resolve():
        return None
    return scenario.truth.beat_s, scenario.truth.beat_orchestra_s
