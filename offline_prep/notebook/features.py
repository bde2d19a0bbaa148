"""The notebook's features: chroma_cqt and MFCC at 22050 Hz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from follower.piece.piece import NotebookFeatures
from offline_prep.notebook.librosa_loader import load_librosa

NOTEBOOK_RATE_HZ = 22050
TUNING_FFT_SAMPLES = 2048
TUNING_HOP_SAMPLES = 512
TUNING_CHUNK_FRAMES = 2048
CHROMA_CQT_BINS_PER_OCTAVE = 36
"""librosa's defaults, which the notebook uses."""


def notebook_features(samples: NDArray[np.float32], hop_samples: int) -> NotebookFeatures:
    """Compute the notebook's two features of a whole recording at 22050 Hz.

    Args:
        samples: mono, float32, shape (n,), at `NOTEBOOK_RATE_HZ`.
        hop_samples: the notebook's hop (512 in its example).
    """
    from threadpoolctl import threadpool_limits

    librosa = load_librosa()
    # One thread: the last digits of a matrix product depend on how many share it.
    with threadpool_limits(1):
        chroma = librosa.feature.chroma_cqt(
            y=samples, sr=NOTEBOOK_RATE_HZ, hop_length=hop_samples, norm=2, tuning=tuning_bins(samples)
        )
        mfcc = librosa.feature.mfcc(y=samples, sr=NOTEBOOK_RATE_HZ, hop_length=hop_samples)
    return NotebookFeatures(chroma.astype(np.float32, copy=False), mfcc.astype(np.float32, copy=False))


def tuning_bins(samples: NDArray[np.float32]) -> float:
    """Return what `librosa.estimate_tuning` returns inside chroma_cqt, in a tenth of the memory.

    librosa tracks the peaks of the whole spectrogram at once (0.8 GB for seven minutes of audio). Each frame's peaks
    are its own, so chunks of frames give the same ones.

    Args:
        samples: mono, float32, shape (n,), at `NOTEBOOK_RATE_HZ`.

    Returns:
        Deviation from A = 440 Hz in CQT bins (36 an octave).
    """
    librosa = load_librosa()
    padded = np.pad(samples, TUNING_FFT_SAMPLES // 2)
    frames = 1 + (len(padded) - TUNING_FFT_SAMPLES) // TUNING_HOP_SAMPLES
    pitches, magnitudes = [], []
    for begin in range(0, frames, TUNING_CHUNK_FRAMES):
        n = min(TUNING_CHUNK_FRAMES, frames - begin)
        first = begin * TUNING_HOP_SAMPLES
        chunk = padded[first : first + (n - 1) * TUNING_HOP_SAMPLES + TUNING_FFT_SAMPLES]
        spectrogram = np.abs(librosa.stft(chunk, n_fft=TUNING_FFT_SAMPLES, hop_length=TUNING_HOP_SAMPLES, center=False))
        pitch, magnitude = librosa.piptrack(S=spectrogram, sr=NOTEBOOK_RATE_HZ)
        found = pitch > 0
        pitches.append(pitch[found])
        magnitudes.append(magnitude[found])
    pitch, magnitude = np.concatenate(pitches), np.concatenate(magnitudes)
    threshold = np.median(magnitude) if len(magnitude) else 0.0
    return float(
        librosa.pitch_tuning(pitch[magnitude >= threshold], bins_per_octave=CHROMA_CQT_BINS_PER_OCTAVE, resolution=0.01)
    )
