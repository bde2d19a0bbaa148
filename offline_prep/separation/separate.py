"""A full mix taken apart, block by block: memory does not grow with the piece, and time only as the piece does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from follower.files.audio_file import AudioFile, finite_blocks
from follower.piece.mix_map import MixMap
from offline_prep.separation.config import SeparationConfig
from offline_prep.separation.factorise import divide
from offline_prep.separation.masks import piano_share, piano_spectra
from offline_prep.separation.piano_templates import piano_templates
from offline_prep.separation.spectra import Bands, Raster

LOUD_FROM = 0.6
"""A band's gain is read in the frames in which it is louder in the guide than in this share of them."""
MIN_LOUD_FRAMES = 8
"""In fewer frames nothing is read."""


@dataclass(frozen=True, eq=False)
class Guide:
    """The orchestra's own recording.

    Attributes:
        samples: shape (n,), mono.
        sample_rate_hz: of the recording.
        mix_map: map between the mix and this recording.
        raised: ratio of frequencies by which it is to be raised to meet the mix, its tuning and key.
        gain: shape (bands, 1), how much louder the orchestra is in the mix, see `fit_gain`; 1 is as loud.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    mix_map: MixMap
    raised: float
    gain: NDArray[np.float32] | float = 1.0

    def levels(self, mix_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Levels (bands, frames) at seconds of the mix; silent where the recording leaves the mix's music out."""
        raster = Raster.at(self.sample_rate_hz)
        at = self.mix_map.to_orchestra(mix_s) * self.sample_rate_hz
        found = Bands.of(raster, self.raised).levels(raster.spectra_at(self.samples, at))
        outside = (mix_s < self.mix_map.mix_s[0]) | (mix_s > self.mix_map.mix_s[-1])
        found[:, self.mix_map.in_cut(mix_s) | outside] = 0.0
        return found * np.float32(self.gain) if isinstance(self.gain, float) else found * self.gain

    def fitted(self, mix: NDArray[np.float32], sample_rate_hz: int, config: SeparationConfig) -> Guide:
        """This guide with the gain that fits a mix, mono samples at a rate."""
        raster = Raster.at(sample_rate_hz)
        mix_s = np.arange(0.0, len(mix) / sample_rate_hz, config.gain_every_s)
        levels = Bands.of(raster).levels(raster.spectra_at(mix, mix_s * sample_rate_hz))
        return replace(self, gain=fit_gain(levels, self.levels(mix_s), config))


def fit_gain(mix: NDArray[np.float32], guide: NDArray[np.float32], config: SeparationConfig) -> NDArray[np.float32]:
    """How much louder (bands, 1) the orchestra is in the mix than in its own recording, as their colours differ too.

    In each band the quantile over the frames in which the guide is loud: what the piano adds makes the mix louder, so
    the frames in which it is least against the guide are those of the orchestra alone.  Smooth from band to band.

    Args:
        mix: levels (bands, frames) of all of the mix.
        guide: levels of the guide at the same instants.
        config: settings.
    """
    if not bool(guide.any()):
        return np.ones((len(mix), 1), np.float32)
    loud = guide >= np.maximum(np.quantile(guide, LOUD_FROM, axis=1, keepdims=True), 1e-3 * guide.max())
    ratio = np.where(loud, np.log((mix + 1e-9) / np.maximum(guide, 1e-9)), np.nan)
    heard = loud.sum(axis=1) >= MIN_LOUD_FRAMES
    if not bool(heard.any()):
        return np.ones((len(mix), 1), np.float32)
    found = np.nanquantile(ratio[heard], config.gain_quantile, axis=1)
    number = np.arange(len(mix))
    whole = np.interp(number, number[heard], found)
    return np.asarray(np.exp(gaussian_filter1d(whole, config.gain_bands, mode="nearest"))[:, None], np.float32)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Part of the mix, taken apart; the two sum to the mix.

    Attributes:
        piano: shape (n, channels).
        orchestra: shape (n, channels).
    """

    piano: NDArray[np.float32]
    orchestra: NDArray[np.float32]


def separate(
    mix: Path,
    tuning: float,
    guide: Guide | None,
    config: SeparationConfig,
    report: Callable[[str, float], None] = lambda _detail, _share: None,
) -> Iterator[Stretch]:
    """Take a mix apart, in order and without gaps.

    Args:
        mix: the recording.
        tuning: of the mix, semitones above A = 440 Hz.
        guide: the orchestra's own recording; None without one.
        config: settings.
        report: called with a detail and the share done.

    Raises:
        AudioFileError: the mix cannot be read.
    """
    with AudioFile(mix) as file:
        raster = Raster.at(file.sample_rate_hz)
        cut = _Cut.of(config, raster)
        worker = _Block(raster, guide, piano_templates(tuning), config)
        faded: NDArray[np.float32] | None = None
        for begin, samples, is_last in _windows(finite_blocks(file), cut):
            piano = worker.piano(begin, samples)
            # What is kept of this window: from the middle of the fade before it to the end of the fade after it.
            first = 0 if begin == 0 and faded is None else cut.context - cut.fade // 2
            end = len(samples) if is_last else cut.context + cut.block + cut.fade // 2
            kept_mix, kept = samples[first:end], piano[first:end]
            if faded is not None:
                n = min(len(faded), len(kept))
                ramp = (np.arange(1, n + 1, dtype=np.float32) / np.float32(n + 1))[:, None]
                kept[:n] = faded[:n] * (1 - ramp) + kept[:n] * ramp
            if not is_last:
                faded = kept[len(kept) - cut.fade :].copy()
                kept, kept_mix = kept[: -cut.fade], kept_mix[: -cut.fade]
            report("", min((begin + len(samples)) / max(file.n_samples, 1), 1.0))
            yield Stretch(kept, kept_mix - kept)


@dataclass(frozen=True)
class _Cut:
    """Lengths in samples: a block, the context on either side of it, the fade between neighbours."""

    block: int
    context: int
    fade: int

    @classmethod
    def of(cls, config: SeparationConfig, raster: Raster) -> _Cut:
        hop = raster.hop_samples
        block, context = (
            max(round(s * raster.sample_rate_hz / hop), 1) * hop for s in (config.block_s, config.context_s)
        )
        fade = min(2 * round(config.crossfade_s * raster.sample_rate_hz / 2), 2 * context)
        return cls(block, context, max(fade, 2))


def _windows(blocks: Iterator[NDArray[np.float32]], cut: _Cut) -> Iterator[tuple[int, NDArray[np.float32], bool]]:
    """Cut a stream into overlapping windows: first sample, samples (n, channels), whether it is the last one.

    The first window begins at sample 0 with as much silence before it as later ones have context.
    """
    waiting: NDArray[np.float32] | None = None
    begin, whole = 0, cut.block + 2 * cut.context
    for block in blocks:
        waiting = block if waiting is None else np.concatenate([waiting, block])
        # The next window needs more than its context, or this one is the last.
        while len(waiting) > whole:
            yield begin, waiting[:whole], False
            waiting = waiting[cut.block :]
            begin += cut.block
    if waiting is not None:
        yield begin, waiting, True


class _Block:
    """Takes one window apart."""

    def __init__(
        self, raster: Raster, guide: Guide | None, templates: NDArray[np.float32], config: SeparationConfig
    ) -> None:
        self._raster = raster
        self._bands = Bands.of(raster)
        self._guide = guide
        self._templates = templates
        self._config = config

    def piano(self, begin: int, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The piano (n, channels) of a window of the mix that begins at a sample."""
        raster, config = self._raster, self._config
        channels = np.stack([raster.analyse(np.ascontiguousarray(c)) for c in samples.T])
        power = sum(self._bands.levels(c) ** 2 for c in channels)
        levels = np.sqrt(np.asarray(power, np.float32) / np.float32(len(channels)))
        mix_s = (begin + np.arange(levels.shape[1]) * raster.hop_samples) / raster.sample_rate_hz
        guide = None if self._guide is None else self._guide.levels(mix_s)
        parts = divide(levels, guide, self._templates, config)
        share = piano_share(parts, config.mask_power)
        spectra = piano_spectra(channels, self._bands, share, levels, config.spatial_rounds)
        return np.stack([raster.synthesise(s, len(samples)) for s in spectra], axis=1)
