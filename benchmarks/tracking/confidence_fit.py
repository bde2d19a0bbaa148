"""Fits the coefficients of `follower.tracking.confidence` on annotated performances, cross-validated over works.

    python -m benchmarks.tracking.confidence_fit SCENARIO... [--caches DIR] [--beliefs DIR] [--method M] [--record]

Each performance is followed twice, from an unknown start and from a known one. Prints the coefficients of all works,
and what they are worth on works they were not fitted to: the share of wrong instants (more than a second off in the
mix) that are found when 1 % of the right ones (up to half a second) raise a false alarm, and how often estimates of
each range of confidence are within 200 ms and over a second off in the orchestra recording. What a name says of
composer and work decides what is left out together: see `work_of`.

With `--record` the coefficients go into `follower/tracking/confidence.py`, the figures into
`benchmarks/results/confidence_fit.json`, and a sample of the beats into `tests/data/confidence_rows.npz`, on which
`tests/tracking/test_calibration.py` holds the confidence to its word. Whether an estimate was lost is decided by the
coefficients in place: where they change much, fit again (`--beliefs` makes that a matter of seconds).
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.results import ROOT, add_option, record
from benchmarks.tracking.confidence_rows import Row, Rows, rows_of
from benchmarks.tracking.recorded import record_beliefs
from follower.events import State
from follower.inference.methods import DEFAULT_METHOD, METHODS
from follower.tracking.confidence import (
    GAP_S,
    Coefficients,
    confidence,
    exact_evidence,
    on_track_evidence,
    on_track_log_odds,
    sounding_confidence,
)
from follower.tracking.playing_state import StateConfig

MODULE = ROOT / "follower" / "tracking" / "confidence.py"
SAMPLE = ROOT / "tests" / "data" / "confidence_rows.npz"
SAMPLE_BEATS = 4000
FOLDS = 6
COMMAND = "python -m benchmarks.tracking.confidence_fit SCENARIO... --caches DIR"
RANGES = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 1.0)
MIN_FALSE_PAUSE_S = 0.2
"""Mean length of what was no pause at least, from its being called one on: with few of them the mean could be any."""


@dataclass(frozen=True)
class Task:
    """A scenario to follow."""

    folder: Path
    caches: Path
    method: str
    beliefs: Path | None


def gather(task: Task) -> Rows:
    """Follow and judge a scenario."""
    rows = Rows()
    for k, made in enumerate(record_beliefs(task.folder, task.caches, task.method, task.beliefs)):
        rows.add(rows_of(made, with_returns=k == 0))
    return rows


def fit(rows: Rows) -> Coefficients:
    """Find the coefficients, one part after the other: those of silences build on those of sound."""
    beats = [r for r in rows.beats if r.evidence.silent_s == 0 and r.error_s <= 1.0]
    on_track = _regress([(on_track_evidence(r.evidence), r.error_s <= 0.5) for r in rows.instants])
    exact = _regress([(exact_evidence(r.evidence, r.map_confidence), r.error_s <= 0.2) for r in beats])
    sounding = Coefficients(on_track, exact, gap_share=1.0, rest_share=1.0, rest_s=math.inf, pause=(0.0, 0.0))

    def before(row: Row) -> float:
        return sounding_confidence(row.evidence, row.map_confidence, sounding)

    gaps = [r for r in rows.beats if r.evidence.silent_s > 0 and r.state in (State.FOLLOWING, State.LOST)]
    rests = [r for r in rows.returns if r.state is State.ORCHESTRA]
    rest_share, rest_s = _rest([(before(r), r.evidence.silent_s, r.met) for r in rests])
    return Coefficients(
        sounding.on_track,
        sounding.exact,
        _gap_share([(before(r), r.evidence.silent_s, r.error_s <= 0.2) for r in gaps]),
        rest_share,
        rest_s,
        _pause([(r.evidence.silent_s, r.met) for r in rows.returns if r.state is State.PAUSED]),
    )


def _regress(rows: list[tuple[tuple[float, ...], bool]]) -> tuple[float, ...]:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(np.array([evidence for evidence, _ in rows]), np.array([right for _, right in rows]))
    scale = np.where(model[0].scale_ > 0, model[0].scale_, 1.0)
    slopes = model[1].coef_[0] / scale
    bias = model[1].intercept_[0] - np.sum(slopes * model[0].mean_)
    return tuple(np.round([bias, *slopes], 3).tolist())


def _gap_share(gaps: list[tuple[float, float, bool]]) -> float:
    """Least squares of what is left in a gap: before * (share + (1 - share) exp(-silent / GAP_S))."""
    at_once = [before * math.exp(-silent_s / GAP_S) for before, silent_s, _ in gaps]
    later = [before - now for (before, _, _), now in zip(gaps, at_once, strict=True)]
    missing = sum(x * (y - now) for x, now, (_, _, y) in zip(later, at_once, gaps, strict=True))
    return round(min(max(missing / max(sum(x * x for x in later), 1e-9), 0.0), 1.0), 3)


def _rest(rests: list[tuple[float, float, bool]]) -> tuple[float, float]:
    """Most likely share and time constant (s) of before * share * exp(-silent / time constant).

    A few rests that were all met do not prove for ever: a met and a missed return after the longest rest are added, and
    the time constant is at most the time of all rests together.
    """
    lengths_s = [silent_s for _, silent_s, _ in rests] or [10.0]
    longest_s = max(lengths_s)
    before, silent_s, met = np.array([*rests, (1.0, longest_s, True), (1.0, longest_s, False)], dtype=np.float64).T
    best, found = -math.inf, (1.0, 1.0)
    for share in np.linspace(0.02, 1.0, 50):
        for time_s in np.geomspace(1.0, max(sum(lengths_s), 2.0), 61):
            p = np.clip(before * share * np.exp(-silent_s / time_s), 1e-6, 1 - 1e-6)
            likelihood = float(np.sum(np.where(met > 0, np.log(p), np.log1p(-p))))
            if likelihood > best:
                best, found = likelihood, (round(float(share), 2), round(float(time_s), 1))
    return found


def _pause(pauses: list[tuple[float, bool]]) -> tuple[float, float]:
    """Log odds of a stop in a silence that is called a pause: how many were met, and how long the others lasted."""
    called_s = StateConfig().decide_after_s
    false_s = [silent_s - called_s for silent_s, met in pauses if not met]
    mean_s = max(float(np.mean(false_s)) if false_s else 0.0, MIN_FALSE_PAUSE_S)
    odds = (1 + len(pauses) - len(false_s)) / (1 + len(false_s))  # one of each is added
    return round(math.log(odds) - called_s / mean_s, 3), round(1 / mean_s, 3)


def cross_validate(rows: Rows) -> dict[str, Coefficients]:
    """For each work the coefficients of the folds that have not seen it."""
    works = np.array(sorted({r.work for r in rows.beats}))
    found: dict[str, Coefficients] = {}
    for train, test in GroupKFold(min(FOLDS, len(works))).split(works, groups=works):
        found |= dict.fromkeys(works[test].tolist(), fit(rows.only(frozenset(works[train].tolist()))))
    return found


def reliability(sure: NDArray[np.float64], error_s: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
    """For ranges of confidence: beats, mean confidence, shares within 200 ms and over a second off."""
    for low, high in [*pairwise(RANGES), (0.95, 1.0)]:
        inside = (sure >= low) & ((sure < high) | (high == 1.0))
        if inside.any():
            yield {
                "from": low,
                "to": high,
                "beats": int(inside.sum()),
                "mean": round(float(sure[inside].mean()), 4),
                "within_200_ms": round(float(np.mean(error_s[inside] <= 0.2)), 4),
                "over_1_s": round(float(np.mean(error_s[inside] > 1.0)), 4),
            }


def detection(rows: Rows, folds: dict[str, Coefficients]) -> dict[str, Any]:
    """How many wrong instants the log odds find when 1 % of the right ones raise a false alarm."""
    odds = np.array([on_track_log_odds(r.evidence, folds[r.work]) for r in rows.instants])
    wrong = np.array([r.error_s > 1.0 for r in rows.instants])
    alarm = float(np.quantile(odds[~wrong], 0.01))
    return {
        "instants": len(odds),
        "wrong": int(wrong.sum()),
        "alarm_below": round(alarm, 2),
        "found_pct": round(100 * float(np.mean(odds[wrong] < alarm)), 1),
    }


def write_coefficients(found: Coefficients, comment: str) -> None:
    """Put them into the module, with where they come from."""
    lines = [f"    {name}={getattr(found, name)!r}," for name in Coefficients.__slots__]
    block = "\n".join(
        ["# fitted: begin", f"# {comment}", "FITTED: Final = Coefficients(", *lines, ")", "# fitted: end"]
    )
    text = MODULE.read_text(encoding="utf-8")
    MODULE.write_text(re.sub(r"# fitted: begin\n.*# fitted: end", lambda _: block, text, flags=re.DOTALL), "utf-8")


def write_sample(beats: list[Row]) -> None:
    """Keep some of the beats for the test of calibration."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(beats))[:SAMPLE_BEATS])
    rows = [beats[k] for k in chosen.tolist()]
    np.savez_compressed(
        SAMPLE,
        evidence=np.array([astuple(r.evidence)[:-1] for r in rows], np.float32),
        map_confidence=np.array([r.map_confidence for r in rows], np.float32),
        state=np.array([r.state.value for r in rows]),
        error_s=np.array([r.error_s for r in rows], np.float32),
    )


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO")
    parser.add_argument("--caches", type=Path, help="keep prepared caches here")
    parser.add_argument("--beliefs", type=Path, help="keep the beliefs here, and use those that are there")
    parser.add_argument("--method", choices=tuple(METHODS), default=DEFAULT_METHOD)
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    add_option(parser)
    args = parser.parse_args()
    rows = Rows()
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(args.jobs) as pool:
        caches = args.caches or Path(temporary)
        for found in pool.map(gather, [Task(f, caches, args.method, args.beliefs) for f in args.scenarios]):
            rows.add(found)
    fitted, folds = fit(rows), cross_validate(rows)
    error_s = np.array([r.error_s for r in rows.beats])
    sure = np.array([confidence(r.evidence, r.map_confidence, r.state, folds[r.work]) for r in rows.beats])
    found_wrong = detection(rows, folds)
    data = (
        f"{len(args.scenarios)} recordings of {len(folds)} works from two starts, {len(error_s)} beats, "
        f"{sum(r.state is State.ORCHESTRA for r in rows.returns)} rests, "
        f"{sum(r.state is State.PAUSED for r in rows.returns)} silences called pauses"
    )
    print(data, fitted, found_wrong, sep="\n")
    table = list(reliability(sure, error_s))
    for line in table:
        print("  " + "  ".join(f"{name} {value:g}" for name, value in line.items()))
    if args.record:
        size = {"recordings": len(args.scenarios), "works": len(folds), "folds": min(FOLDS, len(folds))}
        coefficients = [{"name": n, "value": getattr(fitted, n)} for n in Coefficients.__slots__]
        tables = {"reliability": table, "on_track": [found_wrong], "data": [size], "coefficients": coefficients}
        record("confidence_fit", tables, f"{COMMAND} --method {args.method} --record")
        day = datetime.now(UTC).date().isoformat()
        write_coefficients(
            fitted, f"Fit of {day}: {data}.\n# Cross-validated over works: benchmarks/results/confidence_fit.json."
        )
        write_sample(rows.beats)


if __name__ == "__main__":
    main()
