"""What single piano notes look like: their bands while struck, ringing and dying away.

`piano_templates.npz` was made by `training/piano_templates.py` of rendered notes.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offline_prep.separation.spectra import band_edges_hz

FILE: Final = "piano_templates.npz"
N_STAGES: Final = 3
"""Struck (the first 93 ms), ringing (to half a second), dying away (to 2 s)."""
LOWEST_MIDI: Final = 21
N_NOTES: Final = 88


@cache
def _stored() -> NDArray[np.float32]:
    with resources.files("offline_prep.separation").joinpath(FILE).open("rb") as file:
        return np.asarray(np.load(file, allow_pickle=False)["templates"], np.float32)


def piano_templates(tuning: float) -> NDArray[np.float32]:
    """Templates (bands, `N_STAGES` * `N_NOTES`) of sum 1, note by note from A0 on, each in the order of the stages.

    Args:
        tuning: of the piano, semitones above A = 440 Hz.
    """
    edges = band_edges_hz()
    centre_hz = 0.5 * (edges[:-1] + edges[1:])
    stored = _stored().reshape(N_NOTES * N_STAGES, -1)
    raised_hz = centre_hz * 2.0 ** (-tuning / 12.0)
    out = np.stack([np.interp(raised_hz, centre_hz, template) for template in stored], axis=1)
    return np.asarray(out / out.sum(axis=0, keepdims=True), np.float32)
