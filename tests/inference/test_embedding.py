"""Embeddings: the same however much is worked on at once, nothing of the future, and what is read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.errors import ConfigError
from follower.inference import embedding
from follower.inference.embedding import EmbeddingNet, LiveEmbedder, embed_mix, embedding_net
from follower.kernels.embedding import Layers
from tests.naive import embedding as naive


def _net(seed: int = 0, semitones: int = 4, size: int = 3) -> EmbeddingNet:
    rng = np.random.default_rng(seed)
    w, blocks, taps = 5, 2, 3
    shapes = ((2, taps), (2,), (2 * semitones, w), (w,), (blocks, taps, w), (blocks, w), (blocks, w, w), (blocks, w))
    more = ((w, size), (size,))
    towers = (Layers(*(rng.normal(0, 0.6, s).astype(np.float32) for s in (*shapes, *more))) for _ in range(2))
    return EmbeddingNet(*towers)


def _levels(frames: int, semitones: int = 4) -> NDArray[np.float32]:
    return (4 * np.random.default_rng(frames).random((frames, semitones))).astype(np.float32)


@pytest.mark.parametrize("chunk", [1, 4, 7, 100])
def test_the_mix_is_embedded_the_same_in_chunks_of_any_size(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "CHUNK_FRAMES", chunk)
    net, levels = _net(), _levels(23)
    wanted = naive.embeddings((levels * embedding.INPUT_SCALE).tolist(), net.mix, ahead=True)
    np.testing.assert_allclose(embed_mix(levels, net).T, wanted, atol=3e-6)


def test_after_a_reset_the_piano_is_embedded_as_by_a_fresh_one() -> None:
    net, levels = _net(), _levels(30)
    embedder = LiveEmbedder(net)
    first = [embedder.embed(x) for x in levels]
    embedder.reset()
    np.testing.assert_array_equal([embedder.embed(x) for x in levels], first)
    assert not np.array_equal(embedder.embed(levels[0]), first[0])  # it remembers


def test_the_network_of_the_package_hears_which_note_is_struck() -> None:
    """Notes with overtones, each struck alone in the mix: the one that the piano strikes is the most similar one."""
    notes = range(20, 60, 5)
    struck = np.zeros((40 * len(notes), 88), np.float32)
    for k, note in enumerate(notes):
        for partial, interval in enumerate((0, 12, 19, 24)):
            struck[40 * k + 20 : 40 * k + 40, note + interval] = (4.0 - partial) * 0.97 ** np.arange(20)
    net = embedding_net()
    mix = embed_mix(struck, net)
    for k in range(len(notes)):
        embedder = LiveEmbedder(net)
        heard = [embedder.embed(x) for x in struck[40 * k : 40 * k + 26]]
        assert abs(int(np.argmax(heard[-1] @ mix)) - (40 * k + 25)) <= 5


def test_weights_are_read_as_they_were_written_to_half_precision(tmp_path: Path) -> None:
    net, file = _net(), tmp_path / "net.npz"
    net.save(file)
    found = EmbeddingNet.load(file)
    for tower in ("live", "mix"):
        for written, read in zip(getattr(net, tower), getattr(found, tower), strict=True):
            np.testing.assert_allclose(read, written, rtol=1e-3)
            assert read.dtype == np.float32


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_that_is_no_network_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "net.npz"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="holds no embedding network"):
        EmbeddingNet.load(file)


def test_a_missing_layer_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.npz"
    np.savez(file, allow_pickle=False, live_course=np.zeros((1, 1), np.float32))
    with pytest.raises(ConfigError, match="holds no embedding network"):
        EmbeddingNet.load(file)
