from __future__ import annotations

import librosa
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from offline_prep.notebook import features as nf


@pytest.mark.parametrize("cents", [-31, 0, 17])
def test_chunked_tuning_and_chroma_equal_librosas(cents: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nf, "TUNING_CHUNK_FRAMES", 37)
    rng = np.random.default_rng(cents + 100)
    t = np.arange(3 * nf.NOTEBOOK_RATE_HZ) / nf.NOTEBOOK_RATE_HZ
    x = sum(
        np.sin(2 * np.pi * 440 * 2 ** ((m - 69 + cents / 100) / 12) * t) * (np.floor(t * 4) % 5 == k)
        for k, m in enumerate([52, 57, 64, 69, 73])
    )
    x = (0.2 * x + 0.01 * rng.standard_normal(len(t))).astype(np.float32)
    assert nf.tuning_bins(x) == librosa.estimate_tuning(y=x, sr=22050, bins_per_octave=36)
    features = nf.notebook_features(x, 512)
    np.testing.assert_array_equal(features.chroma, librosa.feature.chroma_cqt(y=x, sr=22050, hop_length=512, norm=2))
    with threadpool_limits(1):  # a matrix product shared by two threads has other last digits
        mfcc = librosa.feature.mfcc(y=x, sr=22050, hop_length=512)
    np.testing.assert_array_equal(features.mfcc, mfcc)


def test_silence_has_a_tuning() -> None:
    with pytest.warns(UserWarning, match="empty frequency set"):
        assert nf.tuning_bins(np.zeros(22050, np.float32)) == 0.0
