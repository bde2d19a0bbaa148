"""Beliefs of performances, recorded once on disk, so that tracking alone can be run again and again.

    python -m benchmarks.tracking.recorded SCENARIO... --recorded DIR [--caches DIR] [--method M] [--known-start]

A recording is made with the tracker of that moment in the loop (in a silence a frontier goes along with the estimate,
and the margin is the estimate's): after a change that moves estimates far, record anew.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.scenario import Scenario, load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.inference.base import Belief, Frame, create_frontier
from follower.inference.methods import DEFAULT_METHOD, METHODS
from follower.piece.piece import Piece
from follower.signal.features import FeatureStream
from follower.tracking.tracker import Tracker

FIELDS = tuple(f.name for f in fields(Belief))


@dataclass(frozen=True)
class Recorded:
    """A performance as its frontier believed it.

    Attributes:
        scenario: what was played, with its truth.
        piece: prepared.
        rows: (n, len(FIELDS)), the belief of each hop; an unknown position is NaN.
        start_s: where the frontier was told that the piano begins (mix s); None when it was not.
    """

    scenario: Scenario
    piece: Piece
    rows: NDArray[np.float64]
    start_s: float | None

    def beliefs(self) -> Iterator[Belief]:
        """The beliefs in order."""
        for row in self.rows.tolist():
            known = dict(zip(FIELDS, row, strict=True))
            position = known.pop("mix_s")
            yield Belief(mix_s=None if np.isnan(position) else position, **known)

    def tracker(self) -> Tracker:
        """A fresh tracker that has been told what the frontier was."""
        tracker = Tracker(self.piece, self.piece.feature_config.sample_rate_hz)
        if self.start_s is not None:
            tracker.expect(self.start_s)
        return tracker


def recorded(folder: Path, caches: Path, kept: Path | None, method: str, known_start: bool = False) -> Recorded:
    """Load a recording from the folder `kept`, or make it (and keep it there)."""
    bench = Workbench(load_scenario(folder), Settings(caches))
    piece, scenario = bench.piece, bench.scenario
    start_s = piece.map.to_mix(float(scenario.truth.orchestra_s[0])) if known_start else None
    path = None if kept is None else kept / f"{scenario.name}{'--known-start' if known_start else ''}.{method}.npy"
    if path is not None and path.exists():
        return Recorded(scenario, piece, np.load(path), start_s)
    made = Recorded(scenario, piece, _run(scenario, piece, method, start_s), start_s)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, made.rows)
    return made


def _run(scenario: Scenario, piece: Piece, method: str, start_s: float | None) -> NDArray[np.float64]:
    from offline_prep.audio import load_recording

    audio = load_recording(scenario.piano)
    stream = FeatureStream(piece.feature_config, audio.sample_rate_hz)
    frontier, tracker = create_frontier(method, piece), Tracker(piece, audio.sample_rate_hz)
    if start_s is not None:
        frontier.seek(start_s)
        tracker.expect(start_s)
    rows: list[list[float]] = []
    for frames in (stream.extract(audio.samples), stream.finish()):
        for pitch, mfcc, rms in zip(frames.pitch, frames.mfcc, frames.rms, strict=True):
            belief = frontier.update(Frame(pitch, mfcc, float(rms)), tracker.guidance)
            tracker.update(belief, (len(rows) + 1) * piece.feature_config.hop_samples)
            rows.append([np.nan if value is None else value for value in astuple(belief)])
    return np.array(rows, dtype=np.float64)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the fits and this script ask for."""
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO")
    parser.add_argument("--caches", type=Path, help="keep prepared caches here")
    parser.add_argument("--recorded", type=Path, help="keep recorded beliefs here")
    parser.add_argument("--method", choices=tuple(METHODS), default=DEFAULT_METHOD)


def of_arguments(args: argparse.Namespace, known_start: bool = False) -> Iterator[Recorded]:
    """The recordings that were asked for, one after the other."""
    with tempfile.TemporaryDirectory() as temporary:
        for folder in args.scenarios:
            yield recorded(folder, args.caches or Path(temporary), args.recorded, args.method, known_start)


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--known-start", action="store_true", help="tell the frontier where the piano begins")
    args = parser.parse_args()
    for made in of_arguments(args, args.known_start):
        print(made.scenario.name, len(made.rows), flush=True)


if __name__ == "__main__":
    main()
