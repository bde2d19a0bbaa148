"""The pictures of the page, as SVG."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.beat_errors import live_errors
from follower.evaluation.estimates import Estimates
from follower.evaluation.jumps import jumps, jumps_of_truth
from follower.evaluation.plots import draw_evaluation
from follower.evaluation.systems.outcome import Curve, Outcome
from follower.evaluation.table import Pooled
from follower.events import State

SHOWN_S: Final = 1.0
"""Larger errors are drawn at the border."""
TEMPO_SPAN_S: Final = 2.0
"""Tempo is how far the position came in so long, of the truth and of every system alike."""
PAUSE_S: Final = 1.0
STATE_COLOURS: Final[Mapping[str, str]] = {
    State.WAITING.value: "0.85",
    State.FOLLOWING.value: "tab:blue",
    State.ORCHESTRA.value: "tab:green",
    State.PAUSED.value: "tab:orange",
    State.LOST.value: "tab:red",
    State.ENDED.value: "0.6",
}
Drawn = Mapping[str, Outcome]
"""The outcomes of one scenario that have estimates over time, by system."""


def over_time(outcomes: Drawn, beat_s: NDArray[np.float64]) -> str:
    """Error over time with jumps, the states of those that have them, and tempo against the true one.

    Args:
        outcomes: one or more.
        beat_s: evaluation beats in the piano recording.

    Returns:
        The picture as a data URI.
    """
    stated = {
        name: o.estimates for name, o in outcomes.items() if o.estimates is not None and (o.estimates.state != "").any()
    }
    figure = _figure(10.5, 5.6 + 0.28 * len(stated))
    rows = figure.subplots(
        2 + bool(stated), 1, sharex=True, height_ratios=[6, *([0.4 + 0.5 * len(stated)] if stated else []), 3]
    )
    error, tempo = rows[0], rows[-1]
    error.axhspan(-0.1, 0.1, color="0.93", linewidth=0)
    truths: dict[bytes, Curve] = {}
    for k, (name, outcome) in enumerate(outcomes.items()):
        assert outcome.estimates is not None and outcome.curve is not None
        piano_s, target_s = outcome.curve
        truths[target_s.tobytes()] = outcome.curve
        error_s = live_errors(outcome.estimates, piano_s, target_s)
        at, shown = _broken(piano_s, np.clip(error_s, -SHOWN_S, SHOWN_S))
        error.plot(at, shown, color=f"C{k}", linewidth=1, label=name)
        if len(outcome.error_s) == len(beat_s):
            error.plot(beat_s, np.clip(outcome.error_s, -SHOWN_S, SHOWN_S), ".", color=f"C{k}", markersize=4)
        jumped_at, false = jumps(outcome.estimates, piano_s, error_s, piano_s[jumps_of_truth(piano_s, target_s)])
        for which, face in ((false, f"C{k}"), (~false, "white")):
            at = jumped_at[which]
            there = np.full(len(at), 0.97 * SHOWN_S)
            error.plot(at, there, "v", color=f"C{k}", markerfacecolor=face, markersize=7)
        tempo.plot(*_tempo(piano_s, _positions(outcome.estimates, piano_s)), color=f"C{k}", linewidth=1, label=name)
    for curve in truths.values():
        tempo.plot(*_tempo(*curve), color="black", linewidth=2, alpha=0.5, zorder=0)
        for row in jumps_of_truth(*curve):
            error.axvline(float(curve[0][row]), color="black", linewidth=1, linestyle=":")
    error.set(ylabel="error (s), late below 0", ylim=(-1.06 * SHOWN_S, 1.06 * SHOWN_S))
    error.legend(loc="lower right", ncols=4, fontsize="small")
    tempo.set(ylabel="tempo", xlabel="piano recording (s)", ylim=(0, 2.5))
    if stated:
        # Explained where there is room: beside a strip the words would be higher than the strip.
        tempo.legend(handles=_strips(rows[1], stated), loc="upper left", ncols=6, fontsize="small")
    for axis in (error, tempo):
        axis.grid(linestyle="--", alpha=0.4)
    return _data_uri(figure)


def warping_paths(outcomes: Drawn, cost: NDArray[np.float32], piano_s: float, orchestra_s: float) -> str:
    """Estimated and true positions over the chroma cost of piano and orchestra; as a data URI.

    Args:
        outcomes: one or more, all of positions in the orchestra recording.
        cost: orchestra frames down, piano frames across.
        piano_s: length of the piano recording.
        orchestra_s: length of the orchestra recording.
    """
    figure = _figure(6.2, 5.6)
    axis = figure.subplots()
    extent = (0, piano_s, 0, orchestra_s)
    axis.imshow(cost, origin="lower", aspect="auto", cmap="gray", extent=extent, interpolation="nearest", alpha=0.8)
    for k, (name, outcome) in enumerate(outcomes.items()):
        assert outcome.estimates is not None and outcome.curve is not None
        if k == 0:
            axis.plot(*_broken(*outcome.curve), color="yellow", linewidth=4, alpha=0.8, label="truth")
        e = outcome.estimates
        step = np.concatenate([[0.0], np.abs(np.diff(e.position_s))])
        axis.plot(e.audio_time_s, np.where(step > 1.0, np.nan, e.position_s), color=f"C{k}", linewidth=1.2, label=name)
    axis.set(xlabel="piano recording (s)", ylabel="orchestra recording (s)", xlim=(0, piano_s), ylim=(0, orchestra_s))
    axis.legend(loc="upper left", fontsize="small")
    return _data_uri(figure)


def pooled_curves(pooled: Mapping[str, Pooled]) -> str:
    """Error against tolerance, calibration and coverage, as `follower evaluate --plot` draws them; as a data URI."""
    return _data_uri(draw_evaluation(pooled))


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _data_uri(figure: Any) -> str:
    import matplotlib

    file = io.BytesIO()
    # The same picture is the same bytes: no date, and ids that do not depend on chance.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _strips(axis: Any, stated: Mapping[str, Estimates]) -> list[Any]:
    """Draw a strip of states for each system; return what explains the colours."""
    from matplotlib.patches import Patch

    seen: dict[str, None] = {}
    for k, estimates in enumerate(stated.values()):
        for begin, end, state in _spans(estimates.audio_time_s, estimates.state):
            seen[state] = None
            axis.barh(k, end - begin, left=begin, height=0.8, color=STATE_COLOURS.get(state, "white"), linewidth=0)
    axis.set_yticks(range(len(stated)), list(stated), fontsize="small")
    axis.invert_yaxis()
    return [Patch(color=STATE_COLOURS[s], label=s) for s in STATE_COLOURS if s in seen]


def _spans(at_s: NDArray[np.float64], state: NDArray[np.str_]) -> Iterator[tuple[float, float, str]]:
    """Begin, end and name of each run of equal states."""
    edges = [0, *(np.flatnonzero(state[1:] != state[:-1]) + 1).tolist(), len(state) - 1]
    for a, b in itertools.pairwise(edges):
        if b > a:
            yield float(at_s[a]), float(at_s[b]), str(state[a])


def _positions(estimates: Estimates, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimated positions at instants; NaN before the first."""
    return live_errors(estimates, at_s, np.zeros(len(at_s))) * np.where(estimates.newest(at_s) < 0, np.nan, 1.0)


def _tempo(at_s: NDArray[np.float64], position_s: NDArray[np.float64]) -> Sequence[NDArray[np.float64]]:
    """How far the position came in the last `TEMPO_SPAN_S`; nothing where the pianist paused or jumped in it."""
    before = np.searchsorted(at_s, at_s - TEMPO_SPAN_S, side="right") - 1
    span_s = at_s - at_s[np.maximum(before, 0)]
    moved = position_s - position_s[np.maximum(before, 0)]
    whole = (before >= 0) & (span_s < TEMPO_SPAN_S + PAUSE_S)
    rate = np.where(whole & (moved >= 0), moved / np.maximum(span_s, 1e-9), np.nan)
    return at_s - TEMPO_SPAN_S / 2, np.where(rate > 4, np.nan, rate)


def _broken(at_s: NDArray[np.float64], value: NDArray[np.float64]) -> Sequence[NDArray[np.float64]]:
    """A line with a gap at every pause."""
    gap = np.flatnonzero(np.diff(at_s) > max(PAUSE_S, 4 * float(np.median(np.diff(at_s))))) + 1
    return np.insert(at_s, gap, np.nan), np.insert(value, gap, np.nan)
