"""What the separated parts are good for: no orchestra recording is needed, or the piano part is the live reference.

python -m benchmarks.offline_prep.parts_in_use SCENARIO... [--record]

Errors are of live positions in the full mix, at beats, from an unknown start.  "with an orchestra recording" is the
usual cache; "without" is `offline-prep --mix MIX --no-orchestra`, whose positions are also those in what is played;
"piano part, b" replaces the features of the mix that the live piano is compared with by those of the separated piano
plus 1 - b of the separated orchestra.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import add_option, print_rows, record
from follower.engine import Engine
from follower.evaluation.beat_errors import live_errors
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import Scenario, load_scenario
from follower.events import AudioBlock, Position
from follower.files.audio_file import read_audio
from follower.piece.manifest import SEPARATED
from follower.piece.piece import Piece
from follower.piece.reading import load_piece
from offline_prep.audio import Recording, load_recording
from offline_prep.build import build_cache
from offline_prep.compute import Inputs, stream_features
from offline_prep.separation.config import SeparationConfig
from offline_prep.settings import PrepSettings

BLOCK = 2048
BLENDS = (0.5, 1.0)
SEPARATING = PrepSettings(separation=SeparationConfig())


def pieces(scenario: Scenario, folder: Path) -> Iterator[tuple[str, Piece]]:
    """The piece in each of its forms."""
    build_cache(Inputs(None, scenario.mix), folder / "alone", SEPARATING)
    yield "without", load_piece(folder / "alone")
    build_cache(Inputs(scenario.orchestra, scenario.mix), folder / "with", SEPARATING)
    usual = load_piece(folder / "with")
    yield "with an orchestra recording", usual
    piano, orchestra = (read_audio(usual.path / name) for name in SEPARATED.values())
    for blend in BLENDS:
        samples = (piano[0] + np.float32(1.0 - blend) * orchestra[0]).mean(axis=1, dtype=np.float32)
        heard = Recording(scenario.mix, samples, piano[1], 1, "")
        found = stream_features(heard, usual.feature_config, lambda _stage, _share: None)
        yield f"piano part, {blend:g}", replace(usual, mix=replace(usual.mix, pitch=found.pitch, rms=found.rms))


def errors(piece: Piece, scenario: Scenario) -> NDArray[np.float64]:
    """Errors (s) in the mix at the evaluation beats."""
    piano = load_recording(scenario.piano)
    engine = Engine(piece, piano.sample_rate_hz)
    rows = []
    for first in range(0, len(piano.samples), BLOCK):
        for event in engine.process(AudioBlock(first, piano.samples[first : first + BLOCK])):
            if isinstance(event, Position) and event.mix_time_s is not None:
                slope = piece.map.slope_at(event.mix_time_s)
                rate = event.rate / slope if slope > 0 else event.rate
                rows.append((event.audio_sample / event.sample_rate_hz, event.mix_time_s, rate))
    at, claimed, rate = np.array(rows).T
    return live_errors(Estimates.build(at, claimed, rate), scenario.truth.beat_s, scenario.truth.beat_mix_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", type=Path, nargs="+", metavar="SCENARIO")
    add_option(parser)
    args = parser.parse_args()
    rows = []
    for path in args.scenarios:
        scenario = load_scenario(path)
        with tempfile.TemporaryDirectory() as folder:
            for name, piece in pieces(scenario, Path(folder)):
                error = np.abs(errors(piece, scenario))
                over = {f"over_{t}_ms_pct": round(100 * float(np.mean(error > t / 1000)), 1) for t in (100, 200, 500)}
                median_ms = round(1000 * float(np.median(error)))
                rows.append({"scenario": scenario.name, "cache": name, "median_ms": median_ms, **over})
                print_rows(rows[-1:])
    print_rows(rows)
    if args.record:
        record("parts_in_use", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
