"""What the orchestra explains of the full mix, and the mixtures the live classification starts from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from follower.config import FeatureConfig, JsonConfig, require
from follower.errors import InputError
from follower.inference.piano_classifier import MFCC_USED
from follower.piece.gmm import DiagonalGmm
from follower.piece.mix_map import MixMap


@dataclass(frozen=True)
class OrchestraModelConfig(JsonConfig):
    """Settings of the attacks that O does not explain and of the mixtures of the full mix.

    The three `share_` settings are a logistic fit of the log share on 13 rendered performances with rests of the
    piano, with balanced classes.

    Attributes:
        loud_percentile: levels are relative to this percentile of a recording's frames.
        compression: levels are compressed as log(1 + compression * level).
        flux_frames: a rise is measured over this many frames (23 ms each).
        lowest_midi: lowest semitone compared; below it the recordings differ by rumble.
        highest_midi: highest semitone compared; above it the recordings differ by hiss and reverberation.
        map_slack_frames: the orchestra's flux explains the mix's this many frames (0.16 s) to either side, for errors
            of the map and uneven playing.
        box_frames: the unexplained flux is averaged over this many frames (1 s).
        floor_share: share of the median flux that is added to the denominator, because noise in quiet passages has
            flux too.
        share_offset: added to the unexplained share before its logarithm is taken.
        share_slope: log odds of the piano per unit of the logarithm of the unexplained share.
        share_middle: unexplained share at which the piano is as likely as not.
        mixture_components: components of each mixture.
        orchestra_share: share of the mix's sounding frames, those with the least piano activity, that make the
            orchestra's mixture.
        piano_share: share of the mix's sounding frames, those with the most piano activity, that make the piano's
            mixture. Half instead of .3, because the live piano's mean is moved to this mixture's mean (mean area under
            the ROC curve .956, not .945).
        mixture_frames: at most this many frames, evenly spread, are fitted, so that the cost of the fit does not grow
            with the movement.
        mixture_rounds: rounds of expectation maximisation at most.
        mixture_min_variance: added to the variances (MFCC squared).
        sounding_db: frames this far under the loud ones count as silence.
    """

    loud_percentile: float = 90.0
    compression: float = 100.0
    flux_frames: int = 4
    lowest_midi: int = 31
    highest_midi: int = 90
    map_slack_frames: int = 7
    box_frames: int = 43
    floor_share: float = 0.5
    share_offset: float = 0.02
    share_slope: float = 4.74
    share_middle: float = 0.061
    mixture_components: int = 10
    orchestra_share: float = 0.3
    piano_share: float = 0.5
    mixture_frames: int = 8000
    mixture_rounds: int = 60
    mixture_min_variance: float = 1.0
    sounding_db: float = -35.0

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: a setting is out of range.
        """
        require(0 < self.loud_percentile <= 100, "loud_percentile", self.loud_percentile, "above 0, up to 100")
        require(self.lowest_midi < self.highest_midi, "lowest_midi", self.lowest_midi, f"below {self.highest_midi}")
        for name in ("orchestra_share", "piano_share"):
            require(0 < getattr(self, name) <= 1, name, getattr(self, name), "above 0, up to 1")
        for name in ("compression", "share_offset", "share_middle", "floor_share", "mixture_min_variance"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        for name in ("flux_frames", "box_frames", "mixture_components", "mixture_frames", "mixture_rounds"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.map_slack_frames >= 0, "map_slack_frames", self.map_slack_frames, "0 or more")


DEFAULT: Final = OrchestraModelConfig()


@dataclass(frozen=True)
class UnexplainedFlux:
    """The mix's attacks, and what of them the orchestra recording does not explain.

    Attributes:
        mix: (n,) rising energy of each frame of the full mix, within the band compared.
        unexplained: (n,) the part of it without a counterpart in the orchestra recording.
        orchestra: (m,) rising energy of each frame of the orchestra recording.
    """

    mix: NDArray[np.float64]
    unexplained: NDArray[np.float64]
    orchestra: NDArray[np.float64]

    def share(self, box_frames: int, config: OrchestraModelConfig) -> NDArray[np.float64]:
        """(n,) share of the mix's attacks that is unexplained, averaged over so many frames."""
        floor = config.floor_share * float(np.median(box_mean(self.mix, box_frames)))
        share = box_mean(self.unexplained, box_frames) / (box_mean(self.mix, box_frames) + floor + 1e-6)
        return np.asarray(share, np.float64)


def mapped_frames(n_mix: int, n_orchestra: int, mix_map: MixMap, features: FeatureConfig) -> NDArray[np.int64]:
    """(n_mix,) the frame of the orchestra recording that sounds in each frame of the full mix."""
    mix_s = np.arange(1, n_mix + 1, dtype=np.float64) * np.float64(features.hop_s)
    frame = np.rint(mix_map.to_orchestra(mix_s) / features.hop_s).astype(np.int64) - 1
    return np.clip(frame, 0, n_orchestra - 1)


def unexplained_flux(
    mix_pitch: NDArray[np.float32],
    orchestra_pitch: NDArray[np.float32],
    mix_map: MixMap,
    features: FeatureConfig,
    config: OrchestraModelConfig = DEFAULT,
) -> UnexplainedFlux:
    """Compare both recordings' rising semitone energy (flux) through the PO-O map.

    What of the mix's has no counterpart in O within a few frames and a semitone is unexplained.

    Args:
        mix_pitch: (n, 88) stream features of the full mix.
        orchestra_pitch: (m, 88) of the orchestra recording.
        mix_map: PO-O map.
        features: configuration of the stream features.
        config: settings.
    """
    band = slice(
        max(config.lowest_midi - features.lowest_midi, 0), max(config.highest_midi + 1 - features.lowest_midi, 1)
    )
    mix, orchestra = _flux(mix_pitch, config), _flux(orchestra_pitch, config)
    explained = maximum_filter1d(orchestra, 2 * config.map_slack_frames + 1, axis=0)
    explained = maximum_filter1d(explained, 3, axis=1)
    frame = mapped_frames(len(mix), len(orchestra), mix_map, features)
    residual = np.maximum(mix - explained[frame], 0.0)
    return UnexplainedFlux(mix[:, band].sum(axis=1), residual[:, band].sum(axis=1), orchestra[:, band].sum(axis=1))


def unexplained_activity(
    mix_pitch: NDArray[np.float32],
    orchestra_pitch: NDArray[np.float32],
    mix_map: MixMap,
    features: FeatureConfig,
    config: OrchestraModelConfig = DEFAULT,
) -> NDArray[np.float32]:
    """How surely the piano sounds in each frame of the full mix, by what O does not explain alone.

    Labels the frames that the mixtures are fitted to; `offline_prep.piano_activity` then knows the timbre as well.
    Where O is cut nothing explains the mix, so the piano plays.

    Args:
        mix_pitch: (n, 88) stream features of the full mix.
        orchestra_pitch: (m, 88) of the orchestra recording.
        mix_map: PO-O map.
        features: configuration of the stream features.
        config: settings.

    Returns:
        (n,) in 0..1.

    The band, the longer flux and the floor raised the mean area under the ROC curve over 13 rendered performances
    with piano rests from .905 to .944 (with exact maps blurred by 30 ms).
    """
    share = unexplained_flux(mix_pitch, orchestra_pitch, mix_map, features, config).share(config.box_frames, config)
    log_odds = config.share_slope * np.log((share + config.share_offset) / (config.share_middle + config.share_offset))
    activity = 1.0 / (1.0 + np.exp(-log_odds))
    mix_s = np.arange(1, len(mix_pitch) + 1, dtype=np.float64) * np.float64(features.hop_s)
    activity[mix_map.in_cut(mix_s)] = 1.0
    return np.asarray(activity, np.float32)


@dataclass(frozen=True)
class MixMixtures:
    """Mixtures on MFCC 1..12 of the two classes as they sound in the full mix: same microphones, same hall.

    Attributes:
        orchestra: mixture of the frames with the least piano activity.
        piano: mixture of the frames with the most piano activity: the prior the live piano model starts from.
    """

    orchestra: DiagonalGmm
    piano: DiagonalGmm


def fit_mix_mixtures(
    mix_mfcc: NDArray[np.float32],
    mix_rms: NDArray[np.float32],
    activity: NDArray[np.float32],
    config: OrchestraModelConfig = DEFAULT,
) -> MixMixtures:
    """Fit both mixtures to the full mix itself, labelled by the piano activity.

    A mixture of the separate orchestra recording distinguishes its room and microphone from the mix's rather than
    orchestra from piano (as a classifier of the mix's frames: mean AUC .66; mixtures of the mix itself: .91).

    Args:
        mix_mfcc: (n, 13) stream MFCC.
        mix_rms: (n,) stream level.
        activity: (n,) from `unexplained_activity`.
        config: settings.

    Raises:
        InputError: the mix is too short to fit a mixture.
    """
    sounding = mix_rms > 10.0 ** (config.sounding_db / 20.0) * np.percentile(mix_rms, config.loud_percentile)
    frames, active = mix_mfcc[sounding][:, MFCC_USED], activity[sounding]
    n_orchestra, n_piano = int(config.orchestra_share * len(frames)), int(config.piano_share * len(frames))
    if n_orchestra < config.mixture_components:
        raise InputError(
            f"the full mix has only {len(frames)} frames of sound; it needs "
            f"{int(np.ceil(config.mixture_components / config.orchestra_share))} or more (1 s of music)"
        )
    by_activity = np.argsort(active, kind="stable")
    return MixMixtures(
        _fit(frames[np.sort(by_activity[:n_orchestra])], config),
        _fit(frames[np.sort(by_activity[-n_piano:])], config),
    )


def _fit(frames: NDArray[np.float32], config: OrchestraModelConfig) -> DiagonalGmm:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    step = -(-len(frames) // config.mixture_frames)
    mixture = GaussianMixture(
        n_components=config.mixture_components,
        covariance_type="diag",
        reg_covar=config.mixture_min_variance,
        max_iter=config.mixture_rounds,
        random_state=0,
    )
    with warnings.catch_warnings():
        # Rounds are bounded on purpose: the last digits of the fit decide nothing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(frames[::step].astype(np.float64))
    return DiagonalGmm(mixture.weights_, mixture.means_, mixture.covariances_)


def _flux(pitch: NDArray[np.float32], config: OrchestraModelConfig) -> NDArray[np.float64]:
    """Positive difference over `flux_frames` of the compressed, level-normalised semitone amplitudes (n, 88)."""
    reference = float(np.percentile(np.linalg.norm(pitch, axis=1), config.loud_percentile))
    level = np.log1p(config.compression * pitch.astype(np.float64) / max(reference, 1e-9))
    flux = np.zeros_like(level)
    flux[config.flux_frames :] = np.maximum(level[config.flux_frames :] - level[: -config.flux_frames], 0.0)
    return flux


def box_mean(values: NDArray[np.float64], n_frames: int) -> NDArray[np.float64]:
    """Mean of (n,) values over so many frames round each."""
    return np.asarray(uniform_filter1d(values, n_frames, mode="nearest"), np.float64)
