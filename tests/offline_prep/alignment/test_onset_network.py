"""offline_prep.alignment.onset_network: the network reads what it was trained on, and finds attacks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.errors import ConfigError
from offline_prep.alignment.config import PreciseWeights
from offline_prep.alignment.features import LOWEST_MIDI, N_PITCHES, FeatureShape, compress, pitchgram, shape_features
from offline_prep.alignment.onset_network import (
    CHUNK_FRAMES,
    GAMMA,
    LAYERS,
    N_INPUTS,
    READING,
    OnsetNet,
    compare_onsets,
    contexts,
    onset_net,
)
from tests.naive import onset_net as naive

SHAPE = FeatureShape(pool=1, gamma=1000.0, smooth_s=0.05, rise_frames=6)


def _net(seed: int = 0, channels: int = 2) -> OnsetNet:
    rng = np.random.default_rng(seed)
    sizes = [N_INPUTS, 5, 3, channels]
    layers = list(pairwise(sizes))
    weights = tuple(rng.standard_normal(size).astype(np.float32) / np.float32(size[0] ** 0.5) for size in layers)
    return OnsetNet(weights, tuple(rng.standard_normal(b).astype(np.float32) for _, b in layers))


def _level(frames: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((frames, N_PITCHES)).astype(np.float32) * np.float32(7.0)


def _tone(seconds: float, start_s: float, hz: float = 440.0) -> NDArray[np.float32]:
    """A tone that begins within 10 ms and is held."""
    t = np.arange(round(seconds * 22050)) / 22050
    tone = 0.3 * np.sin(2 * np.pi * hz * t) * np.clip((t - start_s) / 0.01, 0.0, 1.0)
    return np.asarray(tone + 1e-4 * np.random.default_rng(0).standard_normal(len(t)), dtype=np.float32)


@pytest.mark.parametrize("frames", [1, 9, CHUNK_FRAMES, 2 * CHUNK_FRAMES + 3])
def test_inference_is_the_plain_loop(frames: int) -> None:
    net, level = _net(), _level(frames)
    found = net.onsets(level).reshape(frames, N_PITCHES, net.channels)
    rng = np.random.default_rng(frames)
    for frame in {0, frames - 1, min(CHUNK_FRAMES, frames - 1), int(rng.integers(frames))}:
        for pitch in (0, N_PITCHES - 1, int(rng.integers(N_PITCHES))):
            assert found[frame, pitch] == pytest.approx(naive.onsets(net, level, frame, pitch), abs=2e-5)


def test_inputs_come_in_bounded_chunks() -> None:
    sizes = [len(c) for c in contexts(_level(2 * CHUNK_FRAMES + 3))]
    assert sizes == [CHUNK_FRAMES * N_PITCHES] * 2 + [3 * N_PITCHES]


@pytest.mark.parametrize("hz", [220.0, 440.0, 1046.5])
def test_the_network_finds_an_attack_and_not_a_held_tone(hz: float) -> None:
    """Its first channel leaps where the tone begins; while it is held the channel falls to half and stays there."""
    level = compress(pitchgram(_tone(4.0, 1.5, hz), 0.0), GAMMA)
    pitch = round(69 + 12 * np.log2(hz / 440.0)) - LOWEST_MIDI
    found = onset_net().onsets(level).reshape(len(level), N_PITCHES, -1)[:, pitch, 0]
    leap = found[4:] - found[:-4]
    start = round(1.5 * 22050 / 256)
    assert abs(int(leap.argmax()) + 2 - start) <= 2
    assert leap.max() > 0.4
    held = slice(start + 86, -30)
    assert found[held].max() < 0.6 * found[start - 2 : start + 10].max()
    assert np.abs(leap[held]).max() < 0.05


def test_the_same_onsets_are_the_most_similar() -> None:
    """Two tones that begin together are more similar than the same tones beside their place."""
    net, weights = onset_net(), PreciseWeights()
    grams = [pitchgram(_tone(4.0, 1.5, hz), 0.0) for hz in (440.0, 440.3)]
    mix, orchestra = ((g, shape_features(g, SHAPE, 0.0)) for g in grams)
    compared = compare_onsets(mix, orchestra, net, weights)
    assert compared.mix.shape == (len(grams[0]), N_PITCHES * (2 + net.channels))
    start = round(1.5 * 22050 / 256)
    shift = np.arange(-20, 21)
    similarity = [
        sum(float(compared.mix[t] @ compared.orchestra[t + s]) for t in (start - 1, start, start + 1)) for s in shift
    ]
    assert shift[int(np.argmax(similarity))] == 0


def test_stored_weights_are_read_back(tmp_path: Path) -> None:
    net = _net()
    file = tmp_path / "net.npz"
    arrays = [a for layer in zip(net.weights, net.biases, strict=True) for a in layer]
    np.savez(file, allow_pickle=False, reading=READING, **dict(zip(LAYERS, arrays, strict=True)))
    read = OnsetNet.load(file)
    assert all(np.array_equal(a, b) for a, b in zip(read.weights + read.biases, net.weights + net.biases, strict=True))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("reading", READING + 1, "trained on other features"),
        ("reading", READING[:-1], "trained on other features"),
        ("weight_2", np.zeros((4, 3), dtype=np.float32), "layer 2 of .* is \\(4, 3\\)"),
        ("weight_1", np.zeros((N_INPUTS + 1, 5), dtype=np.float32), f"expected {N_INPUTS} inputs"),
        ("bias_3", None, "holds no onset network"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, value: NDArray[np.float32] | None, message: str) -> None:
    net = _net()
    arrays = dict(zip(LAYERS, [a for layer in zip(net.weights, net.biases, strict=True) for a in layer], strict=True))
    arrays["reading"] = READING
    if value is None:
        del arrays[name]
    else:
        arrays[name] = np.asarray(value)
    file = tmp_path / "net.npz"
    np.savez(file, allow_pickle=False, **arrays)
    with pytest.raises(ConfigError, match=message):
        OnsetNet.load(file)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.npz"
    file.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ConfigError, match="holds no onset network"):
        OnsetNet.load(file)
