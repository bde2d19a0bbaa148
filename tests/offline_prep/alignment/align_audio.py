"""A small random concerto for the alignment tests: chords in different timbres under different tempo curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 22050


@dataclass(frozen=True)
class Piece:
    """Two recordings of one random piece.

    Attributes:
        orchestra: samples.
        mix: samples.
        orchestra_s: onset of each beat in the orchestra recording.
        mix_s: onset of each beat in the mix.
    """

    orchestra: NDArray[np.float32]
    mix: NDArray[np.float32]
    orchestra_s: NDArray[np.float64]
    mix_s: NDArray[np.float64]


def tone(midi: float, seconds: float, attack_s: float, decay_s: float, rolloff: float) -> NDArray[np.float64]:
    """Six harmonics, linear attack, exponential decay, 30 ms release."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    f = 440.0 * 2 ** ((midi - 69) / 12)
    sound = sum(np.sin(2 * np.pi * f * k * t + k) * k**-rolloff for k in range(1, 7))
    envelope = np.clip(t / attack_s, 0, 1) * np.exp(-t / decay_s) * np.clip((t[-1] - t) / 0.03, 0, 1)
    return np.asarray(sound * envelope)


def concerto(
    seed: int = 0,
    beats: int = 84,
    strokes_every: int = 1,
    orchestra_tuning: float = 0.0,
    mix_tuning: float = 0.0,
    piano: float = 0.8,
) -> Piece:
    """Synthesise both recordings.

    Args:
        seed: of everything.
        beats: length; a beat lasts about 0.5 s.
        strokes_every: the orchestra plays on every so many beats.
        orchestra_tuning: semitones above A = 440 Hz.
        mix_tuning: likewise.
        piano: level of the piano in the mix.
    """
    rng = np.random.default_rng(seed)
    curves = []
    for tempo in (0.52, 0.46):
        step = tempo * np.exp(np.cumsum(rng.normal(0, 0.03, beats)).clip(-0.3, 0.3))
        curves.append(1.0 + np.concatenate([[0.0], np.cumsum(step)]))
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    chords = [48 + 12 * rng.integers(0, 3, 3) + rng.choice(scale, 3, replace=False) for _ in range(beats)]
    melody = [72 + 12 * rng.integers(0, 2, 2) + rng.choice(scale, 2) for _ in range(beats)]
    out = []
    for beat_s, is_mix, tuning, attack_s, rolloff in (
        (curves[0], False, orchestra_tuning, 0.03, 1.2),
        (curves[1], True, mix_tuning, 0.02, 1.6),
    ):
        x = np.zeros(int((beat_s[-1] + 2.0) * RATE_HZ))
        for b in range(beats):
            length = beat_s[b + 1] - beat_s[b]
            notes = [(0.0, tone(m + tuning, length, attack_s, 2.0, rolloff)) for m in chords[b]]
            if b % strokes_every != 0:
                notes = []
            if is_mix:
                half = length / 2
                notes += [(k * half, piano * tone(m + tuning, half, 0.003, 0.3, 1.0)) for k, m in enumerate(melody[b])]
            for late, sound in notes:
                begin = int((beat_s[b] + late) * RATE_HZ)
                x[begin : begin + len(sound)] += sound
        x = 0.1 * x + 1e-4 * rng.standard_normal(len(x))
        out.append(x.astype(np.float32))
    return Piece(out[0], out[1], curves[0][:-1], curves[1][:-1])
