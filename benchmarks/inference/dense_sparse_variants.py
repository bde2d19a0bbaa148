"""The dense-sparse frontier from the notebook's plain choices to ours, one change after another, on the live metric.

    python -m benchmarks.inference.dense_sparse_variants SCENARIO... [--caches DIR] [--json F] [--record]

All variants receive the same stream, read the same classification and go through the same tracker and PO-O map:

    plain       chroma, hard selection (piano more likely than not), the path can never jump
    features    semitones and onsets instead of chroma
    steps       slopes of steps tied to the present rate
    jumps       paths may go on anywhere at a cost: repeats, skips, recovery
    dense-sparse  the method as shipped: rows chosen generously and weighted softly
    tempo       the other method, for comparison
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import add_option, record
from follower.evaluation.beat_errors import live_errors, summarise
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.events import Position
from follower.inference import dense_sparse, tempo_filter
from follower.inference.base import Frame, Frontier
from follower.inference.dense_sparse_config import DenseSparseConfig
from follower.piece.piece import Piece, StreamFeatures
from follower.signal.observation import PARTS, Observation
from follower.tracking.tracker import Tracker

NEVER = 1e9
CHROMA_GAIN = 6.0
"""Brings the match of chroma vectors (0..1) to the scale of the other features."""


def chroma(pitch: NDArray[np.float32], lowest_midi: int) -> NDArray[np.float32]:
    """Fold amplitudes (n, 88) to chroma of norm 1 (n, 12)."""
    out = np.zeros((len(pitch), 12))
    for k in range(pitch.shape[1]):
        out[:, (k + lowest_midi) % 12] += pitch[:, k].astype(np.float64) ** 2
    out = np.sqrt(out)
    folded: NDArray[np.float32] = (out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-9)).astype(np.float32)
    return folded


class ChromaObserver:
    """Presence and start of the given observer, chroma instead of its observations."""

    def __init__(self, inner: dense_sparse.Observer, lowest_midi: int) -> None:
        self._inner = inner
        self._lowest_midi = lowest_midi

    def observe(self, pitch: NDArray[np.float32]) -> Observation:
        """Take the amplitudes (88,) of the next hop."""
        o = self._inner.observe(pitch)
        parts = np.zeros((len(PARTS), 12), np.float32)
        parts[0] = CHROMA_GAIN * chroma(pitch[None], self._lowest_midi)[0]
        return dataclasses.replace(o, parts=parts, novelty=1.0)

    @property
    def started(self) -> bool:
        """Whether anything has been played."""
        return self._inner.started

    def wait(self) -> None:
        """Expect the piano to begin."""
        self._inner.wait()

    def reset(self) -> None:
        """Forget everything received."""
        self._inner.reset()


def variant(piece: Piece, use_chroma: bool, **changes: float) -> Frontier:
    config = dataclasses.replace(DenseSparseConfig(), **changes)  # type: ignore[arg-type]
    parts = dense_sparse.prepare(piece, config)
    if not use_chroma:
        return dense_sparse.DenseSparseFrontier(*parts, config)
    lowest = piece.feature_config.lowest_midi
    of_mix = chroma(piece.mix.pitch, lowest).T
    reference = np.concatenate([of_mix, np.zeros(((len(PARTS) - 1) * 12, of_mix.shape[1]), np.float32)])
    observer = ChromaObserver(parts.observer, lowest)
    return dense_sparse.DenseSparseFrontier(*parts._replace(reference=reference, observer=observer), config)


HARD = {"select_above": 0.5, "soft_floor": 1.0}
FREE = {"step_penalty": 0.0, "lag_s": 0.063, "lead_s": 0.0}
VARIANTS: dict[str, Callable[[Piece], Frontier]] = {
    "plain": lambda c: variant(c, True, **HARD, **FREE, jump_cost=NEVER),
    "features": lambda c: variant(c, False, **HARD, **FREE, jump_cost=NEVER),
    "steps": lambda c: variant(c, False, **HARD, jump_cost=NEVER),
    "jumps": lambda c: variant(c, False, **HARD),
    "dense-sparse": dense_sparse.create,
    "tempo": tempo_filter.create,
}


def follow(frontier: Frontier, piece: Piece, live: StreamFeatures) -> Estimates:
    config = piece.feature_config
    tracker = Tracker(piece, config.sample_rate_hz)
    rows = []
    for k, (pitch, mfcc, rms) in enumerate(zip(live.pitch, live.mfcc, live.rms, strict=True)):
        belief = frontier.update(Frame(pitch, mfcc, float(rms)))
        for event in tracker.update(belief, (k + 1) * config.hop_samples):
            if isinstance(event, Position):
                rows.append((event.audio_time_s, event.orchestra_time_s, event.rate))
    at, position, rate = np.array(rows, dtype=np.float64).T
    return Estimates.build(at, position, rate)


def main() -> None:
    from offline_prep.audio import load_recording
    from offline_prep.compute import stream_features

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", type=Path, nargs="+", metavar="SCENARIO")
    parser.add_argument("--caches", type=Path, help="where prepared caches are kept (default: thrown away)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    add_option(parser)
    args = parser.parse_args()
    errors: dict[str, list[NDArray[np.float64]]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as scratch:
        for folder in args.scenarios:
            scenario = load_scenario(folder)
            piece = Workbench(scenario, Settings(args.caches or Path(scratch), use_stems=False)).piece
            live = stream_features(load_recording(scenario.piano), piece.feature_config, lambda _stage, _share: None)
            for name, make in VARIANTS.items():
                estimates = follow(make(piece), piece, live)
                errors[name].append(live_errors(estimates, scenario.truth.beat_s, scenario.truth.beat_orchestra_s))
            print(f"{scenario.name}: {len(errors['tempo'][-1])} beats", flush=True)
    table: dict[str, Any] = {name: summarise(np.concatenate(parts)).to_json() for name, parts in errors.items()}
    columns = list(next(iter(table.values())))
    print(f"{'variant':14}" + "".join(f"{c.replace('_pct', ''):>15}" for c in columns))
    for name, row in table.items():
        print(f"{name:14}" + "".join(f"{row[c] if row[c] is not None else 'inf':>15}" for c in columns))
    if args.record:
        record("dense_sparse_variants", table)
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
