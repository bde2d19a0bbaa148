"""Where the orchestra attacks: there, an accompaniment that is early or late is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 22050
HOP_SAMPLES: Final = 256
HEARD_WITHIN_S: Final = 0.060
"""A beat is heard where an attack of the orchestra is this near to it. Tones up to 30 to 50 ms apart are heard as one,
and the players of an ensemble are apart by as much."""


def attack_times(recording: Path) -> NDArray[np.float64]:
    """Attacks in a recording (s, increasing), shape (n,).

    librosa's onset detection with its defaults, rolled back to where the attack begins: without that it is 30 to 60 ms
    late on an orchestra. It finds the clear attacks only, about one in a second where strings and winds articulate.
    """
    from offline_prep.audio import load_recording, resample
    from offline_prep.notebook.librosa_loader import load_librosa

    librosa = load_librosa()
    loaded = load_recording(recording)
    samples = resample(loaded.samples, loaded.sample_rate_hz, RATE_HZ)
    found: NDArray[np.float64] = librosa.onset.onset_detect(
        y=samples, sr=RATE_HZ, hop_length=HOP_SAMPLES, backtrack=True, units="time"
    )
    return np.unique(found)


def near_attacks(position_s: NDArray[np.float64], attacks_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which positions have an attack within `HEARD_WITHIN_S`; shape like `position_s`.

    Example:
        >>> near_attacks(np.array([1.0, 2.0]), np.array([0.5, 1.05])).tolist()
        [True, False]
    """
    edges = np.concatenate([[-np.inf], attacks_s, [np.inf]])
    after = np.searchsorted(edges, position_s)
    distance = np.minimum(position_s - edges[after - 1], edges[after] - position_s)
    near: NDArray[np.bool_] = distance <= HEARD_WITHIN_S
    return near
