"""What each constant of the tempo filter is worth: the present value against others, one constant at a time.

    python -m benchmarks.inference.filter_grid SCENARIO... [--caches DIR] [--start unknown|known]
        [--pool NAME=PATTERN[,PATTERN]] [--constant NAME] [--jobs N] [--record]

The live piano's features are computed once per scenario; then filter and tracker run alone, once with
`TempoFilterConfig` as it is and once for each value of `VALUES`, among them those of earlier versions. Prints, for
each pool of scenarios, the live metric and the jumps, and whether the present values generalise: for each work, how
they compare with the value that is best on all other works. That says which values are better, not how good the
follower is: the constants were chosen on performances like these.

With `--record` the figures go into `benchmarks/results/filter_grid_START.json`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import Row, add_option, print_rows, record
from benchmarks.tracking.confidence_rows import work_of
from follower.evaluation.beat_errors import TOLERANCES_MS, live_errors, summarise
from follower.evaluation.behaviour import behaviour
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import Truth, load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.events import Position
from follower.inference.base import Frame
from follower.inference.tempo_filter import TempoFilter, TempoFilterConfig, reference_of
from follower.piece.piece import Piece, StreamFeatures
from follower.signal.observation import PartWeights
from follower.tracking.tracker import Tracker

PRESENT: Final = "present"
FORMER: Final = PartWeights(sustain=0.45, onset=1.4, swell=0.9, salience=0.4)
"""Weights that were the best without the embeddings."""
VALUES: Final[Mapping[str, Sequence[Any]]] = {
    "weights": (FORMER, PartWeights(sustain=0.2, onset=0.6, swell=0.4, salience=0.18)),
    "embedding": (0.0, 0.8, 2.0),
    "diffusion": (0.01, 0.032),
    "tempo_break": (1e-3, 1e-2),
    "silence_gather": (0.0, 0.08),
    "near_s": (0.75, 4.0),
    "leak": (1e-12, 1e-9, 1e-5),
    "jump_log_odds": (4.0, 12.0),
    "misfit_above": (0.0, 1.0, 3.0),
    "alike_above": (0.54, 0.7, 1.0),
    "settle_s": (0.01, 5.0, 20.0),
    "lead_s": (0.01, 5.0, 1e9),
    "seek_spread_s": (0.75, 3.0),
}
"""What is tried beside the present value."""
ONLY_KNOWN: Final = ("seek_spread_s",)
"""Constants without effect where the start is unknown."""
NEAR_BEST_PCT: Final = 0.3
"""Percentage points of beats over 500 ms by which the present value may miss the best and still count as good."""


@dataclass(frozen=True)
class Variant:
    """A configuration to try.

    Attributes:
        constant: that differs from the present configuration; `PRESENT` in that one.
        value: of the constant, in words.
        config: the whole configuration.
    """

    constant: str
    value: str
    config: TempoFilterConfig


@dataclass(frozen=True)
class Followed:
    """How a scenario was followed with a variant.

    Attributes:
        scenario: its name.
        constant: see `Variant`.
        value: see `Variant`.
        error_s: signed error at each evaluation beat; inf before the first position.
        jumps: of the estimate.
        false_jumps: those that led away.
    """

    scenario: str
    constant: str
    value: str
    error_s: NDArray[np.float64]
    jumps: int
    false_jumps: int


def in_words(value: object) -> str:
    """A value in a table.

    >>> in_words(FORMER), in_words(0.001)
    ('0.45, 1.4, 0.9, 0.4', '0.001')
    """
    if isinstance(value, PartWeights):
        return ", ".join(f"{x:g}" for x in (value.sustain, value.onset, value.swell, value.salience))
    return f"{value:g}"


def variants(constants: Iterable[str], present: TempoFilterConfig | None = None) -> list[Variant]:
    """The present configuration, and for each constant the other values that are tried."""
    present = present or TempoFilterConfig()
    found = [Variant(PRESENT, PRESENT, present)]
    for name in constants:
        for value in VALUES[name]:
            if value != getattr(present, name):
                changes: dict[str, Any] = {name: value}
                found.append(Variant(name, in_words(value), replace(present, **changes)))
    return found


def follow(frontier: TempoFilter, piece: Piece, live: StreamFeatures, start_s: float | None) -> Estimates:
    """Positions in the orchestra recording, see `positions`."""
    found = positions(frontier, piece, live, start_s)
    return Estimates.build(
        np.array([p.audio_time_s for p in found]),
        np.array([p.orchestra_time_s for p in found], dtype=np.float64),
        np.array([p.rate for p in found], dtype=np.float64),
        np.array([p.confidence for p in found], dtype=np.float64),
        np.array([p.state.value for p in found], dtype=np.str_),
    )


def positions(frontier: TempoFilter, piece: Piece, live: StreamFeatures, start_s: float | None) -> list[Position]:
    """Follow the live piano from an unknown start, or from this position of the mix (s), as the engine does."""
    features = piece.feature_config
    tracker = Tracker(piece, features.sample_rate_hz)
    if start_s is not None:
        frontier.seek(start_s)
        tracker.move_to(start_s)
    found: list[Position] = []
    for k, (pitch, mfcc, rms) in enumerate(zip(live.pitch, live.mfcc, live.rms, strict=True)):
        belief = frontier.update(Frame(pitch, mfcc, float(rms)), tracker.mix_s)
        events = tracker.update(belief, (k + 1) * features.hop_samples)
        found += [event for event in events if isinstance(event, Position)]
    return found


def judge(scenario: str, variant: Variant, estimates: Estimates, truth: Truth) -> Followed:
    """Errors at the evaluation beats, and the jumps."""
    seen = behaviour(estimates, truth.piano_s, truth.orchestra_s)
    error_s = live_errors(estimates, truth.beat_s, truth.beat_orchestra_s)
    return Followed(scenario, variant.constant, variant.value, error_s, seen.jumps, seen.false_jumps)


def try_all(folder: Path, caches: Path, known_start: bool, tried: Sequence[Variant]) -> list[Followed]:
    """Follow a scenario with every variant."""
    from offline_prep.audio import load_recording
    from offline_prep.compute import stream_features

    bench = Workbench(load_scenario(folder), Settings(caches))
    piece, scenario = bench.piece, bench.scenario
    live = stream_features(load_recording(scenario.piano), piece.feature_config, lambda _stage, _share: None)
    reference = reference_of(piece, TempoFilterConfig())
    first_s = min(max(float(scenario.truth.orchestra_s[0]), 0.0), piece.orchestra_duration_s)
    start_s = piece.map.to_mix(first_s) if known_start else None
    found = []
    for variant in tried:
        estimates = follow(TempoFilter(reference, variant.config), piece, live, start_s)
        found.append(judge(scenario.name, variant, estimates, scenario.truth))
    print(f"{scenario.name} done", flush=True)
    return found


def pooled(pool: str, runs: Sequence[Followed]) -> list[Row]:
    """A row for each variant: its figures over all these runs."""
    rows: list[Row] = []
    for constant, value in dict.fromkeys((r.constant, r.value) for r in runs):
        own = [r for r in runs if (r.constant, r.value) == (constant, value)]
        s = summarise(np.concatenate([r.error_s for r in own]))
        over = dict(zip(TOLERANCES_MS, s.over_pct, strict=True))
        figures = {"scenarios": len(own), "beats": s.beats, "median_ms": s.median_ms}
        shares = {f"over_{t}_ms_pct": over[t] for t in (100, 200, 500)}
        jumps = {"jumps": sum(r.jumps for r in own), "false_jumps": sum(r.false_jumps for r in own)}
        rows.append({"pool": pool, "constant": constant, "value": value, **figures, **shares, **jumps})
    return rows


def generalisation(runs: Sequence[Followed]) -> list[Row]:
    """A row for each constant: each work under the present value, and under the one that is best on all other works.

    `near_best`: on how many works' complements the present value is within `NEAR_BEST_PCT` of the best;
    `present_pct`, `chosen_pct`: beats over 500 ms with the present value, and with the value chosen on other works.
    """
    rows: list[Row] = []
    for constant in dict.fromkeys(r.constant for r in runs if r.constant != PRESENT):
        own = [r for r in runs if r.constant in (constant, PRESENT)]
        values = list(dict.fromkeys(r.value for r in own))
        works = list(dict.fromkeys(work_of(r.scenario) for r in own))
        near_best, chosen = 0, []
        for work in works:
            seen = {v: _over(r for r in own if r.value == v and work_of(r.scenario) != work) for v in values}
            best = min(values, key=lambda v: (seen[v], v != PRESENT))
            near_best += seen[PRESENT] <= seen[best] + NEAR_BEST_PCT
            chosen += [r for r in own if r.value == best and work_of(r.scenario) == work]
        shares = {v: _over(r for r in own if r.value == v) for v in values}
        rows.append(
            {
                "constant": constant,
                "values": " / ".join(v for v in values if v != PRESENT),
                "works": len(works),
                "near_best": near_best,
                "present_pct": round(shares[PRESENT], 2),
                "best_pct": round(min(shares.values()), 2),
                "chosen_pct": round(_over(chosen), 2),
            }
        )
    return rows


def _over(runs: Iterable[Followed]) -> float:
    """Percentage of the beats with an error over 500 ms; 0 without any."""
    errors = [np.abs(r.error_s) > 0.5 for r in runs]
    return 100 * float(np.mean(np.concatenate(errors))) if errors else 0.0


def main() -> None:
    """Try and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO")
    parser.add_argument("--caches", type=Path, help="keep prepared caches here")
    parser.add_argument("--start", choices=("unknown", "known"), default="unknown")
    parser.add_argument("--pool", action="append", default=[], metavar="NAME=PATTERN[,PATTERN]")
    parser.add_argument("--constant", action="append", choices=tuple(VALUES), help="only this one; repeatable")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    add_option(parser)
    args = parser.parse_args()
    known_start = args.start == "known"
    tried = variants(args.constant or [name for name in VALUES if known_start or name not in ONLY_KNOWN])
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(args.jobs) as pool:
        work = partial(try_all, caches=args.caches or Path(temporary), known_start=known_start, tried=tried)
        runs = [run for found in pool.map(work, args.scenarios) for run in found]
    rows: list[Row] = []
    for pattern in args.pool or ["all=*"]:
        name, _, patterns = pattern.partition("=")
        rows += pooled(name, [r for r in runs if any(fnmatch(r.scenario, p) for p in patterns.split(","))])
    folds = generalisation(runs)
    print_rows(rows)
    print_rows(folds)
    if args.record:
        options = [f"--constant {name}" for name in args.constant or ()] + [f"--pool '{p}'" for p in args.pool]
        command = ["python -m benchmarks.inference.filter_grid SCENARIO... --start", args.start, *options, "--record"]
        record(f"filter_grid_{args.start}", {"rows": rows, "folds": folds}, " ".join(command))


if __name__ == "__main__":
    main()
