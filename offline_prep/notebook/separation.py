"""The notebook's other system: the full mix is separated first, then each part is aligned with its like.

Source: the description of the source separation system at the beginning of the notebook. Offline, the orchestra
recording and the orchestra estimated from the mix are aligned with standard DTW on chroma; then the solo piano and the
piano estimated from the mix are aligned, the solo piano being a part of it, and what that says of the mix is carried
over to the orchestra. Features, cost, steps and weights are those of the notebook's example call.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offline_prep.notebook.subsequence import whole_path
from offline_prep.notebook.system import (
    FIRST_PASS_WEIGHTS,
    NaiveResult,
    align_subsequence,
    cosine_rows,
    frames_to_seconds,
    infer_alignment,
)

Chroma = NDArray[np.float32]


def separation_alignment(
    piano: Chroma, orchestra: Chroma, mix_piano: Chroma, mix_orchestra: Chroma, hop_samples: int = 512
) -> NaiveResult:
    """Align piano and orchestra through the parts of the mix.

    Args:
        piano: chroma of the solo piano recording, shape (12, P).
        orchestra: chroma of the orchestra recording, shape (12, M).
        mix_piano: chroma of the piano estimated from the mix, shape (12, N).
        mix_orchestra: chroma of the orchestra estimated from the mix, shape (12, N).
        hop_samples: hop of the features at 22050 Hz.

    Returns:
        As the naive system: the mix in its paths is its piano part, its orchestra part.

    Raises:
        AlignmentError: an alignment does not exist.
    """
    o_po = align_whole(orchestra, mix_orchestra)
    p_po = align_subsequence(piano, mix_piano)
    return NaiveResult(p_po, o_po, frames_to_seconds(infer_alignment(p_po, o_po[::-1]), hop_samples))


def align_whole(query: Chroma, reference: Chroma) -> NDArray[np.int64]:
    """Standard DTW on the cosine distance of two feature matrices of shapes (D, M) and (D, N).

    Returns:
        Path, shape (2, L), from the first frames to the last.

    Raises:
        AlignmentError: one of the two is more than twice as long as the other.
    """
    shape = (query.shape[1], reference.shape[1])
    return whole_path(cosine_rows(query, reference), shape, np.array(FIRST_PASS_WEIGHTS))
