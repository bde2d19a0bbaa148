from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from follower.errors import InputError
from follower.inference.piano_classifier import SLICE_FRAMES, MixClassifier, PianoModel
from follower.kernels import gmm as kernels
from follower.piece.gmm import DiagonalGmm
from tests.naive import gmm as naive


def _mixture(seed: int, k: int = 3, d: int = 12, spread: float = 20.0) -> DiagonalGmm:
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.2, 1.0, k)
    return DiagonalGmm(weights / weights.sum(), rng.normal(0, spread, (k, d)), rng.uniform(20, 200, (k, d)))


def _frames(mixture: DiagonalGmm, n: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    component = rng.choice(len(mixture.weights), n, p=mixture.weights)
    noise = rng.standard_normal((n, mixture.n_dims))
    return np.asarray(mixture.means[component] + noise * np.sqrt(mixture.covariances[component]))


def _mfcc(frames: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros((len(frames), 1)), frames], axis=1).astype(np.float32)


@pytest.mark.plain
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5))
def test_kernels_equal_the_formulas(seed: int, k: int, d: int) -> None:
    mixture = _mixture(seed, k, d)
    x = _frames(mixture, 4, seed + 1)
    expected = [naive.log_likelihood(v, mixture.weights, mixture.means, mixture.covariances) for v in x]
    np.testing.assert_allclose(mixture.score_samples(x), expected, rtol=0, atol=1e-10)
    statistics = mixture.weights.copy(), mixture.means * 0.5, mixture.covariances * 2.0
    wanted = naive.blend_statistics(
        x[0],
        0.125,
        (mixture.weights, mixture.means, mixture.covariances),
        (statistics[0].copy(), statistics[1].copy(), statistics[2].copy()),
    )
    kernels.blend_statistics(x[0], 0.125, mixture._offsets, mixture.means, mixture._precisions, *statistics)
    for got, want in zip(statistics, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_scores_equal_scikit_learn() -> None:
    from sklearn.mixture import GaussianMixture

    x = _frames(_mixture(0), 400, 1)
    fitted = GaussianMixture(4, covariance_type="diag", random_state=0).fit(x)
    ours = DiagonalGmm(fitted.weights_, fitted.means_, fitted.covariances_)
    np.testing.assert_allclose(ours.score_samples(x), fitted.score_samples(x), rtol=0, atol=1e-9)


@pytest.mark.plain
def test_a_frame_far_from_everything_has_a_finite_score() -> None:
    assert np.isfinite(_mixture(0).score_samples(np.full((1, 12), 1e6))).all()


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([1.0], [[0.0]], [[0.0]], "variance is 0"),
        ([0.5, 0.4], [[0.0], [1.0]], [[1.0], [1.0]], "sum to 1"),
        ([1.0], [[0.0, np.nan]], [[1.0, 1.0]], "not finite"),
        ([1.0], [[0.0, 1.0]], [[1.0]], "means"),
        ([], np.empty((0, 2)), np.empty((0, 2)), "at least one component"),
    ],
)
def test_a_wrong_mixture_is_refused(weights: object, means: object, covariances: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        DiagonalGmm(weights, means, covariances)  # type: ignore[arg-type]


def test_a_mixture_cannot_be_changed() -> None:
    mixture = _mixture(0)
    with pytest.raises(ValueError, match="read-only"):
        mixture.means[0, 0] = 1.0
    with pytest.raises(InputError, match=r"\(n, 12\)"):
        mixture.score_samples(np.zeros((3, 5)))


def test_the_piano_model_learns_the_distribution_whatever_the_channel() -> None:
    prior, played = _mixture(1), _mixture(2)
    x = _frames(played, 1500, 3)
    fresh = _frames(played, 500, 4)
    model = PianoModel(prior)
    channel = 30.0
    for frame in x:
        model.learn(frame + channel)
    moved = fresh - x.mean(axis=0) + prior.mean()
    assert model.gmm.score_samples(moved).mean() > prior.score_samples(moved).mean() + 5.0
    other = PianoModel(prior)
    for frame in x:
        other.learn(frame)
    # Only the first second, while the model still believes the prior's mean, knows of the channel.
    difference = model.gmm.score_samples(moved).mean() - other.gmm.score_samples(moved).mean()
    assert abs(difference) < 2.0
    assert model.frames_learned == 1500


@pytest.mark.plain
def test_the_piano_model_bears_constant_and_absurd_frames() -> None:
    model = PianoModel(_mixture(1))
    for value in (0.0, 1e6, -1e6):
        for _ in range(50):
            model.learn(np.full(12, value))
    assert np.isfinite(model.gmm.score_samples(np.zeros((1, 12)))).all()
    assert model.gmm.covariances.min() >= 1.0


def _classifier(n: int = 700) -> tuple[MixClassifier, NDArray[np.float32]]:
    orchestra, piano = _mixture(5), _mixture(6)
    has_piano = np.arange(n) < n // 2
    frames = np.where(has_piano[:, None], _frames(piano, n, 7), _frames(orchestra, n, 8))
    rough = np.where(has_piano, 0.6, 0.5).astype(np.float32)
    prior = DiagonalGmm([1.0], piano.mean()[None], np.full((1, 12), 2000.0))
    return MixClassifier(_mfcc(frames), rough, orchestra, prior), _mfcc(_frames(piano, 900, 9))


def test_the_classifier_gets_surer_as_the_piano_plays() -> None:
    classifier, live = _classifier()
    before = classifier.piano_probability.copy()
    for frame in live:
        classifier.update(frame, 1.0)
    after = classifier.piano_probability
    inner = slice(40, 310)
    assert after[inner].mean() > max(before[inner].mean(), 0.9)
    assert after[390:660].mean() < 0.2


def test_reset_equals_fresh_and_runs_repeat() -> None:
    classifier, live = _classifier()
    fresh = classifier.piano_probability.copy()
    presence = np.random.default_rng(0).uniform(0, 1, len(live))

    def run() -> NDArray[np.float32]:
        for frame, p in zip(live[:300], presence, strict=False):
            classifier.update(frame, float(p))
        return classifier.piano_probability.copy()

    first = run()
    assert not np.array_equal(first, fresh)
    classifier.reset()
    np.testing.assert_array_equal(classifier.piano_probability, fresh)
    np.testing.assert_array_equal(run(), first)


def test_each_hop_rescores_one_slice_and_a_round_rescores_all() -> None:
    n = 2 * SLICE_FRAMES + 30
    classifier, live = _classifier(n)
    start = classifier.scores.copy()
    counts = [classifier.update(frame, 1.0) for frame in live[:3]]
    assert counts == [SLICE_FRAMES, SLICE_FRAMES, 30]
    assert np.all(classifier.scores != start)


def test_frames_without_piano_teach_nothing() -> None:
    classifier, live = _classifier()
    fresh = classifier.piano_probability.copy()
    assert [classifier.update(frame, 0.2) for frame in live[:5]] == [0] * 5
    np.testing.assert_array_equal(classifier.piano_probability, fresh)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="same number"):
        MixClassifier(np.zeros((4, 13), np.float32), np.zeros(3, np.float32), _mixture(0), _mixture(1))
