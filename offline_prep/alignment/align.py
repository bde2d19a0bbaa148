"""The PO-O map: align the orchestra recording to the full mix (benchmarks/README.md "PO-O map").

1. Pitchgrams of both recordings, each at its own tuning (`features`).
2. Overview: pooled so far that the matrix is small whatever the length; finds the transposition (`coarse`).
3. Coarse pass with gap states: which parts belong together, where O was cut (`coarse`).
4. Fine pass, 12 ms frames in a narrow band, then the mean over all paths near it (`fine`), which compares the
   onsets that a small network detects (`onset_network`) and what another hears (`alignment_network`).
5. Ends of the matched pieces (`boundaries`), confidence (`confidence`), what slow attacks shift taken out
   (`attack_delay`), one monotone map (`assembly`), and how well the recordings fit (`quality`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from follower.errors import AlignmentError, InputError
from follower.piece.mix_map import MixMap
from offline_prep.alignment.alignment_network import alignment_net
from offline_prep.alignment.assembly import assemble
from offline_prep.alignment.attack_delay import correct
from offline_prep.alignment.boundaries import trim_ends
from offline_prep.alignment.coarse import Chain, coarse_path, distinctness, overview, quiet_frames
from offline_prep.alignment.confidence import chain_confidence
from offline_prep.alignment.config import AlignConfig, StageConfig
from offline_prep.alignment.features import (
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    Comparison,
    compare,
    estimate_tuning,
    pitchgram,
    shape_features,
)
from offline_prep.alignment.fine import refine, settle
from offline_prep.alignment.onset_network import compare_onsets, onset_net
from offline_prep.alignment.quality import Quality, assess
from offline_prep.audio import resample

MIN_DURATION_S = 3.0


@dataclass(frozen=True)
class Alignment:
    """The PO-O map and what is known about it.

    Attributes:
        mix_map: knots at most 0.1 s apart on the mix axis, from mix 0 to its end, with confidence and cuts.
        chains: the matched pieces in seconds, as found.
        quality: fit of the recordings, and messages for the user.
        confidence: mean confidence over the matched parts.
        distinctness: how many times better the recordings match than in a wrong key.
        orchestra_tuning: semitones of the orchestra recording above A = 440 Hz, -0.5..0.5.
        mix_tuning: semitones of the mix above A = 440 Hz, -0.5..0.5.
        transposition: semitones the orchestra recording was raised to meet the mix.
        stem_used: the orchestra stem matched better than the mix and was used.
        cells: local costs the coarse stage read, the work done.
    """

    mix_map: MixMap
    chains: tuple[Chain, ...]
    quality: Quality
    confidence: float
    distinctness: float
    orchestra_tuning: float
    mix_tuning: float
    transposition: int
    stem_used: bool
    cells: int

    def report(self) -> dict[str, Any]:
        """Plain JSON for the cache's manifest."""
        return {
            "fit": str(self.quality.fit),
            "warnings": list(self.quality.messages),
            "confidence": round(self.confidence, 4),
            "distinctness": round(self.distinctness, 3),
            "orchestra_tuning_semitones": round(self.orchestra_tuning, 4),
            "mix_tuning_semitones": round(self.mix_tuning, 4),
            "transposition_semitones": self.transposition,
            "matched_s": [
                [round(float(v), 3) for v in (c.mix_s[0], c.mix_s[-1], c.orchestra_s[0], c.orchestra_s[-1])]
                for c in self.chains
            ],
            "orchestra_stem_used": self.stem_used,
            "cells": self.cells,
        }


def _silent(stage: str, share: float) -> None:
    """Report nothing."""


def align_recordings(
    orchestra: NDArray[np.float32],
    mix: NDArray[np.float32],
    sample_rate_hz: int,
    config: AlignConfig | None = None,
    progress: Callable[[str, float], None] = _silent,
    mix_orchestra_stem: NDArray[np.float32] | None = None,
) -> Alignment:
    """Map the full mix onto the orchestra recording.

    Args:
        orchestra: (n,) mono samples of the orchestra recording.
        mix: (m,) mono samples of the full mix.
        sample_rate_hz: rate of all signals.
        config: None is the measured default.
        progress: called with (stage, share of all work done 0..1).
        mix_orchestra_stem: (m,) the orchestra of the mix as a separator leaves it; takes the mix's place in the fine
            stages where it gives the more confident map.

    Raises:
        InputError: a recording is not mono, shorter than 3 s or silent; the stem differs from the mix in length.
        AlignmentError: nothing in the recordings matches.

    Example:
        >>> alignment = align_recordings(o, po, 22050)  # doctest: +SKIP
        >>> alignment.mix_map.to_orchestra(12.5), alignment.quality.fit  # doctest: +SKIP
    """
    config = config or AlignConfig()
    progress("features", 0.0)
    o = _prepared("orchestra recording", orchestra, sample_rate_hz)
    po = _prepared("full mix", mix, sample_rate_hz)
    o_tuning, mix_tuning = estimate_tuning(o), estimate_tuning(po)
    o_gram = pitchgram(o, o_tuning)
    progress("features", 0.15)
    mix_gram = pitchgram(po, mix_tuning)
    rms = frame_rms(o)
    quiet = quiet_frames(rms, config.gap.quiet_db)

    progress("overview", 0.3)
    views = overview(mix_gram, o_gram, quiet, config)
    distinct = distinctness(views)
    transposition = views[0].transposition
    if transposition != 0:
        o_gram = pitchgram(o, o_tuning - transposition)

    progress("coarse", 0.45)
    stage = config.coarse
    path, chains = coarse_path(
        shape_features(mix_gram, stage.shape, 0.0),
        shape_features(o_gram, stage.shape, stage.softness),
        quiet,
        views[0].chains,
        config,
    )
    if not chains:
        raise AlignmentError("nothing in the two recordings matches; are they the same piece?")

    progress("fine", 0.6)
    matched = _Matched.find(mix_gram, o_gram, chains, quiet, config, progress)
    stem_used = False
    if mix_orchestra_stem is not None:
        progress("orchestra stem", 0.8)
        stem = _prepared("orchestra stem", mix_orchestra_stem, sample_rate_hz)
        if abs(len(stem) - len(po)) > SAMPLE_RATE_HZ:
            raise InputError(
                f"the orchestra stem lasts {len(stem) / SAMPLE_RATE_HZ:.1f} s, the full mix "
                f"{len(po) / SAMPLE_RATE_HZ:.1f} s; give a stem of this very mix"
            )
        stem_gram = pitchgram(stem, mix_tuning)[: len(mix_gram)]
        by_stem = _Matched.find(stem_gram, o_gram, chains, quiet, config, _silent)
        stem_used = by_stem.mean_confidence() > matched.mean_confidence()
        matched = by_stem if stem_used else matched

    progress("map", 0.95)
    mix_s, orchestra_s = assemble(matched.chains, len(po) / SAMPLE_RATE_HZ, len(o) / SAMPLE_RATE_HZ, rms)
    confidence = np.zeros(len(mix_s))
    for time, value in matched.confidence:
        inside = (mix_s >= time[0]) & (mix_s <= time[-1])
        confidence[inside] = np.interp(mix_s[inside], time, value)
    overall = matched.mean_confidence()
    orchestra_duration_s, mix_duration_s = len(o) / SAMPLE_RATE_HZ, len(po) / SAMPLE_RATE_HZ
    matched_s = sum(float(c.mix_s[-1] - c.mix_s[0]) for c in matched.chains)
    quality = assess(
        distinct,
        matched_s / min(orchestra_duration_s, mix_duration_s),
        overall,
        transposition,
        transposition + mix_tuning - o_tuning,
        orchestra_duration_s,
        mix_duration_s,
    )
    progress("done", 1.0)
    return Alignment(
        MixMap(orchestra_s, mix_s, np.clip(confidence, 0.0, 1.0)),
        matched.chains,
        quality,
        overall,
        distinct,
        o_tuning,
        mix_tuning,
        transposition,
        stem_used,
        path.cells,
    )


@dataclass(frozen=True)
class _Matched:
    """What the fine stages found: chains, and confidence along each as (mix seconds, 0..1)."""

    chains: tuple[Chain, ...]
    confidence: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]

    @classmethod
    def find(
        cls,
        mix: NDArray[np.float32],
        orchestra: NDArray[np.float32],
        coarse: tuple[Chain, ...],
        quiet: NDArray[np.bool_],
        config: AlignConfig,
        progress: Callable[[str, float], None],
    ) -> Self:
        comparison = _compare(mix, orchestra, config.fine)
        chains = tuple(refine(c, comparison, config) for c in coarse)
        progress("precise", 0.7)
        onsets, comparison = precise_comparisons(mix, orchestra, config)
        chains = trim_ends(tuple(settle(c, onsets, config) for c in chains), comparison, quiet)
        confidence = tuple(chain_confidence(c, comparison) for c in chains)
        return cls(correct(chains, mix, orchestra, config.attack_delay), confidence)

    def mean_confidence(self) -> float:
        return float(np.mean(np.concatenate([value for _, value in self.confidence])))


def _compare(mix: NDArray[np.float32], orchestra: NDArray[np.float32], stage: StageConfig) -> Comparison:
    return compare(
        shape_features(mix, stage.shape, 0.0),
        shape_features(orchestra, stage.shape, stage.softness),
        stage.harmony,
        stage.onset,
    )


def precise_comparisons(
    mix: NDArray[np.float32], orchestra: NDArray[np.float32], config: AlignConfig
) -> tuple[Comparison, Comparison]:
    """Two pitchgrams compared: with the networks (the precise pass), and without (boundaries, confidence)."""
    stage = config.precise
    m = shape_features(mix, stage.shape, 0.0)
    o = shape_features(orchestra, stage.shape, stage.softness)
    weights = config.precise_weights
    heard = compare_onsets((mix, m), (orchestra, o), onset_net(), weights)
    if weights.alignment > 0:
        heard = heard.plus(alignment_net().compare((mix, m), (orchestra, o)), weights.alignment)
    return heard, compare(m, o, stage.harmony, stage.onset)


def frame_rms(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """RMS of each pitchgram hop, shape (ceil(n / 256),)."""
    power = np.add.reduceat(np.square(samples, dtype=np.float64), np.arange(0, len(samples), HOP_SAMPLES))
    return np.sqrt(power / HOP_SAMPLES).astype(np.float32)


def _prepared(name: str, samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    if samples.ndim != 1:
        raise InputError(f"the {name} has shape {samples.shape}; give mono samples")
    if len(samples) < MIN_DURATION_S * sample_rate_hz:
        raise InputError(
            f"the {name} lasts {len(samples) / sample_rate_hz:.2f} s; at least {MIN_DURATION_S:g} s are needed to align"
        )
    if not float(np.abs(samples).max()) > 0.0:
        raise InputError(f"the {name} is silent; is it the right file?")
    return resample(samples, sample_rate_hz, SAMPLE_RATE_HZ)
