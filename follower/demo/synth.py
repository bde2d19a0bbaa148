"""Two small synthesisers, a room and a noise floor: enough to sound like different recordings of one piece.

The piano is a sum of inharmonic, doubly decaying partials struck by a hammer; the strings are sections of a few
players, each a bow-like harmonic tone with its own vibrato, tuning and attack. Everything is numpy and seeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

_BLOCK: Final = 256
_MAX_TONE_S: Final = 3.5
_VELOCITY_LAYERS: Final = 4


@dataclass(frozen=True, slots=True)
class PianoTimbre:
    """What makes one piano sound unlike another.

    Attributes:
        brightness: exponent of the partials' fall at full loudness; larger is darker.
        hammer_position: where the hammer strikes, as a share of the string: dips in the spectrum.
        inharmonicity: stretch of the partials at A4.
        decay_s: time constant of A4 (s).
        hammer_noise: level of the knock, relative to the tone.
    """

    brightness: float
    hammer_position: float
    inharmonicity: float
    decay_s: float
    hammer_noise: float


@dataclass(frozen=True, slots=True)
class StringTimbre:
    """What makes one string section sound unlike another.

    Attributes:
        players: number of players in the section.
        rolloff: exponent of the harmonics' fall.
        formants_hz: resonances of the bodies.
        vibrato_hz: mean vibrato rate.
        vibrato_cents: mean vibrato depth.
        attack_s: mean attack.
    """

    players: int
    rolloff: float
    formants_hz: tuple[float, ...]
    vibrato_hz: float
    vibrato_cents: float
    attack_s: float


def frequency_hz(midi: float, a4_hz: float) -> float:
    """Frequency of an equally tempered pitch.

    >>> frequency_hz(57, 440.0)
    220.0
    """
    return float(a4_hz * 2.0 ** ((midi - 69.0) / 12.0))


class PianoSynth:
    """Renders single piano notes; equal pitches and loudness layers are computed once."""

    def __init__(self, timbre: PianoTimbre, a4_hz: float, sample_rate_hz: int, rng: np.random.Generator) -> None:
        self._timbre, self._a4_hz, self._rate = timbre, a4_hz, sample_rate_hz
        self._phases = rng.uniform(0.0, 2.0 * np.pi, (128, 2, 40))
        self._knock = rng.standard_normal(int(0.03 * sample_rate_hz)) * np.exp(
            -np.arange(int(0.03 * sample_rate_hz)) / (0.004 * sample_rate_hz)
        )
        self._tones: dict[tuple[int, int], Samples] = {}

    def _tone(self, midi: int, layer: int) -> Samples:
        """An undamped tone, shape (longest,), of one of the loudness layers."""
        t, rate = self._timbre, self._rate
        f0 = frequency_hz(midi, self._a4_hz)
        stretch = t.inharmonicity * 2.0 ** ((midi - 69) / 9.0)
        k = np.arange(1, 41)
        f = k * f0 * np.sqrt(1.0 + stretch * k**2)
        k, f = k[f < 0.42 * rate], f[f < 0.42 * rate]
        fall = t.brightness + 1.2 * (1.0 - (layer + 1) / _VELOCITY_LAYERS)
        amplitude = k**-fall * (0.08 + np.abs(np.sin(np.pi * k * t.hammer_position)))
        decay = t.decay_s * 2.0 ** (-(midi - 69) / 16.0) / (1.0 + 0.22 * (k - 1))
        # Two polarisations of the string: one gives its energy away fast, the other, slightly mistuned, rings on.
        damping = np.concatenate([1.0 / (0.4 * decay), 1.0 / (1.8 * decay)])
        omega = 2.0 * np.pi * np.concatenate([f, f * 2.0 ** (0.6 / 1200.0)])
        weight = np.concatenate([0.72 * amplitude, 0.28 * amplitude]) * np.exp(
            1j * self._phases[midi, :, : len(k)].ravel()
        )
        # z^(256 i + j) = (z^256)^i z^j, so the sum over all partials is one matrix product.
        z = (-damping + 1j * omega) / rate
        blocks = int(np.ceil(_MAX_TONE_S * rate / _BLOCK))
        slow = np.exp(np.outer(np.arange(blocks) * _BLOCK, z)) * weight
        tone: Samples = (slow @ np.exp(np.outer(z, np.arange(_BLOCK)))).real.ravel()
        rise = int(0.002 * rate)
        tone[:rise] *= np.linspace(0.0, 1.0, rise)
        tone /= np.sqrt(np.mean(tone[: int(0.15 * rate)] ** 2))
        tone[: len(self._knock)] += t.hammer_noise * self._knock
        return tone

    def note(self, midi: int, seconds: float, loudness: float) -> Samples:
        """One note, damped after `seconds`; shape (n,) at the synth's rate.

        Args:
            midi: pitch.
            seconds: from the hammer to the damper.
            loudness: 0..1; louder is brighter too.
        """
        layer = min(int(loudness * _VELOCITY_LAYERS), _VELOCITY_LAYERS - 1)
        if (midi, layer) not in self._tones:
            self._tones[midi, layer] = self._tone(midi, layer)
        release = int(0.35 * self._rate)
        held = min(int(seconds * self._rate), int(_MAX_TONE_S * self._rate) - release)
        out: Samples = self._tones[midi, layer][: held + release] * loudness**1.5
        out[held:] *= np.exp(-np.arange(len(out) - held) / (0.07 * self._rate))
        return out


class StringSynth:
    """Renders single notes of a string section."""

    def __init__(self, timbre: StringTimbre, a4_hz: float, sample_rate_hz: int, rng: np.random.Generator) -> None:
        self._timbre, self._a4_hz, self._rate, self._rng = timbre, a4_hz, sample_rate_hz, rng

    def note(self, midi: int, seconds: float, loudness: float) -> Samples:
        """One note of the whole section, with its release; shape (n,) at the synth's rate.

        Args:
            midi: pitch.
            seconds: from the start of the bow to the start of the release.
            loudness: 0..1; louder is brighter too.
        """
        t, rate, rng = self._timbre, self._rate, self._rng
        release = 0.12
        n = int((seconds + release) * rate)
        time_s = np.arange(n) / rate
        f0 = frequency_hz(midi, self._a4_hz)
        k = np.arange(1, max(2, min(20, int(0.42 * rate / f0))))
        body = 0.25 + np.sum(
            [np.exp(-0.5 * (np.log2(k * f0 / f) / 0.45) ** 2) for f in t.formants_hz], axis=0, dtype=np.float64
        )
        amplitude = k ** -(t.rolloff + 0.5 * (1.0 - loudness)) * body
        amplitude /= np.sqrt(np.sum(amplitude**2))
        out = np.zeros(n)
        for _ in range(t.players):
            detune = rng.normal(0.0, 4.0)
            vibrato = (
                t.vibrato_cents
                * rng.uniform(0.6, 1.3)
                * np.clip((time_s - 0.15) / 0.3, 0.0, 1.0)
                * np.sin(2.0 * np.pi * t.vibrato_hz * rng.uniform(0.9, 1.1) * time_s + rng.uniform(0.0, 2.0 * np.pi))
            )
            phase = 2.0 * np.pi * np.cumsum(f0 * 2.0 ** ((detune + vibrato) / 1200.0)) / rate
            phase += rng.uniform(0.0, 2.0 * np.pi)
            attack = min(t.attack_s * rng.uniform(0.7, 1.4), 0.8 * seconds)
            begin = max(0.0, rng.normal(0.012, 0.008))
            envelope = np.clip((time_s - begin) / attack, 0.0, 1.0) * (0.85 + 0.15 * time_s / time_s[-1])
            envelope *= np.clip((time_s[-1] - time_s) / release, 0.0, 1.0)
            # sin(k x) = 2 cos(x) sin((k - 1) x) - sin((k - 2) x)
            twice, before, now, tone = 2.0 * np.cos(phase), np.zeros(n), np.sin(phase), np.zeros(n)
            for a in amplitude:
                tone += a * now
                before *= -1.0
                before += twice * now
                before, now = now, before
            bow = rng.standard_normal(n) * 0.02
            out += envelope * (tone + bow)
        scaled: Samples = out * loudness / np.sqrt(t.players)
        return scaled


def add_room(samples: Samples, sample_rate_hz: int, rt60_s: float, wet_db: float, rng: np.random.Generator) -> Samples:
    """Put a recording into a room: the direct sound plus an exponentially decaying diffuse tail."""
    from scipy.signal import oaconvolve

    n = int(rt60_s * sample_rate_hz)
    tail = rng.standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / n)
    tail[: int(0.012 * sample_rate_hz)] = 0.0
    tail /= np.sqrt(np.sum(tail**2))
    out: Samples = samples + 10.0 ** (wet_db / 20.0) * oaconvolve(samples, tail)[: len(samples)]
    return out


def pink_noise(n: int, rng: np.random.Generator) -> Samples:
    """Noise with equal power per octave, RMS 1, shape (n,)."""
    size = 1 << (n - 1).bit_length()  # numpy's transform of a prime length takes seconds
    spectrum = np.fft.rfft(rng.standard_normal(size))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))
    noise = np.fft.irfft(spectrum, size)[:n]
    out: Samples = noise / np.sqrt(np.mean(noise**2))
    return out


def set_level(samples: Samples, sample_rate_hz: int, level_db: float) -> Samples:
    """Scale the sounding part (0.2 s blocks within 20 dB of the loudest) to an RMS level re full scale."""
    block = int(0.2 * sample_rate_hz)
    power = np.mean(samples[: len(samples) // block * block].reshape(-1, block) ** 2, axis=1)
    out: Samples = samples * 10.0 ** (level_db / 20.0) / np.sqrt(np.mean(power[power > 0.01 * power.max()]))
    return out
