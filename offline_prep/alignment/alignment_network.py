"""What a network trained on rendered concertos compares in the precise pass of the PO-O map.

It looks at the level of every pitch during a second round a moment, with neighbours, octaves and twelfths and the
whole, and gives some numbers per pitch, the embedding of the moment.  The same network reads both recordings.  It was
trained (`training/`) so that its similarities are the log odds that the precise pass takes them for.  Added to what
`onset_network` says it leaves fewer places wrong than either alone (docs/research-log.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from follower.errors import ConfigError
from offline_prep.alignment.features import (
    HOP_S,
    HOP_SAMPLES,
    LOWEST_MIDI,
    N_PITCHES,
    SAMPLE_RATE_HZ,
    Comparison,
    Features,
    compress,
)
from offline_prep.alignment.weights import read_weights

WEIGHTS_FILE = "alignment_network.npz"
GAMMA = 1000.0
"""Log compression of the levels the network reads."""
CONTEXT = 43
"""Frames the network looks at before and after the moment."""
BIN_EDGES = (
    -43, -32, -24, -18, -14, -11, -9, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 18, 24, 32, 43,
)  # fmt: skip
"""The level is averaged from each of these frames to the next, relative to the moment."""
OFFSETS = (-24, -19, -12, -1, 0, 1, 12, 19, 24)
"""Semitones above the pitch in question that are heard with it."""
N_BINS = len(BIN_EDGES) - 1
TYPICAL_PAIRS = 20_000
"""Random pairs of frames whose median similarity costs nothing."""
CHUNK_FRAMES = 128
"""Frames worked on at a time: 8 MB of inputs of the widest layer."""
READING = np.array([SAMPLE_RATE_HZ, HOP_SAMPLES, LOWEST_MIDI, N_PITCHES, GAMMA, *BIN_EDGES, *OFFSETS])
"""What the network was trained to read; stored beside its weights."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class AlignmentNet:
    """Four layers, relu between and the logistic function behind.

    Attributes:
        time: weights of a pitch's bins, (N_BINS, A).
        time_whole: weights of the bins' mean over all pitches, (N_BINS, A).
        time_bias: bias of the first layer, (A,).
        pitch: weights of the first layer's outputs at OFFSETS from the pitch, (len(OFFSETS) * A, B).
        pitch_whole: weights of the first layer's mean over all pitches, (A, B).
        register: bias of the second layer, for each pitch, (72, B).
        mixed: weights of the third layer, (B, C).
        mixed_bias: bias of the third layer, (C,).
        attack: weights of the last layer, (C, K).
        attack_bias: bias of the last layer, (K,).
        scale: factor of each channel after the logistic function, (K,).
        size_cost: share of half of an embedding's squared length that counts against every similarity, ().
        plain: weights of harmony and of plain rises, which are compared beside the embeddings, (2,).
    """

    time: Array
    time_whole: Array
    time_bias: Array
    pitch: Array
    pitch_whole: Array
    register: Array
    mixed: Array
    mixed_bias: Array
    attack: Array
    attack_bias: Array
    scale: Array
    size_cost: Array
    plain: Array

    def __post_init__(self) -> None:
        first, second, third, last = len(self.time_bias), self.register.shape[-1], len(self.mixed_bias), len(self.scale)
        expected = {
            "time": (N_BINS, first),
            "time_whole": (N_BINS, first),
            "pitch": (len(OFFSETS) * first, second),
            "pitch_whole": (first, second),
            "register": (N_PITCHES, second),
            "mixed": (second, third),
            "attack": (third, last),
            "attack_bias": (last,),
            "size_cost": (),
            "plain": (2,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ConfigError(f"the network's {name} is {getattr(self, name).shape}; expected {shape}")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file that `python -m training` wrote.

        Raises:
            ConfigError: the file is no such network, or was trained to read other features than these.
        """
        names = [f.name for f in fields(cls)]
        arrays = read_weights(file, names, READING, "network of the map", "python -m training")
        return cls(**arrays)

    def save(self, file: Path) -> None:
        """Write what `load` reads."""
        with file.open("wb") as stream:
            np.savez(
                stream, allow_pickle=False, reading=READING, **{f.name: getattr(self, f.name) for f in fields(self)}
            )

    def embed(self, level: Array) -> Array:
        """Embeddings, shape (frames, 72 * K), the channels of a pitch side by side.

        Args:
            level: (frames, 72) of `features.compress` with `GAMMA`.
        """
        channels = len(self.scale)
        out = np.empty((len(level), N_PITCHES * channels), dtype=np.float32)
        zero, below = np.float32(0.0), -min(OFFSETS)
        begin = 0
        for bins in binned(level):
            count = len(bins)
            whole = (bins.mean(axis=1) @ self.time_whole + self.time_bias)[:, None]
            first = np.maximum((bins.reshape(-1, N_BINS) @ self.time).reshape(count, N_PITCHES, -1) + whole, zero)
            padded = np.pad(first, ((0, 0), (below, max(OFFSETS)), (0, 0)))
            near = np.concatenate([padded[:, below + o : below + o + N_PITCHES] for o in OFFSETS], axis=2)
            heard = (near.reshape(count * N_PITCHES, -1) @ self.pitch).reshape(count, N_PITCHES, -1)
            heard += (first.mean(axis=1) @ self.pitch_whole)[:, None] + self.register
            mixed = np.maximum(
                np.maximum(heard, zero).reshape(count * N_PITCHES, -1) @ self.mixed + self.mixed_bias, zero
            )
            attack = expit(mixed @ self.attack + self.attack_bias) * self.scale
            out[begin : begin + count] = attack.reshape(count, -1)
            begin += count
        return out

    def compare(self, mix: tuple[Array, Features], orchestra: tuple[Array, Features]) -> Comparison:
        """Ready for the precise pass.

        Args:
            mix: pitchgram (frames, 72) of the mix, and its features of the precise stage.
            orchestra: pitchgram (frames, 72) of the orchestra recording, and its features of the precise stage.
        """
        harmony, rises = self.plain
        half = np.float32(0.5) * self.size_cost
        sides = []
        for side, (gram, features) in enumerate((mix, orchestra)):
            embedding = self.embed(compress(gram, GAMMA))
            cost = -half * np.einsum("ij,ij->i", embedding, embedding)[:, None]
            lengths = [cost, np.ones_like(cost)]
            plain = [np.sqrt(harmony) * features.harmony, np.sqrt(rises) * features.onset]
            sides.append(np.concatenate([embedding, lengths[side], lengths[1 - side], *plain], axis=1))
        left, right = sides
        rng = np.random.default_rng(0)
        i, j = rng.integers(0, len(left), TYPICAL_PAIRS), rng.integers(0, len(right), TYPICAL_PAIRS)
        typical = float(np.median(np.einsum("nd,nd->n", left[i], right[j])))
        return Comparison(left, right, typical, HOP_S)


def binned(level: Array) -> Iterator[Array]:
    """The network's inputs, chunk by chunk, each (frames, 72, N_BINS).

    Levels before the first and behind the last frame are taken as theirs.
    """
    edges = np.array(BIN_EDGES)
    padded = np.pad(level, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    total = np.zeros((len(padded) + 1, N_PITCHES))
    np.cumsum(padded, axis=0, out=total[1:])
    for begin in range(0, len(level), CHUNK_FRAMES):
        count = min(CHUNK_FRAMES, len(level) - begin)
        at = begin + CONTEXT + np.arange(count)[:, None] + edges
        mean = np.diff(total[at], axis=1) / np.diff(edges)[:, None]
        yield np.ascontiguousarray(mean.transpose(0, 2, 1), dtype=np.float32) * np.float32(0.5) - np.float32(1.0)


@cache
def alignment_net() -> AlignmentNet:
    """The network that comes with the package, read once."""
    with resources.as_file(resources.files("offline_prep.alignment") / WEIGHTS_FILE) as file:
        return AlignmentNet.load(file)
