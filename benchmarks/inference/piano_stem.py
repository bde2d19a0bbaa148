"""Fits how much the mix's piano stem counts in what the live piano is compared with (`TempoFilterConfig.stem`).

    python -m benchmarks.inference.piano_stem SCENARIO... [--own] [--share X] [--start S]
        [--caches DIR] [--jobs N] [--record]

Stems are those that scenarios bring, as a separator leaves them; with `--own` our own separation's, of any scenario.
The live piano's features are computed once per scenario; then filter and tracker run alone, once for each share. Errors
at beats, of positions in the full mix and, through the map, in the orchestra recording, from an unknown start and from
the true one.  With `--record` into `benchmarks/results/piano_stem.json`, with `--own` `piano_stem_own.json`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.inference.filter_grid import positions
from benchmarks.results import Row, add_option, print_rows, record
from follower.evaluation.beat_errors import live_errors
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import load_scenario
from follower.evaluation.systems.live import MIN_SLOPE
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.events import Position
from follower.inference.tempo_filter import TempoFilter, TempoFilterConfig, reference_of
from follower.piece.piece import Piece
from follower.piece.reading import load_piece
from offline_prep.audio import load_recording
from offline_prep.compute import stream_features

SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
STARTS: Final = ("unknown", "known")
ALL: Final = "all"


@dataclass(frozen=True)
class Followed:
    """How a scenario was followed with a share.

    Attributes:
        scenario: its name.
        start: "unknown" or "known".
        share: of the stem.
        mix_s: errors in the full mix at the evaluation beats.
        orchestra_s: errors in the orchestra recording.
    """

    scenario: str
    start: str
    share: float
    mix_s: NDArray[np.float64]
    orchestra_s: NDArray[np.float64]


def prepared(bench: Workbench) -> Piece:
    """The piece with a piano stem: the scenario's, or our own."""
    if bench.stems is not None:
        return bench.piece
    piano, _ = bench.parts
    return load_piece(piano.parent)


def estimates(found: Sequence[Position], piece: Piece) -> tuple[Estimates, Estimates]:
    """Positions in the full mix and in the orchestra recording."""
    at = np.array([p.audio_time_s for p in found])
    mix, orchestra, rate = (
        np.array([getattr(p, name) for p in found], dtype=np.float64)
        for name in ("mix_time_s", "orchestra_time_s", "rate")
    )
    slope = np.asarray(piece.map.slope_at(np.nan_to_num(mix)))
    mix_rate = np.where(slope > MIN_SLOPE, rate / np.maximum(slope, MIN_SLOPE), 1.0)
    return Estimates.build(at, mix, mix_rate), Estimates.build(at, orchestra, rate)


def follow_all(folder: Path, caches: Path, own: bool, shares: Sequence[float], starts: Sequence[str]) -> list[Followed]:
    """Follow a scenario from both starts with every share."""
    bench = Workbench(load_scenario(folder), Settings(caches, use_stems=not own))
    piece, truth = prepared(bench), bench.scenario.truth
    live = stream_features(load_recording(bench.scenario.piano), piece.feature_config, lambda _stage, _share: None)
    first_s = min(max(float(truth.orchestra_s[0]), 0.0), piece.orchestra_duration_s)
    runs = []
    for share in shares:
        config = replace(TempoFilterConfig(), stem=share)
        reference = reference_of(piece, config)
        for start in starts:
            start_s = piece.map.to_mix(first_s) if start == "known" else None
            found = positions(TempoFilter(reference, config), piece, live, start_s)
            in_mix, in_orchestra = estimates(found, piece)
            runs.append(
                Followed(
                    bench.scenario.name,
                    start,
                    share,
                    live_errors(in_mix, truth.beat_s, truth.beat_mix_s),
                    live_errors(in_orchestra, truth.beat_s, truth.beat_orchestra_s),
                )
            )
    print(f"{bench.scenario.name} done", flush=True)
    return runs


def rows_of(runs: Sequence[Followed]) -> list[Row]:
    """A row for each scenario, start and share, and for all scenarios together."""
    rows: list[Row] = []
    for name in (*dict.fromkeys(r.scenario for r in runs), ALL):
        for start in dict.fromkeys(r.start for r in runs):
            for share in dict.fromkeys(r.share for r in runs):
                own = [r for r in runs if name in (r.scenario, ALL) and (r.start, r.share) == (start, share)]
                row: dict[str, object] = {"scenario": name, "start": start, "share": f"{share:g}"}
                for where in ("mix", "orchestra"):
                    error_s = np.abs(np.concatenate([getattr(r, f"{where}_s") for r in own]))
                    row["beats"] = len(error_s)
                    row[f"{where}_median_ms"] = round(1000 * float(np.median(error_s)), 1)
                    over = {
                        f"{where}_over_{t}_ms_pct": 100 * float(np.mean(error_s > t / 1000)) for t in (100, 200, 500)
                    }
                    row |= {key: round(value, 1) for key, value in over.items()}
                rows.append(row)
    return rows


def main() -> None:
    """Follow and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO")
    parser.add_argument("--own", action="store_true", help="our own separation, whatever the scenarios bring")
    parser.add_argument("--share", type=float, action="append", metavar="X", help=f"repeatable; default: {SHARES}")
    parser.add_argument("--start", choices=STARTS, action="append", help="repeatable; default: both")
    parser.add_argument("--caches", type=Path, help="keep prepared caches here")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    add_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(args.jobs) as pool:
        work = partial(
            follow_all,
            caches=args.caches or Path(temporary),
            own=args.own,
            shares=args.share or SHARES,
            starts=args.start or STARTS,
        )
        runs = [run for found in pool.map(work, args.scenarios) for run in found]
    rows = rows_of(runs)
    print_rows(rows)
    if args.record:
        record("piano_stem_own" if args.own else "piano_stem", rows)


if __name__ == "__main__":
    main()
