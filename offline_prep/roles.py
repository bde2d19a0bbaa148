"""Which of the two recordings is the one with the piano?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.piece.mix_map import MixMap
from offline_prep.orchestra_model import unexplained_activity

ALIKE_BELOW = 0.1
"""Mean piano activity under which there is no piano: right pairs have .55 to .97 (21 rendered pairs), a recording
beside itself .001, beside its MP3 .014."""


def same_warning(activity: NDArray[np.float32]) -> str | None:
    """Say so when nothing in the mix needs a piano to explain it; None when something does.

    Args:
        activity: (n,) `unexplained_activity` of the mix.
    """
    if float(np.mean(activity)) >= ALIKE_BELOW:
        return None
    return (
        "nothing is heard in the full mix that the orchestra recording does not have too, so there is no piano to "
        "learn from: are both the same recording?"
    )


def swapped_warning(
    activity: NDArray[np.float32],
    mix_pitch: NDArray[np.float32],
    orchestra_pitch: NDArray[np.float32],
    mix_map: MixMap,
    config: FeatureConfig,
) -> str | None:
    """Say so when the two recordings seem to have been given in the wrong order.

    The mix has attacks that the orchestra does not explain, the piano's; the other way round there are few. Asking
    both ways and comparing needs no threshold: the right order won on 21 rendered pairs (mean activity .55-.97
    against .22-.62, least difference .08).

    Args:
        activity: (n,) `unexplained_activity` of the mix.
        mix_pitch: (n, 88) stream features of the full mix.
        orchestra_pitch: (m, 88) of the orchestra recording.
        mix_map: PO-O map.
        config: of the stream features.

    Returns:
        The warning, or None when the order seems right.
    """
    backward = MixMap(mix_map.mix_s, mix_map.orchestra_s, mix_map.confidence)
    reverse = unexplained_activity(orchestra_pitch, mix_pitch, backward, config)
    if float(np.mean(activity)) >= float(np.mean(reverse)):
        return None
    return (
        "the orchestra recording has more attacks without a counterpart than the full mix: are the two given in the "
        "wrong order? The orchestra comes first: offline-prep ORCHESTRA MIX"
    )
