"""How surely the piano sounds in each frame of the full mix: what it rests on, and the fitted weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from follower.config import FeatureConfig, JsonConfig, require
from follower.inference.piano_classifier import MFCC_USED
from follower.piece.mix_map import MixMap
from follower.piece.piece import Mix, Orchestra
from offline_prep.orchestra_model import MixMixtures, OrchestraModelConfig, box_mean, mapped_frames, unexplained_flux

SIGNS: Final = (
    "unexplained share",
    "timbre within .5 s",
    "timbre within 2 s",
    "mean attacks, mix",
    "mean attacks, orchestra",
    "strongest attack, mix",
    "strongest attack, orchestra",
)
"""What speaks for or against the piano, in the order of the weights."""


@dataclass(frozen=True)
class PianoActivityConfig(JsonConfig):
    """Weights of the signs, and over what they are taken.

    The weights and the bias are a logistic fit, both classes equally likely beforehand:
    `python -m benchmarks.offline_prep.piano_activity`.

    Attributes:
        weights: log odds of the piano per unit of each sign, see `SIGNS`.
        bias: log odds where all signs are 0.
        box_frames: attacks are averaged and their strongest is looked for over this many frames (1 s).
        timbre_frames: short span over which the timbre is averaged (.5 s).
        long_timbre_frames: long span over which the timbre is averaged (2 s).
        most_nats: a frame's log likelihood ratio of the mixtures counts up to this much.
        smooth_frames: the strongest attack is that of a mean over this many frames.
        floor: share of the median of a recording's attacks that is added before taking logarithms.
    """

    weights: tuple[float, ...] = (2.536, 0.120, 0.250, 6.988, 0.502, -4.094, -0.444)
    bias: float = 8.037
    box_frames: int = 43
    timbre_frames: int = 22
    long_timbre_frames: int = 86
    most_nats: float = 20.0
    smooth_frames: int = 3
    floor: float = 0.05

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        require(len(self.weights) == len(SIGNS), "weights", self.weights, f"{len(SIGNS)} numbers")
        for name in ("box_frames", "timbre_frames", "long_timbre_frames", "smooth_frames"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("most_nats", "floor"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")


DEFAULT: Final = PianoActivityConfig()
MODEL: Final = OrchestraModelConfig()


def signs(
    mix: Mix,
    orchestra: Orchestra,
    mix_map: MixMap,
    mixtures: MixMixtures,
    features: FeatureConfig,
    model: OrchestraModelConfig = MODEL,
    config: PianoActivityConfig = DEFAULT,
) -> NDArray[np.float64]:
    """What speaks for the piano in each frame of the full mix, (n, 7), a column per entry of `SIGNS`.

    Args:
        mix: features of the full mix, n frames.
        orchestra: features of the orchestra recording.
        mix_map: PO-O map.
        mixtures: of the full mix, with and without piano.
        features: configuration of the stream features.
        model: settings of the attacks and of their comparison.
        config: spans.
    """
    flux = unexplained_flux(mix.pitch, orchestra.pitch, mix_map, features, model)
    frame = mapped_frames(len(mix.pitch), len(orchestra.pitch), mix_map, features)
    columns = [np.log(flux.share(config.box_frames, model) + model.share_offset)]
    frames = mix.mfcc[:, MFCC_USED]
    nats = mixtures.piano.score_samples(frames) - mixtures.orchestra.score_samples(frames)
    nats = np.clip(nats, -config.most_nats, config.most_nats)
    columns += [box_mean(nats, n) for n in (config.timbre_frames, config.long_timbre_frames)]
    courses = ((flux.mix, np.arange(len(flux.mix))), (flux.orchestra, frame))
    for strength in (_mean, _strongest):
        for attacks, at in courses:
            course = strength(attacks, config)
            columns.append(np.log(course / (float(np.median(course)) + 1e-6) + config.floor)[at])
    return np.stack(columns, axis=1)


def piano_activity(
    mix: Mix,
    orchestra: Orchestra,
    mix_map: MixMap,
    mixtures: MixMixtures,
    features: FeatureConfig,
    model: OrchestraModelConfig = MODEL,
    config: PianoActivityConfig = DEFAULT,
) -> NDArray[np.float32]:
    """How surely the piano sounds in each frame of the full mix, (n,) in 0..1.

    What O does not explain is the beginning of an answer; where an orchestra doubles the piano it is not enough. So the
    timbre counts, and how the attacks of both recordings compare. Where O is cut, the piano plays.

    Args:
        mix: features of the full mix, n frames.
        orchestra: features of the orchestra recording.
        mix_map: PO-O map.
        mixtures: of the full mix, with and without piano.
        features: configuration of the stream features.
        model: settings of the attacks and of their comparison.
        config: weights and spans.
    """
    log_odds = signs(mix, orchestra, mix_map, mixtures, features, model, config) @ np.array(config.weights)
    activity = 1.0 / (1.0 + np.exp(-(log_odds + config.bias)))
    mix_s = np.arange(1, len(mix.pitch) + 1, dtype=np.float64) * features.hop_s
    activity[mix_map.in_cut(mix_s)] = 1.0
    return np.asarray(activity, np.float32)


def _mean(attacks: NDArray[np.float64], config: PianoActivityConfig) -> NDArray[np.float64]:
    return box_mean(attacks, config.box_frames)


def _strongest(attacks: NDArray[np.float64], config: PianoActivityConfig) -> NDArray[np.float64]:
    return np.asarray(maximum_filter1d(box_mean(attacks, config.smooth_frames), config.box_frames), np.float64)
