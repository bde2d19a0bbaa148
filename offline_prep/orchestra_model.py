"""What the orchestra explains of the full mix, and the mixtures the live classification starts from (design 3.2)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from follower.config import FeatureConfig
from follower.errors import InputError
from follower.inference.piano_classifier import MFCC_USED
from follower.piece.gmm import DiagonalGmm
from follower.piece.mix_map import MixMap

LOUD_PERCENTILE: Final = 90.0
"""Levels are relative to this percentile of a recording's frames."""
COMPRESSION: Final = 100.0
FLUX_FRAMES: Final = 4
LOWEST_MIDI: Final = 31
HIGHEST_MIDI: Final = 90
"""Semitones compared. Outside them the two recordings differ by more than the piano (rumble, hiss, reverberation)."""
MAP_SLACK_FRAMES: Final = 7
"""O's flux explains the mix's this many frames (0.16 s) to either side: errors of the map, uneven playing."""
BOX_FRAMES: Final = 43
FLOOR_SHARE: Final = 0.5
"""Of the median flux, added to the denominator: in quiet passages the noise has flux too."""

# Logistic fit of the log share on the 13 development scenarios that have rests of the piano (balanced classes).
SHARE_OFFSET: Final = 0.02
SHARE_SLOPE: Final = 4.74
SHARE_MIDDLE: Final = 0.061

MIXTURE_COMPONENTS: Final = 10
ORCHESTRA_SHARE: Final = 0.3
PIANO_SHARE: Final = 0.5
"""Of the sounding frames of the mix: those with the least (the most) piano activity make the orchestra's (the piano's)
mixture. Half instead of .3 for the piano: its mean is what the live piano's is moved to (mean AUC .956, not .945)."""
MIXTURE_FRAMES: Final = 8000
"""At most this many, evenly spread, so that the cost of the fit does not grow with the movement."""
MIXTURE_ROUNDS: Final = 60
MIXTURE_MIN_VARIANCE: Final = 1.0
SOUNDING_SHARE: Final = 10.0 ** (-35.0 / 20.0)
"""Frames more than 35 dB under the loud ones count as silence."""


def piano_activity(
    mix_pitch: NDArray[np.float32], orchestra_pitch: NDArray[np.float32], mix_map: MixMap, config: FeatureConfig
) -> NDArray[np.float32]:
    """How surely the piano sounds in each frame of the full mix: what the orchestra recording does not explain.

    Both recordings' rising semitone energy (flux) is compared through the PO-O map; the share of the mix's that has
    no counterpart in O within a few frames and a semitone, averaged over 1 s, becomes a probability. Where O is cut
    nothing explains the mix, so the piano plays.

    Args:
        mix_pitch: (n, 88) stream features of the full mix.
        orchestra_pitch: (m, 88) of the orchestra recording.
        mix_map: PO-O map.
        config: of the stream features.

    Returns:
        (n,) in 0..1.

    Source: design 3.2, there with AUC .72-.95; the band, the longer flux and the floor raised the mean AUC over the
    13 development scenarios with piano rests from .905 to .944 (with exact maps blurred by 30 ms).
    """
    band = slice(max(LOWEST_MIDI - config.lowest_midi, 0), max(HIGHEST_MIDI + 1 - config.lowest_midi, 1))
    mix_flux = _flux(mix_pitch)
    explained = maximum_filter1d(_flux(orchestra_pitch), 2 * MAP_SLACK_FRAMES + 1, axis=0)
    explained = maximum_filter1d(explained, 3, axis=1)
    mix_s = np.arange(1, len(mix_pitch) + 1, dtype=np.float64) * np.float64(config.hop_s)
    frame = np.rint(mix_map.to_orchestra(mix_s) / config.hop_s).astype(np.int64) - 1
    residual = np.maximum(mix_flux - explained[np.clip(frame, 0, len(explained) - 1)], 0.0)
    unexplained = _box(residual[:, band].sum(axis=1))
    total = _box(mix_flux[:, band].sum(axis=1))
    share = unexplained / (total + FLOOR_SHARE * float(np.median(total)) + 1e-6)
    log_odds = SHARE_SLOPE * np.log((share + SHARE_OFFSET) / (SHARE_MIDDLE + SHARE_OFFSET))
    activity = 1.0 / (1.0 + np.exp(-log_odds))
    activity[mix_map.in_cut(mix_s)] = 1.0
    return np.asarray(activity, np.float32)


@dataclass(frozen=True)
class MixMixtures:
    """Mixtures on MFCC 1..12 of the two classes as they sound in the full mix: same microphones, same hall.

    Attributes:
        orchestra: of the frames with the least piano activity.
        piano: of those with the most: the prior the live piano model starts from.
    """

    orchestra: DiagonalGmm
    piano: DiagonalGmm


def fit_mix_mixtures(
    mix_mfcc: NDArray[np.float32], mix_rms: NDArray[np.float32], activity: NDArray[np.float32]
) -> MixMixtures:
    """Fit both mixtures to the full mix itself, labelled by the piano activity.

    A mixture of the separate orchestra recording tells its room and microphone from the mix's rather than orchestra
    from piano (as a classifier of the mix's frames: mean AUC .66; mixtures of the mix itself: .91).

    Args:
        mix_mfcc: (n, 13) stream MFCC.
        mix_rms: (n,) stream level.
        activity: (n,) from `piano_activity`.

    Raises:
        InputError: the mix is too short to fit a mixture.
    """
    sounding = mix_rms > SOUNDING_SHARE * np.percentile(mix_rms, LOUD_PERCENTILE)
    frames, active = mix_mfcc[sounding][:, MFCC_USED], activity[sounding]
    n_orchestra, n_piano = int(ORCHESTRA_SHARE * len(frames)), int(PIANO_SHARE * len(frames))
    if n_orchestra < MIXTURE_COMPONENTS:
        raise InputError(
            f"the full mix has only {len(frames)} frames of sound; it needs "
            f"{int(np.ceil(MIXTURE_COMPONENTS / ORCHESTRA_SHARE))} or more (1 s of music)"
        )
    by_activity = np.argsort(active, kind="stable")
    return MixMixtures(_fit(frames[np.sort(by_activity[:n_orchestra])]), _fit(frames[np.sort(by_activity[-n_piano:])]))


def _fit(frames: NDArray[np.float32]) -> DiagonalGmm:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    step = -(-len(frames) // MIXTURE_FRAMES)
    mixture = GaussianMixture(
        n_components=MIXTURE_COMPONENTS,
        covariance_type="diag",
        reg_covar=MIXTURE_MIN_VARIANCE,
        max_iter=MIXTURE_ROUNDS,
        random_state=0,
    )
    with warnings.catch_warnings():
        # Rounds are bounded on purpose: the last digits of the fit decide nothing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(frames[::step].astype(np.float64))
    return DiagonalGmm(mixture.weights_, mixture.means_, mixture.covariances_)


def _flux(pitch: NDArray[np.float32]) -> NDArray[np.float64]:
    """Positive difference over `FLUX_FRAMES` of the compressed, level-normalised semitone amplitudes (n, 88)."""
    reference = float(np.percentile(np.linalg.norm(pitch, axis=1), LOUD_PERCENTILE))
    level = np.log1p(COMPRESSION * pitch.astype(np.float64) / max(reference, 1e-9))
    flux = np.zeros_like(level)
    flux[FLUX_FRAMES:] = np.maximum(level[FLUX_FRAMES:] - level[:-FLUX_FRAMES], 0.0)
    return flux


def _box(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(uniform_filter1d(values, BOX_FRAMES, mode="nearest"), np.float64)
