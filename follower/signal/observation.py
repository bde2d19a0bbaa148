"""What the tempo filter compares: note spectra and onsets of the live piano and of the full mix.

Both sides become four parts over the semitones: *sustain* (compressed amplitudes), *onset* (their quick rise), *swell*
(their rise over a longer time, which low notes' wide windows and arpeggios need) and *salience* (the sustain without
what may be overtones of lower notes: less of the instrument's timbre). Each part is divided by its own norm plus a
share of the norm's running median: silence becomes neutral instead of matching silence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from follower.config import FeatureConfig, JsonConfig, require
from follower.kernels import observation as kernels
from follower.kernels.tempo_filter import decaying_maximum

TINY = 1e-7
"""Smallest amplitude distinguished from digital silence (full scale 1)."""
PARTS: Final = ("sustain", "onset", "swell", "salience")
"""What an observation consists of, in the order of the rows of `ReferenceObservations.features`."""
SOUNDS: Final = 0.05
"""Presence above which a hop's norms count in their running medians."""
FAINT: Final = np.float32(0.01)
"""Weights below this are left out: they cost as much work as the others, and a match of them is hardly felt."""
SEMITONES: Final = 88
"""In each part."""
OVERTONES: Final = (12, 19, 24)
"""Semitones from a note to its second, third and fourth partial."""


@dataclass(frozen=True)
class ObservationConfig(JsonConfig):
    """How amplitudes become observations. Tuned on 33 rendered performances.

    Attributes:
        floor_ema_s: time constant of the average under each semitone's noise floor (live only).
        floor_rise_db_per_s: how fast a noise floor may rise.
        floor_factor: the floor is subtracted this many times.
        level_s: span of the running level, over sounding hops.
        level_idle: weight of a silent hop in the running level, so that a long pause does not turn noise into music.
        level_floor: the mix's running level is at least this share of its overall level.
        sustain_gain: g of log1p(g x / level), the compression of the sustain part.
        onset_gain: g of log1p(g x / level), the compression of the onset part.
        onset_lag: frames over which a rise is taken.
        onset_decay: share of an onset left one frame later.
        swell_lag: frames over which a swell's rise is taken.
        swell_decay: share of a swell left one frame later.
        overtone: share of the strongest lower note that may own a semitone as an overtone, taken off its salience.
        regular: share of the running median of its norms that is added to a part's norm before it is divided by it.
        median_s: span of the running median of the norms.
        median_floor: the running median is at least this share of the mix's overall median.
        quiet: live amplitude over running level below which no piano is heard (-40 dB).
        loud_range: the piano surely sounds at a level this much above `quiet`.
        novelty_lag: frames between the spectra compared for novelty.
        novelty_base: weight of a frame whose spectrum does not change.
        novelty_gain: weight added per unit of change between two spectra (1 - cosine).
        novelty_max: largest novelty weight.
        contrast: share of the average over neighbouring semitones that is taken away from both parts.
        contrast_reach: semitones on each side in the average that `contrast` takes away.
        noisy: tonality at or below which a sound is noise: applause, page turns, breath.
        tonal_range: a sound is surely of notes at a tonality this much above `noisy`.
    """

    floor_ema_s: float = 0.3
    floor_rise_db_per_s: float = 3.0
    floor_factor: float = 2.5
    level_s: float = 10.0
    level_idle: float = 0.05
    level_floor: float = 0.1
    sustain_gain: float = 10.0
    onset_gain: float = 100.0
    onset_lag: int = 2
    onset_decay: float = 0.4
    swell_lag: int = 6
    swell_decay: float = 0.7
    overtone: float = 0.5
    regular: float = 0.3
    median_s: float = 10.0
    median_floor: float = 0.3
    quiet: float = 0.01
    loud_range: float = 0.03
    novelty_lag: int = 6
    novelty_base: float = 0.5
    novelty_gain: float = 2.0
    novelty_max: float = 1.4
    contrast: float = 0.5
    contrast_reach: int = 4
    noisy: float = 0.05
    tonal_range: float = 0.08

    def __post_init__(self) -> None:
        """Check the fields that could break the arithmetic.

        Raises:
            ConfigError: a field is out of range.
        """
        for name in ("floor_ema_s", "level_s", "median_s", "loud_range", "sustain_gain", "onset_gain", "regular"):
            require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        for name in ("onset_lag", "swell_lag", "novelty_lag"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("onset_decay", "swell_decay"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "0..1")


@dataclass(frozen=True, slots=True)
class Observation:
    """One hop of the live piano.

    Attributes:
        parts: (4, 88) float32, a row per part of `PARTS`, each of norm at most 1.
        novelty: weight of the parts that sustain (sustain and salience).
        presence: 0..1, how surely the piano sounds.
        started: whether anything has been played since the stream began.
        attack: 0..1, share of the sound that is newer than `onset_lag` hops.
        compressed: (88,) float32, compressed amplitudes under the rises: log1p(onset_gain x / level).
    """

    parts: NDArray[np.float32]
    novelty: float
    presence: float
    started: bool
    attack: float
    compressed: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ReferenceObservations:
    """All of the full mix.

    Attributes:
        features: (4 * 88, n) float32; rows: the semitones of each part of `PARTS`. One semitone's course is contiguous.
        typical_norms: (4,), typical norm of each part before division.
    """

    features: NDArray[np.float32]
    typical_norms: NDArray[np.float64]


@dataclass(frozen=True)
class PartWeights(JsonConfig):
    """How much a match in each part counts.

    Attributes:
        sustain: times the novelty.
        onset: the quick rises.
        swell: the slow rises.
        salience: times the novelty.
    """

    sustain: float
    onset: float
    swell: float
    salience: float

    def spread(self) -> NDArray[np.float32]:
        """Return (4 * 88,): the weight of each row of `ReferenceObservations.features`, at a novelty of 1."""
        return np.repeat(np.array([self.sustain, self.onset, self.swell, self.salience], np.float32), SEMITONES)

    def of(self, observation: Observation) -> NDArray[np.float32]:
        """Return (4 * 88,): a hop's log likelihood at each position is its product with the mix's features."""
        o = observation
        weights = (self.sustain * o.novelty, self.onset, self.swell, self.salience * o.novelty)
        product = (o.parts * np.array(weights, np.float32)[:, None]).ravel()
        product[product < FAINT] = 0
        return product


def observe_reference(pitch: NDArray[np.float32], hop_s: float, config: ObservationConfig) -> ReferenceObservations:
    """Turn the semitone amplitudes of the whole mix (n, 88), n >= 1, into observations."""
    features = np.empty((len(PARTS) * pitch.shape[1], len(pitch)), np.float32)
    typical = np.empty(len(PARTS))
    for name, part in _reference_parts(pitch, hop_s, config):
        k = PARTS.index(name)
        norm = np.linalg.norm(part, axis=1)
        typical[k] = np.median(norm)
        running = np.maximum(_running_median(norm, config.median_s / hop_s), config.median_floor * typical[k])
        part /= (norm + config.regular * running + TINY)[:, None]
        features[k * pitch.shape[1] : (k + 1) * pitch.shape[1]] = part.T
    return ReferenceObservations(features, typical)


def _reference_parts(
    pitch: NDArray[np.float32], hop_s: float, config: ObservationConfig
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Each part of the whole mix by name, (n, 88), one after another: an hour of one is 110 MB."""
    x = pitch.astype(np.float64)
    x /= _reference_level(x, hop_s, config)
    loud = np.log1p(config.sustain_gain * x)
    sustain = _contrast(loud, config.contrast, config.contrast_reach)
    salience = _salience(sustain, loud, config.overtone)
    yield "sustain", sustain
    del loud, sustain
    yield "salience", salience
    del salience
    np.log1p(np.multiply(x, config.onset_gain, out=x), out=x)
    rises = _rises(x, config.onset_lag, config.onset_decay)
    yield "onset", _contrast(rises, config.contrast, config.contrast_reach)
    yield "swell", _rises(x, config.swell_lag, config.swell_decay)


def compress_reference(pitch: NDArray[np.float32], hop_s: float, config: ObservationConfig) -> NDArray[np.float32]:
    """Compressed amplitudes of the whole mix, (n, 88), as `Observation.compressed` has them of the live piano."""
    x = pitch.astype(np.float64)
    return np.log1p(config.onset_gain / _reference_level(x, hop_s, config) * x).astype(np.float32)


def _reference_level(x: NDArray[np.float64], hop_s: float, config: ObservationConfig) -> NDArray[np.float64]:
    """Running level of the whole mix, (n, 1)."""
    energy = np.einsum("nk,nk->n", x, x)
    span = max(round(config.level_s / hop_s), 1)
    level = np.sqrt(np.maximum(uniform_filter1d(energy, span, mode="nearest"), 0.0))
    floor = config.level_floor * math.sqrt(float(np.mean(energy))) + TINY
    return np.asarray(np.maximum(level, floor)[:, None])


def _rises(compressed: NDArray[np.float64], lag: int, decay: float) -> NDArray[np.float64]:
    """Rise of each row (n, 88) over `lag` frames, decaying."""
    rise = np.zeros_like(compressed)
    rise[lag:] = np.maximum(compressed[lag:] - compressed[:-lag], 0.0)
    decaying_maximum(rise, decay)
    return rise


def _salience(sustain: NDArray[np.float64], loud: NDArray[np.float64], overtone: float) -> NDArray[np.float64]:
    """Sustain (..., 88), less a share of the strongest note in `loud` whose overtone each semitone may be."""
    below = np.zeros_like(loud)
    for interval in OVERTONES:
        np.maximum(below[..., interval:], loud[..., :-interval], out=below[..., interval:])
    return np.asarray(np.maximum(sustain - overtone * below, 0.0))


def _contrast(x: NDArray[np.float64], share: float, reach: int) -> NDArray[np.float64]:
    """Take `share` of the average over +-`reach` neighbours off each value along the last axis; at least 0."""
    return np.asarray(np.maximum(x - share * uniform_filter1d(x, 2 * reach + 1, axis=-1, mode="nearest"), 0.0))


def _running_median(x: NDArray[np.float64], span_frames: float) -> NDArray[np.float64]:
    """Centred running median, taken on every eighth frame: it changes slowly."""
    step = 8
    coarse = median_filter(x[::step], size=max(round(span_frames / step), 1), mode="nearest")
    return np.asarray(np.repeat(coarse, step)[: len(x)])


class _RecentValues:
    """The newest n values of a stream, for quantiles; bounded memory."""

    def __init__(self, n: int) -> None:
        self._ring = np.zeros(max(n, 1))
        self._count = 0

    def add(self, value: float) -> None:
        self._ring[self._count % len(self._ring)] = value
        self._count += 1

    def quantile(self, q: float) -> float:
        """Return the q-quantile (lower of two neighbours); 0 when empty."""
        values = self._ring[: self._count]
        if len(values) == 0:
            return 0.0
        k = int(q * (len(values) - 1))
        return float(np.partition(values, k)[k])


@dataclass(frozen=True)
class StartConfig(JsonConfig):
    """When the piano counts as having begun: room noise must not lock onto the mix's silent lead-in.

    Attributes:
        window_s: recent past whose levels the present one is compared with.
        quantile: quantile of the levels of the recent past that stands for silence.
        ratio: how many times the quantile of the recent past the level must reach.
        playing_s: notes sounding without a break for this long start it too: the piano may play from the first hop.
        over_noise: share of the sound that must stand above the noise floor.
        settle_frames: hops after the stream's begin in which nothing can start: the analysis windows still fill,
            and the first half of them does not enter the quantile.
    """

    window_s: float = 2.0
    quantile: float = 0.3
    ratio: float = 4.0
    playing_s: float = 0.5
    over_noise: float = 0.3
    settle_frames: int = 32


class LiveObserver:
    """Turns the live piano's amplitudes into observations, hop by hop, in bounded memory."""

    def __init__(
        self, features: FeatureConfig, typical_norms: NDArray[np.float64], config: ObservationConfig, start: StartConfig
    ) -> None:
        """`typical_norms` of the `ReferenceObservations` keep silence from being blown up."""
        self._config = config
        self._start = start
        self._n = features.n_semitones
        self._hop_s = features.hop_s
        self._norm_floors = config.median_floor * typical_norms
        self._floor_share = 1 - math.exp(-self._hop_s / config.floor_ema_s)
        self._floor_rise = 10 ** (config.floor_rise_db_per_s * self._hop_s / 20)
        self._level_share = 1 - math.exp(-self._hop_s / config.level_s)
        self._constants = kernels.Constants(
            sustain_gain=config.sustain_gain,
            onset_gain=config.onset_gain,
            onset_lag=config.onset_lag,
            swell_lag=config.swell_lag,
            onset_decay=config.onset_decay,
            swell_decay=config.swell_decay,
            overtone=config.overtone,
            contrast=config.contrast,
            reach=config.contrast_reach,
            regular=config.regular,
            tiny=TINY,
        )
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        c, n = self._config, self._n
        self._level: float = TINY
        self._frames = 0
        self._counted = 0
        self._noise = kernels.Noise(np.zeros(n), np.zeros(n), np.zeros((c.onset_lag, n)))
        self._rise = kernels.Rise(
            onset=np.zeros(n),
            swell=np.zeros(n),
            compressed=np.zeros((max(c.onset_lag, c.swell_lag), n)),
            sustained=np.zeros((c.novelty_lag, n)),
            norms=np.zeros((len(PARTS), max(round(c.median_s / self._hop_s), 1))),
        )
        self._forget_level()
        self._amplitudes = _RecentValues(round(self._start.window_s / self._hop_s))
        self.wait()

    @property
    def started(self) -> bool:
        """Whether anything has been played since the stream began."""
        return self._started

    def wait(self) -> None:
        """Close the start gate again; what is known of noise and norms stays."""
        self._started = False
        self._notes_s = 0.0

    def observe(self, pitch: NDArray[np.float32]) -> Observation:
        """Take the amplitudes (88,) of the next hop."""
        c = self._config
        x = np.empty(self._n)
        amplitude, loudness, tonality, risen = kernels.heard_above_noise(
            pitch,
            self._frames,
            self._noise,
            self._floor_share,
            self._floor_rise,
            c.floor_factor,
            c.contrast_reach,
            TINY,
            x,
        )
        tonal = min(max((tonality - c.noisy) / c.tonal_range, 0.0), 1.0)
        self._update_start(amplitude, tonal if amplitude > self._start.over_noise * loudness else 0.0)
        level = self._update_level(amplitude)
        presence = tonal * self._presence(amplitude, level)
        sounds = presence > SOUNDS
        parts = np.empty((len(PARTS), self._n), np.float32)
        cosine = kernels.observe(
            x,
            level,
            self._frames,
            sounds,
            self._counted,
            self._rise,
            self._constants,
            np.array(OVERTONES),
            self._norm_floors,
            parts,
        )
        compressed = self._rise.compressed[self._frames % len(self._rise.compressed)].astype(np.float32)
        self._counted += sounds
        self._frames += 1
        novelty = min(max(c.novelty_base + c.novelty_gain * (1 - cosine), 0.0), c.novelty_max)
        return Observation(parts, novelty, presence, self._started, min(risen / (amplitude + TINY), 1.0), compressed)

    def _presence(self, amplitude: float, level: float) -> float:
        c = self._config
        return min(max((amplitude / level - c.quiet) / c.loud_range, 0.0), 1.0)

    def _update_level(self, amplitude: float) -> float:
        """Running RMS amplitude; hops count as much as the piano is present in them."""
        share = self._level_share * max(self._presence(amplitude, self._level), self._config.level_idle)
        self._energy += share * (amplitude * amplitude - self._energy)
        self._energy_weight += share * (1 - self._energy_weight)
        self._level = math.sqrt(self._energy / self._energy_weight) + TINY
        return self._level

    def _update_start(self, amplitude: float, tonal: float) -> None:
        """Open the gate when the level rises well above the recent past; noise before it leaves no level behind."""
        if self._frames >= self._start.settle_frames // 2:
            self._amplitudes.add(amplitude)
        if not self._started and self._frames >= self._start.settle_frames:
            recent = self._amplitudes.quantile(self._start.quantile)
            notes_s = self._notes_s + self._hop_s if tonal > 0.5 else 0.0
            self._notes_s = notes_s
            risen = tonal > 0.5 and amplitude > self._start.ratio * recent + 10 * TINY
            self._started = risen or notes_s > self._start.playing_s
            if self._started:
                self._forget_level()

    def _forget_level(self) -> None:
        self._energy = 0.0
        self._energy_weight = 0.0
        self._level = TINY
