"""Rendered pairs of a live piano and a full mix as the product hears them, varied anew every time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.inference.tempo_filter import TempoFilterConfig
from follower.signal.observation import LiveObserver, ObservationConfig, compress_reference, observe_reference
from training.live.render import SILENT

Array = NDArray[np.float32]

WINDOW_LAG_S = TempoFilterConfig().window_lag_s
"""Effective delay of the analysis windows: the tempo filter expects what a hop's windows
hold, and puts it right itself where the tempo differs from the mix's."""
TRANSPOSED = 5
NOISY = 0.5
FLOORS_TAKEN = 2.0
"""A floor is some four fifths of the mean of what it is under, and is subtracted two and a half times."""
HEARD = 0.1
"""Least presence of a hop that is trained on or judged."""
STALE_S = 1.5
"""A note counts as heard for this long at most."""


@dataclass(frozen=True)
class Heard:
    """A pair.

    Attributes:
        live: (m, 88) compressed amplitudes of the live piano, above its noise floor and over its running level.
        mix: (n, 88) of the mix.
        at: (m,) the frame of the mix that each live frame's windows hold, in fractions.
        presence: (m,) of the piano.
        judged: (m,) 1 where the place of the frame is known: something has been played lately, the mix goes on.
        plain: (m, n) float16, the log likelihoods of the product's observation.
    """

    live: Array
    mix: Array
    at: Array
    presence: Array
    judged: Array
    plain: NDArray[np.float16]


def read_pair(file: Path) -> Heard:
    """A pair of `render`; what is computed of it is kept beside it."""
    cached = file.with_suffix(".heard.npz")
    if not cached.exists():
        with np.load(file, allow_pickle=False) as pair:
            live, mix = (
                np.maximum(np.exp(pair[k].astype(np.float32)) - np.float32(SILENT), np.float32(0))
                for k in ("live", "mix")
            )
            heard = hear(live, mix, (pair["live_s"], pair["mix_s"]), np.sort(pair["struck_s"]))
        unfinished = cached.with_suffix(".tmp")
        with unfinished.open("wb") as out:
            np.savez(out, allow_pickle=False, **vars(heard))
        unfinished.replace(cached)
    with np.load(cached, allow_pickle=False) as z:
        return Heard(**{k: z[k] for k in z.files})


def hear(
    live: Array, mix: Array, instants_s: tuple[NDArray[np.float64], NDArray[np.float64]], struck_s: NDArray[np.float64]
) -> Heard:
    """What the product hears of semitone amplitudes (m, 88) and (n, 88).

    Args:
        live: of the piano.
        mix: of the full mix.
        instants_s: the same instants of the music in the live performance and in the mix, ascending.
        struck_s: beginnings of the live piano's notes, ascending.
    """
    config = TempoFilterConfig()
    features = FeatureConfig()
    hop_s = features.hop_s
    reference = observe_reference(mix, hop_s, config.observation)
    observer = LiveObserver(features, reference.typical_norms, config.observation, config.start)
    compressed = np.empty(live.shape, np.float32)
    weights = np.empty((len(live), len(reference.features)), np.float32)
    presence = np.empty(len(live), np.float32)
    for k, hop in enumerate(live):
        o = observer.observe(hop)
        compressed[k], weights[k] = o.compressed, config.weights.of(o)
        presence[k] = o.presence if o.started else 0.0
    end_s = hop_s * np.arange(1, len(live) + 1, dtype=np.float64)
    at = placed(end_s, *instants_s, hop_s)
    recent = np.searchsorted(struck_s, end_s - 0.03) - np.searchsorted(struck_s, end_s - STALE_S)
    judged = (presence > HEARD) & (recent > 0) & (at > 0) & (at < len(mix) - 2) & (end_s < instants_s[0][-1])
    return Heard(
        compressed.astype(np.float32),
        compress_reference(mix, hop_s, config.observation),
        at.astype(np.float32),
        presence,
        judged.astype(np.float32),
        (weights @ reference.features).astype(np.float16),
    )


def placed(
    end_s: NDArray[np.float64], live_s: NDArray[np.float64], mix_s: NDArray[np.float64], hop_s: float
) -> NDArray[np.float64]:
    """Frame of the mix whose windows hold the same music as those of the live frames that end at `end_s`."""
    return (np.interp(end_s - WINDOW_LAG_S, live_s, mix_s) + WINDOW_LAG_S) / hop_s - 1


def crop(pair: Heard, frames: int, rng: np.random.Generator) -> Heard:
    """So many frames of the live piano somewhere in the pair."""
    first = int(rng.integers(max(len(pair.live) - frames, 0) + 1))
    at = slice(first, first + frames)
    return replace(
        pair,
        live=pair.live[at],
        at=pair.at[at],
        presence=pair.presence[at],
        judged=pair.judged[at],
        plain=pair.plain[at],
    )


def vary(pair: Heard, rng: np.random.Generator) -> Heard:
    """The same music transposed, both sides in other colours and levels and in more or less noise."""
    shift = int(rng.integers(-TRANSPOSED, TRANSPOSED + 1)) if rng.random() < 0.6 else 0
    live = _noisy(_coloured(pair.live, rng), rng.uniform(8.0, 50.0), FLOORS_TAKEN, rng)
    mix = _noisy(_coloured(pair.mix, rng), rng.uniform(30.0, 65.0), 0.0, rng)
    return replace(pair, live=_moved(live, shift), mix=_moved(mix, shift))


def _coloured(compressed: Array, rng: np.random.Generator) -> Array:
    """Amplitudes over the running level, in units of 1 / onset_gain, in another colour."""
    colour_db = np.interp(np.arange(88) / 12.0, np.arange(8), rng.normal(0.0, 4.0, 8)) + rng.normal(0.0, 1.0, 88)
    return np.expm1(compressed) * (10.0 ** ((colour_db + rng.normal(0.0, 2.0)) / 20.0)).astype(np.float32)


def _noisy(x: Array, below_db: float, floors: float, rng: np.random.Generator) -> Array:
    """Compressed again, half of the time with noise so far below the running level.

    So many times the noise's level is taken off, as the live observer does.
    """
    if rng.random() < NOISY:
        tilt_db = np.linspace(-1.0, 1.0, 88) * rng.normal(0.0, 8.0)
        level = (ObservationConfig().onset_gain * 10.0 ** ((tilt_db - below_db) / 20.0)).astype(np.float32)
        x = np.sqrt(x * x + level * level * _noise_power(x.shape[0], rng)) - floors * level
    return np.asarray(np.log1p(np.maximum(x, 0)), np.float32)


def _noise_power(frames: int, rng: np.random.Generator) -> Array:
    """Power of steady noise in each semitone, (frames, 88), mean 1: as slow as its window, calmer with more bins.

    Exponentially distributed where a semitone is one bin of the transform.
    """
    c = FeatureConfig()
    out = np.empty((frames, 88), np.float32)
    bounds = (0, c.mid_from_midi - c.lowest_midi, c.high_from_midi - c.lowest_midi, 88)
    windows = (c.low_fft_samples, c.mid_fft_samples, c.high_fft_samples)
    for first, end, window, bins in zip(bounds[:-1], bounds[1:], windows, (1, 2, 4), strict=True):
        # A Hann window is as long as a box of half its length, for what is independent from frame to frame.
        span = max(window // (2 * c.hop_samples), 1)
        parts = rng.standard_normal((2 * bins, frames + span, end - first), np.float32)
        total = np.cumsum(parts, axis=1)
        smooth = (total[:, span:] - total[:, :-span]) / np.float32(np.sqrt(span))
        out[:, first:end] = np.einsum("bnk,bnk->nk", smooth, smooth) / np.float32(2 * bins)
    return out


def _moved(x: Array, semitones: int) -> Array:
    out = np.zeros_like(x)
    if semitones >= 0:
        out[:, semitones:] = x[:, : x.shape[1] - semitones]
    else:
        out[:, :semitones] = x[:, -semitones:]
    return out
