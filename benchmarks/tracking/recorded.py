"""Beliefs of performances, followed from an unknown and from a known start; kept on disk where a folder is given.

With kept beliefs tracking alone can be run again in seconds. They are those of the filter and the tracking that made
them: after a change of either, record anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.scenario import Scenario, load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.events import Position
from follower.inference.base import Belief, Frame, create_frontier
from follower.piece.piece import Piece
from follower.signal.features import FeatureFrames, FeatureStream
from follower.tracking.evidence import Evidence
from follower.tracking.tracker import Tracker


@dataclass(frozen=True)
class Recorded:
    """A performance as its frontier believed it.

    Attributes:
        scenario: what was played, with its truth.
        piece: prepared.
        start_s: where the pianist was known to begin (mix s); None from an unknown start.
        rows: (n, 6), of each hop's belief the position, rate, concentration, presence, margin and the rate expected in
            a rest; NaN where it is unknown.
    """

    scenario: Scenario
    piece: Piece
    start_s: float | None
    rows: NDArray[np.float64]

    def estimates(self) -> Iterator[tuple[Position, Evidence]]:
        """Follow the beliefs: each position that is known, with what speaks for it."""
        tracker, hop_samples = _tracker(self.piece, self.start_s), self.piece.feature_config.hop_samples
        for k, (mix_s, rate, concentration, presence, margin, rest_rate) in enumerate(self.rows.tolist()):
            belief = Belief(_known(mix_s), rate, concentration, presence, margin, _known(rest_rate))
            events = tracker.update(belief, (k + 1) * hop_samples)
            for event in events:
                if isinstance(event, Position) and event.orchestra_time_s is not None:
                    yield event, tracker.evidence


def record_beliefs(folder: Path, caches: Path, method: str, kept: Path | None) -> list[Recorded]:
    """A scenario followed from an unknown start, then from a known one."""
    bench = Workbench(load_scenario(folder), Settings(caches))
    piece, scenario = bench.piece, bench.scenario
    start_s = piece.map.to_mix(float(scenario.truth.orchestra_s[0]))
    frames: list[FeatureFrames] = []
    made = []
    for from_s in (None, start_s):
        path = None if kept is None else kept / f"{scenario.name}.{method}{'' if from_s is None else '.known'}.npy"
        if path is not None and path.exists():
            made.append(Recorded(scenario, piece, from_s, np.load(path)))
            continue
        frames = frames or _frames(scenario, piece)
        rows = _rows(frames, piece, method, from_s)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, rows)
        made.append(Recorded(scenario, piece, from_s, rows))
    return made


def _tracker(piece: Piece, start_s: float | None) -> Tracker:
    tracker = Tracker(piece, piece.feature_config.sample_rate_hz)
    if start_s is not None:
        tracker.move_to(start_s)
    return tracker


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _frames(scenario: Scenario, piece: Piece) -> list[FeatureFrames]:
    from offline_prep.audio import load_recording

    recording = load_recording(scenario.piano)
    stream = FeatureStream(piece.feature_config, recording.sample_rate_hz)
    return [stream.extract(recording.samples), stream.finish()]


def _rows(frames: list[FeatureFrames], piece: Piece, method: str, start_s: float | None) -> NDArray[np.float64]:
    frontier, tracker = create_frontier(method, piece), _tracker(piece, start_s)
    if start_s is not None:
        frontier.seek(start_s)
    rows: list[list[float]] = []
    for part in frames:
        for pitch, mfcc, rms in zip(part.pitch, part.mfcc, part.rms, strict=True):
            b = frontier.update(Frame(pitch, mfcc, float(rms)), tracker.mix_s)
            tracker.update(b, (len(rows) + 1) * piece.feature_config.hop_samples)
            known = [np.nan if x is None else x for x in (b.mix_s, b.rest_rate)]
            rows.append([known[0], b.rate, b.concentration, b.presence, b.margin, known[1]])
    return np.array(rows, dtype=np.float64)
