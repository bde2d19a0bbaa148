"""The notebook's features: chroma_cqt and MFCC at 22050 Hz (seed notebook, "Offline Processing")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOTEBOOK_RATE_HZ = 22050


@dataclass(frozen=True)
class NotebookFeatures:
    """Chroma (12, n) and MFCC (20, n) float32, one column per hop, frames centred as librosa centres them."""

    chroma: NDArray[np.float32]
    mfcc: NDArray[np.float32]


def notebook_features(samples: NDArray[np.float32], hop_samples: int) -> NotebookFeatures:
    """Compute the notebook's two features of a whole recording at 22050 Hz.

    Args:
        samples: mono, float32, shape (n,), at `NOTEBOOK_RATE_HZ`.
        hop_samples: the notebook's hop (512 in its example).
    """
    import librosa

    chroma = librosa.feature.chroma_cqt(y=samples, sr=NOTEBOOK_RATE_HZ, hop_length=hop_samples, norm=2)
    mfcc = librosa.feature.mfcc(y=samples, sr=NOTEBOOK_RATE_HZ, hop_length=hop_samples)
    return NotebookFeatures(chroma.astype(np.float32, copy=False), mfcc.astype(np.float32, copy=False))
