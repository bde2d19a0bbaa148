"""Pitch features for the PO-O map: a 72-semitone gram, tuned, with a harmony part and an onset part.

Chroma blurs octaves and note onsets; here each semitone keeps its own row and its own onsets, which is what brings
the map from 89 to under 30 ms.  Frames lie every 256 samples at 22050 Hz, centred on their time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import get_window, resample_poly

SAMPLE_RATE_HZ = 22050
HOP_SAMPLES = 256
HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
LOWEST_MIDI = 28
N_PITCHES = 72
REGISTERS = ((28, 8192, 16), (48, 4096, 8), (60, 2048, 2))
"""(first MIDI pitch, window in samples, decimation): lower notes need longer windows, and fewer samples."""
CHUNK_FRAMES = 4096


def estimate_tuning(samples: NDArray[np.float32]) -> float:
    """Deviation from A = 440 Hz in semitones, -0.5..0.5, from the spectral peaks of up to 400 short excerpts."""
    n = 8192
    window = np.asarray(get_window("hann", n), dtype=np.float32)
    starts = np.unique(np.linspace(0, max(len(samples) - n, 0), 400).astype(np.int64))
    cents, weight = [], []
    low, high = int(150 * n / SAMPLE_RATE_HZ), int(2000 * n / SAMPLE_RATE_HZ)
    for s in starts:
        x = samples[s : s + n]
        if len(x) < n:
            x = np.pad(x, (0, n - len(x)))
        m = np.log(np.abs(np.fft.rfft(x * window)) + 1e-9)
        k = np.arange(low, high)
        peak = k[(m[k] > m[k - 1]) & (m[k] >= m[k + 1]) & (m[k] > m[low:high].max() - 4.6)]
        a, b, c = m[peak - 1], m[peak], m[peak + 1]
        frequency = (peak + 0.5 * (a - c) / (a - 2 * b + c)) * SAMPLE_RATE_HZ / n
        cents.append(69 + 12 * np.log2(frequency / 440.0))
        weight.append(np.exp(0.5 * b))
    z = np.sum(np.concatenate(weight) * np.exp(2j * np.pi * np.concatenate(cents)))
    return float(np.angle(z) / (2 * np.pi))


def pitchgram(samples: NDArray[np.float32], tuning: float) -> NDArray[np.float32]:
    """Magnitude per semitone, shape (frames, 72), MIDI 28..99; frame k is centred on sample 256 k.

    Args:
        samples: (n,) mono at 22050 Hz.
        tuning: semitones above A = 440 Hz; the filters move with it (whole semitones transpose).
    """
    frames = len(samples) // HOP_SAMPLES + 1
    out = np.empty((frames, N_PITCHES), dtype=np.float32)
    for r, (first, window_samples, decimation) in enumerate(REGISTERS):
        last = REGISTERS[r + 1][0] if r + 1 < len(REGISTERS) else LOWEST_MIDI + N_PITCHES
        x = resample_poly(samples, 1, decimation).astype(np.float32)
        n, hop = window_samples // decimation, HOP_SAMPLES // decimation
        filters = _semitone_filters(n, SAMPLE_RATE_HZ / decimation, np.arange(first, last, dtype=np.float64) + tuning)
        window = np.asarray(get_window("hann", n), dtype=np.float32)
        x = np.pad(x, (n // 2, n // 2 + hop))
        for k in range(0, frames, CHUNK_FRAMES):
            count = min(CHUNK_FRAMES, frames - k)
            view = np.lib.stride_tricks.sliding_window_view(x[k * hop : (k + count - 1) * hop + n], n)[::hop]
            power = np.square(np.abs(np.fft.rfft(view * window))).astype(np.float32)
            out[k : k + count, first - LOWEST_MIDI : last - LOWEST_MIDI] = np.sqrt(power @ filters) * decimation
    return out


def _semitone_filters(n: int, rate_hz: float, midi: NDArray[np.float64]) -> NDArray[np.float32]:
    """Triangles of +-1 semitone in log frequency, at least one bin wide; shape (n // 2 + 1, len(midi))."""
    frequency = np.arange(n // 2 + 1) * rate_hz / n
    centre = 440.0 * 2 ** ((midi - 69) / 12)
    with np.errstate(divide="ignore"):
        distance = np.abs(12 * np.log2(frequency[:, None] / centre[None, :]))
    triangle = np.clip(1 - distance, 0, None)
    nearest = np.abs(frequency[:, None] - centre[None, :]).argmin(axis=0)
    triangle[nearest, np.arange(len(midi))] = np.maximum(triangle[nearest, np.arange(len(midi))], 0.5)
    return np.asarray(triangle, dtype=np.float32)


@dataclass(frozen=True)
class FeatureShape:
    """How a stage of the alignment reads the pitchgram.

    Attributes:
        pool: pitchgram frames averaged into one.
        gamma: log compression, see `compress`.
        smooth_s: smoothing of the harmony part.
        rise_frames: span of the onset part's difference, in pitchgram frames.
        tail_frames: length of the onset part's decay, in pitchgram frames.
    """

    pool: int
    gamma: float
    smooth_s: float
    rise_frames: int
    tail_frames: int = 21


MEAN_S = 5.0
"""The harmony part is taken relative to its mean over this long: rooms, noise and timbre are in the mean."""
ONSET_REACH_S = 2.0
ONSET_FLOOR = 0.3
"""Onsets are measured against the strongest within 2 s, or this share of the recording's 90th percentile."""


@dataclass(frozen=True)
class Features:
    """Unit-like feature rows of one recording: harmony and onset, each (frames, 72) float32."""

    harmony: NDArray[np.float32]
    onset: NDArray[np.float32]
    hop_s: float


def compress(gram: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
    """Level log1p(gamma X / 90th percentile of the frame norms) of a pitchgram, same shape."""
    reference = float(np.percentile(_norm(gram), 90)) + 1e-12
    return np.asarray(np.log1p(gram * np.float32(gamma / reference)), dtype=np.float32)


def shape_features(gram: NDArray[np.float32], shape: FeatureShape, softness: float) -> Features:
    """Harmony and onset features of a pitchgram (frames, 72).

    Args:
        gram: result of `pitchgram`.
        shape: see `FeatureShape`.
        softness: harmony rows are v / (|v| + softness median|v|): quiet frames become neutral, not noise matches.
    """
    level = compress(gram, shape.gamma)
    rise = np.zeros_like(level)
    lead = shape.rise_frames // 2
    rise[lead : len(level) - (shape.rise_frames - lead)] = np.maximum(
        level[shape.rise_frames :] - level[: -shape.rise_frames], 0.0
    )
    onset = rise.copy()
    for k in range(1, shape.tail_frames):
        np.maximum(onset[k:], rise[:-k] * np.float32(np.exp(-3.0 * k / shape.tail_frames)), out=onset[k:])
    if shape.pool > 1:
        level, onset = _pool(level, shape.pool), _pool(onset, shape.pool)
    hop_s = HOP_S * shape.pool
    harmony = uniform_filter1d(level, max(1, round(shape.smooth_s / hop_s)), axis=0, mode="nearest")
    harmony -= uniform_filter1d(level, max(1, int(MEAN_S / hop_s)), axis=0, mode="nearest")
    norm = _norm(harmony)
    harmony /= (norm + softness * float(np.median(norm)) + 1e-9)[:, None]
    norm = _norm(onset)
    ceiling = maximum_filter1d(norm, max(1, int(ONSET_REACH_S / hop_s)), mode="nearest")
    onset /= np.maximum(ceiling, ONSET_FLOOR * float(np.percentile(norm, 90)) + 1e-9)[:, None]
    return Features(harmony, onset, hop_s)


def _norm(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norm: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norm


def _pool(rows: NDArray[np.float32], pool: int) -> NDArray[np.float32]:
    count = max(1, len(rows) // pool)
    means: NDArray[np.float32] = rows[: count * pool].reshape(count, -1, rows.shape[1]).mean(axis=1, dtype=np.float32)
    return means


@dataclass(frozen=True)
class Comparison:
    """Two recordings ready to be compared: cost[i, j] - median cost = offset - mix[i] @ orchestra[j].

    Attributes:
        mix: (rows, D) float32, or float16 to save memory.
        orchestra: (columns, D) float32, or float16.
        offset: constant of the cost; with it the median cost over random pairs of frames is 0.
        hop_s: hop of both axes.
    """

    mix: NDArray[np.float32] | NDArray[np.float16]
    orchestra: NDArray[np.float32] | NDArray[np.float16]
    offset: float
    hop_s: float

    def plus(self, other: Comparison, weight: float) -> Comparison:
        """Both costs added, the other's times `weight`; in half precision, for an hour of it is 800 MB in single.

        Args:
            other: of the same recordings.
            weight: 0 or more.
        """
        share = np.float32(np.sqrt(weight))
        mix, orchestra = (
            np.concatenate([a.astype(np.float16), (share * b).astype(np.float16)], axis=1)
            for a, b in ((self.mix, other.mix), (self.orchestra, other.orchestra))
        )
        return Comparison(mix, orchestra, self.offset + weight * other.offset, self.hop_s)


def compare(mix: Features, orchestra: Features, harmony: float = 1.0, onset: float = 1.0) -> Comparison:
    """Half the sum of both cosine distances, each over its median, as one inner product.

    Args:
        mix: features of the full mix.
        orchestra: features of the orchestra recording.
        harmony: weight of the harmony part.
        onset: weight of the onset part.
    """
    rng = np.random.default_rng(0)
    i = rng.integers(0, len(mix.harmony), 50_000)
    j = rng.integers(0, len(orchestra.harmony), 50_000)
    left, right, total, constant = [], [], np.zeros(len(i)), 0.0
    for a, b, weight in (
        (mix.harmony, orchestra.harmony, harmony),
        (mix.onset, orchestra.onset, onset),
    ):
        if weight == 0.0:
            continue
        distance = 1.0 - np.einsum("nd,nd->n", a[i], b[j])
        scale = weight / (harmony + onset) / max(float(np.median(distance)), 1e-6)
        left.append(a * np.float32(np.sqrt(scale)))
        right.append(b * np.float32(np.sqrt(scale)))
        total += scale * distance
        constant += scale
    return Comparison(
        np.concatenate(left, axis=1), np.concatenate(right, axis=1), constant - float(np.median(total)), mix.hop_s
    )
