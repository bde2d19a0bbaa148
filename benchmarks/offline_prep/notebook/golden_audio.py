"""Check every stage of the notebook's system, audio included, against golden outputs made elsewhere.

    python -m benchmarks.offline_prep.notebook.golden_audio --scenarios DIR --golden DIR

DIR/notebook_<scenario>.npz holds the golden stages of the scenario folder of that name. Prints per stage whether it is
equal, or by how much it differs; the exit code is 1 when a stage differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from follower.files.find import find_audio
from follower.piece.piece import NotebookFeatures
from offline_prep.audio import load_recording, resample
from offline_prep.notebook.features import NOTEBOOK_RATE_HZ, notebook_features
from offline_prep.notebook.system import gap_lengths, notebook_alignment, offline_stage

HOP_SAMPLES = 512


def features_of(folder: Path, name: str) -> NotebookFeatures:
    recording = load_recording(find_audio(folder, name))
    return notebook_features(resample(recording.samples, recording.sample_rate_hz, NOTEBOOK_RATE_HZ), HOP_SAMPLES)


def check(folder: Path, golden_file: Path) -> bool:
    begin = time.perf_counter()
    piano = features_of(folder, "p")
    result = notebook_alignment(piano, offline_stage(features_of(folder, "o"), features_of(folder, "po")), HOP_SAMPLES)
    n = result.region[1] - result.region[0]
    stages = {
        "chroma_p_head": piano.chroma[:, :40],
        "mfcc_p_head": piano.mfcc[:, :40],
        "po_match": np.array(result.region),
        "p_po_first_pass": result.first_pass,
        "score_orchestra": result.classes.score_orchestra,
        "score_piano": result.classes.score_piano,
        "frames_piano": result.classes.piano,
        "frames_orchestra": result.classes.orchestra,
        "gaplens_piano": gap_lengths(result.classes.piano, n),
        "gaplens_orchestra": gap_lengths(result.classes.orchestra, n),
        "o_po_align": result.o_po,
        "p_po_align": result.p_po,
        "hyp": result.hyp,
    }
    golden = np.load(golden_file, allow_pickle=False)
    print(f"{folder.name} ({time.perf_counter() - begin:.1f} s)")
    same = True
    for name, ours in stages.items():
        theirs = golden[name]
        if ours.shape != theirs.shape:
            outcome = f"shape {ours.shape} instead of {theirs.shape}"
        elif np.array_equal(ours, theirs):
            outcome = "equal"
        else:
            outcome = f"differs by up to {np.abs(ours - theirs).max():.3g}"
        same &= outcome == "equal"
        print(f"  {name:18s} {outcome}")
    return same


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the notebook's system against golden outputs.")
    parser.add_argument("--scenarios", type=Path, required=True, help="folder of scenario folders")
    parser.add_argument("--golden", type=Path, required=True, help="folder with notebook_<scenario>.npz")
    args = parser.parse_args()
    files = sorted(args.golden.glob("notebook_*.npz"))
    if not files:
        parser.error(f"no notebook_*.npz in {args.golden}")
    results = [check(args.scenarios / f.stem.removeprefix("notebook_"), f) for f in files]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
