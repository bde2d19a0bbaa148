"""What a network hears of the live piano and of the full mix: embeddings whose product says how likely a place is.

Two towers read the compressed amplitudes of `follower.signal.observation`. That of the live piano looks at the newest
three quarters of a second, that of the mix at a third of a second to both sides. They were trained (`training/`) so
that the products, summed over the newest hops along a path through the mix, together with the plain observation give
the log likelihood of the path; see docs/model-card.md.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from follower.errors import ConfigError
from follower.kernels import embedding as kernels

WEIGHTS_FILE: Final = "embedding.npz"
TOWERS: Final = ("live", "mix")
CHUNK_FRAMES: Final = 2048
"""Frames of the mix worked on at a time: some 10 MB."""
INPUT_SCALE: Final = np.float32(0.25)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class EmbeddingNet:
    """The two towers.

    Attributes:
        live: of the live piano; its courses end with the newest frame.
        mix: of the full mix; its courses have the frame in their middle.
    """

    live: kernels.Layers
    mix: kernels.Layers

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read the weights that `training` wrote.

        Raises:
            ConfigError: the file is no such network.
        """
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                names = kernels.Layers._fields
                live, mix = (
                    kernels.Layers(*(np.ascontiguousarray(stored[f"{t}_{n}"], np.float32) for n in names))
                    for t in TOWERS
                )
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as e:
            raise ConfigError(f"{file} holds no embedding network ({e}); install the package anew") from e
        return cls(live, mix)

    def save(self, file: Path) -> None:
        """Write the weights, in half the precision: it is more than they have."""
        arrays = {f"{t}_{n}": v.astype(np.float16) for t in TOWERS for n, v in getattr(self, t)._asdict().items()}
        with file.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **arrays)

    @property
    def size(self) -> int:
        """Numbers in an embedding."""
        return len(self.live.last_bias)


def embed_mix(compressed: Array, net: EmbeddingNet) -> Array:
    """Embeddings of the whole mix, (size, n).

    Args:
        compressed: (n, 88) of `follower.signal.observation.compress_reference`.
        net: see `EmbeddingNet`.
    """
    layers = net.mix
    reach = len(layers.course[0]) // 2 + len(layers.depth) * (layers.depth.shape[1] // 2)
    n = len(compressed)
    out = np.empty((net.size, n), np.float32)
    for first in range(0, n, CHUNK_FRAMES):
        begin, end = max(first - reach, 0), min(first + CHUNK_FRAMES + reach, n)
        part = _tower(compressed[begin:end], layers)
        keep = min(CHUNK_FRAMES, n - first)
        out[:, first : first + keep] = part[first - begin : first - begin + keep].T
    return out


def _tower(compressed: Array, layers: kernels.Layers) -> Array:
    """Embeddings (n, size) of consecutive frames, nothing before and behind them."""
    n = len(compressed)
    taps = layers.course.shape[1]
    level = np.pad(compressed * INPUT_SCALE, ((taps // 2, taps - 1 - taps // 2), (0, 0)))
    courses = []
    for course, bias in zip(layers.course, layers.course_bias, strict=True):
        total = np.full(compressed.shape, bias)
        for tap, weight in enumerate(course):
            total += weight * level[tap : tap + n]
        courses.append(np.maximum(total, 0))
    x = np.maximum(np.concatenate(courses, axis=1) @ layers.first + layers.first_bias, 0)
    for depth, depth_bias, point, point_bias in zip(
        layers.depth, layers.depth_bias, layers.point, layers.point_bias, strict=True
    ):
        reach = len(depth)
        padded = np.pad(x, ((reach // 2, reach - 1 - reach // 2), (0, 0)))
        y = np.repeat(depth_bias[None], n, axis=0)
        for tap, weights in enumerate(depth):
            y += weights * padded[tap : tap + n]
        x = x + np.maximum(y @ point + point_bias, 0)
    x = x @ layers.last + layers.last_bias
    return np.asarray(x / np.sqrt(1 + np.einsum("nk,nk->n", x, x))[:, None], np.float32)


class LiveEmbedder:
    """Embeds the live piano hop by hop, in bounded memory and work."""

    def __init__(self, net: EmbeddingNet) -> None:
        self._layers = net.live
        taps = net.live.course.shape[1]
        self._semitones = len(net.live.first) // len(net.live.course)
        self._levels = np.zeros((taps, self._semitones), np.float32)
        self._blocks = np.zeros((len(net.live.depth), *net.live.depth.shape[1:]), np.float32)
        self._hop = 0

    def reset(self) -> None:
        """Forget everything heard."""
        self._levels[:] = 0
        self._blocks[:] = 0
        self._hop = 0

    def embed(self, compressed: Array) -> Array:
        """Take the next hop's `Observation.compressed` (88,); return its embedding (size,), of norm below 1."""
        out = np.empty(len(self._layers.last_bias), np.float32)
        kernels.embed_hop(compressed * INPUT_SCALE, self._hop, self._layers, self._levels, self._blocks, out)
        self._hop += 1
        return out


@cache
def embedding_net() -> EmbeddingNet:
    """The network that comes with the package, read once."""
    with resources.as_file(resources.files("follower.inference") / WEIGHTS_FILE) as file:
        return EmbeddingNet.load(file)
