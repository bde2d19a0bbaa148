"""The mix's levels as a sum of an orchestra and a piano: non-negative matrix factorisation.

Levels (bands, frames) are explained as templates (bands, K) times loudnesses (K, frames), by multiplicative updates of
the generalised Kullback-Leibler divergence (D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix
factorization", NIPS 2000).  The piano's templates are given: `piano_templates`.  The orchestra's come from its own
recording, laid along the mix ("guide"), and its loudnesses are held near those of the recording, as a score would hold
them (S. Ewert and M. Müller, "Using score-informed constraints for NMF-based source separation", ICASSP 2012); without
a recording they are learnt from the mix.  Each part has a colour, a gain per band, because it was recorded otherwise
than what its templates come from.  The orchestra sustains; what is short and not in the guide is the piano's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

from offline_prep.separation.config import SeparationConfig
from offline_prep.separation.piano_templates import N_STAGES

Array = NDArray[np.float32]

LEAST = np.float32(1e-7)
"""Added to denominators."""
FLOOR_SHARE = 1e-4
"""Levels are lifted by this share of their mean, so that silence has finite divergence."""
STRUCK_REACH_FRAMES = 3
"""A strike lets a note sound so many frames before and after: the window blurs it."""
STRUCK_RATIO = np.float32(4.0)
"""A note is at most so much louder than the strike it comes from."""
SOUNDS_FROM = np.float32(0.1)
"""A template sounds in a frame where the guide has this share of its loudest, or more."""
LEAST_SHARE = np.float32(1e-9)
"""Every template has this much of every band, lest it never gets any."""
COLOUR_FROM = 4
"""The round from which colours are adapted: before it the parts are not told apart yet."""
COLOUR_FLOOR = 1e-3
"""Share of the mean that is added where a part has no level to tell its colour from."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Estimated levels, shape (bands, frames) each.

    Attributes:
        piano: of the piano.
        orchestra: of the orchestra.
    """

    piano: Array
    orchestra: Array


@dataclass(eq=False)
class _Part:
    """Templates (bands, K) of sum 1, colour (bands, 1), loudnesses (K, frames)."""

    templates: Array
    colour: Array
    loudness: Array

    def coloured(self) -> Array:
        return self.templates * self.colour

    def levels(self) -> Array:
        return self.coloured() @ self.loudness


def divide(levels: Array, guide: Array | None, piano_templates: Array, config: SeparationConfig) -> Parts:
    """Divide a mix's levels.

    Args:
        levels: (bands, frames) of the mix.
        guide: (bands, frames) of the orchestra recording, laid along the mix and as loud as the orchestra should be in
            it; None without one, all zero where it is silent or left out.
        piano_templates: (bands, `N_STAGES` * notes), a note's strike first, then the stages it rings through.
        config: settings.
    """
    mean = float(levels.mean())
    if mean <= 0.0 or not np.isfinite(mean):
        return Parts(np.zeros_like(levels), np.zeros_like(levels))
    scaled = (levels / np.float32(mean)).astype(np.float32) + np.float32(FLOOR_SHARE)
    frame_sum = float(scaled.sum(axis=0).mean())
    heard = None if guide is None else guide / np.float32(mean)
    orchestra, held = _orchestra(scaled, heard, config)
    n_notes = piano_templates.shape[1]
    piano = _Part(
        piano_templates,
        np.ones((len(levels), 1), np.float32),
        np.full((n_notes, levels.shape[1]), 0.5 * frame_sum / n_notes, np.float32),
    )
    for number in range(config.rounds):
        _round(scaled, orchestra, piano, held, piano_templates, number, config)
    scale = np.float32(mean)
    return Parts(piano.levels() * scale, orchestra.levels() * scale)


def _orchestra(scaled: Array, guide: Array | None, config: SeparationConfig) -> tuple[_Part, Array]:
    """The orchestra to begin with, and the loudnesses it is held to (none of them without a guide)."""
    colour = np.ones((len(scaled), 1), np.float32)
    if guide is None or not bool(np.any(guide > 0.0)):
        templates, loudness = learn(scaled, config.orchestra_templates, config.guide_rounds)
        return _Part(templates, colour, loudness * np.float32(0.5)), np.zeros_like(loudness)
    floor = np.float32(FLOOR_SHARE) * guide.mean()
    templates, loudness = learn(guide + floor, config.orchestra_templates, config.guide_rounds)
    held = maximum_filter1d(loudness, 2 * config.guide_slack_frames + 1, axis=1)
    return _Part(templates, colour, held.copy()), held


def learn(levels: Array, n_templates: int, rounds: int) -> tuple[Array, Array]:
    """Factorise levels alone: templates (bands, K) of sum 1 and loudnesses (K, frames).

    Begun with frames of the levels themselves, evenly spread over their energy, so that nothing is drawn at random.
    """
    total = np.cumsum(levels.sum(axis=0, dtype=np.float64))
    at = np.searchsorted(total, (np.arange(n_templates) + 0.5) / n_templates * total[-1])
    templates = _summing_to_one(levels[:, at] + np.float32(1e-3) * levels.mean() + LEAST)
    loudness = np.repeat(levels.sum(axis=0, keepdims=True) / np.float32(n_templates), n_templates, axis=0) + LEAST
    for _ in range(rounds):
        loudness *= templates.T @ (levels / (templates @ loudness + LEAST))
        found = templates * ((levels / (templates @ loudness + LEAST)) @ loudness.T)
        templates = _summing_to_one(np.asarray(found + LEAST_SHARE, np.float32))
    return templates, loudness


def _round(
    scaled: Array,
    orchestra: _Part,
    piano: _Part,
    held: Array,
    given: Array,
    number: int,
    config: SeparationConfig,
) -> None:
    """One update of everything."""
    templates_o, templates_p = orchestra.coloured(), piano.coloured()
    ratio = scaled / (templates_o @ orchestra.loudness + templates_p @ piano.loudness + LEAST)
    weight = np.float32(config.guide_weight)
    orchestra.loudness *= templates_o.T @ ratio
    below = templates_o.sum(axis=0)[:, None] + LEAST
    expected = np.zeros((1, 1), np.float32)
    if bool(held.any()):
        expected = usual_gain(orchestra.loudness / below, held, config.guide_quantile) * held
        orchestra.loudness += weight * expected
        below += weight
    orchestra.loudness /= below
    if number >= COLOUR_FROM:
        allowed = sustained(orchestra.loudness, config.sustained_frames)
        allowed = np.maximum(allowed, np.float32(config.guide_headroom) * expected)
        orchestra.loudness = np.minimum(orchestra.loudness, allowed)
    piano.loudness *= (templates_p.T @ ratio) / (templates_p.sum(axis=0)[:, None] + np.float32(config.sparsity) + LEAST)
    if number >= COLOUR_FROM:
        struck_only(piano.loudness, config.piano_decay)
        levels_o, levels_p = orchestra.levels(), piano.levels()
        left: Array = scaled / (levels_o + levels_p + LEAST)
        _recolour(orchestra, levels_o, left, config.orchestra_colour_bands)
        _recolour(piano, levels_p, left, config.piano_colour_bands)
        if config.piano_learning > 0:
            _relearn(piano, given, left, np.float32(config.piano_learning))


def sustained(loudness: Array, n_frames: int) -> Array:
    """What of each loudness (K, frames) is held for so many frames: shorter peaks are taken off (a grey opening)."""
    return np.asarray(maximum_filter1d(minimum_filter1d(loudness, n_frames, axis=1), n_frames, axis=1), np.float32)


def usual_gain(loudness: Array, held: Array, quantile: float) -> Array:
    """How much louder (K, 1) the orchestra's templates are in the mix than in the guide.

    A quantile over the frames in which a template sounds, because what the piano adds only ever makes the mix louder;
    halfway, on a logarithmic scale, between that and the guide's own loudness, because a template may sound seldom.
    """
    sounds = held > SOUNDS_FROM * held.max(axis=1, keepdims=True)
    gains = np.where(sounds, loudness / (held + LEAST), np.nan)
    own = np.nanquantile(gains, quantile, axis=1)
    return np.asarray(np.sqrt(np.maximum(own, LEAST))[:, None], np.float32)


def _relearn(piano: _Part, given: Array, ratio: Array, share: np.float32) -> None:
    """Let the piano's templates become those of this very piano, by a share; the rest stays as it was given."""
    found = _summing_to_one(piano.templates * (piano.colour * (ratio @ piano.loudness.T)))
    piano.templates = (1 - share) * given + share * found


def _recolour(part: _Part, levels: Array, ratio: Array, smoothing_bands: float) -> None:
    wanted = gaussian_filter1d((levels * ratio).sum(axis=1, dtype=np.float64), smoothing_bands, mode="nearest")
    found = gaussian_filter1d(levels.sum(axis=1, dtype=np.float64), smoothing_bands, mode="nearest")
    floor = COLOUR_FLOOR * (found.mean() + LEAST)
    part.colour = part.colour * ((wanted + floor) / (found + floor)).astype(np.float32)[:, None]


def struck_only(loudness: Array, decay: float) -> None:
    """Take away what no string does, in place: a note rises only where it is struck, and dies away.

    Args:
        loudness: (`N_STAGES` * notes, frames) of the piano, each note's strike first.
        decay: share of a frame's loudness that the next one keeps at most.
    """
    notes = loudness.reshape(-1, N_STAGES, loudness.shape[1])
    struck = STRUCK_RATIO * maximum_filter1d(notes[:, 0], 2 * STRUCK_REACH_FRAMES + 1, axis=1)
    ringing = notes[:, 1:].sum(axis=1)
    allowed = np.zeros_like(ringing)
    before = ringing[:, 0] / np.float32(decay)  # what rang before is not known
    for t in range(ringing.shape[1]):
        before = np.minimum(np.maximum(before * np.float32(decay), struck[:, t]), np.maximum(ringing[:, t], LEAST))
        allowed[:, t] = before
    notes[:, 1:] *= np.minimum(allowed / (ringing + LEAST), 1.0)[:, None]


def _summing_to_one(templates: Array) -> Array:
    out: Array = templates / (templates.sum(axis=0, keepdims=True) + LEAST)
    return out
