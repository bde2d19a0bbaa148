"""Make `offline_prep/separation/piano_templates.npz`: what single notes of rendered pianos look like.

    python -m training.piano_templates --out offline_prep/separation/piano_templates.npz

Every note of three pianos is rendered softly, half loud and loud, each held for two seconds; its spectra are averaged
over each stage (struck, ringing, dying away), brought to the same sum, and averaged over pianos and strengths.  The
pianos "timgm" and those sampled elsewhere are left out, to judge the separation of a piano that is not among them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline_prep.separation.piano_templates import LOWEST_MIDI, N_NOTES, N_STAGES
from offline_prep.separation.spectra import Bands, Raster
from training.sound import SAMPLE_RATE_HZ, Voice, synthesise

FONTS = ("fluid", "musescore", "csound")
VELOCITIES = (45, 75, 105)
EVERY_S = 3.0
FIRST_S = 0.5
HELD_S = 2.2
STAGES_FRAMES = ((0, 4), (6, 20), (25, 80))
"""Frames from the strike on that each stage is averaged over."""


def templates_of(font: str, velocity: int) -> NDArray[np.float64]:
    """Mean levels (notes, stages, bands) of one piano at one strength, of sum 1."""
    begin_s = FIRST_S + EVERY_S * np.arange(N_NOTES)
    notes = np.stack([begin_s, begin_s + HELD_S, LOWEST_MIDI + np.arange(N_NOTES), np.full(N_NOTES, velocity)], axis=1)
    sound = synthesise((Voice(0, notes, 100),), font, 440.0, EVERY_S * N_NOTES + 1.0)
    raster = Raster.at(SAMPLE_RATE_HZ)
    spectra = np.abs(raster.analyse(sound))
    struck = (begin_s * SAMPLE_RATE_HZ / raster.hop_samples).astype(np.int64)
    means = np.stack([[spectra[:, s + a : s + b].mean(axis=1) for a, b in STAGES_FRAMES] for s in struck])
    means /= means.sum(axis=-1, keepdims=True) + 1e-9
    power = Bands.of(raster).sums(np.square(means).reshape(N_NOTES * N_STAGES, -1).T)
    return np.sqrt(np.maximum(power.T, 0.0)).reshape(N_NOTES, N_STAGES, -1)


def main(argv: Sequence[str] | None = None) -> int:
    """Render, average and write."""
    parser = argparse.ArgumentParser(prog="python -m training.piano_templates", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(argv)
    mean = np.mean([templates_of(font, velocity) for font in FONTS for velocity in VELOCITIES], axis=0)
    mean /= mean.max(axis=-1, keepdims=True)  # where half precision is finest
    np.savez_compressed(options.out, templates=mean.astype(np.float16), allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
