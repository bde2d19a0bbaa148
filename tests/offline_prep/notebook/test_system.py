from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.errors import AlignmentError, ConfigError, InputError
from follower.piece.piece import NotebookFeatures
from offline_prep.notebook import system as notebook
from tests.naive import dense_sparse_offline as naive
from tests.naive import notebook as naive_notebook
from tests.paths import DATA

MIX_FRAMES = 100
GOLDEN_RUNS = ("notebook_pub02_rach2_clean", "notebook_pub05_bach_1052_clean")


@pytest.fixture(params=GOLDEN_RUNS)
def golden(request: pytest.FixtureRequest) -> dict[str, NDArray[np.float64]]:
    with np.load(DATA / f"{request.param}.npz", allow_pickle=False) as data:
        return dict(data)


def test_golden_classification_and_gaps(golden: dict[str, NDArray[np.float64]]) -> None:
    scores = golden["score_piano"].astype(np.float32), golden["score_orchestra"].astype(np.float32)
    classes = notebook.classes_of_scores(*scores)
    np.testing.assert_array_equal(classes.piano, golden["frames_piano"])
    np.testing.assert_array_equal(classes.orchestra, golden["frames_orchestra"])
    n = len(scores[0])
    np.testing.assert_array_equal(notebook.gap_lengths(classes.piano, n), golden["gaplens_piano"])
    np.testing.assert_array_equal(notebook.gap_lengths(classes.orchestra, n), golden["gaplens_orchestra"])


def test_golden_composition_bit_for_bit(golden: dict[str, NDArray[np.float64]]) -> None:
    frames = notebook.infer_alignment(golden["p_po_align"], golden["o_po_align"][::-1])
    np.testing.assert_array_equal(notebook.frames_to_seconds(frames, 512), golden["hyp"])


def _features(rng: np.random.Generator, position: NDArray[np.float64], timbre: float, noise: float) -> NotebookFeatures:
    """Chroma that walks with the position in the piece, MFCC that depend on the instrument."""
    pitches = np.arange(12)[:, None]
    steps = np.floor(position)[None] * 5
    chroma = np.exp(-((np.minimum((pitches - steps) % 12, (steps - pitches) % 12)) ** 2) / 2)
    chroma = chroma + noise * rng.uniform(size=chroma.shape)
    chroma /= np.linalg.norm(chroma, axis=0)
    mfcc = rng.normal(size=(20, len(position))) + timbre * np.arange(20)[:, None]
    # Level and fine structure, which the notebook leaves out, would say the opposite.
    mfcc[0] -= 300 * timbre * (len(position) == MIX_FRAMES)
    mfcc[13:] -= 100 * timbre * (len(position) == MIX_FRAMES)
    return NotebookFeatures(chroma.astype(np.float32), mfcc.astype(np.float32))


def _piece(seed: int) -> tuple[NotebookFeatures, NotebookFeatures, NotebookFeatures]:
    """Piano, orchestra and mix at different tempos; the mix is piano in stretches of 7 frames, else orchestra."""
    rng = np.random.default_rng(seed)
    piano = _features(rng, np.linspace(4, 14, 60), 3.0, 0.2)
    orchestra = _features(rng, np.linspace(0, 20, 130), -3.0, 0.2)
    position = np.linspace(1, 18, MIX_FRAMES)
    as_piano, as_orchestra = (_features(rng, position, timbre, 0.2) for timbre in (3.0, -3.0))
    is_piano = (np.arange(MIX_FRAMES) // 7) % 2 == 0
    mfcc = np.where(is_piano, as_piano.mfcc, as_orchestra.mfcc)
    return piano, orchestra, NotebookFeatures(as_piano.chroma, mfcc)


@pytest.mark.parametrize("seed", range(3))
def test_the_whole_system_equals_a_plain_transcription(seed: int) -> None:
    piano, orchestra, mix = _piece(seed)
    result = notebook.notebook_alignment(piano, notebook.offline_stage(orchestra, mix))
    expected = naive_notebook.notebook_system(
        (piano.chroma, piano.mfcc), (orchestra.chroma, orchestra.mfcc), (mix.chroma, mix.mfcc)
    )
    np.testing.assert_array_equal(result.first_pass, expected.first_pass)
    np.testing.assert_array_equal(result.classes.piano, expected.piano_frames)
    np.testing.assert_array_equal(result.p_po, expected.p_po)
    np.testing.assert_array_equal(result.o_po, expected.o_po)
    np.testing.assert_allclose(result.hyp, expected.hyp_s, rtol=1e-15)
    assert result.notices == ()
    assert 0 < len(result.classes.piano) < result.region[1] - result.region[0]


def test_the_naive_system_finds_the_orchestra() -> None:
    piano, orchestra, mix = _piece(7)
    result = notebook.naive_alignment(piano, orchestra, mix)
    truth = np.interp(np.linspace(4, 14, 60), np.linspace(0, 20, 130), np.arange(130)) * 512 / 22050
    assert result.hyp.shape == (2, 60)
    assert np.median(np.abs(result.hyp[1] - truth)) < 0.15
    np.testing.assert_array_equal(result.hyp[0], np.arange(60) * 512 / 22050)


@pytest.mark.parametrize("timbre", [3.0, -3.0])
def test_a_class_without_frames_falls_back_to_dense_and_says_so(timbre: float) -> None:
    """The notebook raised an IndexError."""
    piano, orchestra, mix = _piece(1)
    flat = _features(np.random.default_rng(5), np.linspace(1, 18, MIX_FRAMES), timbre, 0.2)
    result = notebook.notebook_alignment(
        piano, notebook.offline_stage(orchestra, NotebookFeatures(mix.chroma, flat.mfcc))
    )
    missing = "orchestra" if timbre > 0 else "piano"
    assert [missing in notice for notice in result.notices] == [True]
    assert np.isfinite(result.hyp).all()
    if missing == "piano":
        np.testing.assert_array_equal(result.p_po, result.first_pass)
    else:
        dense = notebook.align_subsequence(mix.chroma[:, slice(*result.region)], orchestra.chroma)
        np.testing.assert_array_equal(result.o_po[0], dense[1])


def test_a_piano_far_longer_than_the_mix_has_no_alignment() -> None:
    piano, orchestra, mix = _piece(1)
    short = NotebookFeatures(mix.chroma[:, :20], mix.mfcc[:, :20])
    with pytest.raises(AlignmentError, match="60 frames spanning 60 do not fit into 20"):
        notebook.notebook_alignment(piano, notebook.offline_stage(orchestra, short))


def test_too_few_frames_for_the_mixture() -> None:
    with pytest.raises(InputError, match="9 frames cannot fit 10 components"):
        notebook.fit_gmm(np.zeros((20, 9), dtype=np.float32))


def test_composition_holds_at_the_ends() -> None:
    composed = notebook.infer_alignment(np.array([[2, 4], [10, 14]]), np.array([[11, 13], [0, 20]]))
    np.testing.assert_array_equal(composed, [[0, 1, 2, 3, 4], [0, 0, 0, 10, 20]])


def test_select_features_keeps_the_frames_with_the_most_flux() -> None:
    features = np.array([[0, 3, 3, 5, 5, 9, 9]], dtype=np.float32)  # flux 3 0 2 0 4 0
    chosen = notebook.select_features(features, 0.5)
    assert chosen.flux_threshold == 2.0
    np.testing.assert_array_equal(chosen.indices, [0, 4])  # the notebook leaves the frame at the threshold out
    np.testing.assert_array_equal(chosen.gaplens, [4, 2])
    np.testing.assert_array_equal(chosen.features, [[0, 5]])


@pytest.mark.parametrize("seed", range(5))
def test_select_features_equals_the_notebooks(seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(12, 50)).astype(np.float32)
    chosen = notebook.select_features(features, 0.3)
    expected = naive_notebook.select_features(features, 0.3)
    got = (chosen.features, chosen.indices, chosen.gaplens, chosen.flux_threshold)
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, 0.01])
def test_select_features_refuses_shares_without_a_frame(share: float) -> None:
    with pytest.raises(ConfigError, match=f"frac_keep is {share}"):
        notebook.select_features(np.zeros((2, 10), dtype=np.float32), share)


def test_select_features_of_a_still_recording() -> None:
    """The notebook raised an IndexError."""
    with pytest.raises(AlignmentError, match="no frame has more flux"):
        notebook.select_features(np.ones((2, 10), dtype=np.float32), 0.5)


def test_first_pass_is_the_oracles_optimum() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.uniform(size=(12, n)).astype(np.float32) for n in (30, 50))
    path = notebook.align_subsequence(a, b)
    C = naive_notebook.cosine_distance(a, b)
    total = naive.path_cost(C, path, notebook.FIRST_PASS_WEIGHTS, np.ones(30, dtype=np.bool_))
    np.testing.assert_allclose(total, naive.subsequence(C, notebook.FIRST_PASS_WEIGHTS)[-1].min(), rtol=1e-6)
