"""The mix taken apart, with what prep knows: guided by the orchestra recording along the map, or alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from follower.piece.mix_map import MixMap
from offline_prep.alignment.align import Alignment
from offline_prep.alignment.coarse import Chain
from offline_prep.alignment.features import SAMPLE_RATE_HZ, estimate_tuning
from offline_prep.alignment.quality import Fit, Quality
from offline_prep.audio import Recording, resample
from offline_prep.progress import ProgressCallback
from offline_prep.separation.config import SeparationConfig
from offline_prep.separation.separate import Guide, Stretch, separate
from offline_prep.separation.stems import Stems

KNOT_EVERY_S = 0.1
"""As the map between two recordings has its knots."""


def same_time(mix: Recording) -> Alignment:
    """The map of a mix whose own orchestra is what is played: second for second, and certain."""
    knots = np.linspace(0.0, mix.duration_s, max(round(mix.duration_s / KNOT_EVERY_S), 1) + 1)
    tuning = estimate_tuning(resample(mix.samples, mix.sample_rate_hz, SAMPLE_RATE_HZ))
    return Alignment(
        MixMap(knots, knots, np.ones(len(knots))),
        (Chain(knots, knots),),
        Quality(Fit.GOOD, ()),
        confidence=1.0,
        distinctness=1.0,
        orchestra_tuning=tuning,
        mix_tuning=tuning,
        transposition=0,
        stem_used=False,
        cells=0,
    )


def guide_of(orchestra: Recording, mix: Recording, alignment: Alignment, config: SeparationConfig) -> Guide:
    """The orchestra recording as a guide through the mix: where it lies, how high and how loud it is."""
    semitones = alignment.transposition + alignment.mix_tuning - alignment.orchestra_tuning
    guide = Guide(orchestra.samples, orchestra.sample_rate_hz, alignment.mix_map, 2.0 ** (semitones / 12.0))
    return guide.fitted(mix.samples, mix.sample_rate_hz, config)


def separate_with(
    orchestra: Recording, mix: Recording, alignment: Alignment, config: SeparationConfig, report: ProgressCallback
) -> Iterator[Stretch]:
    """Take the mix apart, guided by the orchestra recording; errors as `separate`."""
    guide = guide_of(orchestra, mix, alignment, config)
    return separate(mix.path, alignment.mix_tuning, guide, config, report)


def separate_alone(
    mix: Recording, alignment: Alignment, stems: Stems, config: SeparationConfig, report: ProgressCallback
) -> None:
    """Take the mix apart without a guide; errors as `separate` and `Stems.write`."""
    stems.write(separate(mix.path, alignment.mix_tuning, None, config, report))
