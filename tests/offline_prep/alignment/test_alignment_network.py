"""offline_prep.alignment.alignment_network: the network with NumPy, and its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.errors import ConfigError
from offline_prep.alignment.align import precise_comparisons
from offline_prep.alignment.alignment_network import (
    CHUNK_FRAMES,
    GAMMA,
    N_BINS,
    OFFSETS,
    READING,
    AlignmentNet,
    alignment_net,
    binned,
)
from offline_prep.alignment.config import AlignConfig
from offline_prep.alignment.features import (
    HOP_SAMPLES,
    N_PITCHES,
    SAMPLE_RATE_HZ,
    Comparison,
    Features,
    compress,
    shape_features,
)
from tests.naive import alignment_net as naive

Array = NDArray[np.float32]
FIRST, SECOND, THIRD, CHANNELS = 5, 4, 3, 2


def _net(seed: int = 0) -> AlignmentNet:
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> Array:
        return np.asarray(rng.standard_normal(shape) / np.sqrt(shape[0]), dtype=np.float32)

    return AlignmentNet(
        time=drawn(N_BINS, FIRST),
        time_whole=drawn(N_BINS, FIRST),
        time_bias=drawn(FIRST),
        pitch=drawn(len(OFFSETS) * FIRST, SECOND),
        pitch_whole=drawn(FIRST, SECOND),
        register=drawn(N_PITCHES, SECOND),
        mixed=drawn(SECOND, THIRD),
        mixed_bias=drawn(THIRD),
        attack=drawn(THIRD, CHANNELS),
        attack_bias=drawn(CHANNELS),
        scale=np.abs(drawn(CHANNELS)),
        size_cost=np.array(0.3, dtype=np.float32),
        plain=np.array([0.2, 0.7], dtype=np.float32),
    )


def _level(frames: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).random((frames, N_PITCHES)).astype(np.float32) * np.float32(7.0)


def _measured(gram: Array) -> tuple[Array, Features]:
    return gram, shape_features(gram, AlignConfig().precise.shape, 0.0)


@pytest.mark.parametrize("frames", [1, 9, CHUNK_FRAMES, 2 * CHUNK_FRAMES + 3])
def test_inference_is_the_plain_loop(frames: int) -> None:
    net, level = _net(), _level(frames)
    found = net.embed(level)
    assert found.shape == (frames, N_PITCHES * CHANNELS)
    rng = np.random.default_rng(frames)
    for frame in {0, frames - 1, min(CHUNK_FRAMES, frames - 1), int(rng.integers(frames))}:
        assert found[frame] == pytest.approx(naive.embedding(net, level, frame), abs=1e-5)


def test_the_comparison_is_the_similarity() -> None:
    """Costs of the precise pass are the negative log odds, but for one constant, in which the median is 0."""
    net = _net()
    (mix, mix_plain), (orchestra, orchestra_plain) = (
        _measured(np.expm1(_level(40, 1))),
        _measured(np.expm1(_level(50, 2))),
    )
    compared = net.compare((mix, mix_plain), (orchestra, orchestra_plain))
    left, right = (net.embed(compress(g, GAMMA)).tolist() for g in (mix, orchestra))
    inner = compared.mix @ compared.orchestra.T
    for i, j in ((0, 0), (39, 49), (7, 31)):
        harmony = float(mix_plain.harmony[i] @ orchestra_plain.harmony[j])
        rises = float(mix_plain.onset[i] @ orchestra_plain.onset[j])
        assert inner[i, j] == pytest.approx(naive.similarity(net, left[i], right[j], harmony, rises), abs=1e-4)
    assert compared.offset == pytest.approx(float(np.median(inner)), abs=0.05 * float(np.ptp(inner)))
    assert compared.hop_s == HOP_SAMPLES / SAMPLE_RATE_HZ


def test_inputs_come_in_bounded_chunks() -> None:
    sizes = [len(c) for c in binned(_level(2 * CHUNK_FRAMES + 3))]
    assert sizes == [CHUNK_FRAMES, CHUNK_FRAMES, 3]


def test_stored_weights_are_read_back(tmp_path: Path) -> None:
    net, file = _net(), tmp_path / "ear.npz"
    net.save(file)
    level = _level(5)
    assert np.array_equal(AlignmentNet.load(file).embed(level), net.embed(level))


def test_a_network_whose_layers_do_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pitch is \(3, 4\); expected \(45, 4\)"):
        replace(_net(), pitch=np.zeros((3, SECOND), dtype=np.float32))


@pytest.mark.parametrize(
    ("reading", "left_out", "message"),
    [
        (READING + 1, "", "trained on other features"),
        (READING[:-1], "", "trained on other features"),
        (READING, "mixed", "holds no network"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, reading: Array, left_out: str, message: str) -> None:
    file = tmp_path / "ear.npz"
    arrays = {k: v for k, v in vars(_net()).items() if k != left_out}
    np.savez(file, allow_pickle=False, reading=reading, **arrays)
    with pytest.raises(ConfigError, match=message):
        AlignmentNet.load(file)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ear.npz"
    file.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ConfigError, match="holds no network"):
        AlignmentNet.load(file)


def test_the_precise_pass_adds_what_the_network_that_comes_along_says() -> None:
    mix, orchestra = ((np.expm1(_level(n, n)) / GAMMA).astype(np.float32) for n in (60, 70))
    config = AlignConfig()
    without = replace(config, precise_weights=replace(config.precise_weights, alignment=0.0))
    half = replace(config, precise_weights=replace(config.precise_weights, alignment=0.5))
    (both, _), (onsets, _) = precise_comparisons(mix, orchestra, half), precise_comparisons(mix, orchestra, without)
    stage = config.precise
    added = alignment_net().compare(
        (mix, shape_features(mix, stage.shape, 0.0)),
        (orchestra, shape_features(orchestra, stage.shape, stage.softness)),
    )

    def cost(c: Comparison) -> NDArray[np.float64]:
        return c.offset - c.mix.astype(np.float64) @ c.orchestra.astype(np.float64).T

    share = 0.5 * cost(added)
    assert both.mix.dtype == np.float16
    np.testing.assert_allclose(cost(both) - cost(onsets), share, atol=0.1 * float(np.abs(share).max()))
