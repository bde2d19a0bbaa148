"""The separation system: which recording is aligned with which, and how."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.errors import AlignmentError
from offline_prep.notebook.separation import align_whole, separation_alignment
from offline_prep.notebook.system import FIRST_PASS_WEIGHTS
from tests.naive import dense_sparse_offline as naive
from tests.naive import notebook as naive_notebook

HOP_S = 512 / 22050


def chroma(seed: int, frames: int) -> NDArray[np.float32]:
    """Smooth noise: neighbouring frames are alike, as in music."""
    raw = np.random.default_rng(seed).standard_normal((12, frames + 8))
    smooth = np.stack([np.convolve(row, np.hanning(9), "valid") for row in raw])
    return np.asarray(np.abs(smooth), np.float32)


def test_piano_meets_piano_and_orchestra_meets_orchestra() -> None:
    """The two parts are unlike each other, so that a pair mixed up would not fit."""
    mix_piano, mix_orchestra = chroma(1, 199), chroma(2, 199)
    orchestra = mix_orchestra[:, ::2]  # twice as fast
    piano = mix_piano[:, 50:150]  # a part of it
    result = separation_alignment(piano, orchestra, mix_piano, mix_orchestra)
    np.testing.assert_array_equal(result.p_po, np.array([np.arange(100), np.arange(50, 150)]))
    assert result.o_po[:, 0].tolist() == [0, 0] and result.o_po[:, -1].tolist() == [99, 198]
    np.testing.assert_allclose(result.hyp[0], np.arange(100) * HOP_S)
    np.testing.assert_allclose(result.hyp[1], np.arange(25, 75, 0.5) * HOP_S, atol=2 * HOP_S)


def test_the_orchestras_are_aligned_whole_with_the_notebooks_steps_and_weights() -> None:
    a, b = chroma(3, 40), chroma(4, 55)
    path = align_whole(a, b)
    C = naive_notebook.cosine_distance(a, b)
    cornered = C.copy()
    cornered[0, 1:] = np.inf
    total = naive.path_cost(C, path, FIRST_PASS_WEIGHTS, np.ones(40, dtype=np.bool_))
    np.testing.assert_allclose(total, naive.subsequence(cornered, FIRST_PASS_WEIGHTS)[-1, -1], rtol=1e-6)


def test_an_orchestra_of_another_length_has_no_path() -> None:
    with pytest.raises(AlignmentError, match="neither may be more than twice as long"):
        separation_alignment(chroma(1, 30), chroma(2, 99), chroma(3, 40), chroma(4, 40))
