"""Attacks of the orchestra, as a small network detects them: what the precise pass of the PO-O map compares most.

Plain rises of level are struck by piano figuration as much as by the orchestra.  Here two layers look at the level of
every pitch round a moment (0.4 s, its neighbours, octaves and twelfth, the whole) and say how much of an attack there
is that the other recording should have, too, on `CHANNELS` channels.  The same network reads both recordings, so an
attack that is slow in both is late in both.  It was trained first on known notes, then on making the true alignment of
rendered pairs the most similar one (`onset_network_fit.py` of the benchmarks; benchmarks/README.md, "PO-O map").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from follower.errors import ConfigError
from offline_prep.alignment.config import PreciseWeights
from offline_prep.alignment.features import (
    HOP_SAMPLES,
    LOWEST_MIDI,
    N_PITCHES,
    SAMPLE_RATE_HZ,
    Comparison,
    Features,
    compress,
)
from offline_prep.alignment.weights import read_weights

WEIGHTS_FILE = "onset_network.npz"
GAMMA = 1000.0
"""Log compression of the levels the network reads."""
BIN_EDGES = (-16, -12, -9, -7, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 11, 15, 21)
"""The level is averaged from each of these frames to the next, relative to the frame in question."""
PITCHES = (0, -1, 1, -12, 12, 19)
"""Semitones above the pitch in question whose levels are read."""
N_BINS = len(BIN_EDGES) - 1
N_INPUTS = N_BINS * (len(PITCHES) + 1)
"""The last `N_BINS` are the mean over all pitches."""
BELOW, ABOVE = -min(PITCHES), max(PITCHES)
TYPICAL_PAIRS = 20_000
"""Random pairs of frames whose median similarity costs nothing."""
CHUNK_FRAMES = 256
"""Frames worked on at a time: 9 MB of inputs."""
LAYERS = ("weight_1", "bias_1", "weight_2", "bias_2", "weight_3", "bias_3")
READING = np.array([SAMPLE_RATE_HZ, HOP_SAMPLES, LOWEST_MIDI, N_PITCHES, GAMMA, *BIN_EDGES, *PITCHES])
"""What the network was trained to read; stored beside its weights."""


@dataclass(frozen=True)
class OnsetNet:
    """Three layers, relu between and the logistic function behind: inputs of `contexts` to channels 0..1.

    Attributes:
        weights: weights of each layer, (inputs, outputs) float32.
        biases: biases of each layer, (outputs,) float32.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file of `benchmarks/offline_prep/alignment/onset_network_fit.py`.

        Raises:
            ConfigError: the file is no such network, or was trained to read other features than these.
        """
        fit = "benchmarks/offline_prep/alignment/onset_network_fit.py"
        arrays = read_weights(file, LAYERS, READING, "onset network", fit)
        net = cls(*(tuple(arrays[name] for name in LAYERS[side::2]) for side in (0, 1)))
        sizes = [N_INPUTS, *(len(b) for b in net.biases)]
        for k, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
            if w.shape != (sizes[k], sizes[k + 1]) or b.ndim != 1:
                raise ConfigError(f"layer {k + 1} of {file} is {w.shape}, {b.shape}; expected {sizes[k]} inputs")
        return net

    @property
    def channels(self) -> int:
        """Outputs per frame and pitch."""
        return len(self.biases[-1])

    def onsets(self, level: NDArray[np.float32]) -> NDArray[np.float32]:
        """Attacks detected, 0..1, shape (frames, 72 * channels), the channels of a pitch side by side.

        Args:
            level: (frames, 72) of `features.compress` with `GAMMA`.
        """
        out = np.empty((len(level), N_PITCHES * self.channels), dtype=np.float32)
        begin = 0
        for inputs in contexts(level):
            hidden = inputs
            for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
                hidden = np.maximum(hidden @ w + b, np.float32(0.0))
            count = len(inputs) // N_PITCHES
            out[begin : begin + count] = expit(hidden @ self.weights[-1] + self.biases[-1]).reshape(count, -1)
            begin += count
        return out


def compare_onsets(
    mix: tuple[NDArray[np.float32], Features],
    orchestra: tuple[NDArray[np.float32], Features],
    net: OnsetNet,
    config: PreciseWeights,
) -> Comparison:
    """Ready for the precise pass.

    Args:
        mix: pitchgram (frames, 72) of the mix, and its features of the precise stage.
        orchestra: pitchgram (frames, 72) of the orchestra recording, and its features of the precise stage.
        net: the network.
        config: see `PreciseWeights`.
    """
    left, right = (
        np.concatenate(
            [
                part * np.float32(np.sqrt(weight))
                for part, weight in (
                    (net.onsets(compress(gram, GAMMA)), config.network),
                    (features.harmony, config.harmony),
                    (features.onset, config.onset),
                )
            ],
            axis=1,
        )
        for gram, features in (mix, orchestra)
    )
    rng = np.random.default_rng(0)
    i, j = rng.integers(0, len(left), TYPICAL_PAIRS), rng.integers(0, len(right), TYPICAL_PAIRS)
    typical = float(np.median(np.einsum("nd,nd->n", left[i], right[j])))
    return Comparison(left, right, typical, mix[1].hop_s)


def contexts(level: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The network's inputs, chunk by chunk, each (frames * 72, `N_INPUTS`), row 72 t + p of frame t and pitch p.

    Levels before the first and behind the last frame are taken as theirs, pitches outside the gram as silent.
    """
    edges = np.array(BIN_EDGES)
    padded = np.pad(level, ((-edges[0], edges[-1]), (0, 0)), mode="edge")
    total = np.zeros((len(padded) + 1, N_PITCHES))
    np.cumsum(padded, axis=0, out=total[1:])
    for begin in range(0, len(level), CHUNK_FRAMES):
        count = min(CHUNK_FRAMES, len(level) - begin)
        at = begin - edges[0] + np.arange(count)[:, None] + edges
        mean = np.diff(total[at], axis=1) / np.diff(edges)[:, None]
        bins = np.zeros((count, BELOW + N_PITCHES + ABOVE, N_BINS), dtype=np.float32)
        bins[:, BELOW : BELOW + N_PITCHES] = mean.transpose(0, 2, 1)
        whole = bins[:, BELOW : BELOW + N_PITCHES].mean(axis=1, keepdims=True)
        parts = [bins[:, BELOW + p : BELOW + p + N_PITCHES] for p in PITCHES]
        parts.append(np.broadcast_to(whole, parts[0].shape))
        yield np.concatenate(parts, axis=2).reshape(-1, N_INPUTS) * np.float32(0.5) - np.float32(1.0)


@cache
def onset_net() -> OnsetNet:
    """The network that comes with the package, read once."""
    with resources.as_file(resources.files("offline_prep.alignment") / WEIGHTS_FILE) as file:
        return OnsetNet.load(file)
