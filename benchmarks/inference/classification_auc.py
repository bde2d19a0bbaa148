"""Does the classification distinguish the mix's frames with piano from those without, and does listening help?

    python -m benchmarks.inference.classification_auc --scenarios DIR [--caches DIR] [--json F] [--record]

For each scenario: area under the ROC curve over the frames of the full mix, of the offline cue alone, of the mixtures
made at prep time, and of the combination live, after so many seconds of the pianist. Where the piano sounds is read
from the live recording's level and carried over by the truth (the piano plays the same notes in both): it sounds
where its level is above -35 dB of its loud frames within 0.1 s, it rests where it is below for 0.5 s to either side;
what lies between is left out. Scenarios in which the piano hardly rests (under 1 s) have no figure.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import add_option, record

SECONDS = (0, 2, 5, 10, 20, 40)
SOUNDING_DB = -35.0
NEAR_S = 0.1
FAR_S = 0.5
MIN_REST_S = 1.0


def auc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Return the probability that a positive value is larger than a negative one; equal ones count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    equal = np.searchsorted(ordered, positive, side="right") - below
    return float(np.mean((below + 0.5 * equal) / len(ordered)))


def labels(
    rms: NDArray[np.float32], hop_s: float, piano_s: NDArray[np.float64], mix_s: NDArray[np.float64], n_mix: int
) -> NDArray[np.int64]:
    """Return 1 (piano), 0 (rest) or -1 (left out) for every frame of the mix (n_mix,)."""
    from scipy.ndimage import maximum_filter1d

    level = 20 * np.log10(rms / np.percentile(rms, 90) + 1e-9)
    near = maximum_filter1d(level, 2 * round(NEAR_S / hop_s) + 1) > SOUNDING_DB
    far = maximum_filter1d(level, 2 * round(FAR_S / hop_s) + 1) > SOUNDING_DB
    out = np.full(n_mix, -1, np.int64)
    frames = np.clip(np.rint(mix_s / hop_s).astype(int) - 1, 0, n_mix - 1)
    live = np.clip(np.rint(piano_s / hop_s).astype(int) - 1, 0, len(rms) - 1)
    for a, b, k, j in zip(frames[:-1], frames[1:], live[:-1], live[1:], strict=True):
        if 0 <= b - a < 20 and 0 <= j - k < 20:
            out[a : b + 1] = 1 if near[k] else -1 if far[k] else 0
    return out


def measure(folder: Path, caches: Path) -> dict[str, Any] | None:
    from follower.config import FeatureConfig
    from follower.evaluation.scenario import load_scenario
    from follower.inference.piano_classifier import MixClassifier
    from follower.piece.reading import load_piece
    from follower.signal.observation import LiveObserver, ObservationConfig, StartConfig, observe_reference
    from offline_prep.audio import load_recording
    from offline_prep.build import build_cache
    from offline_prep.compute import Inputs, stream_features

    scenario = load_scenario(folder)
    if not np.isfinite(scenario.truth.mix_s).all():
        return None
    path = caches / scenario.name
    build_cache(Inputs(scenario.orchestra, scenario.mix), path)
    piece = load_piece(path)
    config: FeatureConfig = piece.feature_config
    live = stream_features(load_recording(scenario.piano), config, lambda _stage, _share: None)
    activity = piece.piano_activity
    label = labels(live.rms, config.hop_s, scenario.truth.piano_s, scenario.truth.mix_s, len(activity))
    if np.sum(label == 0) * config.hop_s < MIN_REST_S:
        return None

    def score(values: NDArray[np.floating]) -> float:
        return round(auc(values[label == 1], values[label == 0]), 4)

    observation = ObservationConfig()
    reference = observe_reference(piece.mix.pitch, config.hop_s, observation)
    observer = LiveObserver(config, reference.typical_norms, observation, StartConfig())
    classifier = MixClassifier(piece.mix.mfcc, activity, piece.gmm.orchestra, piece.gmm.piano)
    result: dict[str, Any] = {"rest_s": round(float(np.sum(label == 0)) * config.hop_s, 1), "offline": score(activity)}
    wanted = [round(s / config.hop_s) for s in SECONDS]
    for hop, (pitch, mfcc) in enumerate(zip(live.pitch, live.mfcc, strict=True)):
        if hop in wanted:
            result[f"{SECONDS[wanted.index(hop)]} s"] = score(classifier.piano_probability)
        presence = observer.observe(pitch).presence
        classifier.update(mfcc, presence)
    result["end"] = score(classifier.piano_probability)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=Path, required=True, help="folder of scenario folders")
    parser.add_argument("--caches", type=Path, help="where prepared caches are kept (default: thrown away)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    add_option(parser)
    args = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    columns = ["rest_s", "offline", *(f"{s} s" for s in SECONDS), "end"]
    with tempfile.TemporaryDirectory() as scratch:
        caches = args.caches or Path(scratch)
        print(f"{'scenario':32}" + "".join(f"{c:>9}" for c in columns))
        for folder in sorted(p.parent for p in args.scenarios.glob("*/truth.csv")):
            result = measure(folder, caches)
            if result is None:
                continue
            results[folder.name] = result
            print(f"{folder.name:32}" + "".join(f"{result.get(c, float('nan')):9.3f}" for c in columns), flush=True)
    if not results:
        raise SystemExit(f"{args.scenarios}: no scenario in which the piano rests for {MIN_REST_S:g} s or more")
    rows = [{"scenario": name, **result} for name, result in results.items()]
    for name, reduce in (("mean", np.mean), ("worst", np.min)):
        values = [[r[c] for r in results.values() if c in r] for c in columns]
        row = [float(reduce(v)) if v else float("nan") for v in values]
        print(f"{name:32}" + "".join(f"{v:9.3f}" for v in row))
        rows.append({"scenario": name, **dict(zip(columns, row, strict=True))})
    if args.record:
        record("classification", [{k: f"{v:.3f}" if isinstance(v, float) else v for k, v in r.items()} for r in rows])
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
